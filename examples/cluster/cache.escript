#!/usr/bin/env escript
%% SPDX-License-Identifier: BSL-1.0
%%! -name cache@127.0.0.1 -setcookie secret
%%
%% escript cache.escript
%%
%% A gen_server, which cache.cpp calls. It ends when that has let it crash.
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2]).

main([]) ->
    logger:set_primary_config(level, none), % of the crash
    {ok, Pid} = gen_server:start({local, cache}, ?MODULE, [], []),
    Monitor = monitor(process, Pid),
    io:format("~p is open~n", [node()]),
    receive {'DOWN', Monitor, process, _, Reason} -> io:format("the cache has ended: ~p~n", [Reason]) end,
    timer:sleep(100). % the caller is told, too

init([]) -> {ok, #{}}.

handle_call({lookup, Key}, _From, Users) -> {reply, maps:get(Key, Users, undefined), Users};
handle_call({forget, Key}, _From, Users) when is_map_key(Key, Users) -> {reply, ok, maps:remove(Key, Users)};
handle_call({forget, _}, _From, Users) -> {reply, {error, not_found}, Users};
handle_call({age, _}, _From, Users) -> {reply, "thirty-six", Users};
handle_call(crash, _From, Users) -> {stop, {disk_full, "/data"}, Users}.

handle_cast({store, Key, User}, Users) -> {noreply, Users#{Key => User}}.

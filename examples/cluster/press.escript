#!/usr/bin/env escript
%% SPDX-License-Identifier: BSL-1.0
%%! -name press@127.0.0.1 -setcookie secret
%%
%% escript press.escript
%%
%% Waits for a reader from readers.cpp, sends to the group, and stops the reader.
-mode(compile).

main([]) ->
    {ok, _} = pg:start_link(),
    io:format("~p is open~n", [node()]),
    [Reader] = readers(),
    io:format("a reader at ~p~n", [node(Reader)]),
    [Pid ! {news, <<"rain">>} || Pid <- pg:get_members(<<"readers">>)],
    ok = gen_server:stop(Reader),
    timer:sleep(200), % it is told of the end by then
    io:format("readers: ~p~n", [pg:get_members(<<"readers">>)]).

readers() ->
    case pg:get_members(<<"readers">>) of
        [] -> timer:sleep(20), readers();
        Pids -> Pids
    end.

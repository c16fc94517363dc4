#!/usr/bin/env escript
%% SPDX-License-Identifier: BSL-1.0
%%! -name erl@127.0.0.1 -setcookie secret
%%
%% escript call.escript
%%
%% Calls the server of counter.cpp, and stops it.

main([]) ->
    Counter = {counter, 'counter@127.0.0.1'},
    io:format("ping: ~p~n", [net_adm:ping('counter@127.0.0.1')]),
    gen_server:cast(Counter, reset),
    io:format("add 5: ~p~n", [gen_server:call(Counter, {add, 5})]),
    io:format("get: ~p~n", [gen_server:call(Counter, get)]),
    io:format("add five: ~p~n", [reason(fun() -> gen_server:call(Counter, {add, five}) end)]),
    io:format("nobody: ~p~n", [reason(fun() -> gen_server:call({nobody, 'counter@127.0.0.1'}, get) end)]),
    Monitor = erlang:monitor(process, Counter),
    gen_server:stop(Counter),
    receive
        {'DOWN', Monitor, process, _, Reason} -> io:format("down: ~p~n", [Reason])
    after 5000 -> exit(no_down)
    end.

%% Why a call ends its caller.
reason(Call) ->
    try Call() of
        Answer -> {answered, Answer}
    catch
        exit:{Reason, {gen_server, call, _}} -> Reason
    end.

#!/usr/bin/env escript
%% SPDX-License-Identifier: BSL-1.0
%%
%% escript examples/term.escript build/.../examples/term
%%
%% Starts the program of examples/term.cpp as a port, and prints what it answers.

main([Program]) ->
    Port = open_port({spawn_executable, Program}, [{args, ["--port"]}, {packet, 4}, binary, exit_status]),
    [io:format("~p -> ~p~n", [Request, ask(Port, Request)])
     || Request <- [{add, <<"apples">>, 3}, {add, "apples", 4}, {lookup, <<"apples">>}, {lookup, <<"pears">>}, get,
                    stop]],
    port_close(Port);
main(_) ->
    io:format("escript term.escript <the program of examples/term.cpp>~n"),
    halt(2).

ask(Port, Request) ->
    port_command(Port, term_to_binary(Request)),
    receive
        {Port, {data, Answer}} -> binary_to_term(Answer);
        {Port, {exit_status, Status}} -> exit({port_ended, Status})
    after 5000 -> exit(timeout)
    end.

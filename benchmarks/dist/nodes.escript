%% SPDX-License-Identifier: BSL-1.0
%%
%% escript nodes.escript <program of node.cpp> [<rounds>]
%%
%% Calls, casts and large messages between Erlang and otpp, and between two programs of otpp, beside the same between two of
%% Erlang. All in one run, in turns, so that only the ratios count. Needs epmd, at the port of ERL_EPMD_PORT or 4369.
-mode(compile).

-define(OTHER, 'other@127.0.0.1').
-define(ONE, 'one@127.0.0.1').
-define(TWO, 'two@127.0.0.1').

main(["serve"]) -> % the other Erlang
    begin_node(?OTHER),
    register(echo, self()),
    io:format("ready~n"),
    spawn_link(fun() -> _ = io:get_line(""), halt() end),
    echo(0);
main([Program]) -> main([Program, "5"]);
main([Program, Rounds]) ->
    begin_node('here@127.0.0.1'),
    Other = start(os:find_executable("escript"), [escript:script_name(), "serve"]),
    Port = os:getenv("ERL_EPMD_PORT", "4369"),
    One = start(Program, [atom_to_list(?ONE), "bench", Port]),
    Two = start(Program, [atom_to_list(?TWO), "bench", Port]),
    Works = works(One),
    [Run() || {_, _, Run, _} <- Works], % warms up
    Times = [[Run() || {_, _, Run, _} <- Works] || _ <- lists:seq(1, list_to_integer(Rounds))],
    Medians = [median([lists:nth(N, Round) || Round <- Times]) || N <- lists:seq(1, length(Works))],
    Table = lists:zip(Works, Medians),
    io:format("| workload | microseconds each | beside Erlang to Erlang |~n| --- | --- | --- |~n"),
    [print(Work, Median, Table) || {Work, Median} <- Table],
    [port_close(P) || P <- [Other, One, Two]],
    halt().

%% {name, number of operations, what to run, with which it is compared}
works(One) ->
    [{"Erlang calls Erlang, 1 in flight", 2000, fun() -> calls(?OTHER, 1, 2000) end, none},
     {"Erlang calls otpp, 1", 2000, fun() -> calls(?ONE, 1, 2000) end, 1},
     {"otpp calls Erlang, 1", 2000, fun() -> ask(One, "call ~s 1 2000", [?OTHER]) end, 1},
     {"otpp calls otpp, 1", 2000, fun() -> ask(One, "call ~s 1 2000", [?TWO]) end, 1},
     {"Erlang calls Erlang, 16", 8000, fun() -> calls(?OTHER, 16, 8000) end, none},
     {"Erlang calls otpp, 16", 8000, fun() -> calls(?ONE, 16, 8000) end, 5},
     {"Erlang calls Erlang, 100", 20000, fun() -> calls(?OTHER, 100, 20000) end, none},
     {"Erlang calls otpp, 100", 20000, fun() -> calls(?ONE, 100, 20000) end, 7},
     {"otpp calls Erlang, 100", 20000, fun() -> ask(One, "call ~s 100 20000", [?OTHER]) end, 7},
     {"otpp calls otpp, 100", 20000, fun() -> ask(One, "call ~s 100 20000", [?TWO]) end, 7},
     {"casts of 100 bytes, Erlang to Erlang", 50000, fun() -> casts(?OTHER, 50000) end, none},
     {"casts, Erlang to otpp", 50000, fun() -> casts(?ONE, 50000) end, 11},
     {"casts, otpp to Erlang", 50000, fun() -> ask(One, "cast ~s 50000", [?OTHER]) end, 11},
     {"casts, otpp to otpp", 50000, fun() -> ask(One, "cast ~s 50000", [?TWO]) end, 11},
     {"1 MiB, Erlang to Erlang", 100, fun() -> blobs(?OTHER, 100) end, none},
     {"1 MiB, Erlang to otpp", 100, fun() -> blobs(?ONE, 100) end, 15},
     {"1 MiB, otpp to Erlang", 100, fun() -> ask(One, "blob ~s 100", [?OTHER]) end, 15},
     {"1 MiB, otpp to otpp", 100, fun() -> ask(One, "blob ~s 100", [?TWO]) end, 15},
     {"1 MiB, Asio alone", 100, fun() -> ask(One, "bare 100", []) end, 15}].

print({Name, Count, _, Beside}, Median, Table) ->
    Ratio = case Beside of
        none -> "";
        N -> {_, Base} = lists:nth(N, Table), io_lib:format("~.2f x", [Base / Median])
    end,
    io:format("| ~s | ~.1f | ~s |~n", [Name, Median / Count, Ratio]).

%% ---- what Erlang does ----

calls(Node, Many, Count) ->
    timed(fun() ->
        Callers = [spawn_monitor(fun() -> call_often(Node, Count div Many) end) || _ <- lists:seq(1, Many)],
        [receive {'DOWN', Ref, process, _, normal} -> ok end || {_, Ref} <- Callers]
    end).

call_often(_, 0) -> ok;
call_often(Node, N) ->
    N = gen_server:call({echo, Node}, {add, N}, 60000),
    call_often(Node, N - 1).

casts(Node, Count) ->
    Text = binary:copy(<<"x">>, 100),
    timed(fun() ->
        [gen_server:cast({echo, Node}, {note, Text}) || _ <- lists:seq(1, Count)],
        Count = gen_server:call({echo, Node}, noted, 60000)
    end).

blobs(Node, Count) ->
    Bytes = binary:copy(<<"x">>, 1 bsl 20),
    timed(fun() -> [1048576 = gen_server:call({echo, Node}, {blob, Bytes}, 60000) || _ <- lists:seq(1, Count)] end).

%% A server as gen_server's, without its loop.
echo(Count) ->
    receive
        {'$gen_call', From, {add, N}} -> gen_server:reply(From, N), echo(Count);
        {'$gen_call', From, {blob, Bytes}} -> gen_server:reply(From, byte_size(Bytes)), echo(Count);
        {'$gen_call', From, noted} -> gen_server:reply(From, Count), echo(0);
        {'$gen_cast', {note, _}} -> echo(Count + 1)
    end.

timed(What) -> {Time, _} = timer:tc(What), Time.

median(Times) -> lists:nth((length(Times) + 1) div 2, lists:sort(Times)).

%% ---- the programs ----

begin_node(Name) ->
    {ok, _} = net_kernel:start([Name, longnames]),
    erlang:set_cookie(bench).

start(Program, Arguments) ->
    Port = open_port({spawn_executable, Program}, [{args, Arguments}, {line, 1000}, exit_status]),
    "ready" = line(Port),
    Port.

ask(Port, Format, Words) ->
    port_command(Port, [io_lib:format(Format, Words), "\n"]),
    "done " ++ Time = line(Port),
    list_to_integer(Time).

line(Port) ->
    receive
        {Port, {data, {eol, Line}}} -> Line;
        {Port, {exit_status, Status}} -> error({a_program_has_ended, Status})
    after 120000 -> error(nothing_comes)
    end.

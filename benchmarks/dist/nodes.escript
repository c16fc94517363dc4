%% SPDX-License-Identifier: BSL-1.0
%%
%% escript nodes.escript <program of node.cpp> [<rounds> [<part of a name>]]
%%
%% Calls, casts and large messages between Erlang and otpp, and between two programs of otpp, beside the same between two of
%% Erlang. All in one run, in turns, so that only the ratios count. Five rounds of all workloads, or of those whose name has the
%% part. Prints two tables: how long each takes, and how many times as fast that is as between two nodes of Erlang. Starts epmd, as
%% `erl -name` does, if there is none at the port of ERL_EPMD_PORT or 4369.
-mode(compile).

-define(WAYS, ["Erlang to Erlang", "Erlang to otpp", "otpp to Erlang", "otpp to otpp", "Asio alone"]).

main(["serve", Name]) -> % the other Erlang
    begin_node(list_to_atom(Name)),
    register(echo, self()),
    io:format("ready~n"),
    spawn_link(fun() -> _ = io:get_line(""), halt() end),
    echo(0);
main([Program]) -> main([Program, "5"]);
main([Program, Rounds]) -> main([Program, Rounds, ""]);
main([Program, Rounds, Part]) ->
    filelib:is_regular(Program) orelse stop("there is no program ~s; `cmake --workflow --preset bench` makes it", [Program]),
    Works = [Work || {Name, _, _} = Work <- works(), string:find(Name, Part) =/= nomatch],
    Works =/= [] orelse stop("no workload has ~s in its name; there are ~p", [Part, [Name || {Name, _, _} <- works()]]),
    case string:to_integer(Rounds) of
        {Count, ""} when is_integer(Count), Count > 0 -> measure(Program, Count, Works);
        _ -> stop("~s is no number of rounds", [Rounds])
    end;
main(_) -> stop("escript nodes.escript <program of node.cpp> [<rounds> [<part of a name>]]", []).

stop(Format, Arguments) ->
    io:format(standard_error, Format ++ "~n", Arguments),
    halt(2).

measure(Program, Rounds, Works) ->
    _ = os:cmd("epmd -daemon -address 127.0.0.1"),
    begin_node(node_of("here")),
    Other = start(os:find_executable("escript"), [escript:script_name(), "serve", atom_to_list(node_of("other"))]),
    Port = os:getenv("ERL_EPMD_PORT", "4369"),
    [One, Two] = [start(Program, [atom_to_list(node_of(Name)), "bench", Port]) || Name <- ["one", "two"]],
    Times = [run_all(Works, One, Round, Rounds) || Round <- lists:seq(0, Rounds)],
    Table = [{Name, Way, [Time / Count || #{{Name, Way} := Time} <- tl(Times)]}
             || {Name, Count, Ways} <- Works, {Way, _} <- Ways], % the first is a warm-up
    print_times(Table),
    print_ratios([Name || {Name, _, _} <- Works], Table),
    [port_close(Each) || Each <- [Other, One, Two]],
    halt().

run_all(Works, One, Round, Rounds) ->
    Began = erlang:monotonic_time(second),
    Times = maps:from_list([{{Name, Way}, Run(One)} || {Name, _, Ways} <- Works, {Way, Run} <- Ways]),
    io:format(standard_error, "~s, ~b s~n",
              [case Round of 0 -> "warm-up"; _ -> io_lib:format("round ~b of ~b", [Round, Rounds]) end,
               erlang:monotonic_time(second) - Began]),
    Times.

%% {name, number of operations, who with whom, and how}
works() ->
    [{"calls, one in flight", 2000, calls_of(1, 2000)},
     {"calls, 16 in flight", 8000, calls_of(16, 8000)},
     {"calls, 100 in flight", 20000, calls_of(100, 20000)},
     {"casts of 100 bytes", 50000,
      ways(fun(Node) -> casts(Node, 50000) end, fun(One, Node) -> ask(One, "cast ~s 50000", [Node]) end)},
     {"calls with 1 MiB", 100,
      ways(fun(Node) -> blobs(Node, 100) end, fun(One, Node) -> ask(One, "blob ~s 100", [Node]) end)
      ++ [{"Asio alone", fun(One) -> ask(One, "bare 100", []) end}]}].

calls_of(Many, Count) ->
    ways(fun(Node) -> calls(Node, Many, Count) end, fun(One, Node) -> ask(One, "call ~s ~b ~b", [Node, Many, Count]) end).

%% What we do with a node, and what the program does.
ways(Ours, Theirs) ->
    [{"Erlang to Erlang", fun(_) -> Ours(node_of("other")) end}, {"Erlang to otpp", fun(_) -> Ours(node_of("one")) end},
     {"otpp to Erlang", fun(One) -> Theirs(One, node_of("other")) end}, {"otpp to otpp", fun(One) -> Theirs(One, node_of("two")) end}].

print_times(Table) ->
    io:format("| workload | who | microseconds each | quickest and slowest round |~n| --- | --- | ---: | ---: |~n"),
    [io:format("| ~s | ~s | ~.1f | ~.1f to ~.1f |~n", [Name, Way, median(Times), lists:min(Times), lists:max(Times)])
     || {Name, Way, Times} <- Table].

print_ratios(Names, Table) ->
    Ways = tl(?WAYS),
    io:format("~n|  |~s~n| --- |~s~n", [[[" ", Way, " |"] || Way <- Ways], [" ---: |" || _ <- Ways]]),
    [io:format("| ~s |~s~n", [Name, [ratio(median_of(Name, hd(?WAYS), Table), median_of(Name, Way, Table)) || Way <- Ways]])
     || Name <- Names].

ratio(_, none) -> "  |";
ratio(Base, Median) -> io_lib:format(" ~.2f |", [Base / Median]).

median_of(Name, Way, Table) ->
    case [Times || {N, W, Times} <- Table, N =:= Name, W =:= Way] of
        [Times] -> median(Times);
        [] -> none
    end.

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

%% So that two runs are not in each other's way.
node_of(Name) -> list_to_atom(Name ++ "_" ++ os:getpid() ++ "@127.0.0.1").

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
        {Port, {exit_status, Status}} -> stop("a program has ended with ~b", [Status])
    after 120000 -> stop("a program has said nothing for two minutes", [])
    end.

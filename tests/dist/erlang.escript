%% SPDX-License-Identifier: BSL-1.0
%%
%% escript erlang.escript <program of server.cpp> <row>
%%
%% A row is a function below. This node is registered with the epmd of ERL_EPMD_PORT; `erlang` starts that, and us.
-mode(compile).

-define(COOKIE, secret).
-ifdef(APART). % `cables` has made hosts
-define(HERE, 'erl@192.0.2.1').
-define(NODE, 'cpp@192.0.2.2').
-else.
-define(HERE, 'erl@127.0.0.1').
-define(NODE, 'cpp@127.0.0.1').
-endif.
-define(FLAGS, 16#C07074FBC). % of a peer that is no node: without fragments
-define(LONG, 20000). % what is waited for comes sooner

main([Program, Row]) ->
    persistent_term:put(program, Program),
    logger:set_primary_config(level, none), % of connections that are refused on purpose
    row(list_to_atom(Row)),
    io:format("~s: ok~n", [Row]).

%% ---- the rows ----

row(ping) ->
    Server = start(),
    same(pong, net_adm:ping(?NODE)),
    same([?NODE], nodes(hidden)),
    same([], nodes()),
    same([<<"erl@127.0.0.1">>], call(control, peers)),
    same(true, net_kernel:disconnect(?NODE)),
    same(pang, net_adm:ping('nobody@127.0.0.1')),
    same(pong, net_adm:ping(?NODE)),
    stop(Server);

row(verbs) ->
    Server = start(),
    same(5, call(counter, {add, 5})),
    same(ok, gen_server:cast({counter, ?NODE}, {bump, 2})),
    {counter, ?NODE} ! {bump, 3}, % counted a hundred times, as it is no cast
    same(307, call(counter, get)),
    Pid = call(counter, self),
    same(?NODE, node(Pid)),
    same(Pid, call(counter, self)),
    same(308, gen_server:call(Pid, {add, 1}, ?LONG)),
    same(ok, gen_server:cast(Pid, {bump, 2})),
    Pid ! {bump, 3},
    same(610, gen_server:call(Pid, get, ?LONG)),
    same(610, gen_server:call({'Elixir.Counter', ?NODE}, get, ?LONG)), % published by a second name
    stop(Server);

row(casts) ->
    Server = start(),
    [gen_server:cast({counter, ?NODE}, {note, N}) || N <- lists:seq(1, 10000)],
    same({10000, true}, call(counter, noted)),
    Pid = call(counter, self),
    [gen_server:cast(Pid, {note, N}) || N <- lists:seq(10001, 20000)],
    same({20000, true}, gen_server:call(Pid, noted, ?LONG)),
    gen_server:cast(Pid, {note, 7}), % the test of the test
    same({20001, false}, call(counter, noted)),
    stop(Server);

row(values) ->
    Server = start(),
    Person = #{name => <<"Ann Öz"/utf8>>, mail => nil, weights => #{<<"kg">> => 60.5, <<>> => -0.1},
               addresses => [{address, <<"Elm Street">>, 13}, {address, <<>>, nil}]},
    same(Person, call(echo, {person, Person})),
    same(Person#{addresses := []}, call(echo, {person, Person#{addresses := []}})),
    same(Person, call(echo, {person, maps:remove(mail, Person)})),
    same(Person, call(echo, {person, Person#{age => 7}})), % a key that nobody knows
    same(Person#{name := <<"Ann">>}, call(echo, {person, Person#{name := "Ann"}})),
    Map = maps:from_list([{integer_to_binary(N), 1 bsl N - 7} || N <- lists:seq(0, 62)]),
    same(Map, call(echo, {map, Map})),
    same(#{}, call(echo, {map, #{}})),
    [same(Text, call(echo, {text, Text}))
     || Text <- [<<>>, <<0, 255>>, binary:copy(<<"long">>, 100000)]],
    same(7, call(echo, {'maybe', 7})),
    same(undefined, call(echo, {'maybe', nil})),
    same(undefined, call(echo, {'maybe', undefined})),
    same(ok, call(echo, nothing)),
    same({exit, bad_message}, exits(echo, {person, Person#{name := 7}})),
    same({exit, bad_message}, exits(echo, {'maybe', 1 bsl 31})),
    stop(Server);

row(nobody) ->
    Server = start(),
    same({exit, noproc}, exits(nobody, get)),
    same({exit, noproc}, exits(nobody, get)), % also when there is a connection
    Pid = call(faulty, self),
    same(true, gen_server:call(Pid, alive, ?LONG)),
    same({exit, normal}, exits(faulty, stop)),
    same({exit, noproc}, exits(faulty, alive)),
    same({exit, noproc}, exits(Pid, alive)),
    same(ok, call(control, {unpublish, <<"counter">>})),
    same({exit, noproc}, exits(counter, get)),
    Pid ! hello,
    {counter, ?NODE} ! hello,
    same(ok, call(control, start_faulty)),
    same(true, call(faulty, alive)),
    same({exit, noproc}, exits(Pid, alive)), % the successor has another pid
    stop(Server);

row(ends) ->
    Server = start(),
    Ends = fun(How, Reason) ->
        same({exit, Reason}, exits(faulty, How)),
        same(ok, call(control, start_faulty)),
        same(true, call(faulty, alive))
    end,
    Ends(stop, normal),
    Ends(shut_down, shutdown),
    Ends(kill, killed),
    Ends(crash, {exception, <<"boom">>}),
    Ends(reason, {disk_full, 7}),
    %% Two callers at once, of whom one ends it.
    {_, Other} = spawn_monitor(fun() -> exit(exits(slow, later)) end),
    same(true, eventually(fun() -> call(slow, is_waiting) end)),
    %% What crashes is reported where it was, and only that.
    match(printed(Server, "crash: "), "boom"),
    match(printed(Server, "crash: "), "disk_full"),
    stop(Server),
    receive {'DOWN', Other, process, _, {exit, Reason}} -> true = lists:member(Reason, [shutdown, {nodedown, ?NODE}, killed])
    after ?LONG -> fail("a caller of a program that has ended waits on")
    end;

row(answers) ->
    Server = start(),
    same({exit, no_reply}, exits(faulty, drop)),
    same({error, not_found}, call(faulty, fail)),
    same({error, {exception, <<"no such thing">>}}, call(faulty, fail_in_words)),
    same(true, call(faulty, alive)),
    stop(Server);

row(unknown) ->
    Server = start(),
    #{unknown := 0} = call(control, statistics),
    same({exit, bad_message}, exits(counter, {add, one})),
    match(printed(Server, "unknown: "), "call.*add"),
    same({exit, bad_message}, exits(counter, bump)), % a cast
    match(printed(Server, "unknown: "), "call.*bump"),
    same(ok, gen_server:cast({counter, ?NODE}, {bump, 1, 2})),
    match(printed(Server, "unknown: "), "cast.*bump,1,2"),
    {counter, ?NODE} ! [a | improper],
    match(printed(Server, "unknown: "), "info.*improper"),
    Pid = call(counter, self),
    Pid ! fun lists:map/2,
    match(printed(Server, "unknown: "), "info.*map"),
    {nobody, ?NODE} ! hello, % is for nobody, but not unknown
    same(0, call(counter, get)),
    #{unknown := 5} = call(control, statistics),
    %% A server that takes any.
    Terms = [{add, one}, [a | improper], fun lists:map/2, <<1:3>>, 1 bsl 100, self(), make_ref(), #{self() => 1.5}],
    [same(Term, call(anything, Term)) || Term <- Terms],
    [gen_server:cast({anything, ?NODE}, Term) || Term <- Terms],
    [{anything, ?NODE} ! Term || Term <- Terms],
    same(Terms ++ Terms, call(anything, seen)), % which is a call of its own, and comes first
    #{unknown := 5} = call(control, statistics),
    stop(Server);

row(late) ->
    Server = start(),
    %% While it connects, Erlang does not tell that it gives up: no DEMONITOR_P follows then.
    same(pong, net_adm:ping(?NODE)),
    same({exit, timeout}, exits(slow, later, 100)),
    same(false, call(slow, is_waiting)),
    same(false, call(slow, answer)),
    no_mail(),
    %% By hand: no alias holds back what would come too late.
    Monitor = erlang:monitor(process, {slow, ?NODE}),
    {slow, ?NODE} ! {'$gen_call', {self(), Monitor}, later},
    same(true, call(slow, is_waiting)),
    erlang:demonitor(Monitor, [flush]),
    same(false, call(slow, is_waiting)),
    same(false, call(slow, answer)),
    same(ok, call(echo, nothing)), % an answer would have come before this
    no_mail(),
    %% And in time.
    Request = gen_server:send_request({slow, ?NODE}, later),
    same(true, call(slow, is_waiting)),
    same(true, call(slow, answer)),
    same({reply, <<"at last">>}, gen_server:receive_response(Request, ?LONG)),
    %% A caller that has gone does not wait.
    {Caller, Gone} = spawn_monitor(fun() -> call(slow, later) end),
    same(true, eventually(fun() -> call(slow, is_waiting) end)),
    exit(Caller, kill),
    receive {'DOWN', Gone, process, _, killed} -> ok after ?LONG -> fail("it was not killed") end,
    same(true, eventually(fun() -> not call(slow, is_waiting) end)),
    no_mail(),
    stop(Server);

row(many) ->
    Server = start(),
    same({[{?NODE, 1}], []}, gen_server:multi_call([?NODE], counter, {add, 1}, ?LONG)),
    same({[], [?NODE]}, gen_server:multi_call([?NODE], nobody, {add, 1}, ?LONG)),
    same(abcast, gen_server:abcast([?NODE], counter, {bump, 4})),
    Requests = [gen_server:send_request({counter, ?NODE}, {add, 1}) || _ <- lists:seq(1, 100)],
    same([{reply, 5 + N} || N <- lists:seq(1, 100)],
         [gen_server:receive_response(Request, ?LONG) || Request <- Requests]),
    Nobody = gen_server:send_request({nobody, ?NODE}, get),
    same({error, {noproc, {nobody, ?NODE}}}, gen_server:receive_response(Nobody, ?LONG)),
    Ref = make_ref(),
    {counter, ?NODE} ! {'$gen_call', {self(), Ref}, {add, 1}},
    same({Ref, 106}, next()),
    {counter, ?NODE} ! {'$gen_call', {self(), {any, "tag"}}, get},
    same({{any, "tag"}, 106}, next()),
    {counter, ?NODE} ! {'$gen_cast', {bump, 1}},
    same(107, call(counter, get)),
    %% A hundred callers at once.
    Callers = [spawn_monitor(fun() -> exit({answer, call(counter, {add, 1})}) end) || _ <- lists:seq(1, 100)],
    Answers = [receive {'DOWN', Monitor, process, _, {answer, N}} -> N after ?LONG -> fail("no answer") end
               || {_, Monitor} <- Callers],
    same(lists:seq(108, 207), lists:sort(Answers)),
    no_mail(),
    stop(Server);

row(full) ->
    Server = start(),
    gen_server:cast({limited, ?NODE}, hold),
    same(true, eventually(fun() -> call(control, is_held) end)),
    [gen_server:cast({limited, ?NODE}, fill) || _ <- lists:seq(1, 10)],
    same({exit, mailbox_full}, exits(limited, filled)),
    #{dropped := 8} = call(control, statistics), % two are in the mailbox
    same(ok, call(control, release)),
    same(2, eventually(fun() ->
        case exits(limited, filled) of
            {exit, mailbox_full} -> false;
            {answered, Filled} -> Filled
        end
    end)),
    stop(Server);

row(monitors) ->
    Server = start(["open", "100"]),
    Pid = call(faulty, self),
    Down = fun(Cast, Reason) ->
        One = call(faulty, self),
        Name = erlang:monitor(process, {faulty, ?NODE}),
        First = erlang:monitor(process, One),
        Second = erlang:monitor(process, One),
        Not = erlang:monitor(process, One),
        true = erlang:demonitor(Not),
        same(true, call(faulty, alive)),
        no_mail(),
        gen_server:cast({faulty, ?NODE}, Cast),
        Expected = lists:sort([{'DOWN', Name, process, {faulty, ?NODE}, Reason},
                               {'DOWN', First, process, One, Reason},
                               {'DOWN', Second, process, One, Reason}]),
        same(Expected, lists:sort([next() || _ <- Expected])),
        same(ok, call(control, start_faulty)),
        no_mail()
    end,
    Down(stop, normal),
    Down(kill, killed),
    Down(crash, {exception, <<"boom">>}),
    %% That of a name is of the process that had it then.
    Next = erlang:monitor(process, {faulty, ?NODE}),
    same({exit, shutdown}, exits(faulty, shut_down)),
    same({'DOWN', Next, process, {faulty, ?NODE}, shutdown}, next()),
    same(ok, call(control, start_faulty)),
    Ended = erlang:monitor(process, Pid),
    same({'DOWN', Ended, process, Pid, noproc}, next()),
    Nobody = erlang:monitor(process, {nobody, ?NODE}),
    same({'DOWN', Nobody, process, {nobody, ?NODE}, noproc}, next()),
    %% The ties that are cut are gone: more than a hundred would end the connection.
    true = erlang:monitor_node(?NODE, true),
    Counter = call(counter, self),
    [true = erlang:demonitor(erlang:monitor(process, Some))
     || _ <- lists:seq(1, 500), Some <- [Counter, {counter, ?NODE}]],
    same(0, call(counter, get)),
    no_mail(),
    %% And the test of that.
    _ = [erlang:monitor(process, Counter) || _ <- lists:seq(1, 200)],
    receive {nodedown, ?NODE} -> ok
    after ?LONG -> fail("200 monitors, and the limit is 100")
    end,
    stop(Server);

row(restart) ->
    First = start(),
    Old = call(counter, self),
    Before = erlang:monitor(process, Old),
    stop(First),
    case next() of
        {'DOWN', Before, process, Old, Reason} ->
            true = lists:member(Reason, [noconnection, shutdown, normal, killed])
    end,
    Second = start(),
    New = call(counter, self),
    %% The same number, or nothing would be shown here.
    {Number, Creation} = numbers(Old),
    {Number, OtherCreation} = numbers(New),
    true = Creation =/= OtherCreation,
    same(false, Old =:= New),
    After = erlang:monitor(process, Old),
    same({'DOWN', After, process, Old, noproc}, next()),
    same({exit, noproc}, exits(Old, get)),
    Old ! {bump, 1},
    gen_server:cast(Old, {bump, 1}),
    exit(Old, kill),
    Ref = make_ref(),
    Old ! {'$gen_call', {self(), Ref}, {add, 1}},
    same(0, call(counter, get)),
    same(New, call(counter, self)),
    no_mail(),
    stop(Second);

row(cookies) ->
    Wrong = start(),
    %% Erlang is first.
    erlang:set_cookie(?NODE, wrong),
    same(pang, net_adm:ping(?NODE)),
    match(printed(Wrong, "report: "), "cookie"),
    erlang:set_cookie(?NODE, ?COOKIE),
    same(pong, net_adm:ping(?NODE)),
    #{refused := 1} = call(control, statistics),
    disconnect(),
    _ = printed(Wrong, "report: "), % it has noticed
    %% otpp is.
    erlang:set_cookie(?NODE, wrong),
    command(Wrong, "connect erl@127.0.0.1"),
    match(printed(Wrong, "failed: "), "cookie"),
    same([], nodes(hidden)),
    erlang:set_cookie(?NODE, ?COOKIE),
    command(Wrong, "connect erl@127.0.0.1"),
    same("connected", printed(Wrong, "connected")),
    is_up(),
    %% Somebody who does not know the cookie, and says that all is well.
    Liar = raw_listen("liar"),
    command(Wrong, "connect liar@127.0.0.1"),
    raw_accept(Liar, "liar@127.0.0.1", digest(0)),
    match(printed(Wrong, "failed: "), "cookie"),
    command(Wrong, "connect liar@127.0.0.1"),
    raw_accept(Liar, "liar@127.0.0.1", right),
    same("connected", printed(Wrong, "connected")),
    stop(Wrong),
    Choosy = start(["refuse", "erl@127.0.0.1"]),
    same(pang, net_adm:ping(?NODE)),
    match(printed(Choosy, "report: "), "allow"),
    stop(Choosy),
    %% Now Erlang has others only.
    Unwanted = start(),
    ok = net_kernel:allow(['other@127.0.0.1']),
    command(Unwanted, "connect erl@127.0.0.1"),
    match(printed(Unwanted, "failed: "), "allow"),
    command(Unwanted, "connect nobody@127.0.0.1"),
    match(printed(Unwanted, "failed: "), "nobody"),
    stop(Unwanted);

row(epmd) ->
    Server = start(),
    Pid = call(counter, self),
    true = erlang:monitor_node(?NODE, true),
    %% The name is taken.
    {Second, Why} = try_start([]),
    match(Why, "^failed: .*cpp"),
    same(1, exit_status(Second)),
    same(1, call(counter, {add, 1})),
    %% epmd dies.
    {ok, Names} = erl_epmd:names({127, 0, 0, 1}),
    true = lists:keymember("cpp", 1, Names),
    [] = os:cmd("kill -9 " ++ os:getenv("EPMD_PROCESS")),
    same(true, eventually(fun() -> erl_epmd:names({127, 0, 0, 1}) =:= {error, address} end)),
    same(2, call(counter, {add, 1})),
    %% And returns.
    Epmd = open_port({spawn_executable, os:find_executable("epmd")},
                     [{args, ["-port", os:getenv("ERL_EPMD_PORT")]}, exit_status, stderr_to_stdout]),
    {os_pid, Process} = erlang:port_info(Epmd, os_pid),
    try
        Registered = fun() ->
            case erl_epmd:names({127, 0, 0, 1}) of
                {ok, All} -> lists:keyfind("cpp", 1, All);
                {error, _} -> false
            end
        end,
        same(lists:keyfind("cpp", 1, Names), eventually(Registered)),
        %% The connection was there all the time, and a pid is what it was.
        same(3, gen_server:call(Pid, {add, 1}, ?LONG)),
        same(Pid, call(counter, self)),
        no_mail(),
        %% Who is new finds it.
        true = erlang:monitor_node(?NODE, false),
        disconnect(),
        same(4, call(counter, {add, 1})),
        same(Pid, call(counter, self)),
        stop(Server),
        %% The name is free.
        same(gone, eventually(fun() -> Registered() =:= false andalso gone end)),
        stop(start())
    after
        os:cmd("kill " ++ integer_to_list(Process))
    end;

row(idle) ->
    %% For us who says nothing for two seconds is lost; otpp has a minute. OTPP_ROW_IDLE_SECONDS is how long nobody speaks.
    listen(2),
    Server = start(),
    same(0, call(counter, get)),
    true = erlang:monitor_node(?NODE, true),
    receive
        {nodedown, ?NODE} -> fail("it is down, though it lives")
    after 1000 * list_to_integer(os:getenv("OTPP_ROW_IDLE_SECONDS", "7")) -> ok
    end,
    same(0, call(counter, get)),
    %% The test of the test: a program that is stopped is lost.
    signal(Server, "STOP"),
    try
        same({nodedown, ?NODE}, next())
    after
        signal(Server, "CONT")
    end,
    same(0, eventually(fun() -> try call(counter, get) catch exit:_ -> false end end)),
    stop(Server);

row(ticks) ->
    Server = start(["tick", "2000"]),
    Raw = raw_connect("raw@127.0.0.1"),
    %% For three seconds we say all the time that we live. Of a quarter of a tick there are six.
    End = now_ms() + 3000,
    Ticks = count_ticks(Raw, End, 0),
    same({true, Ticks}, {Ticks >= 3 andalso Ticks =< 8, Ticks}),
    %% A tick is answered when nothing was said for half a second; who speaks needs no tick.
    same(yes, raw_ping(Raw)),
    gen_tcp:close(Raw),
    %% Who says nothing is lost, but not before his time.
    Silent = raw_connect("silent@127.0.0.1"),
    Began = now_ms(),
    closed(Silent),
    Time = now_ms() - Began,
    same({true, Time}, {Time >= 1400 andalso Time =< 10000, Time}),
    stop(Server);

row(mutants) ->
    Server = start(),
    rand:seed(exsss, {1, 2, 3}),
    same(0, call(counter, get)),
    Pid = call(faulty, self), % it may end
    true = erlang:monitor_node(?NODE, true),
    Frames = good_frames(Pid),
    %% The frames are good, or nothing would be shown by those that are not.
    Good = raw_connect("raw@127.0.0.1"),
    [begin
         ok = gen_tcp:send(Good, Frame),
         same({yes, Frame}, {raw_ping(Good), Frame})
     end || Frame <- Frames],
    _ = [ok = gen_tcp:send(Good, Frame) || Frame <- Frames], % all in one piece
    same(yes, raw_ping(Good)),
    gen_tcp:close(Good),
    knows_only_us(),
    Files = open_files(Server),
    %% Each of these is bad by itself.
    [begin
         Socket = raw_connect("raw@127.0.0.1"),
         ok = send_raw(Socket, Bad),
         closed(Socket, binary:part(Bad, 0, min(100, byte_size(Bad))))
     end || Bad <- bad_frames()],
    %% Of these nobody knows; what comes behind them is bad.
    [begin
         Socket = raw_connect("raw@127.0.0.1"),
         _ = [gen_tcp:send(Socket, mutated(lists:nth(rand:uniform(length(Frames)), Frames)))
              || _ <- lists:seq(1, 10)],
         _ = gen_tcp:send(Socket, <<255, "no frame">>),
         closed(Socket)
     end || _ <- lists:seq(1, 200)],
    knows_only_us(),
    same(true, eventually(fun() -> open_files(Server) =< Files end)),
    %% Nobody else has noticed.
    same(ok, call(echo, nothing)),
    no_mail(),
    stop(Server);

row(silent) ->
    Server = start(["setup", "3000"]),
    Files = open_files(Server),
    Port = port_of_program(),
    Many = fun(Count) -> [raw_socket(Port) || _ <- lists:seq(1, Count)] end,
    First = Many(500),
    same(pong, net_adm:ping(?NODE)),
    Second = Many(500),
    disconnect(),
    same(pong, net_adm:ping(?NODE)),
    same(0, call(counter, get)),
    %% At most 32 of them are there at a time.
    same(true, open_files(Server) =< Files + 40),
    [closed(Socket) || Socket <- First ++ Second],
    eventually(fun() -> open_files(Server) =< Files + 1 end), % with our connection
    #{refused := Refused} = call(control, statistics),
    same({true, Refused}, {Refused >= 1000, Refused}),
    stop(Server);

row(spawn) ->
    Server = start(),
    same(0, call(counter, get)),
    Before = call(control, statistics),
    Began = now_ms(),
    {badrpc, Why} = rpc:call(?NODE, erlang, node, [], ?LONG),
    match(io_lib:format("~p", [Why]), "notsup"),
    same({error, {erpc, notsup}}, try erpc:call(?NODE, erlang, node, [], ?LONG) catch Class:What -> {Class, What} end),
    Request = spawn_request(?NODE, erlang, node, [], []),
    same({spawn_reply, Request, error, notsup}, next()),
    same(notsup, try spawn_monitor(?NODE, erlang, node, []) of
                     {_, Monitor} -> receive {'DOWN', Monitor, process, _, Reason} -> Reason after ?LONG -> none end
                 catch error:Error -> Error
                 end),
    true = now_ms() - Began < 5000,
    same(0, call(counter, get)),
    same(Before, call(control, statistics)),
    stop(Server);

%% ---- a great deal of it ----

row(stream) ->
    %% Of all lengths, each way at the same time. OTPP_ROW_MESSAGES is how many; a million takes a minute.
    Count = list_to_integer(os:getenv("OTPP_ROW_MESSAGES", "50000")),
    Server = start(),
    {Receiver, Received} = spawn_monitor(fun() ->
        register(receiver, self()),
        receive_items(1, Count)
    end),
    {_, Sent} = spawn_monitor(fun() -> exit({sent, gen_server:call({source, ?NODE}, {stream, receiver, node(), Count}, infinity)}) end),
    [gen_server:cast({sink, ?NODE}, {item, N, item(N)}) || N <- lists:seq(1, Count)],
    same({Count, true}, gen_server:call({sink, ?NODE}, received, infinity)),
    receive {'DOWN', Sent, process, _, How} -> same({sent, <<"sent">>}, How) end,
    Receiver ! done,
    receive {'DOWN', Received, process, _, Why} -> same({received, Count}, Why) end,
    same(0, maps:get(dropped, call(control, statistics))),
    gen_server:cast({sink, ?NODE}, {item, Count + 1, <<"x">>}), % the test of the test
    same({Count + 1, false}, call(sink, received)),
    stop(Server);

row(at_once) ->
    %% Both call the other at the same time, without a connection: it is one, whose name ever is the greater, and no call is
    %% lost. It is disconnected when Erlang has heard the end of otpp's other attempt: if Erlang has answered that `alive`, and is
    %% disconnected before, it takes the attempt for its connection, and its next call ends with that.
    [begin
        Server = start_as(Name, []),
        {ok, Pid} = serve(erlang_server),
        same(0, call({counter, Name}, get)),
        Quiet = open_files(Server),
        [begin
            same(true, net_kernel:disconnect(Name)),
            knows_nobody(Server),
            Us = self(),
            command(Server, "ask erlang_server erl@127.0.0.1 five"),
            spawn(fun() -> Us ! {called, exits({counter, Name}, get)} end),
            {called, {answered, 0}} = next(),
            same("answer: 5", printed(Server, "answer: ")),
            same(0, call({counter, Name}, get)),
            same([Name], nodes(hidden)),
            eventually(fun() -> open_files(Server) =:= Quiet andalso connection_state(Name) =:= up end)
         end || _ <- lists:seq(1, 200)],
        exit(Pid, kill),
        no_mail(),
        stop(Server)
     end || Name <- ['cpp@127.0.0.1', 'zpp@127.0.0.1']];

row(again) ->
    %% A second connection of a name that is connected: it says whether the first has gone.
    Server = start(["events", "on"]),
    First = raw_connect("raw@127.0.0.1"),
    same("event: up raw@127.0.0.1", printed(Server, "event: ")),
    Refused = raw_hello("raw@127.0.0.1"),
    {ok, <<"salive">>} = gen_tcp:recv(Refused, 0, ?LONG),
    ok = gen_tcp:send(Refused, <<"sfalse">>),
    closed(Refused),
    same(yes, raw_ping(First)),
    Second = raw_connect("raw@127.0.0.1"), % says that it has
    closed(First),
    same("event: down raw@127.0.0.1", printed(Server, "event: ")),
    same("event: up raw@127.0.0.1", printed(Server, "event: ")),
    same(yes, raw_ping(Second)),
    gen_tcp:close(Second),
    same("event: down raw@127.0.0.1", printed(Server, "event: ")),
    %% One of our name: the first program does not move any more, so that Erlang knows it by the second only.
    same(0, call(counter, get)),
    ok = net_kernel:monitor_nodes(true, #{node_type => all}),
    Old = erlang:monitor(process, {counter, ?NODE}),
    signal(Server, "STOP"),
    Successor = start(["listen", "no"]),
    command(Successor, "connect erl@127.0.0.1"),
    same("connected", printed(Successor, "connected")),
    same(lists:sort([{nodedown, ?NODE, #{node_type => hidden}}, {nodeup, ?NODE, #{node_type => hidden}},
                     {'DOWN', Old, process, {counter, ?NODE}, noconnection}]),
         lists:sort([next(), next(), next()])),
    same(5, call(counter, {add, 5})),
    ok = net_kernel:monitor_nodes(false, #{node_type => all}),
    signal(Server, "CONT"),
    same("event: up erl@127.0.0.1", printed(Server, "event: ")),
    same("event: down erl@127.0.0.1", printed(Server, "event: ")),
    same(5, call(counter, get)), % still the successor
    no_mail(),
    stop(Successor),
    stop(Server);

%% ---- what stands still, and cables that are cut ----

row(stopped) ->
    %% The program does not move for a while.
    listen(2),
    Server = start(["events", "on", "tick", "2000"]),
    same(0, call(counter, get)),
    same("event: up erl@127.0.0.1", printed(Server, "event: ")),
    true = erlang:monitor_node(?NODE, true),
    {_, Call} = spawn_monitor(fun() -> exit(ends(slow, later, infinity)) end),
    same(true, eventually(fun() -> call(slow, is_waiting) end)),
    Monitor = erlang:monitor(process, {counter, ?NODE}),
    signal(Server, "STOP"),
    lost(),
    same({exit, {nodedown, ?NODE}}, down_of(Call)),
    same(noconnection, down_of(Monitor)),
    signal(Server, "CONT"),
    same("event: down erl@127.0.0.1", printed(Server, "event: ")),
    same(1, call(counter, {add, 1})),
    same("event: up erl@127.0.0.1", printed(Server, "event: ")),
    same(false, call(slow, is_waiting)),
    %% A node of Erlang does not.
    {Peer, Node, Process} = start_peer("second", []),
    serve_at(Peer, silent),
    Sleeping = peer:call(Peer, erlang, whereis, [silent]),
    ok = call(board, {subscribe, Sleeping}),
    command(Server, "ask silent second@127.0.0.1 five"),
    same("answer: 5", printed(Server, "answer: ")),
    same("event: up second@127.0.0.1", printed(Server, "event: ")),
    [] = os:cmd("kill -STOP " ++ Process),
    [] = os:cmd("{ sleep 60; kill -CONT " ++ Process ++ "; } >/dev/null 2>&1 &"), % whatever becomes of us
    command(Server, "ask silent second@127.0.0.1 five"),
    match(printed(Server, "answer: "), "second@127.0.0.1.*no connection"),
    match(printed(Server, "report: otpp: node cpp@127.0.0.1: connection with second"), "nothing has come from it"),
    same("event: down second@127.0.0.1", printed(Server, "event: ")),
    same([{down, Sleeping, <<"no_connection">>}], seen(1)),
    [] = os:cmd("kill -CONT " ++ Process),
    same(<<"value 5">>, call(asker, {ask, silent, Node, <<"five">>, ?LONG})),
    same(<<"value 5">>, call(asker, {ask_pid, Sleeping, <<"five">>})),
    same("event: up second@127.0.0.1", printed(Server, "event: ")),
    peer:stop(Peer),
    no_mail(),
    stop(Server);

row(cut) ->
    %% Nothing comes through any more, and nobody is told.
    application:set_env(kernel, net_setuptime, 1),
    listen(2),
    Server = start(["events", "on", "tick", "2000", "setup", "1000", "epmd", "no"]),
    Relay = relay_to(Server),
    same(0, call(counter, get)),
    same("event: up erl@127.0.0.1", printed(Server, "event: ")),
    {ok, _} = serve(erlang_server),
    true = erlang:monitor_node(?NODE, true),
    {_, Call} = spawn_monitor(fun() -> exit(exits(slow, later, infinity)) end),
    command(Server, "ask erlang_server erl@127.0.0.1 late"),
    same(true, eventually(fun() -> call(slow, is_waiting) end)),
    eventually(fun() -> {monitored_by, []} =/= process_info(whereis(erlang_server), monitored_by) end),
    Began = now_ms(),
    freeze(Relay),
    lost(),
    Here = now_ms() - Began,
    same({exit, {nodedown, ?NODE}}, down_of(Call)),
    match(printed(Server, "answer: "), "erl@127.0.0.1.*no connection"),
    match(printed(Server, "report: "), "erl@127.0.0.1.*nothing has come from it"),
    same("event: down erl@127.0.0.1", printed(Server, "event: ")),
    There = now_ms() - Began,
    same({true, Here, There}, {Here >= 1000 andalso There >= 1000 andalso max(Here, There) < 8000, Here, There}),
    %% Connecting takes its time, and no longer.
    same({exit, {nodedown, ?NODE}}, exits(counter, get)),
    thaw(Relay),
    same(0, connected_again()),
    same("event: up erl@127.0.0.1", printed(Server, "event: ")),
    same(false, call(slow, is_waiting)),
    no_mail(),
    stop(Server);

row(cut_at) ->
    %% A connection that ends in the handshake or the first call, at one byte or another, whichever side has begun it.
    listen(),
    {ok, _} = serve(erlang_server),
    {BackPort, Back} = relay(port_of("erl")),
    Server = start(["epmd", "no", "resolve", integer_to_list(BackPort), "setup", "500"]),
    Relay = relay_to(Server),
    Apart = fun() ->
        disconnect(),
        knows_nobody(Server)
    end,
    [begin
        cut_next(Relay, At),
        case exits(counter, get) of
            {answered, 0} -> ok;
            {exit, {nodedown, ?NODE}} -> ok
        end,
        cut_next(Relay, never),
        same(0, connected_again()),
        Apart()
     end || At <- cuts()],
    Ask = fun() ->
        command(Server, "ask erlang_server erl@127.0.0.1 five"),
        case printed(Server, "answer: ") of
            "answer: 5" -> true;
            Why -> match(Why, "no connection"), false
        end
    end,
    [begin
        cut_next(Back, At),
        _ = Ask(),
        cut_next(Back, never),
        eventually(Ask),
        Apart()
     end || At <- cuts()],
    no_mail(),
    stop(Server);

%% ---- long messages, and many ----

row(long) ->
    Server = start(),
    {ok, _} = serve(erlang_server),
    Us = node(),
    [begin
        Text = binary:copy(<<"x">>, Size),
        same(true, Text =:= gen_server:call({echo, ?NODE}, {text, Text}, infinity)), % there and back
        same(<<"equal">>, gen_server:call({source, ?NODE}, {send_long, erlang_server, Us, min(Size, 1 bsl 20)}, infinity))
     end || Size <- [0, 1, 65535, 65536, 65537, 63 bsl 20]],
    true = erlang:monitor_node(?NODE, true),
    Over = 65 bsl 20,
    %% What is too long is not sent, and nothing else is harmed.
    match(binary_to_list(gen_server:call({source, ?NODE}, {send_long, erlang_server, Us, Over}, infinity)), "node_limits::frame"),
    no_mail(),
    %% What comes is the end of the connection; of an answer the caller is told.
    same({exit, {nodedown, ?NODE}}, exits(echo, {text, binary:copy(<<"x">>, Over)}, infinity)),
    lost(),
    match(printed(Server, "report: "), "erl@127.0.0.1.*node_limits::frame"),
    {error, {exception, Why}} = gen_server:call({sink, ?NODE}, {make, Over}, infinity),
    match(binary_to_list(Why), "node_limits::frame"),
    same(0, call(counter, get)),
    no_mail(),
    stop(Server);

row(beside) ->
    %% 50 MiB there and back, while others call.
    Server = start(),
    Idle = call_for(fun() -> receive after 300 -> ok end end),
    Long = binary:copy(<<"x">>, 50 bsl 20),
    Beside = call_for(fun() -> true = Long =:= gen_server:call({echo, ?NODE}, {text, Long}, infinity) end),
    [io:format("~s: ~b calls, 99 % within ~b us, all within ~b us~n", [How, length(Times), rank(Times, 99), lists:max(Times)])
     || {How, Times} <- [{"idle", Idle}, {"beside", Beside}]],
    stop(Server);

row(flood) ->
    Server = start(),
    gen_server:cast({limited, ?NODE}, hold),
    same(true, eventually(fun() -> call(control, is_held) end)),
    Count = 100000,
    #{dropped := Before} = call(control, statistics),
    [gen_server:cast({limited, ?NODE}, fill) || _ <- lists:seq(1, Count)],
    [same({exit, mailbox_full}, exits(limited, filled)) || _ <- lists:seq(1, 100)],
    same(Before + Count - 2, maps:get(dropped, call(control, statistics))), % two are in the mailbox
    same(0, call(counter, get)),
    same(ok, call(control, release)),
    same(2, eventually(fun() ->
        case exits(limited, filled) of
            {exit, mailbox_full} -> false;
            {answered, Filled} -> Filled
        end
    end)),
    stop(Server);

%% ---- what otpp asks of Erlang ----

row(asks) ->
    Server = start(),
    Us = node(),
    Answer = fun(Key) -> call(asker, {ask, erlang_server, Us, Key, ?LONG}) end,
    same(<<"no_process">>, Answer(<<"five">>)),
    same(<<"no_connection">>, call(asker, {ask, erlang_server, 'nobody@127.0.0.1', <<"five">>, ?LONG})),
    {ok, _} = serve(erlang_server),
    same(<<"value 5">>, Answer(<<"five">>)),
    same(<<"remote_error not_found">>, Answer(<<"no">>)),
    match(binary_to_list(Answer(<<"shape">>)), "bad_reply .*{value,<<\"5\">>}"),
    same(<<"value 10000">>, call(asker, {tell, erlang_server, Us, 10000})), % in order
    Pid = whereis(erlang_server),
    same(<<"value 5">>, call(asker, {ask_pid, Pid, <<"five">>})),
    same(<<"remote_error not_found">>, call(asker, {ask_pid, Pid, <<"no">>})),
    same(<<"exited {boom,1}">>, Answer(<<"boom">>)),
    same(<<"no_process">>, Answer(<<"five">>)),
    same(<<"no_process">>, call(asker, {ask_pid, Pid, <<"five">>})),
    {ok, _} = serve(erlang_server),
    same(<<"value 5">>, Answer(<<"five">>)), % the successor
    same(<<"exited {boom,1}">>, call(asker, {ask_pid, whereis(erlang_server), <<"boom">>})),
    {ok, _} = serve(erlang_server),
    Ref = monitor(process, erlang_server),
    same(<<"stopped">>, call(asker, {stop_it, erlang_server, Us})),
    {'DOWN', Ref, process, _, normal} = next(),
    same(<<"no_process">>, call(asker, {stop_it, erlang_server, Us})),
    no_mail(),
    stop(Server);

row(asks_late) ->
    Server = start(),
    {ok, _} = serve(erlang_server),
    #{dropped := Before} = call(control, statistics),
    same(<<"timeout">>, call(asker, {ask, erlang_server, node(), <<"late">>, 50})),
    same({links_and_monitors, 1}, eventually(fun() -> % its caller has gone, and it is told
        {monitored_by, Watching} = process_info(whereis(erlang_server), monitored_by),
        length(Watching) =:= 1 andalso {links_and_monitors, 1}
    end)),
    erlang_server ! answer,
    same(<<"value 5">>, call(asker, {ask, erlang_server, node(), <<"five">>, ?LONG})), % and gets no other's answer
    same(Before, maps:get(dropped, call(control, statistics))),
    stop(Server);

row(asks_lost) ->
    Server = start(),
    {ok, Pid} = serve(erlang_server),
    Us = self(),
    Asking = spawn(fun() -> Us ! {self(), catch call(asker, {ask, erlang_server, node(), <<"late">>, ?LONG})} end),
    eventually(fun() -> {monitored_by, []} =/= process_info(Pid, monitored_by) end),
    disconnect(),
    {Asking, {'EXIT', {{nodedown, ?NODE}, _}}} = next(),
    same(<<"value 5">>, call(asker, {ask, erlang_server, node(), <<"five">>, ?LONG})), % it was told, too, and goes on
    stop(Server);

row(killed) ->
    %% otpp during calls of Erlang's.
    Server = start(),
    {ok, Silent} = serve(erlang_server),
    Asking = {ask, erlang_server, node(), <<"late">>, ?LONG},
    Calling = [spawn_monitor(fun() -> exit(exits(asker, Asking)) end) || _ <- lists:seq(1, 20)],
    eventually(fun() -> {monitored_by, []} =/= process_info(Silent, monitored_by) end), % the first waits for us, and others for it
    signal(Server, "KILL"),
    [receive {'DOWN', Ref, process, Pid, Reason} -> same({exit, {nodedown, ?NODE}}, Reason)
     after ?LONG -> fail("a call of a program that was killed waits on")
     end || {Pid, Ref} <- Calling],
    same({monitored_by, []}, process_info(Silent, monitored_by)),
    _ = exit_status(Server),
    no_mail(),

    %% Erlang during calls of otpp's: one halts, and one is killed, as a machine is that goes.
    Second = start(),
    [begin
        {ok, Peer, Node} = peer:start(#{name => second, host => "127.0.0.1", longnames => true,
                                        connection => standard_io, args => ["-setcookie", atom_to_list(?COOKIE)]}),
        Sleeping = peer:call(Peer, erlang, spawn, [timer, sleep, [infinity]]),
        true = peer:call(Peer, erlang, register, [silent, Sleeping]),
        Process = peer:call(Peer, os, getpid, []),
        Us = self(),
        Callers = [spawn(fun() -> Us ! {asked, call(asker, {ask, silent, Node, <<"five">>, ?LONG})} end)
                  || _ <- lists:seq(1, 5)],
        eventually(fun() ->
            {monitored_by, By} = peer:call(Peer, erlang, process_info, [Sleeping, monitored_by]),
            By =/= []
        end),
        Began = now_ms(),
        unlink(Peer),
        End(Peer, Process),
        [same({asked, <<"no_connection">>}, next()) || _ <- Callers], % those that wait cannot connect any more
        true = now_ms() - Began < ?LONG div 4,
        no_mail(),
        same(<<"no_connection">>, call(asker, {ask, silent, Node, <<"five">>, ?LONG})),
        same([atom_to_binary(node())], call(control, peers))
     end
     || End <- [fun(Peer, _) -> catch peer:call(Peer, erlang, halt, []) end,
                fun(_, Process) -> [] = os:cmd("kill -9 " ++ Process) end]],
    stop(Second);

%% ---- processes of Erlang that otpp knows by their pids ----

row(pids) ->
    Server = start(),
    {One, Two} = {reader(), reader()},
    [ok = call(board, {subscribe, Each}) || Each <- [One, Two]],
    same(true, call(board, {is_same, One})),
    same(false, call(board, {is_same, Two})),
    same(atom_to_binary(node()), call(board, {node_of, One})),
    Board = call(board, myself),
    same(true, gen_server:call(Board, {is_same, One}, ?LONG)),
    same(<<"cpp@127.0.0.1">>, call(board, {node_of, Board})),
    same(2, call(board, {publish, <<"hello">>})),
    [{One, {news, <<"hello">>}}, {Two, {news, <<"hello">>}}] = lists:sort([next(), next()]),
    [call(board, {publish, integer_to_binary(N)}) || N <- lists:seq(1, 1000)],
    [receive {One, {news, Text}} -> same(integer_to_binary(N), Text) after ?LONG -> fail("no news") end || N <- lists:seq(1, 1000)],
    stop(Server);

row(downs) ->
    Server = start(),
    {One, Two} = {reader(), reader()},
    [ok = call(board, {subscribe, Each}) || Each <- [One, One, Two]],
    One ! {end_with, {boom, 1}},
    same([{down, One, <<"{boom,1}">>}, {down, One, <<"{boom,1}">>}], seen(2)),
    Two ! {end_with, normal},
    same([{down, Two, <<"normal">>}], seen(1)),
    ok = call(board, {subscribe, Two}), % it has ended
    same([{down, Two, <<"no_process">>}], seen(1)),
    Three = reader(),
    ok = call(board, {subscribe, Three}),
    disconnect(),
    same([{down, Three, <<"no_connection">>}], seen(1)),
    ok = call(board, {subscribe, Three}), % the same pid, by a new connection
    same(1, call(board, {publish, <<"again">>})),
    {Three, {news, <<"again">>}} = next(),
    Three ! {end_with, shutdown},
    same([{down, Three, <<"shutdown">>}], seen(1)),
    %% By name: who has it now, and nobody.
    [begin
        Named = reader(),
        register(named, Named),
        ok = call(board, {watch, named, node()}),
        eventually(fun() -> process_info(Named, monitored_by) =/= {monitored_by, []} end),
        Named ! {end_with, Reason},
        [{down, _, Word}] = seen(1),
        ok = call(board, {watch, named, node()}),
        [{down, _, <<"no_process">>}] = seen(1)
     end || {Reason, Word} <- [{{boom, 2}, <<"{boom,2}">>}, {{shutdown, night}, <<"shutdown: night">>}]],
    Left = reader(),
    register(named, Left),
    ok = call(board, {watch, named, node()}),
    eventually(fun() -> process_info(Left, monitored_by) =/= {monitored_by, []} end),
    disconnect(),
    [{down, _, <<"no_connection">>}] = seen(1),
    same([], call(board, seen)),
    stop(Server);

row(links) ->
    Server = start(),
    Board = call(board, myself),
    %% Erlang links, and ends.
    One = reader(),
    done(One, {link, Board}),
    One ! {end_with, {boom, 1}},
    same([{exit, One, <<"{boom,1}">>}], seen(1)),
    Two = reader(),
    done(Two, {link, Board}),
    Two ! {end_with, normal},
    same([{exit, Two, <<"normal">>}], seen(1)),
    %% otpp links, and Erlang ends.
    Three = reader(),
    ok = call(board, {link, Three}),
    same({links, [Board]}, eventually(fun() -> linked(Three) end)),
    Three ! {end_with, {boom, 3}},
    same([{exit, Three, <<"{boom,3}">>}], seen(1)),
    %% Unlinked, by either side, nobody is told.
    Four = reader(),
    done(Four, {link, Board}),
    ok = call(board, {unlink, Four}),
    same({links, []}, eventually(fun() -> unlinked(Four) end)),
    done(Four, {link, Board}), % again
    done(Four, {unlink, Board}),
    Four ! {end_with, {boom, 4}},
    same([], call(board, seen)),
    %% A link with one that has ended.
    ok = call(board, {link, Four}),
    same([{exit, Four, <<"no_process">>}], seen(1)),
    %% A lost connection.
    Five = reader(),
    done(Five, {link, Board}),
    Six = reader(),
    ok = call(board, {link, Six}),
    same({links, [Board]}, eventually(fun() -> linked(Six) end)),
    done(Six, trap),
    disconnect(),
    {Six, {'EXIT', Board, noconnection}} = next(),
    same(lists:sort([{exit, Five, <<"no_connection">>}, {exit, Six, <<"no_connection">>}]), lists:sort(seen(2))),
    %% otpp ends: those that trap get a message, the others end.
    {Seven, Eight} = {reader(), reader()},
    done(Seven, trap),
    done(Seven, {link, Board}),
    Ref = monitor(process, Eight),
    ok = call(board, {link, Eight}),
    same({links, [Board]}, eventually(fun() -> linked(Eight) end)),
    gen_server:cast({board, ?NODE}, {fail, <<"itself">>}),
    receive {Seven, {'EXIT', Board, {failed, <<"itself">>}}} -> ok after ?LONG -> fail("no exit signal") end,
    receive {'DOWN', Ref, process, Eight, {failed, <<"itself">>}} -> ok after ?LONG -> fail("no exit signal") end,
    %% A link of Erlang's with one of ours that has ended.
    done(Seven, {link, Board}),
    {Seven, {'EXIT', Board, noproc}} = next(),
    stop(Server);

row(unlink_races) ->
    %% OTPP_ROW_RACES is how many of each side.
    Server = start(),
    Board = call(board, myself),
    [begin
        One = reader(),
        done(One, {link, Board}),
        One ! {unlink_and_end, Board, {race, N}},
        Other = reader(),
        ok = call(board, {link, Other}),
        Other ! {end_with, {raced, N}}, % while it is unlinked there
        ok = call(board, {unlink, Other})
    end || N <- lists:seq(1, races())],
    Seen = call(board, seen),
    %% Of those that were unlinked first nothing is told; of the others either the unlink or the end was first, but nothing comes later.
    same([], [Reason || {exit, _, <<"{race,", _/binary>> = Reason} <- Seen]),
    same([], call(board, seen)),
    Last = reader(),
    ok = call(board, {subscribe, Last}),
    Last ! {end_with, done},
    same([{down, Last, <<"done">>}], seen(1)),
    stop(Server);

row(link_races) ->
    %% Both link and unlink at the same time, and both know the same when all has come. OTPP_ROW_RACES is how many of each side.
    Server = start(),
    Count = races(),
    rand:seed(exsss, {1, 2, 3}),
    Ends = [link_race_ours, link_race_theirs, unlink_race_ours, unlink_race_theirs],
    Workers = [begin
        Seed = rand:uniform(1 bsl 32),
        spawn_monitor(fun() ->
            rand:seed(exsss, Seed),
            [race(lists:nth(rand:uniform(length(Ends)), Ends)) || _ <- lists:seq(1, 2 * Count div 40)]
        end)
     end || _ <- lists:seq(1, 40)],
    [receive {'DOWN', Ref, process, Pid, Reason} -> same(normal, Reason) end || {Pid, Ref} <- Workers],
    same(0, maps:get(unknown, call(control, statistics))),
    stop(Server);

row(exits) ->
    Server = start(),
    Board = call(board, myself),
    One = reader(),
    done(One, trap),
    ok = call(board, {exit, One, {please, 1}}),
    {One, {'EXIT', Board, {please, 1}}} = next(),
    ok = call(board, {exit, One, normal}),
    {One, {'EXIT', Board, normal}} = next(),
    Ref = monitor(process, One),
    ok = call(board, {kill, One}),
    {'DOWN', Ref, process, One, killed} = next(),
    Two = reader(),
    Ref2 = monitor(process, Two),
    ok = call(board, {exit, Two, normal}), % has no effect
    ok = call(board, {exit, Two, {boom, 2}}),
    {'DOWN', Ref2, process, Two, {boom, 2}} = next(),
    %% The other way.
    Us = self(),
    exit(Board, {please, 3}),
    same([{exit, Us, <<"{please,3}">>}], seen(1)),
    exit(Board, normal),
    same([{exit, Us, <<"normal">>}], seen(1)),
    Ref3 = monitor(process, Board),
    exit(Board, kill),
    {'DOWN', Ref3, process, Board, killed} = next(),
    ok = call(control, start_board),
    Next = call(board, myself),
    ok = call(board, {trap, false}),
    Ref4 = monitor(process, Next),
    exit(Next, normal),
    same([], call(board, seen)),
    exit(Next, {boom, 4}),
    {'DOWN', Ref4, process, Next, {boom, 4}} = next(),
    stop(Server);

row(pairs) ->
    %% 64 pairs at once: numbers, links, exit signals and ends at random. All comes in the order in which it was sent.
    Server = start(),
    rand:seed(exsss, {4, 5, 6}),
    Seeds = [rand:uniform(1 bsl 32) || _ <- lists:seq(1, 64)],
    Workers = [spawn_monitor(fun() -> rand:seed(exsss, Seed), [pair() || _ <- lists:seq(1, 8)] end) || Seed <- Seeds],
    [receive {'DOWN', Ref, process, Pid, Reason} -> same(normal, Reason) end || {Pid, Ref} <- Workers],
    same(0, maps:get(unknown, call(control, statistics))),
    no_mail(),
    stop(Server);

row(third) ->
    %% Pids that come by a third node.
    Server = start(),
    {Peer, Node, _} = start_peer("third", []),
    One = reader(),
    same(ok, call(board, {subscribe, One})),
    same(true, peer:call(Peer, gen_server, call, [{board, ?NODE}, {is_same, One}])),
    same(false, peer:call(Peer, gen_server, call, [{board, ?NODE}, {is_same, reader()}])),
    same(ok, peer:call(Peer, gen_server, call, [{board, ?NODE}, {link, One}])),
    Board = call(board, myself),
    same({links, [Board]}, eventually(fun() -> linked(One) end)), % with us, and not with the third
    same(Board, peer:call(Peer, gen_server, call, [Board, myself])),
    One ! {end_with, done},
    same([{down, One, <<"done">>}, {exit, One, <<"done">>}], lists:sort(seen(2))),
    %% A process of ours, which comes back from there.
    Counter = call(counter, self),
    same(ok, peer:call(Peer, gen_server, call, [{board, ?NODE}, {subscribe, Counter}])),
    same(true, call(board, {is_same, Counter})),
    same(<<"cpp@127.0.0.1">>, call(board, {node_of, Counter})),
    %% One of the third's: otpp connects with it.
    disconnect_at(Peer),
    knows_only_us(),
    Theirs = peer:call(Peer, erlang, spawn, [timer, sleep, [infinity]]),
    same(ok, call(board, {subscribe, Theirs})),
    same(atom_to_binary(Node), call(board, {node_of, Theirs})),
    same(ok, call(board, {exit, Theirs, normal})),
    same(ok, call(board, {exit, Theirs, {boom, 1}})),
    same([{down, Theirs, <<"{boom,1}">>}], seen(1)),
    same(lists:sort([atom_to_binary(Node), atom_to_binary(node())]), lists:sort(call(control, peers))),
    same([], peer:call(Peer, erlang, nodes, [])), % nobody has told it of us
    peer:stop(Peer),
    no_mail(),
    stop(Server);

row(taken) ->
    %% While the program does not move, epmd goes, and comes with another node of its name.
    Server = start(),
    same(0, call(counter, get)),
    signal(Server, "STOP"),
    [] = os:cmd("kill -9 " ++ os:getenv("EPMD_PROCESS")),
    same(true, eventually(fun() -> erl_epmd:names({127, 0, 0, 1}) =:= {error, address} end)),
    Epmd = open_port({spawn_executable, os:find_executable("epmd")},
                     [{args, ["-port", os:getenv("ERL_EPMD_PORT")]}, exit_status, stderr_to_stdout]),
    {os_pid, Process} = erlang:port_info(Epmd, os_pid),
    try
        eventually(fun() -> {error, address} =/= erl_epmd:names({127, 0, 0, 1}) end),
        Another = register_port("cpp", 1),
        signal(Server, "CONT"),
        match(printed(Server, "report: "), "cpp"),
        same(1, call(counter, {add, 1})), % the connection lives
        gen_tcp:close(Another),
        eventually(fun() ->
            {ok, All} = erl_epmd:names({127, 0, 0, 1}),
            {"cpp", 1} =/= (Now = lists:keyfind("cpp", 1, All)) andalso Now
        end),
        disconnect(),
        same(1, call(counter, get)),
        stop(Server)
    after
        os:cmd("kill " ++ integer_to_list(Process))
    end;

row(without_epmd) ->
    %% A fixed port, and a table of where others are.
    listen(),
    {ok, _} = serve(erlang_server),
    Server = start(["epmd", "no", "resolve", integer_to_list(port_of("erl"))]),
    command(Server, "ask erlang_server erl@127.0.0.1 five"),
    same("answer: 5", printed(Server, "answer: ")),
    command(Server, "port"),
    "port: " ++ Port = printed(Server, "port: "),
    {Peer, _, _} = start_peer("noepmd", ["-start_epmd", "false", "-erl_epmd_port", Port, "-dist_listen", "false"]),
    same(5, peer:call(Peer, gen_server, call, [{counter, ?NODE}, {add, 5}])),
    peer:stop(Peer),
    stop(Server),
    %% Without a table nobody is found.
    Blind = start(["epmd", "no"]),
    command(Blind, "ask erlang_server erl@127.0.0.1 five"),
    match(printed(Blind, "answer: "), "erl@127.0.0.1.*resolver"),
    stop(Blind);

row(hosts) ->
    %% Nodes of Erlang with a short name do not connect with long ones, nor the other way round; short ones do among each other.
    {Peer, _, _} = start_peer("short", [], #{longnames => false, host => "localhost"}),
    Server = start(),
    same(pang, peer:call(Peer, net_adm, ping, [?NODE])),
    stop(Server),
    Short = start_as('cpp@localhost', []),
    same(pang, net_adm:ping('cpp@localhost')),
    command(Short, "connect short@localhost"),
    same("connected", printed(Short, "connected")),
    same(5, peer:call(Peer, gen_server, call, [{counter, 'cpp@localhost'}, {add, 5}])),
    peer:stop(Peer),
    stop(Short),
    %% Nodes that speak IPv6.
    case gen_tcp:listen(0, [inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 1}}]) of
        {error, Why} -> io:format("there is no IPv6 here: ~p~n", [Why]);
        {ok, Socket} ->
            gen_tcp:close(Socket),
            {Six, _, _} = start_peer("six", ["-proto_dist", "inet6_tcp"], #{host => "::1"}),
            serve_at(Six, silent),
            Program = start_as('cpp@::1', ["listen", "::1"]),
            same(5, peer:call(Six, gen_server, call, [{counter, 'cpp@::1'}, {add, 5}])),
            true = peer:call(Six, net_kernel, disconnect, ['cpp@::1']),
            knows_nobody(Program),
            command(Program, "ask silent six@::1 five"),
            same("answer: 5", printed(Program, "answer: ")),
            peer:stop(Six),
            stop(Program)
    end;

row(slow) ->
    %% A peer that does not read what it is sent: the connection ends, and others notice nothing. Of the half GiB that it would be
    %% sent the program keeps what a mailbox holds; then who sends waits.
    Server = start(["tick", "3000"]),
    Raw = raw_connect("raw@127.0.0.1"),
    Us = self(),
    spawn(fun() -> tick_on(Raw) end),
    Alive = spawn(fun Again() -> _ = ends(counter, get, ?LONG), timer:sleep(100), Again() end), % as our ticks come later
    spawn(fun() -> Us ! gen_server:call({source, ?NODE}, {pour, anything, 'raw@127.0.0.1', 8192, 1 bsl 16}, infinity) end),
    match(printed(Server, "report: "), "raw@127.0.0.1.*has read nothing"),
    same(0, call(counter, get)),
    closed(Raw),
    same(<<"poured">>, next()),
    exit(Alive, kill),
    Most = most_memory(Server),
    same({true, Most}, {Most < 192, Most}),
    stop(Server);

row(stops) ->
    Server = start(),
    {ok, Pid} = serve(erlang_server),
    unlink(Pid),
    Ref = monitor(process, Pid),
    same(true, call(board, {stop, Pid})),
    {'DOWN', Ref, process, Pid, normal} = next(),
    Board = call(board, myself),
    Ref2 = monitor(process, Board),
    match(binary_to_list(sys:get_state({board, ?NODE})), "board"),
    same({error, unsupported}, sys:suspend({board, ?NODE})),
    ok = gen_server:stop(Board, {shutdown, why}, ?LONG),
    {'DOWN', Ref2, process, Board, {shutdown, why}} = next(),
    ok = call(control, start_board),
    ok = gen_server:stop({board, ?NODE}),
    same({exit, noproc}, exits(board, seen)),
    stop(Server);

row(groups) ->
    Server = start(),
    {ok, Scope} = pg:start(pg),
    Early = call(grouper, {start_member, [readers()]}),
    One = reader(),
    ok = pg:join(readers(), One),
    ok = call(grouper, {share, pg, node(), false}),
    agree(readers(), [One, Early]),
    same([One], pg:get_local_members(readers())),
    %% Later ones, of which one joins twice.
    Late = call(grouper, {start_member, [readers(), <<"writers">>, readers()]}),
    Two = reader(),
    ok = pg:join(readers(), [Two, One, Two]),
    ok = pg:join(<<"writers">>, Two),
    agree(readers(), [One, One, Two, Two, Early, Late, Late]),
    agree(<<"writers">>, [Two, Late]),
    same(true, call(grouper, {leave, readers(), Late})),
    ok = pg:leave(readers(), [One, Two]),
    agree(readers(), [One, Two, Early, Late]),
    %% Messages.
    [Pid ! {news, <<"rain">>} || Pid <- pg:get_members(<<"writers">>)],
    {Two, {news, <<"rain">>}} = next(),
    same([<<"rain">>], eventually(fun() -> some(gen_server:call(Late, heard)) end)),
    same(2, call(grouper, {publish, <<"writers">>, <<"sun">>})),
    {Two, {news, <<"sun">>}} = next(),
    same([<<"sun">>], eventually(fun() -> some(gen_server:call(Late, heard)) end)),
    %% Ends.
    exit(Two, kill),
    ok = gen_server:stop(Late),
    agree(readers(), [One, Early]),
    agree(<<"writers">>, []),
    %% Without a connection each has its own. The call connects again.
    _ = call(grouper, changes),
    disconnect(),
    same([One], eventually(fun() -> pg:get_members(readers()) =:= [One] andalso [One] end)),
    agree(readers(), [One, Early]),
    same([{left, readers(), One}, {joined, readers(), One}], call(grouper, changes)),
    %% The scope here ends, and is started again.
    exit(Scope, kill),
    same([Early], eventually(fun() -> call(grouper, {members, readers()}) =:= [Early] andalso [Early] end)),
    {ok, _} = pg:start(pg),
    ok = pg:join(readers(), One),
    agree(readers(), [One, Early]),
    %% Groups of other names are told of.
    ok = pg:join({any, "name"}, One),
    match(printed(Server, "unknown: "), "pg of .*group.*any"),
    %% And the other's ends.
    ok = call(grouper, end_sharing),
    same([Early], call(grouper, {members, readers()})),
    same([One], eventually(fun() -> pg:get_members(readers()) =:= [One] andalso [One] end)),
    %% Names that are atoms, in a scope of another name, which is started later.
    ok = call(grouper, {share, my_app, node(), true}),
    {ok, _} = pg:start(my_app),
    ok = pg:join(my_app, readers, One),
    same(true, eventually(fun() -> lists:sort(pg:get_members(my_app, readers)) =:= lists:sort([One, Early]) end)),
    agree(readers(), [One], [One, Early]),
    no_mail(),
    stop(Server);

row(global_names) ->
    Server = start(),
    same(undefined, call(registrar, {find, counter, node()})),
    same(<<"registered">>, call(registrar, {register_me, counter, node()})),
    Pid = global:whereis_name(counter),
    same(?NODE, node(Pid)),
    same(Pid, gen_server:call({global, counter}, {find, counter, node()}, ?LONG)),
    same(<<"name_taken">>, call(registrar, {register_me, counter, node()})),
    same(ok, call(registrar, {unregister, counter, node()})),
    same(undefined, global:whereis_name(counter)),
    %% A name of ours, and one that is no atom.
    yes = global:register_name({seven, 7}, self()),
    same(self(), call(registrar, {find, {seven, 7}, node()})),
    same(<<"name_taken">>, call(registrar, {register_me, {seven, 7}, node()})),
    %% It goes with the connection.
    same(<<"registered">>, call(registrar, {register_me, counter, node()})),
    disconnect(),
    same(true, eventually(fun() -> global:whereis_name(counter) =:= undefined end)),
    same(<<"registered">>, call(registrar, {register_me, counter, node()})),
    ok = gen_server:stop(Pid),
    same(true, eventually(fun() -> global:whereis_name(counter) =:= undefined end)),
    no_mail(),
    stop(Server);

row(tls) ->
    [begin
        Server = start_tls("good", Version),
        %% Erlang is first.
        same(pong, net_adm:ping(?NODE)),
        same(5, call(counter, {add, 5})),
        Text = binary:copy(<<"long">>, 1000000),
        same(Text, call(echo, {text, Text})),
        {ok, _} = serve(erlang_server),
        Asking = {ask, erlang_server, node(), <<"five">>, ?LONG},
        same(<<"value 5">>, call(asker, Asking)),
        disconnect(),
        _ = printed(Server, "report: "),
        %% otpp is.
        command(Server, "connect erl@127.0.0.1"),
        same("connected", printed(Server, "connected")),
        is_up(),
        same(Text, call(echo, {text, Text})),
        same(<<"value 5">>, call(asker, Asking)),
        [gen_server:cast({counter, ?NODE}, {note, N}) || N <- lists:seq(1, 10000)],
        same({10000, true}, call(counter, noted)),
        stop(Server),
        ok = gen_server:stop(erlang_server)
     end
     || Version <- ['tlsv1.2', 'tlsv1.3']];

row(tls_refused) ->
    %% What is wrong, of whom, what otpp says when Erlang connects, and when it connects itself.
    [begin
        {Ours, Theirs} = case Who of erlang -> {Name, "good"}; otpp -> {"good", Name} end,
        Server = start_tls(Theirs, Ours, Version),
        same(pang, net_adm:ping(?NODE)),
        match(printed(Server, "report: "), Accepting),
        command(Server, "connect erl@127.0.0.1"),
        match(printed(Server, "failed: "), Connecting),
        same([], nodes(hidden)),
        stop(Server)
     end
     || Version <- ['tlsv1.2', 'tlsv1.3'],
        {Name, Who, Accepting, Connecting} <-
            [{"expired", otpp, "refused the certificate of this node: it has expired",
                               "refused the certificate of this node: it has expired"},
             {"expired", erlang, "CN=expired\\) has expired, at ", "CN=expired\\) has expired, at "},
             {"stranger", otpp, "does not know by whom it is signed", "does not know by whom it is signed"},
             {"stranger", erlang, "signed by nobody that this node knows", "signed by nobody that this node knows"}]],
    %% Erlang looks for the host in the certificate of the one it connects with, and so do we.
    Elsewhere = start_tls("elsewhere", "good", 'tlsv1.3'),
    same(pang, net_adm:ping(?NODE)),
    match(printed(Elsewhere, "report: "), "did not say why .alert handshake_failure.*host in the name of this node"),
    command(Elsewhere, "connect erl@127.0.0.1"),
    same("connected", printed(Elsewhere, "connected")),
    stop(Elsewhere),
    Other = start_tls("good", "elsewhere", 'tlsv1.3'),
    command(Other, "connect erl@127.0.0.1"),
    match(printed(Other, "failed: "), "CN=elsewhere\\) is not for the host in the name of the node"),
    same(pong, net_adm:ping(?NODE)),
    stop(Other),
    %% One without a certificate.
    [begin
        Strict = start_tls("good", none, Version),
        same(pang, net_adm:ping(?NODE)),
        match(printed(Strict, "report: "), "from somebody at 127.0.0.1: it has sent no certificate"),
        stop(Strict)
     end
     || Version <- ['tlsv1.2', 'tlsv1.3']],
    %% One without TLS.
    Plain = start(),
    same(pang, net_adm:ping(?NODE)),
    match(printed(Plain, "report: "), "is it another program"),
    command(Plain, "connect erl@127.0.0.1"),
    _ = printed(Plain, "failed: "),
    stop(Plain);

%% ---- the rows of `cables`: between hosts ----

row(silence) ->
    %% Nothing comes through, in neither direction.
    between_hosts(4, 4, fun(Server) ->
        [outage(Server, fun() -> on_both(fun lose/1) end, fun() -> on_both(fun carry/1) end,
                [{here, 5000}, {there, 5000}]) || _ <- [first, second]]
    end);

row(one_way) ->
    %% In one direction only. What the side that hears nothing has sent last comes through, but not its end, as that waits for what
    %% is not acknowledged: the other notices by itself, and up to a tick later.
    between_hosts(4, 4, fun(Server) ->
        [outage(Server, fun() -> lose(Side) end, fun() -> carry(Side) end, [{Deaf, 5000}, {Side, 6000}])
         || {Side, Deaf} <- [{here, there}, {there, here}]]
    end);

row(unplugged) ->
    %% The cable is pulled out at one end.
    between_hosts(4, 4, fun(Server) ->
        [outage(Server, fun() -> pull_out(Side) end, fun() -> plug_in(Side) end, [{here, 5000}, {there, 5000}])
         || Side <- [here, there]]
    end);

row(half_noticed) ->
    %% When the cable carries again one side has noticed, and the other has not.
    [between_hosts(Ours, Theirs, fun(Server) ->
        Open = open_all(Server),
        on_both(fun lose/1),
        told(First, Server, Open),
        on_both(fun carry/1),
        connect_again(),
        told(Second, Server, Open),
        all_again(Server, Open)
     end)
     || {Ours, Theirs, First, Second} <- [{2, 60, here, there}, {60, 2, there, here}]];

row(short_outages) ->
    %% They end before anybody counts as lost: nobody is told, and all comes once.
    between_hosts(4, 4, fun(_) ->
        true = erlang:monitor_node(?NODE, true),
        Notes = begin_notes(),
        Listener = listener(),
        Asking = spawn_link(fun() -> ask_to_tell(0) end),
        [begin
            Cut(Side),
            receive after 700 -> ok end,
            Mend(Side),
            same(0, call(counter, get))
         end
         || {Cut, Mend} <- [{fun lose/1, fun carry/1}, {fun pull_out/1, fun plug_in/1}], Side <- [here, there]],
        Asking ! {stop, self()},
        {Asking, Times} = next(),
        {Count, Noted} = end_notes(Notes),
        same(lists:seq(1, Count), Noted),
        io:format("~b numbers here, and ~b there~n", [100 * Times, Count]),
        stop_listener(Listener),
        true = erlang:monitor_node(?NODE, false)
    end);

row(third_host) ->
    %% Meanwhile otpp and a node of a third host speak as if nothing were.
    between_hosts(4, 4, fun(Server) ->
        [Enter | Before] = string:lexemes(os:getenv("OTPP_ROW_THIRD"), " ") ++ [os:find_executable("erl")],
        {Peer, _, _} = start_peer("third", [], #{host => "198.51.100.2", exec => {Enter, Before}}),
        same(0, peer:call(Peer, gen_server, call, [{counter, ?NODE}, get])),
        same("event: up third@198.51.100.2", printed(Server, "event: ")),
        Speaking = spawn_link(fun() -> speak(Peer, []) end),
        outage(Server, fun() -> on_both(fun lose/1) end, fun() -> on_both(fun carry/1) end, [{here, 5000}, {there, 5000}]),
        Speaking ! {stop, self()},
        {Speaking, Times} = next(),
        io:format("~b calls of a third host meanwhile, each answered within ~b ms~n", [length(Times), lists:max(Times)]),
        same(true, length(Times) > 20),
        peer:stop(Peer),
        same("event: down third@198.51.100.2", printed(Server, "event: "))
    end);

row(Row) ->
    fail("there is no row ~p", [Row]).

races() -> list_to_integer(os:getenv("OTPP_ROW_RACES", "500")).

%% ---- the program ----

%% A process has its port, so that what it prints is no mail of ours.
start() -> start([]).

start(Options) -> start_as(?NODE, Options).

start_as(Name, Options) ->
    {Server, Line} = try_start_as(Name, Options),
    same("ready", Line),
    Server.

%% Returns the first line.
try_start(Options) -> try_start_as(?NODE, Options).

try_start_as(Name, Options) ->
    listen(),
    [Program | Before] = at_other_host([persistent_term:get(program)]),
    Arguments = Before ++ [atom_to_list(Name), atom_to_list(?COOKIE), os:getenv("ERL_EPMD_PORT") | Options],
    Us = self(),
    Server = spawn_link(fun() ->
        Port = open_port({spawn_executable, Program}, [{args, Arguments}, {line, 10000}, exit_status]),
        own(Us, Port, [], running, [])
    end),
    {Server, printed(Server, "")}.

%% This node takes TLS by certificates of the folder, and so does the program; no client's with `none`. `erlang` has started us with
%% that file, which is read when the node starts.
start_tls(Theirs, Version) -> start_tls(Theirs, "good", Version).

start_tls(Theirs, Ours, Version) ->
    Folder = os:getenv("HOME"),
    {ok, [["inet_tls"]]} = init:get_argument(proto_dist),
    {ok, [[File]]} = init:get_argument(ssl_dist_optfile),
    Path = fun(Name) -> filename:join(Folder, Name) end,
    Own = fun(none) -> [];
             (Name) -> [{certfile, Path(Name ++ ".pem")}, {keyfile, Path(Name ++ ".key")}]
          end,
    Common = [{cacertfile, Path("ca.pem")}, {verify, verify_peer}, {versions, [Version]}],
    Server = case Ours of none -> "good"; _ -> Ours end,
    Options = [{server, Own(Server) ++ Common ++ [{fail_if_no_peer_cert, true}]}, {client, Own(Ours) ++ Common}],
    ok = file:write_file(File, io_lib:format("~p.~n", [Options])),
    go_offline(),
    start(["tls", Path(Theirs)]).

%% Until otpp has noticed that others, or we, are not connected any more.
knows_only_us() -> true = eventually(fun() -> call(control, peers) =:= [atom_to_binary(node())] end).

knows_nobody(Server) -> true = eventually(fun() -> command(Server, "peers"), printed(Server, "peers:") =:= "peers:" end).

%% The one that is connected to says yes before its own side knows of the connection.
is_up() -> true = eventually(fun() -> nodes(hidden) =:= [?NODE] end).

%% The name is given up by the end of net_kernel, and so perhaps a moment after the supervisor has heard of that end.
go_offline() ->
    _ = net_kernel:stop(),
    true = eventually(fun() -> not is_alive() end).

listen() -> listen(60).

listen(TickTime) ->
    case is_alive() of
        true -> ok;
        false ->
            {ok, _} = net_kernel:start(?HERE, #{name_domain => longnames, net_ticktime => TickTime}),
            erlang:set_cookie(node(), ?COOKIE)
    end.

%% A line is kept until it is asked for.
own(Us, Port, Lines, Status, Waiting) ->
    receive
        {Port, {data, {eol, Line}}} -> settle(Us, Port, Lines ++ [Line], Status, Waiting);
        {Port, {exit_status, Number}} -> settle(Us, Port, Lines, Number, Waiting);
        {command, Line} ->
            port_command(Port, [Line, $\n]),
            own(Us, Port, Lines, Status, Waiting);
        {os_pid, Ref} ->
            {os_pid, Process} = erlang:port_info(Port, os_pid),
            Us ! {Ref, Process},
            own(Us, Port, Lines, Status, Waiting);
        {lines, Ref} ->
            Us ! {Ref, Lines},
            own(Us, Port, Lines, Status, Waiting);
        {line, _, _} = One -> settle(Us, Port, Lines, Status, Waiting ++ [One]);
        {exit_status, _} = One -> settle(Us, Port, Lines, Status, Waiting ++ [One])
    end.

settle(Us, Port, Lines, Status, []) -> own(Us, Port, Lines, Status, []);
settle(Us, Port, Lines, Status, [{line, Ref, Head} | Others] = Waiting) ->
    case [Line || Line <- Lines, lists:prefix(Head, Line)] of
        [Line | _] ->
            Us ! {Ref, Line},
            settle(Us, Port, lists:delete(Line, Lines), Status, Others);
        [] when Status =:= running -> own(Us, Port, Lines, Status, Waiting);
        [] ->
            Us ! {Ref, {ended, Status, Lines}},
            settle(Us, Port, Lines, Status, Others)
    end;
settle(Us, Port, Lines, running, [{exit_status, _} | _] = Waiting) -> own(Us, Port, Lines, running, Waiting);
settle(Us, Port, Lines, Status, [{exit_status, Ref} | Others]) ->
    Us ! {Ref, Status},
    settle(Us, Port, Lines, Status, Others).

ask_owner(Server, Question) ->
    Ref = make_ref(),
    Server ! erlang:append_element(Question, Ref),
    receive {Ref, Answer} -> Answer
    after ?LONG -> fail("the program does not come to ~p", [Question])
    end.

%% Returns the first line that begins so, which is then gone.
printed(Server, Head) ->
    Ref = make_ref(),
    Server ! {line, Ref, Head},
    receive
        {Ref, {ended, Status, Lines}} -> fail("the program has ended with ~p, and printed ~p", [Status, Lines]);
        {Ref, Line} -> Line
    after ?LONG -> fail("the program does not print ~s", [Head])
    end.

command(Server, Line) -> Server ! {command, Line}.

exit_status(Server) -> ask_owner(Server, {exit_status}).

%% The program has to end by itself, without an error: a sanitizer would say so then.
stop(Server) ->
    command(Server, "close"),
    same(0, exit_status(Server)).

signal(Server, Signal) ->
    [] = os:cmd("kill -" ++ Signal ++ " " ++ integer_to_list(ask_owner(Server, {os_pid}))).

%% In MiB.
most_memory(Server) ->
    {ok, Status} = file:read_file("/proc/" ++ integer_to_list(ask_owner(Server, {os_pid})) ++ "/status"),
    {match, [Most]} = re:run(Status, "VmHWM:\\s+(\\d+) kB", [{capture, all_but_first, list}]),
    list_to_integer(Most) div 1024.

%% As net_kernel has it.
connection_state(Node) ->
    case ets:lookup(sys_dist, Node) of
        [Connection] -> element(4, Connection);
        [] -> none
    end.

open_files(Server) ->
    {ok, Files} = file:list_dir("/proc/" ++ integer_to_list(ask_owner(Server, {os_pid})) ++ "/fd"),
    length(Files).

%% ---- calls ----

call(To, Request) -> gen_server:call(there(To), Request, ?LONG).

%% Why a call ends its caller, or its answer. If it is no timeout it has to come at once.
exits(To, Request) -> exits(To, Request, ?LONG).

exits(To, Request, Timeout) ->
    Began = now_ms(),
    case ends(To, Request, Timeout) of
        {exit, Reason} when Reason =/= timeout ->
            true = now_ms() - Began < ?LONG div 4,
            {exit, Reason};
        Other -> Other
    end.

%% The same, whenever it comes.
ends(To, Request, Timeout) ->
    try
        {answered, gen_server:call(there(To), Request, Timeout)}
    catch
        exit:{Reason, {gen_server, call, _}} -> {exit, Reason}
    end.

there(Name) when is_atom(Name) -> {Name, ?NODE};
there(Other) -> Other. % a pid, or a name of another node

disconnect() -> same(true, net_kernel:disconnect(?NODE)).

next() ->
    receive Message -> Message
    after ?LONG -> fail("no message comes")
    end.

down_of(Monitor) ->
    receive {'DOWN', Monitor, process, _, Reason} -> Reason
    after ?LONG -> fail("what has ended is not told")
    end.

lost() ->
    receive {nodedown, ?NODE} -> ok
    after ?LONG -> fail("a lost connection is not noticed")
    end.

connected_again() ->
    eventually(fun() -> try call(counter, get) catch exit:{{nodedown, _}, _} -> false end end).

no_mail() -> same({messages, []}, process_info(self(), messages)).

%% Nothing else is to be waited for: it is asked again until it is not false.
eventually(What) -> eventually(What, now_ms() + ?LONG).

eventually(What, End) ->
    case What() of
        false ->
            now_ms() < End orelse fail("it does not come to be"),
            receive after 10 -> eventually(What, End) end;
        Value -> Value
    end.

now_ms() -> erlang:monotonic_time(millisecond).

%% What tells a process from others of its node, and its node from its predecessors.
numbers(Pid) ->
    Bytes = term_to_binary(Pid),
    <<Number:64, Creation:32>> = binary:part(Bytes, byte_size(Bytes), -12),
    {Number, Creation}.

%% ---- processes for otpp to deal with ----

%% Tells us what it gets, and does what it is told.
reader() ->
    Us = self(),
    spawn(fun() -> read(Us) end).

read(Us) ->
    receive
        {end_with, Reason} -> exit(Reason);
        {do, Ref, What} ->
            case What of
                trap -> process_flag(trap_exit, true);
                {link, Pid} -> link(Pid);
                {unlink, Pid} -> unlink(Pid)
            end,
            Us ! {Ref, done},
            read(Us);
        {unlink_and_end, Pid, Reason} ->
            unlink(Pid),
            exit(Reason);
        Message ->
            Us ! {self(), Message},
            read(Us)
    end.

done(Reader, What) ->
    Ref = make_ref(),
    Reader ! {do, Ref, What},
    receive {Ref, done} -> ok after ?LONG -> fail("a process does not do ~p", [What]) end.

linked(Pid) ->
    case process_info(Pid, links) of
        {links, [_ | _]} = Links -> Links;
        _ -> false
    end.

unlinked(Pid) ->
    case process_info(Pid, links) of
        {links, []} = Links -> Links;
        _ -> false
    end.

%% What the board has seen: so much, and no more.
seen(Count) -> seen(Count, [], now_ms() + ?LONG).

seen(Count, Seen, _) when length(Seen) >= Count -> Seen;
seen(Count, Seen, End) ->
    now_ms() < End orelse fail("the board has seen ~p only", [Seen]),
    seen(Count, Seen ++ call(board, seen), End).

%% ---- groups ----

readers() -> <<"readers">>.

some([]) -> false;
some(List) -> List.

%% Signs of life of a peer that does nothing else.
tick_on(Raw) ->
    case gen_tcp:send(Raw, <<>>) of
        ok -> timer:sleep(100), tick_on(Raw);
        {error, _} -> ok
    end.

%% Both have these as the members of a group, or these here and those there.
agree(Group, Pids) -> agree(Group, Pids, Pids).

agree(Group, Ours, Theirs) ->
    Expected = {lists:sort(Ours), lists:sort(Theirs)},
    Both = fun() -> {lists:sort(pg:get_members(Group)), lists:sort(call(grouper, {members, Group}))} end,
    Soon = now_ms() + ?LONG div 2,
    eventually(fun() -> Both() =:= Expected orelse now_ms() > Soon end),
    same(Expected, Both()).

%% A gen_server of this node, by hand.
serve(Name) ->
    Us = self(),
    Pid = spawn(fun() -> register(Name, self()), Us ! {self(), ready}, serving(0, undefined) end),
    receive {Pid, ready} -> {ok, Pid} end.

serving(Last, Late) ->
    receive
        {'$gen_call', From, {lookup, <<"five">>}} -> gen_server:reply(From, 5), serving(Last, Late);
        {'$gen_call', From, {lookup, <<"no">>}} -> gen_server:reply(From, {error, not_found}), serving(Last, Late);
        {'$gen_call', From, {lookup, <<"shape">>}} -> gen_server:reply(From, {value, <<"5">>}), serving(Last, Late);
        {'$gen_call', From, {lookup, <<"noted">>}} -> gen_server:reply(From, Last), serving(Last, Late);
        {'$gen_call', From, {lookup, <<"late">>}} -> serving(Last, From);
        {'$gen_call', From, {mirror, Bytes}} -> gen_server:reply(From, Bytes), serving(Last, Late);
        {'$gen_call', _, {lookup, <<"boom">>}} -> exit({boom, 1});
        answer -> gen_server:reply(Late, 7), serving(Last, undefined);
        {'$gen_cast', {note, N}} when N =:= Last + 1 -> serving(N, Late);
        {system, From, {terminate, Reason}} -> gen_server:reply(From, ok), exit(Reason)
    end.

%% ---- items, as those of streams.hpp ----

item(N) when N rem 5000 =:= 0 -> item(N, 1 bsl 20);
item(N) when N rem 100 =:= 0 -> item(N, 1 + N * 7919 rem 70000);
item(N) -> item(N, 1 + N rem 200).

item(N, Size) -> binary:copy(<<N>>, Size).

receive_items(N, Count) ->
    receive
        {'$gen_cast', {item, N, Bytes}} ->
            Bytes =:= item(N) orelse exit({wrong, N, byte_size(Bytes)}),
            receive_items(N + 1, Count);
        {'$gen_call', From, {lookup, <<"received">>}} ->
            gen_server:reply(From, N - 1),
            receive_items(N, Count);
        done -> exit({received, N - 1});
        Other -> exit({expected, N, got, Other})
    end.

%% ---- races of links ----

race(Kind) ->
    Racer = call(control, start_racer),
    {Process, Ref} = spawn_monitor(fun() -> race(Kind, Racer) end),
    receive {'DOWN', Ref, process, Process, {raced, Kind, Linked}} -> ok;
            {'DOWN', Ref, process, Process, Other} -> Linked = Other, fail("~p ended with ~p", [Kind, Other])
    end,
    raced(Kind, Process, Racer, Linked).

%% Some of link and unlink, here and there at once; then we end, or the other does.
race(Kind, Racer) when Kind =:= link_race_ours; Kind =:= link_race_theirs ->
    process_flag(trap_exit, true),
    ok = gen_server:call(Racer, {watch, self()}, ?LONG),
    gen_server:cast(Racer, {act, self(), any_of([link, unlink])}),
    [link_or_unlink(What, Racer) || What <- any_of([link, unlink])],
    receive did -> ok after ?LONG -> fail("the other does not do it") end,
    {links, Links} = process_info(self(), links),
    Linked = lists:member(Racer, Links),
    end_race(Kind, Racer, Linked);
%% The one that ends was linked, and is unlinked by the other meanwhile.
race(unlink_race_ours, Racer) ->
    ok = gen_server:call(Racer, {watch, self()}, ?LONG),
    link(Racer),
    gen_server:cast(Racer, {act, self(), [unlink]}),
    [erlang:yield() || _ <- lists:seq(1, rand:uniform(1000))],
    exit({raced, unlink_race_ours, unknown});
race(unlink_race_theirs, Racer) ->
    process_flag(trap_exit, true),
    Ref = monitor(process, Racer),
    gen_server:cast(Racer, {act, self(), [link]}),
    receive did -> ok after ?LONG -> fail("the other does not do it") end,
    gen_server:cast(Racer, {'end', race}),
    [erlang:yield() || _ <- lists:seq(1, rand:uniform(1000))],
    unlink(Racer),
    receive {'EXIT', Racer, _} -> ok after 0 -> ok end,
    receive {'DOWN', Ref, process, Racer, race} -> ok after ?LONG -> fail("the other does not end") end,
    flush_racer(),
    receive {'EXIT', Racer, _} -> exit(late) after 0 -> ok end,
    exit({raced, unlink_race_theirs, unknown}).

end_race(link_race_ours, _, Linked) -> exit({raced, link_race_ours, Linked});
end_race(link_race_theirs, Racer, Linked) ->
    Ref = monitor(process, Racer),
    gen_server:cast(Racer, {'end', race}),
    receive {'DOWN', Ref, process, Racer, race} -> ok after ?LONG -> fail("the other does not end") end,
    flush_racer(),
    Got = receive {'EXIT', Racer, race} -> true after 0 -> false end,
    exit({raced, link_race_theirs, Linked =:= Got orelse {Linked, Got}}).

%% What is to come to us has come.
flush_racer() ->
    Next = call(control, start_racer),
    gen_server:cast(Next, {act, self(), []}),
    receive did -> ok after ?LONG -> fail("another does not answer") end,
    gen_server:cast(Next, {'end', normal}).

raced(link_race_ours, _, Racer, Linked) ->
    Log = told(Racer),
    same({Linked, Log}, {[] =/= [How || {How, _, _} <- Log, How =/= down], Log}), % late, where we have linked after its unlink
    gen_server:cast(Racer, {'end', normal});
raced(unlink_race_ours, _, Racer, _) ->
    [] = [Late || {late, _, _} = Late <- told(Racer)],
    gen_server:cast(Racer, {'end', normal});
raced(_, _, _, Answer) -> true = lists:member(Answer, [true, unknown]).

%% What one that monitors a process has heard until that has ended, which comes last.
told(Racer) ->
    eventually(fun() ->
        {Log, true} = gen_server:call(Racer, told, ?LONG),
        lists:keymember(down, 1, Log) andalso Log
    end).

link_or_unlink(link, Pid) -> link(Pid);
link_or_unlink(unlink, Pid) -> unlink(Pid).

any_of(Which) -> [lists:nth(rand:uniform(length(Which)), Which) || _ <- lists:seq(1, rand:uniform(4))].

%% ---- other nodes of Erlang ----

start_peer(Name, Arguments) -> start_peer(Name, Arguments, #{}).

%% We hear of it by its standard output, and are not connected with it.
start_peer(Name, Arguments, More) ->
    {ok, Peer, Node} = peer:start(maps:merge(
        #{name => Name, host => "127.0.0.1", longnames => true, connection => standard_io,
          args => ["-setcookie", atom_to_list(?COOKIE) | Arguments]}, More)),
    {Peer, Node, peer:call(Peer, os, getpid, [])}.

%% A gen_server there, which knows one answer.
serve_at(Peer, Name) ->
    Text = "register(Name, self()),"
           "Serve = fun Serve() ->"
           "    receive {'$gen_call', From, {lookup, <<\"five\">>}} -> gen_server:reply(From, 5) end,"
           "    Serve()"
           " end,"
           "Serve().",
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    peer:call(Peer, erlang, spawn, [erl_eval, exprs, [Expressions, [{'Name', Name}]]]),
    eventually(fun() -> undefined =/= peer:call(Peer, erlang, whereis, [Name]) end).

disconnect_at(Peer) -> same(true, peer:call(Peer, net_kernel, disconnect, [?NODE])).

%% ---- two hosts, and a cable between them ----

%% How to run a command at the other host, if there is one.
at_other_host(Command) ->
    case os:getenv("OTPP_ROW_THERE") of
        false -> Command;
        Enter -> string:lexemes(Enter, " ") ++ Command
    end.

ip(Side, Arguments) ->
    Command = ["ip" | string:lexemes(Arguments, " ")],
    [] = os:cmd(lists:join($ , case Side of here -> Command; there -> at_other_host(Command) end)).

%% What this side sends is lost from here on: the cable carries it, but to a machine that is not there. (The kernels of some hosts,
%% ours too, have no netem.)
lose(Side) -> ip(Side, "neigh replace " ++ address_of_other(Side) ++ " lladdr 02:00:00:00:00:00 nud permanent dev cable").
carry(Side) -> ip(Side, "neigh flush dev cable nud permanent").

pull_out(Side) -> ip(Side, "link set cable down").
plug_in(Side) -> ip(Side, "link set cable up").

on_both(What) -> [What(Side) || Side <- [here, there]].

address_of_other(here) -> host(?NODE);
address_of_other(there) -> host(?HERE).

host(Node) -> lists:last(string:lexemes(atom_to_list(Node), "@")).

%% The tick times are in seconds, of this node and of the program.
between_hosts(Ours, Theirs, What) ->
    os:getenv("OTPP_ROW_THERE") =/= false orelse fail("this is a row of `cables`"),
    application:set_env(kernel, net_setuptime, 1),
    go_offline(),
    listen(Ours),
    Server = start(["listen", "0.0.0.0", "events", "on", "setup", "1000", "tick", integer_to_list(1000 * Theirs)]),
    {ok, Pid} = serve(erlang_server),
    connect_again(),
    same("event: up " ++ atom_to_list(?HERE), printed(Server, "event: ")),
    try
        What(Server)
    catch Class:Why:Where -> % what could not be sent would hold us up
        on_both(fun plug_in/1),
        on_both(fun carry/1),
        erlang:raise(Class, Why, Where)
    end,
    no_mail(),
    same([], [Line || Line <- ask_owner(Server, {lines}), lists:prefix("event: ", Line) orelse lists:prefix("answer: ", Line)]),
    exit(Pid, kill),
    stop(Server).

%% An outage, with all that may be open between two nodes. The sides notice in this order, within so many milliseconds.
outage(Server, Cut, Mend, Sides) ->
    Open = open_all(Server),
    Machine = spawn_link(fun() -> measure_lateness(0) end),
    Began = now_ms(),
    Cut(),
    Times = [begin told(Side, Server, Open), now_ms() - Began end || {Side, _} <- Sides],
    Machine ! {stop, self()},
    {Machine, Late} = next(),
    io:format("told after ~b ms and ~b ms, ~p and ~p; the machine was late by ~b ms~n",
              Times ++ [Side || {Side, _} <- Sides] ++ [Late]),
    %% A tick time of 4 s is from 3 s to 5 s.
    [same({true, Time, Late}, {Time >= 2900 andalso Time =< Longest + 500 + 2 * Late, Time, Late})
     || {Time, {_, Longest}} <- lists:zip(Times, Sides)],
    %% Connecting takes its time, and no longer.
    same({exit, {nodedown, ?NODE}}, exits(counter, get)),
    command(Server, "ask erlang_server " ++ atom_to_list(?HERE) ++ " five"),
    match(printed(Server, "answer: "), "no connection"),
    Mend(),
    connect_again(),
    all_again(Server, Open).

%% How long calls take that another node makes.
speak(Peer, Times) ->
    Began = now_ms(),
    0 = peer:call(Peer, gen_server, call, [{counter, ?NODE}, get]),
    Time = now_ms() - Began,
    receive {stop, Us} -> Us ! {self(), [Time | Times]}
    after 100 -> speak(Peer, [Time | Times])
    end.

%% How many milliseconds we were not run for, which others had. A machine may be busy.
measure_lateness(Late) ->
    Began = now_ms(),
    receive {stop, Us} -> Us ! {self(), Late}
    after 100 -> measure_lateness(Late + now_ms() - Began - 100)
    end.

%% Calls, monitors and links of either side, and messages without end.
open_all(Server) ->
    Board = call(board, myself),
    [Watched, Named, Linked, Linking] = Readers = [reader() || _ <- lists:seq(1, 4)],
    register(named, Named),
    [done(Reader, trap) || Reader <- [Linked, Linking]],
    ok = call(board, {subscribe, Watched}),
    ok = call(board, {watch, named, node()}),
    ok = call(board, {link, Linked}),
    done(Linking, {link, Board}),
    command(Server, "ask erlang_server " ++ atom_to_list(?HERE) ++ " late"),
    eventually(fun() ->
        lists:all(fun is_monitored/1, [Watched, Named, whereis(erlang_server)]) andalso linked(Linked)
    end),
    Notes = begin_notes(),
    Listener = listener(),
    {_, Call} = spawn_monitor(fun() -> exit(ends(slow, later, infinity)) end),
    {_, Asking} = spawn_monitor(fun() -> ask_to_tell(0) end),
    same(true, eventually(fun() -> call(slow, is_waiting) end)),
    eventually(fun() -> heard(Listener) > 0 end),
    Monitors = [{erlang:monitor(process, Of), Of} || Of <- [{counter, ?NODE}, Board]],
    true = erlang:monitor_node(?NODE, true),
    same(0, call(counter, get)),
    #{board => Board, readers => Readers, calls => [Call, Asking], monitors => Monitors, notes => Notes, listener => Listener}.

is_monitored(Pid) -> process_info(Pid, monitored_by) =/= {monitored_by, []}.

%% Each is told once: there is nothing else when the row ends.
told(here, _, #{board := Board, readers := [_, _, Linked, Linking], calls := Calls, monitors := Monitors}) ->
    Expected = [{nodedown, ?NODE}, {Linked, {'EXIT', Board, noconnection}}, {Linking, {'EXIT', Board, noconnection}}]
        ++ [{'DOWN', Ref, process, Of, noconnection} || {Ref, Of} <- Monitors],
    same([{exit, {nodedown, ?NODE}} || _ <- Calls], [down_of(Call) || Call <- Calls]),
    same(lists:sort(Expected), lists:sort([next() || _ <- Expected]));
told(there, Server, _) ->
    match(printed(Server, "answer: "), atom_to_list(?HERE) ++ ".*no connection"),
    same("event: down " ++ atom_to_list(?HERE), printed(Server, "event: ")).

connect_again() -> same(0, connected_again()).

%% There is a connection, names and pids are what they were, and nothing has come twice.
all_again(Server, #{board := Board, readers := [Watched, _, Linked, Linking] = Readers, notes := Notes, listener := Listener}) ->
    same("event: up " ++ atom_to_list(?HERE), printed(Server, "event: ")),
    same(false, call(slow, is_waiting)),
    {Count, Noted} = end_notes(Notes),
    same(Count, lists:last(Noted)),
    same(lists:usort(Noted), Noted),
    io:format("~b of ~b notes have come~n", [length(Noted), Count]),
    same(<<"value 5">>, eventually(fun() -> asked_again() end)),
    stop_listener(Listener),
    Seen = gen_server:call(Board, seen, ?LONG),
    Lost = <<"no_connection">>,
    same([{down, Lost}, {down, Lost}, {exit, Lost}, {exit, Lost}], lists:sort([{How, Why} || {How, _, Why} <- Seen])),
    same(lists:sort([{down, Watched}, {exit, Linked}, {exit, Linking}]),
         lists:sort([{How, Who} || {How, Who, _} <- Seen, lists:member(Who, Readers)])),
    [exit(Reader, kill) || Reader <- Readers],
    same([], call(board, seen)).

asked_again() ->
    case call(asker, {ask, erlang_server, node(), <<"five">>, ?LONG}) of
        <<"no_connection">> -> false;
        Answer -> Answer
    end.

%% Tells otpp numbers, one each few milliseconds, whatever becomes of them.
begin_notes() -> spawn_link(fun() -> note(make_ref(), 1) end).

note(Tag, N) ->
    gen_server:cast({anything, ?NODE}, {Tag, N}),
    receive
        {stop, Us} ->
            gen_server:cast({anything, ?NODE}, {Tag, N + 1}),
            Us ! {self(), {N + 1, [Each || {T, Each} <- call(anything, seen), T =:= Tag]}}
    after 50 -> note(Tag, N + 1)
    end.

%% How many, and which have come.
end_notes(Notes) ->
    Notes ! {stop, self()},
    receive {Notes, All} -> All after ?LONG -> fail("it does not say what it has noted") end.

%% Hears numbers of otpp's, which become greater until it is asked how many there were.
listener() ->
    Us = self(),
    Listener = spawn_link(fun() -> register(listener, self()), Us ! {self(), ready}, listen_to_numbers(0, 0) end),
    receive {Listener, ready} -> Listener end.

listen_to_numbers(Last, Count) ->
    receive
        {'$gen_cast', {note, N}} when N > Last -> listen_to_numbers(N, Count + 1);
        {'$gen_call', From, {lookup, <<"noted">>}} ->
            gen_server:reply(From, Count),
            listen_to_numbers(0, 0);
        {heard, Whom} ->
            Whom ! {self(), Count},
            listen_to_numbers(Last, Count);
        {stop, Whom} -> Whom ! {self(), stopped};
        Other -> exit({unexpected, Other, 'after', Last})
    end.

heard(Listener) ->
    Listener ! {heard, self()},
    receive {Listener, Count} -> Count after ?LONG -> fail("it does not say what it has heard") end.

stop_listener(Listener) ->
    Listener ! {stop, self()},
    receive {Listener, stopped} -> ok after ?LONG -> fail("it does not stop") end.

%% Lets otpp tell the listener a hundred numbers, again and again.
ask_to_tell(Times) ->
    case ends(asker, {tell, listener, node(), 100}, infinity) of
        {answered, Answer} -> same(<<"value 100">>, Answer);
        End -> exit(End)
    end,
    receive {stop, Us} -> Us ! {self(), Times + 1}
    after 50 -> ask_to_tell(Times + 1)
    end.

%% ---- between nodes ----

%% Passes bytes on to a port of this machine. Returns where it listens, and what the functions below take.
relay(Target) ->
    {ok, Listening} = gen_tcp:listen(0, [binary, {active, false}, {nodelay, true}, {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Listening),
    Relay = ets:new(relay, [public]),
    ets:insert(Relay, [{is_frozen, false}, {cut, never}]),
    spawn_link(fun() -> relay_all(Listening, Target, Relay) end),
    {Port, Relay}.

%% Erlang finds the program there.
relay_to(Server) ->
    command(Server, "port"),
    "port: " ++ Target = printed(Server, "port: "),
    {Port, Relay} = relay(list_to_integer(Target)),
    register_port("cpp", Port),
    Relay.

relay_all(Listening, Target, Relay) ->
    case gen_tcp:accept(Listening) of
        {ok, One} ->
            Pipe = spawn(fun() -> receive begin_it -> relay_one(One, Target, Relay) end end),
            ok = gen_tcp:controlling_process(One, Pipe),
            Pipe ! begin_it,
            relay_all(Listening, Target, Relay);
        {error, closed} -> ok
    end.

relay_one(One, Target, Relay) ->
    {ok, Two} = gen_tcp:connect({127, 0, 0, 1}, Target, [binary, {active, false}, {nodelay, true}]),
    ets:insert(Relay, {self()}), % and then it looks whether it is frozen
    [{cut, Cut}] = ets:lookup(Relay, cut),
    [inet:setopts(Socket, [{active, once}]) || Socket <- [One, Two]],
    pass_on(One, Two, Cut, Relay).

pass_on(One, Two, Cut, Relay) ->
    wait_for_thaw(Relay),
    receive
        {tcp, One, Bytes} -> pass(forward, Bytes, One, Two, One, Two, Cut, Relay);
        {tcp, Two, Bytes} -> pass(back, Bytes, Two, One, One, Two, Cut, Relay);
        {tcp_closed, _} -> close_both(One, Two);
        {tcp_error, _, _} -> close_both(One, Two);
        look -> pass_on(One, Two, Cut, Relay)
    end.

pass(Way, Bytes, From, To, One, Two, {Way, Left, How}, Relay) when byte_size(Bytes) < Left ->
    pass(Way, Bytes, From, To, One, Two, never, {Way, Left - byte_size(Bytes), How}, Relay);
pass(Way, Bytes, _, To, One, Two, {Way, Left, How}, _) ->
    gen_tcp:send(To, binary:part(Bytes, 0, Left)),
    [inet:setopts(Socket, [{linger, {true, 0}}]) || How =:= reset, Socket <- [One, Two]],
    close_both(One, Two);
pass(Way, Bytes, From, To, One, Two, Cut, Relay) -> pass(Way, Bytes, From, To, One, Two, never, Cut, Relay).

pass(_, Bytes, From, To, One, Two, never, Cut, Relay) ->
    gen_tcp:send(To, Bytes),
    inet:setopts(From, [{active, once}]),
    pass_on(One, Two, Cut, Relay).

close_both(One, Two) -> [gen_tcp:close(Socket) || Socket <- [One, Two]].

wait_for_thaw(Relay) ->
    case ets:lookup(Relay, is_frozen) of
        [{is_frozen, true}] -> receive look -> wait_for_thaw(Relay) end;
        [{is_frozen, false}] -> ok
    end.

%% Nothing is passed on any more, nor that a side closes.
freeze(Relay) -> set_frozen(Relay, true).
thaw(Relay) -> set_frozen(Relay, false).
set_frozen(Relay, Is) ->
    ets:insert(Relay, {is_frozen, Is}),
    [Pipe ! look || {Pipe} <- ets:tab2list(Relay)].

%% What becomes of connections from here on: {forward or back, after how many bytes, close or reset}, or never.
cut_next(Relay, How) -> ets:insert(Relay, {cut, How}).

cuts() ->
    [{Way, At, lists:nth(1 + At rem 2, [close, reset])}
     || {Way, Most} <- [{forward, 240}, {back, 150}], At <- lists:seq(0, Most, 7)].

%% ---- many that call ----

%% How long calls take, in microseconds, while something is done. At least one begins, and ends, meanwhile.
call_for(What) ->
    Callers = [spawn_link(fun() -> measure([]) end) || _ <- lists:seq(1, 10)],
    What(),
    Times = lists:append([begin Caller ! {stop, self()}, receive {Caller, All} -> All end end || Caller <- Callers]),
    true = length(Times) > 10,
    Times.

measure(Times) ->
    receive {stop, Whom} -> Whom ! {self(), Times}
    after 0 ->
        Began = erlang:monotonic_time(microsecond),
        _ = call(counter, get),
        measure([erlang:monotonic_time(microsecond) - Began | Times])
    end.

rank(Times, Percent) -> lists:nth(max(1, length(Times) * Percent div 100), lists:sort(Times)).

%% ---- pairs: a process of ours, and one of otpp's ----

pair() ->
    Racer = call(control, start_racer),
    {Process, Ref} = spawn_monitor(fun() -> process_flag(trap_exit, true), pair(Racer) end),
    receive
        {'DOWN', Ref, process, Process, {paired, Sent}} -> % of which the other has heard after all numbers
            {Log, true} = eventually(fun() ->
                {Log, _} = All = gen_server:call(Racer, told, ?LONG),
                lists:keymember(down, 1, Log) andalso All
            end),
            [] = [One || {_, <<"{paired", _/binary>>, Count} = One <- Log, Count =/= Sent],
            gen_server:cast(Racer, {'end', normal});
        {'DOWN', Ref, process, Process, done} -> ok;
        {'DOWN', Ref, process, Process, Other} -> fail("one of a pair ended with ~p", [Other])
    end.

pair(Racer) ->
    ok = gen_server:call(Racer, {watch, self()}, ?LONG),
    Ref = monitor(process, Racer),
    {Sent, Wanted} = some_of_pair(Racer, rand:uniform(30), 0, 0),
    case rand:uniform(3) of
        1 -> exit({paired, Sent});
        2 ->
            gen_server:cast(Racer, {'end', ended}),
            same({Wanted, ended}, numbers_before(fun({'DOWN', R, _, _, Why}) when R =:= Ref -> Why; (_) -> false end, 0));
        3 ->
            gen_server:cast(Racer, {act, self(), [send, boom]}),
            same({Wanted + 1, boom}, numbers_before(fun({'EXIT', From, boom}) when From =:= Racer -> boom; (_) -> false end, 0)),
            exit(Racer, {boom, 2}),
            {Log, true} = eventually(fun() ->
                {Log, _} = All = gen_server:call(Racer, told, ?LONG),
                lists:keymember(<<"{boom,2}">>, 2, Log) andalso All
            end),
            same({[Sent], Log}, {[Count || {_, <<"{boom,2}">>, Count} <- Log], Log}),
            gen_server:cast(Racer, {'end', normal})
    end,
    exit(done).

%% Returns how many numbers we have sent, and how many we have asked for.
some_of_pair(_, 0, Sent, Wanted) -> {Sent, Wanted};
some_of_pair(Racer, Left, Sent, Wanted) ->
    case rand:uniform(6) of
        1 -> link(Racer), some_of_pair(Racer, Left - 1, Sent, Wanted);
        2 -> unlink(Racer), some_of_pair(Racer, Left - 1, Sent, Wanted);
        3 ->
            Racer ! {number, Sent + 1},
            some_of_pair(Racer, Left - 1, Sent + 1, Wanted);
        4 ->
            gen_server:cast(Racer, {number, Sent + 1}),
            some_of_pair(Racer, Left - 1, Sent + 1, Wanted);
        _ ->
            What = any_of([send, send, link, unlink]),
            gen_server:cast(Racer, {act, self(), What}),
            some_of_pair(Racer, Left - 1, Sent, Wanted + length([send || send <- What]))
    end.

%% All that comes, in its order, until the function is not false.
numbers_before(What, Count) ->
    case next() of
        {number, N} ->
            same(Count + 1, N),
            numbers_before(What, N);
        Message ->
            case What(Message) of
                false -> numbers_before(What, Count);
                Is -> {Count, Is}
            end
    end.

%% ---- a peer that is no node ----

port_of_program() -> port_of("cpp").

port_of(Alive) ->
    {port, Port, _} = erl_epmd:port_please(Alive, {127, 0, 0, 1}),
    Port.

raw_socket(Port) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {packet, 2}, {nodelay, true}]),
    Socket.

raw_hello(Name) ->
    Socket = raw_socket(port_of_program()),
    ok = gen_tcp:send(Socket, <<$N, ?FLAGS:64, 7:32, (length(Name)):16, (list_to_binary(Name))/binary>>),
    Socket.

%% The handshake of the one that connects, without fragments.
raw_connect(Name) ->
    Socket = raw_hello(Name),
    case gen_tcp:recv(Socket, 0, ?LONG) of
        {ok, <<"sok", _/binary>>} -> ok; % or sok_simultaneous
        {ok, <<"salive">>} -> ok = gen_tcp:send(Socket, <<"strue">>) % it has not seen yet that the last one has gone
    end,
    {ok, <<$N, _:64, Challenge:32, _:32, _/binary>>} = gen_tcp:recv(Socket, 0, ?LONG),
    ok = gen_tcp:send(Socket, <<$r, 1:32, (digest(Challenge))/binary>>),
    Digest = digest(1),
    {ok, <<$a, Digest/binary>>} = gen_tcp:recv(Socket, 0, ?LONG),
    ok = inet:setopts(Socket, [{packet, 4}]),
    Socket.

%% Listens, and is registered for as long as we live.
raw_listen(Alive) ->
    {ok, Listening} = gen_tcp:listen(0, [binary, {active, false}, {packet, 2}, {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Listening),
    register_port(Alive, Port),
    Listening.

%% Until the socket is closed.
register_port(Alive, Port) ->
    {ok, Epmd} = gen_tcp:connect({127, 0, 0, 1}, list_to_integer(os:getenv("ERL_EPMD_PORT")),
                                 [binary, {active, false}, {packet, 2}]),
    ok = gen_tcp:send(Epmd, <<120, Port:16, 72, 0, 6:16, 6:16, (length(Alive)):16, (list_to_binary(Alive))/binary, 0:16>>),
    ok = inet:setopts(Epmd, [{packet, raw}]),
    {ok, <<_, 0, _/binary>>} = gen_tcp:recv(Epmd, 4, ?LONG),
    Epmd.

%% The handshake of the one that is connected to, which ends with this digest.
raw_accept(Listening, Name, Digest) ->
    {ok, Socket} = gen_tcp:accept(Listening, ?LONG),
    {ok, <<$N, _:64, _/binary>>} = gen_tcp:recv(Socket, 0, ?LONG),
    ok = gen_tcp:send(Socket, <<"sok">>),
    ok = gen_tcp:send(Socket, <<$N, ?FLAGS:64, 1:32, 7:32, (length(Name)):16, (list_to_binary(Name))/binary>>),
    Theirs = digest(1),
    {ok, <<$r, Challenge:32, Theirs/binary>>} = gen_tcp:recv(Socket, 0, ?LONG),
    Last = if Digest =:= right -> digest(Challenge); true -> Digest end,
    ok = gen_tcp:send(Socket, <<$a, Last/binary>>).

digest(Challenge) -> erlang:md5([atom_to_list(?COOKIE), integer_to_list(Challenge)]).

raw_node() -> <<119, 13, "raw@127.0.0.1">>.
raw_pid() -> binary_to_term(<<131, 88, (raw_node())/binary, 1:32, 0:32, 7:32>>).
raw_ref(N) -> binary_to_term(<<131, 90, 3:16, (raw_node())/binary, 7:32, N:32, 2:32, 3:32>>).

%% With a length that may be a lie.
send_raw(Socket, Bytes) ->
    ok = inet:setopts(Socket, [{packet, raw}]),
    Sent = gen_tcp:send(Socket, Bytes),
    ok = inet:setopts(Socket, [{packet, 4}]),
    Sent.

frame(Control) -> <<112, (term_to_binary(Control))/binary>>.
frame(Control, Message) -> <<(frame(Control))/binary, (term_to_binary(Message))/binary>>.

raw_ping(Socket) ->
    Ref = raw_ref(99),
    ok = gen_tcp:send(Socket, frame({6, raw_pid(), '', net_kernel},
                                    {'$gen_call', {raw_pid(), Ref}, {is_auth, 'raw@127.0.0.1'}})),
    raw_answer(Socket, Ref).

raw_answer(Socket, Ref) ->
    case gen_tcp:recv(Socket, 0, ?LONG) of
        {ok, <<112, Rest/binary>>} ->
            {_, Used} = binary_to_term(Rest, [used]),
            case binary:part(Rest, Used, byte_size(Rest) - Used) of
                <<>> -> raw_answer(Socket, Ref);
                Message ->
                    case binary_to_term(Message) of
                        {Ref, Answer} -> Answer;
                        _ -> raw_answer(Socket, Ref)
                    end
            end;
        {ok, <<>>} -> raw_answer(Socket, Ref);
        {error, Error} -> Error
    end.

closed(Socket) -> closed(Socket, any).

closed(Socket, Why) -> closed(Socket, Why, now_ms() + ?LONG).

closed(Socket, Why, End) ->
    case gen_tcp:recv(Socket, 0, max(0, End - now_ms())) of
        {ok, _} -> closed(Socket, Why, End);
        {error, timeout} -> fail("a connection is open that should have been closed because of ~p", [Why]);
        {error, _} -> gen_tcp:close(Socket)
    end.

%% Says all the time that we live, and counts how often the other does.
count_ticks(Socket, End, Count) ->
    ok = send_raw(Socket, <<0:32>>),
    case {now_ms() < End, gen_tcp:recv(Socket, 0, 10)} of
        {false, _} -> Count;
        {true, {ok, <<>>}} -> count_ticks(Socket, End, Count + 1);
        {true, {error, timeout}} -> count_ticks(Socket, End, Count)
    end.

good_frames(Pid) ->
    Us = raw_pid(),
    Ref = raw_ref(1),
    Text = binary:copy(<<"text">>, 20),
    [frame({6, Us, '', counter}, {'$gen_call', {Us, Ref}, {add, 0}}),
     frame({6, Us, '', counter}, {'$gen_call', {Us, [alias | raw_ref(4)]}, get}),
     frame({6, Us, '', counter}, {'$gen_cast', {bump, 0}}),
     frame({6, Us, '', echo}, {'$gen_call', {Us, raw_ref(5)}, {map, #{Text => 1, <<>> => 1 bsl 40}}}),
     frame({6, Us, '', anything}, {[a, {b, 1.5, "cd"} | Text], #{Us => Ref, 1 bsl 100 => <<1:3>>}, fun lists:map/2}),
     frame({2, '', Pid}, {'$gen_cast', {bump, 0}}),
     frame({22, Us, Pid}, hello),
     frame({19, Us, Pid, raw_ref(2)}),
     frame({20, Us, Pid, raw_ref(2)}),
     frame({19, Us, counter, raw_ref(3)}),
     frame({20, Us, counter, raw_ref(3)}),
     frame({1, Us, Pid}),
     frame({35, 1, Us, Pid}),
     frame({8, Us, Pid, normal})].

bad_frames() ->
    Us = raw_pid(),
    Sized = fun(Bytes) -> <<(byte_size(Bytes)):32, Bytes/binary>> end,
    [<<16#7FFFFFFF:32>>, <<16#FFFFFFFF:32, 112, 131>>] ++
    [Sized(Bad) || Bad <- [
        <<0>>, <<112>>, <<112, 131>>, <<113, 131, 104, 0>>, <<112, 130, 104, 0>>,
        frame(hello), frame({}), frame({2}), frame({a, b, c}), frame({99, Us, Us}), frame({-6, Us, '', counter}),
        frame({2, '', counter}, hello), frame({6, Us, '', <<"counter">>}, hello), frame({6, us, '', counter}, hello),
        frame({6, Us, '', counter}), frame({19, Us, counter, not_a_ref}), frame({1, Us, 7}),
        <<(frame({6, Us, '', counter}))/binary, 131>>,
        <<(frame({6, Us, '', counter}))/binary, 131, 109, 16#FFFFFFFF:32, "x">>,
        <<(frame({6, Us, '', counter}))/binary, 131, 108, 16#FFFFFFFF:32>>,
        <<(frame({6, Us, '', counter}, hello))/binary, "more">>,
        <<112, (term_to_binary({6, Us, '', lists:duplicate(1000, a)}, [compressed]))/binary>>,
        %% Each in a tuple of its own, a million times.
        <<(frame({6, Us, '', counter}))/binary, 131, (binary:copy(<<104, 1>>, 1000000))/binary>>
    ]].

mutated(Frame) ->
    At = rand:uniform(byte_size(Frame)) - 1,
    <<Before:At/binary, Byte, After/binary>> = Frame,
    case rand:uniform(6) of
        1 -> <<Before/binary, (rand:uniform(256) - 1), After/binary>>;
        2 -> <<Before/binary, (Byte bxor (1 bsl (rand:uniform(8) - 1))), After/binary>>;
        3 -> Before;
        4 -> After;
        5 -> <<Before/binary, (rand:bytes(rand:uniform(8)))/binary, Byte, After/binary>>;
        6 -> <<Before/binary, Byte, Before/binary, After/binary>>
    end.

%% ---- what is expected ----

same(Expected, Got) ->
    Expected =:= Got orelse fail("expected~n  ~p~nbut got~n  ~p", [Expected, Got]),
    Got.

match(Text, Pattern) ->
    match =:= re:run(Text, Pattern, [{capture, none}, dotall, unicode])
        orelse fail("~s~nhas nothing like ~s", [Text, Pattern]).

fail(Text) -> fail(Text, []).

fail(Format, Arguments) ->
    io:format(Format ++ "~n", Arguments),
    erlang:error(failed).

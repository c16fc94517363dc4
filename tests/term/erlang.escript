%% SPDX-License-Identifier: BSL-1.0
%%
%% escript erlang.escript <program of echo.cpp> <random | changed | atoms | integers | rows>
-mode(compile).

main([Program, What]) ->
    rand:seed(exsss, {1, 2, 3}),
    Port = open_port({spawn_executable, Program}, [{packet, 4}, binary, exit_status]),
    Count = run(Port, list_to_atom(What)),
    port_close(Port),
    io:format("~p terms came back~n", [Count]).

run(Port, random) ->
    Atoms = list_to_tuple([random_atom() || _ <- lists:seq(1, 500)]),
    Some = fun() -> [any(Port, Atoms, 3) || _ <- lists:seq(1, 1000)] end,
    Total = repeat(100, fun() -> same(Port, $t, [{T, T} || T <- Some()]) end),
    100000 = Total;
run(Port, changed) ->
    Atoms = list_to_tuple([random_atom() || _ <- lists:seq(1, 20)]),
    Some = fun() -> [T || T <- [any(Port, Atoms, 2) || _ <- lists:seq(1, 1000)], not has_map(T)] end,
    Total = repeat(200, fun() -> read_by_both(Port, [change(elsewhere(term_to_binary(T))) || T <- Some()]) end),
    true = Total > 30000,
    Total;
run(Port, atoms) ->
    %% Four bytes a character: 1,020 of them, which is more than one byte of length can say.
    Atoms = [list_to_atom(lists:duplicate(Length, Character))
             || Length <- [0, 1, 63, 64, 127, 128, 254, 255],
                Character <- [$a, 16#E9, 16#20AC, 16#10000, 16#1F600, 16#10FFFF]],
    Rows = rows(Port),
    same(Port, $t, [{A, A} || A <- Atoms]) +
    same(Port, $r, [{R, R} || A <- Atoms, R <- [setelement(26, Rows, A)]]);
run(Port, integers) ->
    %% Two on each side of every border, and, with nothing in between, what is around zero.
    Some = [Sign * (1 bsl Bits) + Delta
            || Bits <- lists:seq(0, 64, 8) ++ [7, 15, 31, 63, 27, 28, 59, 60, 65, 72, 2040, 2048, 4096],
               Sign <- [1, -1], Delta <- [-2, -1, 0, 1, 2]],
    Integers = lists:usort([0 | Some]),
    true = lists:member(1 bsl 64, Integers) andalso lists:member(-(1 bsl 64), Integers),
    same(Port, $t, [{N, N} || N <- Integers]) +
    same(Port, $i, [{N, within(N, -(1 bsl 63), (1 bsl 63) - 1)} || N <- Integers]) +
    same(Port, $u, [{N, within(N, 0, (1 bsl 64) - 1)} || N <- Integers]);
run(Port, rows) ->
    Rows = [rows(Port) || _ <- lists:seq(1, 2000)],
    One = hd(Rows),
    same(Port, $r, [{R, R} || R <- Rows]) +
    same(Port, $r, [{setelement(N, One, Sent), setelement(N, One, Back)} || {N, Sent, Back} <- accepted()]) +
    same(Port, $r, [{setelement(At, One, Sent), refused} || {At, Sent} <- unfit()] ++
                   [{T, refused} || T <- [{}, rows, erlang:append_element(One, 1), setelement(1, One, row)]]).

%% What fits although it is not what would be sent.
accepted() ->
    [{5, #{id => 1, name => undefined, other => {more, "of", it}}, #{id => 1, name => nil}},
     {5, #{id => 1, "no" => atom}, #{id => 1, name => nil}},
     {5, #{id => 1, name => "ann"}, #{id => 1, name => <<"ann">>}},
     {11, 5, 5.0}, {12, -7, -7.0}, {12, 1 bsl 53, 9007199254740992.0},
     {13, "text", <<"text">>}, {13, [], <<>>}, {13, lists:duplicate(70000, $a), binary:copy(<<"a">>, 70000)},
     {21, [<<"b">>, <<"a">>, <<"b">>], [<<"a">>, <<"b">>]},
     {22, [1, 2], [1.0, 2.0]},
     {23, nil, undefined}].

unfit() ->
    [{2, other}, {2, {none}}, {3, {pair_of, 1 bsl 31, 0}}, {3, {pair_of, 0, 256}}, {3, {pair_of, 0, -1}},
     {3, {pair_of, 0}},
     {4, {1, 2, 3}}, {4, [1, 2]}, {5, #{name => <<"ann">>}}, {5, #{}}, {5, []}, {6, blue}, {6, <<"red">>},
     {7, 1.0}, {8, yes}, {9, 1 bsl 63}, {10, 1 bsl 64}, {10, -1},
     {11, 1.0e39}, {13, atom}, {13, [256]}, {13, [$a | $b]}, {13, <<1:3>>}, {14, "text"},
     {15, #{<<"a">> => b}},
     {16, #{a => b}}, {17, {a}}, {18, {128, <<>>, true}}, {19, [1, 2 | 3]}, {19, [1, x]}, {20, [1, 256]},
     {20, "a" ++ [-1]},
     {22, [1.0]}, {22, [1.0, 2.0, 3.0]}, {23, null}, {24, {none, 1}}, {25, <<"atom">>},
     {27, <<"text">>}, {27, [16#D800]}, {27, [-1]}, {27, [16#110000]},
     {28, undefined}, {28, self()}, {28, [make_ref()]}, {29, undefined}, {29, make_ref()}, {29, self()},
     {30, "text"}, {30, []}, {30, <<1:3>>}, {30, undefined}].

within(N, Least, Most) when N >= Least, N =< Most -> N;
within(_, _, _) -> refused.

%% ---- the port ----

%% Sends all, then takes the answers; each must be what is expected.
same(Port, As, Pairs) ->
    [port_command(Port, [As, term_to_binary(Sent)]) || {Sent, _} <- Pairs],
    lists:foreach(fun({Sent, Expected}) -> compare(As, Sent, Expected, answer(Port)) end, Pairs),
    length(Pairs).

%% What otpp reads as a term Erlang reads, too. Returns how many that are.
read_by_both(Port, All) ->
    [port_command(Port, [$c, Bytes]) || Bytes <- All],
    Refused = <<131, 119, 7, "refused">>,
    lists:sum([case answer(Port) of
                   Refused -> 0;
                   Bytes -> is_term(Bytes) orelse fail("otpp has read ~w~n", [Bytes]), 1;
                   Other -> fail("~w~ncame back as ~w~n", [Bytes, Other])
               end || Bytes <- All]).

is_term(Bytes) ->
    try binary_to_term(Bytes) of _ -> true catch error:badarg -> false end.

%% Of its own pids and references Erlang knows more than their form.
elsewhere(Bytes) -> binary:replace(Bytes, <<"nonode@nohost">>, <<"others@nohost">>, [global]).

%% One to three bytes, half of them to a tag.
change(Bytes) ->
    lists:foldl(fun(_, Before) ->
        At = rand:uniform(byte_size(Before) - 1),
        <<Front:At/binary, _, Back/binary>> = Before,
        To = case rand:uniform(2) of
                 1 -> rand:uniform(256) - 1;
                 2 -> element(rand:uniform(20), {70, 77, 88, 89, 90, 97, 98, 99, 100, 104, 105, 106, 107, 108, 109, 110,
                                                112, 113, 115, 119})
             end,
        <<Front/binary, To, Back/binary>>
    end, Bytes, lists:seq(1, rand:uniform(3))).

%% otpp does not look whether a key is there twice.
has_map(T) when is_map(T) -> true;
has_map([First | Rest]) -> has_map(First) orelse has_map(Rest);
has_map(T) when is_tuple(T) -> has_map(tuple_to_list(T));
has_map(_) -> false.

answer(Port) ->
    receive
        {Port, {data, Bytes}} -> Bytes;
        {Port, {exit_status, Status}} -> fail("the program has ended with ~p~n", [Status])
    after 20000 -> fail("no answer in 20 s~n", [])
    end.

compare(As, Sent, Expected, Bytes) ->
    Got = try binary_to_term(Bytes) catch error:badarg -> {no_term, Bytes} end,
    Got =:= Expected orelse fail("as ~c~n~p~ncame back as~n~p~n", [As, Sent, Got]),
    %% As any term it is the same to the byte.
    As =:= $t andalso Bytes =/= term_to_binary(Sent) andalso fail("other bytes: ~p~n", [Sent]).

fail(Format, Arguments) ->
    io:format(Format, Arguments),
    halt(1).

repeat(0, _) -> 0;
repeat(N, Do) -> Do() + repeat(N - 1, Do).

%% ---- random terms ----

any(Port, Atoms, Depth) ->
    case rand:uniform(if Depth =:= 0 -> 14; true -> 20 end) of
        1 -> integer();
        2 -> rand:uniform(300) - 50;
        3 -> float();
        4 -> element(rand:uniform(tuple_size(Atoms)), Atoms);
        5 -> binary();
        6 -> <<(binary())/binary, (rand:uniform(128)):(rand:uniform(7))>>;
        7 -> binary_to_list(binary());
        8 -> [rand:uniform(16#D7FF) || _ <- some(20)];
        9 -> pid(Atoms);
        10 -> reference();
        11 -> port(Port);
        12 -> function(Atoms, Depth);
        13 -> fun lists:map/2;
        14 -> element(rand:uniform(7), {[], {}, #{}, <<>>, true, undefined, ''});
        15 -> list_to_tuple([any(Port, Atoms, Depth - 1) || _ <- some(6)]);
        16 -> [any(Port, Atoms, Depth - 1) || _ <- some(6)];
        17 -> [any(Port, Atoms, Depth - 1) | any(Port, Atoms, Depth - 1)];
        18 -> maps:from_list([{any(Port, Atoms, Depth - 1), any(Port, Atoms, Depth - 1)} || _ <- some(6)]);
        19 -> maps:from_list([{N, N} || N <- some(60)]); % above 32 keys it is kept otherwise
        20 -> erlang:make_tuple(250 + rand:uniform(10), integer()) % 255 is a border
    end.

some(Most) -> lists:seq(1, rand:uniform(Most + 1) - 1).

integer() ->
    Bits = element(rand:uniform(3), {rand:uniform(70), 64, rand:uniform(2200)}),
    (rand:uniform(1 bsl Bits) - 1) * (2 * rand:uniform(2) - 3).

float() ->
    case rand:bytes(8) of
        <<Number/float>> -> Number;
        _ -> rand:normal() % not a number, or infinite
    end.

binary() ->
    case rand:uniform(2000) of
        1 -> binary:copy(<<"long">>, 20000);
        _ -> rand:bytes(rand:uniform(30) - 1)
    end.

random_atom() ->
    Most = element(rand:uniform(4), {127, 255, 16#D7FF, 16#FFFFF}),
    Base = if Most > 16#FFFF -> 16#10000; true -> 0 end,
    Length = element(rand:uniform(3), {rand:uniform(10), rand:uniform(256) - 1, 255}),
    list_to_atom([Base + rand:uniform(Most) || _ <- lists:seq(1, Length)]).

pid(Atoms) ->
    case rand:uniform(2) of
        1 -> self();
        2 -> of_node(88, node_name(Atoms), <<(rand:uniform(1000)):32, 0:32, (rand:uniform(1 bsl 32) - 1):32>>)
    end.

reference() ->
    case rand:uniform(3) of
        1 -> make_ref();
        2 -> alias([]);
        3 ->
            Words = rand:uniform(5),
            Node = <<119, 9, "other@far">>,
            Ids = << <<(rand:uniform(1 bsl 18) - 1):32>> || _ <- lists:seq(1, Words) >>,
            binary_to_term(<<131, 90, Words:16, Node/binary, 7:32, Ids/binary>>)
    end.

port(Port) ->
    case rand:uniform(3) of
        1 -> Port;
        2 -> of_node(89, <<119, 9, "other@far">>, <<(rand:uniform(1 bsl 28) - 1):32, 7:32>>);
        3 -> of_node(120, <<119, 9, "other@far">>, <<(rand:uniform(1 bsl 64) - 1):64, 7:32>>)
    end.

of_node(Tag, Node, Rest) -> binary_to_term(<<131, Tag, Node/binary, Rest/binary>>).

node_name(Atoms) ->
    case rand:uniform(2) of
        1 -> <<119, 9, "other@far">>;
        2 ->
            <<131, Name/binary>> = term_to_binary(element(rand:uniform(tuple_size(Atoms)), Atoms)),
            Name
    end.

function(Atoms, Depth) ->
    Kept = {integer(), element(rand:uniform(tuple_size(Atoms)), Atoms), Depth},
    case rand:uniform(3) of
        1 -> fun() -> ok end;
        2 -> fun(X) -> {X, Kept} end;
        3 -> fun(X, Y) -> [X, Y, Kept | Depth] end
    end.

%% ---- the struct `rows` ----

rows(Port) ->
    Small = {an_atom, 'gr\x{fc}n', ok},
    Int64 = fun() -> rand:uniform(1 bsl rand:uniform(63)) - rand:uniform(1 bsl rand:uniform(63)) end,
    Byte = fun() -> rand:uniform(256) - 1 end,
    Atom = fun() -> element(rand:uniform(3), Small) end,
    {rows,
     none,
     {pair_of, rand:uniform(1 bsl 32) - 1 - (1 bsl 31), Byte()},
     {rand:uniform(1 bsl 16) - 1 - (1 bsl 15), rand:uniform(1 bsl 16) - 1},
     #{id => Int64(), name => either(nil, binary())},
     either(red, green),
     Int64(),
     either(true, false),
     Int64(),
     rand:uniform(1 bsl rand:uniform(64)) - 1,
     rand:uniform(1 bsl 20) / 1024, % a float has it exactly
     float(),
     binary(),
     binary(),
     maps:from_list([{binary(), rand:uniform(1 bsl 31) - 1} || _ <- some(40)]),
     maps:from_list([{Int64(), Atom()} || _ <- some(40)]),
     {Atom(), float()},
     {Byte() - 128, binary(), either(true, false)},
     either([Int64() || _ <- some(10)], [Byte() || _ <- some(10)]),
     [Byte() || _ <- some(10)],
     lists:usort([binary() || _ <- some(10)]),
     [float(), float()],
     either(undefined, Int64()),
     either(none, either({pair_of, -1, 1}, binary())),
     Atom(),
     any(Port, Small, 2),
     [either(rand:uniform(16#D7FF), 16#10000 + rand:uniform(16#FFFFF)) || _ <- some(10)],
     reference(),
     port(Port),
     binary()}.

either(A, B) ->
    case rand:uniform(2) of
        1 -> A;
        2 -> B
    end.

%% SPDX-License-Identifier: BSL-1.0

%% The workloads of docs/performance.md on Erlang/OTP itself:
%%   erl -noshell +S 1 -eval 'workloads:run("W1"), halt().'
-module(workloads).
-export([run/1]).

run("W1") -> calls("W1", 1, 600000, infinity);
run("W7") -> calls("W7", 1, 600000, 5000);
run("W2") -> calls("W2", 2, 60000, infinity);
run("W6") ->
  [register(name(I), start(1)) || I <- lists:seq(0, 999)],
  N = 600000,
  measure("W6", N, fun() -> on_scheduler(1, fun() -> call(server_name_500, N, infinity) end) end);
run("W3_1") -> casts("W3_1", 1);
run("W3_2") -> casts("W3_2", 2);
run("W4") ->
  Server = start(2),
  Self = self(),
  Client = fun() -> call(Server, 1000, infinity), Self ! done end,
  measure("W4", 1000 * 1000, fun() ->
    [spawn(Client) || _ <- lists:seq(1, 1000)],
    [receive done -> ok end || _ <- lists:seq(1, 1000)]
  end);
run("W5spawn") ->
  measure("W5spawn", 100000, fun() -> start_and_call(100000) end);
run("W5rss") ->
  Before = resident_bytes(),
  Servers = start_and_call(100000),
  print("W5rss", (resident_bytes() - Before) / length(Servers));
run("W5ring") ->
  Servers = [start(1) || _ <- lists:seq(1, 1000)],
  [First | Others] = Servers,
  [gen_server:cast(A, {next, B}) || {A, B} <- lists:zip(Servers, Others ++ [First])],
  Hops = 1000 * 1000,
  measure("W5ring", Hops, fun() -> gen_server:call(First, {go, Hops}, infinity) end).

%% The client has scheduler 1. A server on another one is on another thread.
calls(Workload, Scheduler, N, Timeout) ->
  Server = start(Scheduler),
  measure(Workload, N, fun() -> on_scheduler(1, fun() -> call(Server, N, Timeout) end) end).

casts(Workload, Scheduler) ->
  Server = start(Scheduler),
  N = 3000000,
  measure(Workload, N, fun() ->
    on_scheduler(1, fun() -> cast(Server, N), call(Server, 1, infinity) end)
  end).

start_and_call(N) ->
  [begin
     {ok, Server} = gen_server:start(counter, 0, []),
     call(Server, 1, infinity),
     Server
   end || _ <- lists:seq(1, N)].

start(Scheduler) ->
  {ok, Server} = gen_server:start(counter, 0, [{spawn_opt, [{scheduler, Scheduler}]}]),
  Server.

on_scheduler(Scheduler, Body) ->
  Self = self(),
  spawn_opt(fun() -> Body(), Self ! finished end, [{scheduler, Scheduler}]),
  receive finished -> ok end.

call(_, 0, _) -> ok;
call(Server, N, Timeout) ->
  gen_server:call(Server, {add, 1}, Timeout),
  call(Server, N - 1, Timeout).

cast(_, 0) -> ok;
cast(Server, N) ->
  gen_server:cast(Server, {add, 1}),
  cast(Server, N - 1).

name(I) -> list_to_atom("server_name_" ++ integer_to_list(I)).

measure(Workload, Operations, Body) ->
  Start = erlang:monotonic_time(nanosecond),
  Body(),
  print(Workload, (erlang:monotonic_time(nanosecond) - Start) / Operations).

print(Workload, Value) -> io:format("~s ~.3f~n", [Workload, Value]).

resident_bytes() ->
  {ok, Line} = file:read_file("/proc/self/statm"),
  [_, Pages | _] = string:lexemes(Line, " "),
  binary_to_integer(Pages) * 4096.

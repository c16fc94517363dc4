%% SPDX-License-Identifier: BSL-1.0

%% The server of the workloads: a counter that can also be a part of a ring.
-module(counter).
-behavior(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).

init(Count) -> {ok, Count}.

handle_call({add, N}, _From, Count) ->
  {reply, Count + N, Count + N};
handle_call({go, Hops}, From, Next) ->
  gen_server:cast(Next, {token, Hops - 1, From}),
  {noreply, Next}.

handle_cast({add, N}, Count) -> {noreply, Count + N};
handle_cast({next, Next}, _) -> {noreply, Next};
handle_cast({token, 0, From}, Next) ->
  gen_server:reply(From, done),
  {noreply, Next};
handle_cast({token, Hops, From}, Next) ->
  gen_server:cast(Next, {token, Hops - 1, From}),
  {noreply, Next}.

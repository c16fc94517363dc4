// SPDX-License-Identifier: BSL-1.0

// Calls against the end of their server, against time, and against who waits for them.

#include "oracle.hpp"

#include "support/catch.hpp"

#include <asio/cancellation_type.hpp>
#include <asio/this_coro.hpp>

using namespace scenarios;

namespace {

// Two who call and one who casts, whatever becomes of the server.
void crowd(stage& s, const ref& server, unsigned may_end) {
  sender& ann = s.make_sender();
  sender& bob = s.make_sender();
  s.spawn("ann", [&ann, server, may_end]() -> action {
    co_await ann.cast(server, deed::answer, may_end);
    co_await ann.call(server, deed::answer, may_end);
    co_await ann.call(server, deed::answer, may_end);
  });
  s.spawn("bob", [&bob, server, may_end]() -> action {
    co_await bob.call(server, deed::answer, may_end);
    co_await bob.cast(server, deed::answer, may_end);
  });
}

// A client that does one thing.
template <class M = ask>
void caller_of(
    stage& s, const ref& server, deed what, unsigned may_end, otpp::duration time = otpp::infinite) {
  sender& one = s.make_sender();
  s.spawn("caller", [&one, server, what, may_end, time]() -> action {
    co_await one.call<M>(server, what, may_end, time);
  });
}

void stopper_of(stage& s, const ref& server, unsigned may_end = value) {
  sender& one = s.make_sender();
  s.spawn("stopper", [&one, server, may_end]() -> action { co_await one.stop(server, may_end); });
}

} // namespace

TEST_CASE("orders: a stop with calls queued") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    crowd(s, server, value | gone);
    stopper_of(s, server);
  });
}

TEST_CASE("orders: a stop with an answer, with calls queued") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    crowd(s, server, value | gone);
    caller_of(s, server, deed::quit, value);
  });
}

TEST_CASE("orders: a crash with calls queued") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    crowd(s, server, value | gone);
    caller_of(s, server, deed::crash, exited);
  });
}

TEST_CASE("orders: a coroutine that crashes with calls queued") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    crowd(s, server, value | gone);
    caller_of<ask_slowly>(s, server, deed::crash, exited);
  });
}

TEST_CASE("orders: a cast that crashes with calls queued") {
  explore({1}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    crowd(s, server, value | gone);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast<tell_slowly>(server, deed::crash, value);
      co_await eve.send(server, deed::answer, value | gone);
      co_await eve.join(server);
    });
  });
}

TEST_CASE("orders: a crash hook that casts to who has crashed") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    s.seen.last_words = server;
    crowd(s, server, value | gone);
    caller_of<ask_later>(s, server, deed::keep, gone);
    caller_of(s, server, deed::crash, exited);
  });
}

TEST_CASE("orders: a crash after the answer") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    crowd(s, server, value | gone);
    caller_of<ask_later>(s, server, deed::answer_and_crash, value | gone);
    caller_of<ask_later_slowly>(s, server, deed::answer_and_crash, value | gone);
  });
}

TEST_CASE("orders: a timeout against its answer") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start();
    caller_of<ask_slowly>(s, server, deed::answer, value | timeout, 5ms);
    caller_of(s, server, deed::answer, value | timeout, 5ms);
    caller_of<ask_later_slowly>(s, server, deed::answer, value | timeout, 7ms);
  });
}

TEST_CASE("orders: an answer that is late, and the next call") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    sender& ann = s.make_sender();
    sender& bob = s.make_sender();
    s.spawn("ann", [&ann, server]() -> action {
      co_await ann.call<ask_later>(server, deed::keep, value | timeout, 5ms);
      co_await ann.call(server, deed::answer, value);
      co_await ann.call<ask_later>(server, deed::keep, value | timeout | exited, 5ms);
      co_await ann.call(server, deed::answer, value);
    });
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.sleep(5ms);
      co_await bob.call(server, deed::release, value);
      co_await bob.call(server, deed::release, value);
    });
  });
}

TEST_CASE("orders: a timeout against the server's end") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    caller_of<ask_later>(s, server, deed::keep, timeout | gone, 5ms);
    caller_of<ask_slowly>(s, server, deed::answer, value | timeout | gone, 5ms);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.sleep(5ms);
      co_await eve.stop(server, value);
    });
  });
}

TEST_CASE("orders: a cancellation at every point") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    for (auto type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial,
          asio::cancellation_type::total}) {
      sender& one = s.make_sender();
      auto& client = s.spawn("client", [&one, server, type]() -> action {
        if (type == asio::cancellation_type::partial) {
          co_await asio::this_coro::reset_cancellation_state(asio::enable_partial_cancellation());
        } else if (type == asio::cancellation_type::total) {
          co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        }
        co_await one.call<ask_slowly>(server, deed::answer, value | cancelled);
        co_await one.call(server, deed::answer, value | cancelled);
      });
      s.one.may("a cancellation", [&client, type] { client.cancel(type); });
    }
  });
}

TEST_CASE("orders: a cancellation while the server has the caller") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    sender& ann = s.make_sender();
    auto& client = s.spawn("ann", [&ann, server]() -> action {
      co_await ann.call<ask_later>(server, deed::keep, value | cancelled | timeout | gone, 20ms);
    });
    s.one.may("a cancellation", [&client] { client.cancel(); });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.call(server, deed::release, value);
      co_await bob.call(server, deed::release, value);
      co_await bob.stop(server, value);
    });
  });
}

TEST_CASE("orders: the server dies while its caller is kept in its state") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    caller_of<ask_later>(s, server, deed::keep, value | gone);
    caller_of<ask_later>(s, server, deed::keep, value | gone);
    caller_of(s, server, deed::release, value | gone);
    caller_of(s, server, deed::crash, exited);
  });
}

TEST_CASE("orders: the server dies while its caller is kept elsewhere") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    caller_of<ask_later>(s, server, deed::keep_outside, value | gone);
    caller_of<ask_later_slowly>(s, server, deed::keep_outside, value | gone);
    stopper_of(s, server);
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob]() -> action {
      for (int i = 0; i < 3; ++i) {
        auto kept = std::move(s.seen.kept_outside);
        for (kept_caller& one : kept) {
          bool told = one.from.reply(one.number);
          s.seen.answered(one.number, told);
        }
        co_await bob.sleep(1ms);
      }
    });
  });
}

TEST_CASE("orders: a caller that is dropped") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    caller_of<ask_later>(s, server, deed::drop, no_reply | gone);
    caller_of<ask_later_slowly>(s, server, deed::drop, no_reply | gone);
    caller_of<ask_later>(s, server, deed::crash, exited | no_process);
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.call<ask_later>(server, deed::keep_outside, no_reply | gone);
    });
    s.one.may("the callers are dropped", [&s] { s.seen.kept_outside.clear(); });
  });
}

TEST_CASE("orders: two answers to one call") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    caller_of<ask_later>(s, server, deed::answer_twice, value);
    caller_of<ask_later_slowly>(s, server, deed::answer_twice, value | timeout, 1ms);
    caller_of<ask_later_slowly>(s, server, deed::refuse, refused | timeout, 1ms);
    caller_of(s, server, deed::refuse, refused);
  });
}

TEST_CASE("orders: one coroutine with several calls at once") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    sender& ann = s.make_sender();
    s.spawn("ann", [&ann, server]() -> action {
      asio::any_io_executor mine = co_await asio::this_coro::executor;
      ann.call_with_handler(mine, server, deed::answer, value | gone, otpp::infinite);
      ann.call_with_handler(mine, server, deed::answer, value | gone | timeout, 1ms);
      ann.call_with_handler(mine, server, deed::answer, value | gone, otpp::infinite);
      co_await ann.call(server, deed::answer, value | gone);
    });
    caller_of(s, server, deed::answer, value | gone);
    stopper_of(s, server);
  });
}

TEST_CASE("orders: two stops, and a join") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    stopper_of(s, server, value | gone);
    stopper_of(s, server, value | gone);
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("joiner", [&one, server]() -> action { co_await one.join(server); });
    }
    caller_of(s, server, deed::answer, value | gone);
  });
}

TEST_CASE("orders: a stop that does not wait") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    caller_of<ask_slowly>(s, server, deed::answer, value | gone);
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      auto& client = s.spawn("stopper", [&one, server]() -> action {
        co_await one.stop(server, value | gone | timeout | cancelled, 1ms, otpp::exit_reason::shutdown());
      });
      s.one.may("a cancellation", [&client] { client.cancel(); });
    }
    sender& bob = s.make_sender();
    s.spawn("joiner", [&bob, server]() -> action {
      co_await bob.stop(server, value | gone | timeout, 20ms);
      co_await bob.join(server);
    });
  });
}

TEST_CASE("orders: a server that calls and stops itself") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    caller_of<ask_slowly>(s, server, deed::call_self, value);
    caller_of<ask_slowly>(s, server, deed::stop_self, value);
    caller_of<ask_slowly>(s, server, deed::cast_self, value);
    caller_of(s, server, deed::answer, value);
  });
}

TEST_CASE("orders: calls while the server terminates") {
  explore({1, 64}, [](stage& s) {
    otpp::server_ref<slow_end> server = *s.start_one<slow_end>(s.named("kv"));
    for (deed what : {deed::answer, deed::crash}) {
      sender& one = s.make_sender();
      s.spawn("caller", [&one, server, what]() -> action {
        co_await one.call(server, what, value | gone);
        co_await one.call(server, deed::answer, value | gone);
      });
    }
    sender& bob = s.make_sender();
    s.spawn("stopper", [&bob, server]() -> action {
      co_await bob.cast(server, deed::answer, value | gone);
      co_await bob.stop(server, value | gone);
    });
  });
}

TEST_CASE("orders: a stop with an answer, which comes when terminate has run") {
  explore({1, 64}, [](stage& s) {
    otpp::server_ref<slow_end> server = *s.start_one<slow_end>(s.named("kv"));
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("caller", [&s, &one, server]() -> action {
        ending how = co_await one.call(server, deed::quit, value | gone);
        s.seen.expect(how != value || !s.seen.is_alive(server.id()), "I4: the answer comes before the end");
        co_await one.call(server, deed::answer, how == value ? no_process : gone);
      });
    }
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast(server, deed::answer, value | gone);
      co_await eve.call<ask_later>(server, deed::keep, gone);
    });
  });
}

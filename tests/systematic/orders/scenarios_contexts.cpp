// SPDX-License-Identifier: BSL-1.0

// Mailboxes with a limit, servers that need other servers, and contexts that are destroyed under all of them.

#include "oracle.hpp"

#include "support/catch.hpp"

using namespace scenarios;

namespace {

// Two who cast and call a server whose mailbox holds one message.
void crowd_at_the_door(stage& s, const ref& server, unsigned may_end) {
  for (int i = 0; i < 2; ++i) {
    sender& one = s.make_sender();
    s.spawn("client", [&one, server, may_end]() -> action {
      co_await one.cast(server, deed::answer, may_end);
      co_await one.cast(server, deed::answer, may_end);
      co_await one.call(server, deed::answer, may_end);
    });
  }
}

// A client on a context, which calls and casts whatever becomes of the server.
void caller_on(stage& s, otpp::testing::context& where, const ref& server, unsigned may_end) {
  sender& one = s.make_sender();
  s.spawn_on(where, "caller", [&one, server, may_end]() -> action {
    co_await one.cast(server, deed::answer, may_end);
    co_await one.call(server, deed::answer, may_end | timeout, 50ms);
    co_await one.call<ask_slowly>(server, deed::answer, may_end);
  });
}

otpp::options on(otpp::testing::context& where) {
  return otpp::options().on(asio::any_io_executor(where.get_executor()));
}

} // namespace

// ---- limits ----

TEST_CASE("orders: a mailbox that holds one message") {
  explore({1, 2, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    ref server = s.start(otpp::options().mailbox_limit(1));
    crowd_at_the_door(s, server, value);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      eve.try_cast(server, deed::answer, value);
      co_await eve.cast<tell_slowly>(server, deed::answer, value);
      eve.try_cast(server, deed::answer, value);
    });
  });
}

TEST_CASE("orders: a stop while senders wait for room") {
  explore({1, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    ref server = s.start(s.named("kv").mailbox_limit(1));
    crowd_at_the_door(s, server, value | gone);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast<tell_slowly>(server, deed::answer, value | gone, detail(2));
      co_await eve.stop(server, value);
    });
  });
}

TEST_CASE("orders: a crash while senders wait for room") {
  explore({1, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    ref server = s.start(s.named("kv").mailbox_limit(1));
    crowd_at_the_door(s, server, value | gone);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast<tell_slowly>(server, deed::answer, value | gone, detail(1));
      co_await eve.call(server, deed::crash, gone);
    });
  });
}

TEST_CASE("orders: a cancellation while a sender waits for room") {
  explore({1, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    ref server = s.start(otpp::options().mailbox_limit(1));
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast<tell_slowly>(server, deed::answer, value, detail(3));
      co_await eve.cast(server, deed::answer, value);
    });
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      auto& client = s.spawn("client", [&one, server]() -> action {
        co_await one.cast(server, deed::answer, value | cancelled);
        co_await one.call(server, deed::answer, value | cancelled);
      });
      s.one.may("a cancellation", [&client] { client.cancel(); });
    }
  });
}

TEST_CASE("orders: a timeout while a call waits for room") {
  explore({1, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    ref server = s.start(otpp::options().mailbox_limit(1));
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast<tell_slowly>(server, deed::answer, value, detail(2));
      co_await eve.cast<tell_slowly>(server, deed::answer, value, detail(2));
      co_await eve.cast(server, deed::answer, value);
    });
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&one, server]() -> action {
        co_await one.call(server, deed::answer, value | timeout, 1ms);
        co_await one.call(server, deed::answer, value | timeout, 1ms);
        co_await one.cast(server, deed::answer, value);
      });
    }
  });
}

TEST_CASE("orders: a server that casts to itself through a full mailbox") {
  explore({1, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    ref server = s.start(otpp::options().mailbox_limit(1));
    crowd_at_the_door(s, server, value);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.call<ask_slowly>(server, deed::cast_self, value);
      co_await eve.cast<tell_slowly>(server, deed::cast_self, value);
    });
  });
}

// ---- servers and servers ----

TEST_CASE("orders: a handler that calls a server which stops") {
  explore({1, 2, 64}, [](stage& s) {
    ref other = s.start(s.named("other"));
    ref server = s.start(s.named("kv"));
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&one, server, other]() -> action {
        co_await one.call<ask_slowly>(server, deed::relay, value, otpp::infinite, detail(other));
        co_await one.call(server, deed::answer, value);
      });
    }
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server, other]() -> action {
      co_await eve.stop(other, value);
      co_await eve.cast(server, deed::answer, value);
    });
  });
}

TEST_CASE("orders: a handler that waits for another server, and is stopped") {
  explore({1, 64}, [](stage& s) {
    ref other = s.start(s.named("other"));
    ref server = s.start(s.named("kv"));
    sender& ann = s.make_sender();
    s.spawn("ann", [&ann, server, other]() -> action {
      co_await ann.call<ask_slowly>(server, deed::relay, value | gone | timeout, 5ms, detail(other));
      co_await ann.call<ask_slowly>(server, deed::cast_on, value | gone, otpp::infinite, detail(other));
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action { co_await bob.stop(server, value); });
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, other]() -> action { co_await eve.call(other, deed::crash, exited); });
  });
}

TEST_CASE("orders: servers that call each other in a circle, with a timeout") {
  explore({1, 64}, [](stage& s) {
    ref one = s.start();
    ref two = s.start();
    sender& ann = s.make_sender();
    sender& bob = s.make_sender();
    s.spawn("ann", [&ann, one, two]() -> action {
      co_await ann.call<ask_slowly>(one, deed::relay, value, otpp::infinite, detail(two, 5ms).in_a_ring());
    });
    s.spawn("bob", [&bob, one, two]() -> action {
      co_await bob.call<ask_slowly>(two, deed::relay, value | timeout, 7ms, detail(one, 5ms).in_a_ring());
      co_await bob.call(one, deed::answer, value);
    });
  });
}

TEST_CASE("orders: two servers that stop each other") {
  explore({1, 64}, [](stage& s) {
    ref one = s.start(s.named("one"));
    ref two = s.start(s.named("two"));
    sender& ann = s.make_sender();
    sender& bob = s.make_sender();
    s.spawn("ann", [&ann, one, two]() -> action {
      co_await ann.call<ask_slowly>(
          one, deed::stop_other, value | gone, otpp::infinite, detail(two, 5ms).in_a_ring());
      co_await ann.call(one, deed::answer, value | gone);
    });
    s.spawn("bob", [&bob, one, two]() -> action {
      co_await bob.call<ask_slowly>(
          two, deed::stop_other, value | gone, otpp::infinite, detail(one, 5ms).in_a_ring());
      co_await bob.call(two, deed::answer, value | gone);
    });
  });
}

TEST_CASE("orders: a handler that starts a server and stops it") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&one, server]() -> action {
        co_await one.call<ask_slowly>(server, deed::start_other, value | gone);
        co_await one.cast<tell_slowly>(server, deed::start_other, value | gone);
      });
    }
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action { co_await eve.stop(server, value); });
  });
}

// ---- contexts ----

TEST_CASE("orders: callers on two contexts") {
  explore({1, 64}, [](stage& s) {
    s.second.emplace(s.one);
    s.third.emplace(s.one);
    ref server = s.start(s.named("kv"));
    caller_on(s, *s.second, server, value | gone);
    caller_on(s, *s.third, server, value | gone);
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action { co_await eve.stop(server, value); });
  });
}

TEST_CASE("orders: the context of a server is destroyed under callers elsewhere") {
  explore({1, 2, 64}, [](stage& s) {
    s.second.emplace(s.one);
    ref server = s.start(on(*s.second).name("kv").in(s.seen.names));
    caller_on(s, s.one.main_context(), server, value | gone);
    caller_on(s, s.one.main_context(), server, value | gone);
    s.may_destroy(s.second);
  });
}

TEST_CASE("orders: the context of a server is destroyed under kept callers, stops and joins") {
  explore({1, 64}, [](stage& s) {
    s.second.emplace(s.one);
    ref server = s.start(on(*s.second).name("kv").in(s.seen.names));
    s.may_destroy(s.second);
    sender& ann = s.make_sender();
    s.spawn("ann", [&ann, server]() -> action {
      co_await ann.call<ask_later>(server, deed::keep, value | gone);
      co_await ann.call(server, deed::answer, gone);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.call<ask_later_slowly>(server, deed::keep_outside, gone);
    });
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.call<ask_slowly>(server, deed::answer, value | gone, otpp::infinite, detail(2));
      co_await eve.stop(server, value | gone);
    });
    sender& joe = s.make_sender();
    s.spawn("joe", [&joe, server]() -> action { co_await joe.join(server); });
  });
}

TEST_CASE("orders: the context of callers is destroyed under a server") {
  explore({1, 64}, [](stage& s) {
    s.second.emplace(s.one);
    ref server = s.start(s.named("kv"));
    caller_on(s, *s.second, server, value | gone);
    sender& ann = s.make_sender();
    s.spawn_on(*s.second, "ann", [&ann, server]() -> action {
      co_await ann.call<ask_later>(server, deed::keep, value | gone);
    });
    s.may_destroy(s.second);
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.call(server, deed::release, value);
      co_await bob.call(server, deed::release, value);
      co_await bob.stop(server, value);
    });
  });
}

TEST_CASE("orders: the context of senders who wait for room is destroyed") {
  explore({1, 64}, [](stage& s) {
    s.seen.is_bounded = true;
    s.second.emplace(s.one);
    ref server = s.start(s.named("kv").mailbox_limit(1));
    caller_on(s, *s.second, server, value | gone);
    caller_on(s, *s.second, server, value | gone);
    s.may_destroy(s.second);
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.cast<tell_slowly>(server, deed::answer, value, detail(2));
      co_await bob.call(server, deed::answer, value);
      co_await bob.stop(server, value);
    });
  });
}

TEST_CASE("orders: the main context is destroyed with all that is on it") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    ref other = s.start();
    s.may_destroy_main_context();
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann, server, other]() -> action {
      co_await ann.call<ask_later>(server, deed::keep, value | timeout | gone, 1ms);
      co_await ann.call<ask_slowly>(server, deed::relay, value | gone, otpp::infinite, detail(other));
      co_await ann.start(s.named("young"), value | no_process, deed::answer, 1);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server, other]() -> action {
      co_await bob.cast<tell_slowly>(other, deed::idle, value | gone);
      co_await bob.wait("nobody", 1ms, timeout);
      co_await bob.stop(server, value | gone);
      co_await bob.stop(other, value | gone);
      co_await bob.join(other);
    });
  });
}

TEST_CASE("orders: each of two contexts is destroyed, in any order") {
  explore({1, 64}, [](stage& s) {
    s.second.emplace(s.one);
    s.third.emplace(s.one);
    ref server = s.start(on(*s.second).name("kv").in(s.seen.names));
    ref other = s.start(on(*s.third).mailbox_limit(1));
    s.seen.is_bounded = true;
    s.may_destroy(s.second);
    s.may_destroy(s.third);
    sender& ann = s.make_sender();
    s.spawn_on(*s.third, "ann", [&ann, server]() -> action {
      co_await ann.call<ask_slowly>(server, deed::answer, value | gone);
      co_await ann.stop(server, value | gone);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server, other]() -> action {
      co_await bob.call<ask_slowly>(server, deed::relay, value | gone, otpp::infinite, detail(other));
      co_await bob.cast(other, deed::answer, value | gone);
      co_await bob.cast(other, deed::answer, value | gone);
    });
  });
}

TEST_CASE("orders: a start on a context that is destroyed") {
  explore({1, 64}, [](stage& s) {
    s.second.emplace(s.one);
    asio::any_io_executor there(s.second->get_executor());
    s.may_destroy(s.second);
    for (int steps : {0, 2}) {
      sender& one = s.make_sender();
      s.spawn("starter", [&s, &one, there, steps]() -> action {
        if (s.second) { // an executor is of no use without its context
          otpp::options how = otpp::options().on(there).name(steps == 0 ? "one" : "two").in(s.seen.names);
          auto server = co_await one.start(how, value | gone, deed::answer, steps);
          if (server) {
            ref made = *server;
            co_await one.call(made, deed::answer, value | gone);
          }
        }
        co_await one.call(s.address("one"), deed::answer, value | gone);
      });
    }
  });
}

TEST_CASE("orders: whoever waits for a name is destroyed with its context") {
  explore({1, 64}, [](stage& s) {
    s.second.emplace(s.one);
    s.may_destroy(s.second);
    sender& ann = s.make_sender();
    s.spawn_on(*s.second, "ann", [&ann]() -> action {
      auto server = co_await ann.wait("kv", 5ms, value | timeout);
      co_await ann.wait("kv", otpp::infinite, value);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob]() -> action {
      co_await bob.sleep(5ms);
      auto server = co_await bob.start(s.named("kv"));
      ref mine = *server;
      co_await bob.call(mine, deed::answer, value);
    });
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve]() -> action { co_await eve.wait("kv", 7ms, value | timeout); });
  });
}

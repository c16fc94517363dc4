// SPDX-License-Identifier: BSL-1.0

// Names, starts and ends: who is there, who is not there any more, who comes next. And timeouts of a server's
// own, and what it does after a message.

#include "oracle.hpp"

#include "support/catch.hpp"

using namespace scenarios;

TEST_CASE("orders: a restart under one name") {
  explore({1, 2, 64}, [](stage& s) {
    ref old = s.start(s.named("kv"));
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann, old]() -> action {
      co_await ann.stop(old, value);
      auto young = co_await ann.start(s.named("kv")); // at once, and nobody says that it is taken
      s.seen.expect(young && young->id() != old.id(), "I5: a server's number is used again");
      co_await ann.call(old, deed::answer, no_process);
      co_await ann.call(s.address("kv"), deed::answer, value);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob, old]() -> action {
      co_await bob.call(old, deed::answer, value | gone);
      co_await bob.call(s.address("kv"), deed::answer, value | gone);
      co_await bob.call(old, deed::answer, value | gone);
      co_await bob.cast(s.address("kv"), deed::answer, value | gone);
      co_await bob.call(s.address("kv"), deed::answer, value | gone);
    });
  });
}

TEST_CASE("orders: a restart after a crash, by who is told of it") {
  explore({1, 64}, [](stage& s) {
    ref old = s.start(s.named("kv"));
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann, old]() -> action {
      co_await ann.call(old, deed::crash, exited | no_process);
      co_await ann.start(s.named("kv"), value | name_taken);
      co_await ann.call(s.address("kv"), deed::answer, value);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob, old]() -> action {
      co_await bob.join(old);
      co_await bob.start(s.named("kv"), value | name_taken);
      co_await bob.call(s.address("kv"), deed::answer, value);
    });
    sender& eve = s.make_sender();
    s.spawn("eve", [&s, &eve]() -> action {
      co_await eve.call(s.address("kv"), deed::answer, value | gone);
      eve.try_cast(s.address("kv"), deed::answer, value);
      co_await eve.call(s.address("kv"), deed::answer, value | gone);
    });
  });
}

TEST_CASE("orders: an end of one's own, and the name at once") {
  explore({1, 64}, [](stage& s) {
    ref old = s.start(s.named("kv"));
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&s, &one, old]() -> action {
        ending how = co_await one.call(old, deed::quit, value | gone);
        if (how == value) {
          co_await one.call(old, deed::answer, no_process);
          co_await one.start(s.named("kv"), value | name_taken);
        } else {
          co_await one.call<ask_slowly>(s.address("kv"), deed::answer, value | no_process);
        }
      });
    }
  });
}

TEST_CASE("orders: three starts of one name") {
  explore({1, 64}, [](stage& s) {
    for (int i = 0; i < 3; ++i) {
      sender& one = s.make_sender();
      s.spawn("starter", [&s, &one]() -> action {
        auto mine = co_await one.start(s.named("kv"), value | name_taken);
        if (mine) {
          s.seen.expect(!s.server, "I5: two starts of one name succeed");
          s.server = mine;
        }
        // Whoever won has the name, for all who have lost as well.
        co_await one.call(s.address("kv"), deed::answer, value);
      });
    }
  });
}

TEST_CASE("orders: starts and stops of one name") {
  explore({1, 64}, [](stage& s) {
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&s, &one]() -> action {
        for (int round = 0; round < 2; ++round) {
          auto mine = co_await one.start(s.named("kv"), value | name_taken);
          co_await one.call(s.address("kv"), deed::answer, value | gone);
          if (mine) {
            ref server = *mine;
            co_await one.stop(server, value);
          }
        }
      });
    }
  });
}

TEST_CASE("orders: a name that is given and taken away") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    ref other = s.start();
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann, server, other]() -> action {
      otpp::unregister_name("kv", s.seen.names);
      try {
        otpp::register_name("kv", other, s.seen.names);
      } catch (const otpp::error&) {
      }
      co_await ann.call(s.address("kv"), deed::answer, value | gone);
      co_await ann.call(other, deed::answer, value | gone);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob, server, other]() -> action {
      co_await bob.stop(server, value);
      co_await bob.call(s.address("kv"), deed::answer, value | gone);
      co_await bob.stop(other, value);
      co_await bob.call(s.address("kv"), deed::answer, no_process);
    });
    sender& eve = s.make_sender();
    s.spawn("eve", [&s, &eve]() -> action {
      co_await eve.wait("kv", 5ms, value | timeout);
      co_await eve.call(s.address("kv"), deed::answer, value | gone);
    });
  });
}

TEST_CASE("orders: a stop while init waits") {
  explore({1, 64}, [](stage& s) {
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann]() -> action {
      auto server = co_await ann.start(s.named("kv"), value | gone, deed::answer, 2);
      co_await ann.call(s.address("kv"), deed::answer, gone | value);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob]() -> action {
      auto server = co_await bob.wait("kv", 5ms, value | timeout);
      if (server) {
        ref found = *server;
        co_await bob.stop(found, value | gone);
        co_await bob.call(s.address("kv"), deed::answer, no_process);
      }
    });
  });
}

TEST_CASE("orders: a start that is cancelled while init waits") {
  explore({1, 64}, [](stage& s) {
    sender& ann = s.make_sender();
    auto& client = s.spawn("ann", [&s, &ann]() -> action {
      auto server =
          co_await ann.start(s.named("kv"), value | cancelled | exited | name_taken, deed::answer, 3);
      s.server = server;
    });
    s.one.may("a cancellation", [&client] { client.cancel(); });
    sender& bob = s.make_sender();
    s.spawn("bob", [&s, &bob]() -> action {
      co_await bob.cast(s.address("kv"), deed::answer, value | gone);
      co_await bob.call(s.address("kv"), deed::answer, value | gone | cancelled | refused);
    });
    sender& eve = s.make_sender();
    s.spawn("eve", [&s, &eve]() -> action { co_await eve.start(s.named("kv"), value | name_taken); });
  });
}

TEST_CASE("orders: messages before init has ended") {
  explore({1, 64}, [](stage& s) {
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann]() -> action { co_await ann.start(s.named("kv"), value, deed::answer, 2); });
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&s, &one]() -> action {
        co_await one.cast(s.address("kv"), deed::answer, value | no_process);
        co_await one.call(s.address("kv"), deed::answer, value | no_process);
        co_await one.wait("kv", otpp::infinite);
        co_await one.call(s.address("kv"), deed::answer, value);
      });
    }
  });
}

TEST_CASE("orders: messages before init fails") {
  explore({1, 64}, [](stage& s) {
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann]() -> action {
      co_await ann.start(s.named("kv"), refused, deed::crash, 2);
      co_await ann.start(s.named("kv"), refused, deed::crash);
      co_await ann.start(s.named("kv"), ignored, deed::ignore);
      co_await ann.start(s.named("kv"), value, deed::chain);
    });
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&s, &one]() -> action {
        co_await one.cast(s.address("kv"), deed::answer, value | gone);
        co_await one.call(s.address("kv"), deed::answer, value | gone | refused);
        co_await one.call(s.address("kv"), deed::answer, value | gone | refused);
      });
    }
  });
}

TEST_CASE("orders: waiting for a name, against starts, stops and time") {
  explore({1, 64}, [](stage& s) {
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann]() -> action {
      auto server = co_await ann.start(s.named("kv"));
      ref mine = *server;
      co_await ann.stop(mine, value);
      co_await ann.sleep(5ms);
      auto again = co_await ann.start(s.named("kv"));
    });
    for (otpp::duration time : {otpp::duration(5ms), otpp::infinite}) {
      sender& one = s.make_sender();
      s.spawn("waiter", [&one, time]() -> action {
        auto found = co_await one.wait("kv", time, value | timeout);
        if (found) {
          ref server = *found;
          co_await one.call(server, deed::answer, value | gone);
        }
      });
    }
    sender& eve = s.make_sender();
    auto& client = s.spawn("eve", [&eve]() -> action {
      co_await eve.wait("kv", 7ms, value | timeout | cancelled);
      co_await eve.wait("another", 1ms, timeout | cancelled);
    });
    s.one.may("a cancellation", [&client] { client.cancel(); });
  });
}

TEST_CASE("orders: a server's own timeout against messages") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    sender& ann = s.make_sender();
    s.spawn("ann", [&ann, server]() -> action {
      co_await ann.call(server, deed::idle, value);
      co_await ann.sleep(10ms);
      co_await ann.call(server, deed::answer, value);
      co_await ann.cast(server, deed::idle_now, value);
      co_await ann.cast(server, deed::idle, value);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.sleep(10ms);
      co_await bob.cast(server, deed::answer, value);
      co_await bob.sleep(10ms);
      co_await bob.cast<tell_slowly>(server, deed::answer, value);
      co_await bob.call(server, deed::idle_now, value);
    });
  });
}

TEST_CASE("orders: a server's own timeout against its end") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    sender& ann = s.make_sender();
    s.spawn("ann", [&ann, server]() -> action {
      co_await ann.call(server, deed::idle, value | gone);
      co_await ann.call(server, deed::idle, value | gone);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.sleep(10ms);
      co_await bob.stop(server, value);
    });
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast(server, deed::answer, value | gone);
      co_await eve.sleep(10ms);
      co_await eve.cast(server, deed::idle_now, value | gone);
    });
  });
}

TEST_CASE("orders: what a server does next comes before any message") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start();
    for (int i = 0; i < 3; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&one, server]() -> action {
        co_await one.call(server, deed::chain, value);
        co_await one.cast(server, deed::answer, value);
        co_await one.cast(server, deed::chain, value);
        co_await one.call(server, deed::answer, value);
      });
    }
  });
}

TEST_CASE("orders: one sender's messages, sent in every way") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start(s.named("kv"));
    for (int i = 0; i < 2; ++i) {
      sender& one = s.make_sender();
      s.spawn("client", [&s, &one, server]() -> action {
        co_await one.cast(server, deed::answer, value);
        one.try_cast(server, deed::answer, value);
        co_await one.cast(s.address("kv"), deed::answer, value);
        one.try_cast(s.address("kv"), deed::answer, value);
        co_await one.send(server, deed::answer, value);
        co_await one.cast<tell_slowly>(server, deed::answer, value);
        co_await one.call(server, deed::answer, value);
      });
    }
    sender& eve = s.make_sender();
    s.spawn("eve", [&eve, server]() -> action {
      co_await eve.cast<tell_slowly>(server, deed::answer, value, detail(2));
      co_await eve.cast(server, deed::answer, value);
      co_await eve.cast(server, deed::answer, value);
    });
  });
}

TEST_CASE("orders: messages that come while a handler waits, and then nothing") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start();
    sender& ann = s.make_sender();
    s.spawn("ann", [&ann, server]() -> action {
      co_await ann.cast<tell_slowly>(server, deed::answer, value, detail(3));
      co_await ann.cast(server, deed::answer, value);
      co_await ann.cast<tell_slowly>(server, deed::answer, value, detail(1));
      co_await ann.cast(server, deed::answer, value);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      co_await bob.cast(server, deed::answer, value);
      co_await bob.cast(server, deed::answer, value);
    });
  });
}

TEST_CASE("orders: a message that looks about itself when it is destroyed") {
  explore({1, 64}, [](stage& s) {
    ref server = s.start(s.named("nosy"));
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann, server]() -> action {
      ann.try_cast(server, deed::answer, value, true);
      co_await ann.call(server, deed::answer, value | gone);
      ann.try_cast(s.address("nosy"), deed::answer, value, true);
      ann.try_cast(server, deed::answer, value, true);
    });
    sender& bob = s.make_sender();
    s.spawn("bob", [&bob, server]() -> action {
      bob.try_cast(server, deed::answer, value, true);
      co_await bob.call(server, deed::crash, gone);
      bob.try_cast(server, deed::answer, value, true);
    });
  });
}

TEST_CASE("orders: the stack does not grow with the number of messages") {
  explore({1, 2, 64}, [](stage& s) {
    ref server = s.start();
    ref other = s.start();
    sender& ann = s.make_sender();
    s.spawn("ann", [&s, &ann, server, other]() -> action {
      std::size_t early = 0;
      for (int i = 0; i < 40; ++i) {
        co_await ann.call(server, deed::answer, value);
        co_await ann.cast(server, deed::chain, value);
        co_await ann.call<ask_slowly>(server, deed::relay, value, otpp::infinite, detail(other));
        if (i == 8) {
          early = s.seen.deepest();
        }
      }
      s.seen.expect(s.seen.deepest() < early + 8192, "I8: the stack grows with the number of messages");
    });
  });
}

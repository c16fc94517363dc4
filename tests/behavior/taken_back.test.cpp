// SPDX-License-Identifier: BSL-1.0

// News that was taken back, or that nobody handles, is no message to a server: it cancels no timeout, is not traced
// and not received.

#include <otpp/otpp.hpp>
#include <otpp/pg.hpp>

#include <asio/awaitable.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

namespace {

using namespace std::chrono_literals;

struct target {
  int init() { return 0; }
};

// How the timeout is set that must come.
enum class set_for { a_while, no_time };

template <class Reply>
otpp::outcome<Reply> with_timeout(otpp::outcome<Reply> answer, set_for when) {
  return std::move(answer).timeout(when == set_for::a_while ? otpp::duration(1ms) : otpp::duration(0));
}

// Takes back what is behind the running message in its mailbox, and sets a timeout.
struct changes_its_mind {
  struct monitor_and_demonitor {
    otpp::server_ref<target> whom;
    set_for when;
    using reply_type = bool;
  };
  struct link_and_unlink {
    otpp::server_ref<target> whom;
    set_for when;
    using reply_type = void;
  };
  struct watch_group {
    otpp::pg* groups;
    otpp::server_ref<target> whom;
    set_for when;
    using reply_type = void;
  };

  struct state {
    int* timeouts;
    int* news;
  };
  state init(int* timeouts, int* news) {
    otpp::trap_exit();
    return {timeouts, news};
  }

  asio::awaitable<otpp::outcome<bool>> handle_call(monitor_and_demonitor m, state&) {
    otpp::monitor_ref ref = otpp::monitor(m.whom);
    co_await m.whom.stop();
    bool had_not_ended = otpp::demonitor(ref);
    co_return with_timeout(otpp::outcome<bool>(had_not_ended), m.when);
  }
  asio::awaitable<otpp::outcome<void>> handle_call(link_and_unlink m, state&) {
    otpp::link(m.whom);
    co_await m.whom.stop(otpp::exit_reason::shutdown());
    otpp::unlink(m.whom);
    co_return with_timeout(otpp::outcome<void>(), m.when);
  }
  otpp::outcome<void> handle_call(watch_group m, state&) {
    otpp::monitored_group one = m.groups->monitor("workers", otpp::self<changes_its_mind>());
    m.groups->join("workers", m.whom);
    m.groups->demonitor(one.ref);
    return with_timeout(otpp::outcome<void>(), m.when);
  }

  void handle_info(otpp::timeout, state& own) { ++*own.timeouts; }
  void handle_info(otpp::down, state& own) { ++*own.news; }
  void handle_info(otpp::exit_signal, state& own) { ++*own.news; }
  void handle_info(otpp::group_change, state& own) { ++*own.news; }
};

// Has no handler for any news.
struct does_not_care {
  struct monitor_and_wait {
    otpp::server_ref<target> whom;
    set_for when;
    using reply_type = void;
  };
  struct link_and_wait {
    otpp::server_ref<target> whom;
    set_for when;
    using reply_type = void;
  };

  struct state {
    int* timeouts;
  };
  state init(int* timeouts) {
    otpp::trap_exit();
    return {timeouts};
  }
  asio::awaitable<otpp::outcome<void>> handle_call(monitor_and_wait m, state&) {
    otpp::monitor(m.whom);
    co_await m.whom.stop();
    co_return with_timeout(otpp::outcome<void>(), m.when);
  }
  asio::awaitable<otpp::outcome<void>> handle_call(link_and_wait m, state&) {
    otpp::link(m.whom);
    co_await m.whom.stop(otpp::exit_reason::shutdown());
    co_return with_timeout(otpp::outcome<void>(), m.when);
  }
  void handle_info(otpp::timeout, state& own) { ++*own.timeouts; }
};

} // namespace

TEST_CASE("taken back: what was taken back cancels no timeout, and is not told") {
  set_for when = GENERATE(set_for::a_while, set_for::no_time);
  int which = GENERATE(0, 1, 2);
  run([&]() -> asio::awaitable<void> {
    int timeouts = 0;
    int news = 0;
    otpp::pg groups;
    auto whom = co_await otpp::start<target>();
    auto server = co_await otpp::start<changes_its_mind>(&timeouts, &news);
    if (which == 0) {
      bool had_not_ended = co_await otpp::call<changes_its_mind::monitor_and_demonitor>(server, whom, when);
      CHECK_FALSE(had_not_ended);
    } else if (which == 1) {
      co_await otpp::call<changes_its_mind::link_and_unlink>(server, whom, when);
    } else {
      co_await otpp::call<changes_its_mind::watch_group>(server, &groups, whom, when);
    }
    co_await until([&] { return timeouts == 1; });
    CHECK(news == 0);
    co_await server.stop();
    otpp::kill(whom); // where it has not ended
  });
}

TEST_CASE("taken back: news without a handler cancels no timeout") {
  set_for when = GENERATE(set_for::a_while, set_for::no_time);
  bool links = GENERATE(false, true);
  run([&]() -> asio::awaitable<void> {
    int timeouts = 0;
    auto whom = co_await otpp::start<target>();
    auto server = co_await otpp::start<does_not_care>(&timeouts);
    if (links) {
      co_await otpp::call<does_not_care::link_and_wait>(server, whom, when);
    } else {
      co_await otpp::call<does_not_care::monitor_and_wait>(server, whom, when);
    }
    co_await until([&] { return timeouts == 1; });
    co_await server.stop();
  });
}

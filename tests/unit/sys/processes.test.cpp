// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/processes.hpp>

#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>

#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/query.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

struct sleeper {
  struct wait {
    event until;
  };
  struct bear {
    using reply_type = otpp::pid;
  };
  int init() { return 0; }
  asio::awaitable<void> handle_cast(wait m, int&) { co_await m.until.wait(); }
  asio::awaitable<otpp::pid> handle_call(bear, int&) {
    otpp::pid child = co_await otpp::start_link<sleeper>();
    co_return child;
  }
};

std::optional<otpp::process_info> find(const otpp::pid& who) {
  std::vector<otpp::process_info> all = otpp::processes();
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.who == who; });
  return found == all.end() ? std::nullopt : std::optional<otpp::process_info>(*found);
}

} // namespace

TEST_CASE("processes: what lives is listed, with its names, type and parent") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>(otpp::named("sleeper"));
    otpp::register_name("another", server);
    otpp::pid child = co_await otpp::call<sleeper::bear>(server);

    std::optional<otpp::process_info> one = find(server);
    REQUIRE(one);
    CHECK(one->id == server.id());
    CHECK(one->names == std::vector<std::string>{"sleeper", "another"});
    CHECK(one->type.find("sleeper") != std::string::npos);
    CHECK(one->parent == 0);
    std::optional<otpp::process_info> other = find(child);
    REQUIRE(other);
    CHECK(other->names.empty());
    CHECK(other->parent == server.id());
    otpp::unregister_name("another");
    CHECK(find(server)->names == std::vector<std::string>{"sleeper"});
    CHECK(otpp::processes().back().who == child); // in the order in which they were started

    co_await child.stop();
    CHECK_FALSE(find(child));
    co_await server.stop();
    CHECK_FALSE(find(server));
  });
}

TEST_CASE("processes: the message that is handled, and the queue") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>();
    co_await otpp::inspect(server, [](int) {});
    co_await until([&] { return find(server)->queue_length == 0U; }); // it sleeps
    CHECK(find(server)->current_message.empty());

    event go_on;
    co_await otpp::cast<sleeper::wait>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(find(server)->current_message.find("sleeper::wait") != std::string::npos);
    CHECK(find(server)->queue_length == 0U);
    for (std::size_t n = 1; n != 4; ++n) {
      co_await otpp::cast<sleeper::wait>(server, go_on);
      CHECK(find(server)->queue_length == n); // has not been looked at, or is put aside
    }
    co_await until([&] { return otpp::processes().size() == 1; });
    CHECK(find(server)->queue_length == 3U);
    go_on.happen();
    co_await server.stop();
  });
}

TEST_CASE("processes: links and monitors are listed, at both ends") {
  struct tied {
    struct tie {
      otpp::pid linked;
      otpp::pid watched;
      using reply_type = int;
    };
    struct untie {
      otpp::pid linked;
      using reply_type = int;
    };
    otpp::monitor_ref init() { return {}; }
    int handle_call(tie m, otpp::monitor_ref& ref) {
      otpp::link(m.linked);
      ref = otpp::monitor(m.watched);
      return 0;
    }
    int handle_call(untie m, otpp::monitor_ref& ref) {
      otpp::unlink(m.linked);
      otpp::demonitor(ref);
      return 0;
    }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<tied>();
    auto linked = co_await otpp::start<sleeper>();
    auto watched = co_await otpp::start<sleeper>();
    using ids = std::vector<std::uint64_t>;
    co_await otpp::call<tied::tie>(server, linked, watched);
    CHECK(find(server)->links == ids{linked.id()});
    CHECK(find(server)->monitors == ids{watched.id()});
    CHECK(find(server)->monitored_by.empty());
    CHECK(find(linked)->links == ids{server.id()});
    CHECK(find(watched)->monitored_by == ids{server.id()});
    CHECK(find(watched)->links.empty());
    co_await otpp::call<tied::untie>(server, linked);
    for (otpp::pid one : {otpp::pid(server), otpp::pid(linked), otpp::pid(watched)}) {
      std::optional<otpp::process_info> info = find(one);
      CHECK(info->links.empty());
      CHECK(info->monitors.empty());
      CHECK(info->monitored_by.empty());
    }
    co_await server.stop();
    co_await linked.stop();
    co_await watched.stop();
  });
}

TEST_CASE("processes: whom a handler waits for is listed") {
  struct asker {
    struct ask {
      otpp::server_ref<sleeper> whom;
    };
    int init() { return 0; }
    asio::awaitable<void> handle_cast(ask m, int&) {
      otpp::pid child = co_await otpp::call_for<sleeper::bear>(m.whom, otpp::infinite);
      (void)child;
    }
  };
  run([]() -> asio::awaitable<void> {
    auto whom = co_await otpp::start<sleeper>();
    auto server = co_await otpp::start<asker>();
    event go_on;
    co_await otpp::cast<sleeper::wait>(whom, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(find(server)->waits_for.empty());
    co_await otpp::cast<asker::ask>(server, whom);
    co_await until([&] { return !find(server)->waits_for.empty(); });
    CHECK(find(server)->waits_for == std::vector<std::uint64_t>{whom.id()});
    CHECK(find(whom)->waits_for.empty()); // for nobody
    go_on.happen();
    co_await until([&] { return find(server)->waits_for.empty(); });
    co_await server.stop();
    co_await whom.stop();
  });
}

TEST_CASE("processes: what a process is, what its mailbox holds, and where it runs") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>(otpp::options().mailbox_limit(3));
    auto top = co_await otpp::start_supervisor(otpp::supervisor_spec());
    CHECK(find(server)->mailbox_limit == 3U);
    CHECK_FALSE(find(server)->is_supervisor);
    CHECK_FALSE(find(top)->mailbox_limit);
    CHECK(find(top)->is_supervisor);
    asio::any_io_executor here = co_await asio::this_coro::executor;
    CHECK(find(server)->context == &asio::query(here, asio::execution::context));
    CHECK(find(server)->context_number == find(top)->context_number);
    co_await server.stop();
    co_await top.stop();
  });
}

TEST_CASE("processes: contexts have numbers, which are never used again") {
  std::uint32_t before = 0;
  for (int n = 0; n != 3; ++n) {
    run([&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<sleeper>();
      asio::thread_pool elsewhere(1);
      auto other = co_await otpp::start<sleeper>(otpp::options().on(elsewhere.get_executor()));
      const std::uint32_t here = find(server)->context_number;
      const std::uint32_t there = find(other)->context_number;
      CHECK(here > before);
      CHECK(there > here);
      before = there;
      co_await other.stop();
      co_await server.stop();
    });
  }
}

TEST_CASE("processes: contexts may come and go while they are listed") {
  std::atomic<bool> is_over{false};
  std::thread others([&] {
    for (int n = 0; n != 50; ++n) {
      run([]() -> asio::awaitable<void> {
        auto server = co_await otpp::start<sleeper>(otpp::named("passing"));
        otpp::pid child = co_await otpp::call<sleeper::bear>(server);
        co_await child.stop();
      });
    }
    is_over = true;
  });
  while (!is_over) {
    for (const otpp::process_info& one : otpp::processes()) {
      REQUIRE(one.id != 0);
    }
  }
  others.join();
  CHECK(otpp::processes().empty());
}

TEST_CASE("processes: what is counted while anybody counts") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>();
    event first;
    first.happen();
    co_await otpp::cast<sleeper::wait>(server, first);
    co_await otpp::inspect(server, [](int) {});
    CHECK(find(server)->messages == 0);
    CHECK(find(server)->longest_queue == 0);
    CHECK_FALSE(find(server)->handling_for);

    event go_on;
    {
      otpp::counting outer;
      otpp::counting inner = std::move(outer);
      for (int n = 0; n != 3; ++n) {
        co_await otpp::cast<sleeper::wait>(server, go_on);
      }
      co_await until([&] { return go_on.is_awaited(); });
      CHECK(find(server)->messages == 1);
      CHECK(find(server)->longest_queue == 3);
      std::optional<otpp::duration> once = find(server)->handling_for;
      CHECK(once);
      co_await until([&] { return find(server)->handling_for > once; });
      CHECK(find(server)->in_handlers >= *find(server)->handling_for - std::chrono::milliseconds(20));
    }
    go_on.happen(); // a handler that is counted ends after the counting
    co_await otpp::inspect(server, [](int) {});
    CHECK_FALSE(find(server)->handling_for);
    CHECK(find(server)->messages == 1); // the other two were handled unseen
    CHECK(find(server)->in_handlers > otpp::duration::zero());
    co_await server.stop();
  });
}

TEST_CASE("processes: the age") {
  run([]() -> asio::awaitable<void> {
    auto before = std::chrono::steady_clock::now();
    auto server = co_await otpp::start<sleeper>();
    auto age = find(server)->started - before;
    CHECK(age > -std::chrono::milliseconds(100)); // the coarse clock is late
    CHECK(age < std::chrono::seconds(30));
    co_await server.stop();
  });
}

TEST_CASE("processes: each is visited once while others start and end") {
  constexpr std::size_t most = 600; // several slices
  run([&]() -> asio::awaitable<void> {
    std::vector<otpp::server_ref<sleeper>> all;
    for (std::size_t n = 0; n != most; ++n) {
      all.push_back(co_await otpp::start<sleeper>());
    }
    std::vector<std::uint64_t> seen;
    otpp::visit_processes([&](const otpp::process_view& one) { seen.push_back(one.id()); });
    CHECK(seen.size() == most);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.front() == all.front().id());
    for (auto& one : all) {
      otpp::kill(one);
    }
    std::size_t left = 0;
    co_await until([&] { return otpp::processes().empty(); });
    otpp::visit_processes([&](const otpp::process_view&) { ++left; });
    CHECK(left == 0);
  });
}

TEST_CASE("processes: a visit goes on where what it has seen has ended") {
  asio::thread_pool pool(1);
  std::vector<otpp::server_ref<sleeper>> all;
  for (std::size_t n = 0; n != 600; ++n) {
    all.push_back(otpp::start<sleeper>(otpp::options().on(pool.get_executor()), asio::use_future).get());
  }
  auto end = [&](std::size_t first, std::size_t last) {
    for (std::size_t n = first; n != last; ++n) {
      otpp::kill(all[n]);
    }
    for (std::size_t n = first; n != last; ++n) {
      while (!all[n].has_ended() || find(all[n])) {
        std::this_thread::yield();
      }
    }
  };
  std::vector<std::uint64_t> seen;
  otpp::visit_processes([&](const otpp::process_view& one) {
    seen.push_back(one.id());
    if (seen.size() == 256) { // of one slice the last half, then all
      end(128, 256);
    }
    if (seen.size() == 512) {
      end(0, 128);
      end(256, 512);
    }
  });
  CHECK(seen.size() == 600);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  end(512, 600);
}

TEST_CASE("processes: the first by a value") {
  run([]() -> asio::awaitable<void> {
    std::vector<otpp::server_ref<sleeper>> all;
    event go_on;
    for (int n = 0; n != 5; ++n) {
      all.push_back(co_await otpp::start<sleeper>());
    }
    for (std::size_t n : {3u, 1u, 1u, 3u, 3u}) {
      co_await otpp::cast<sleeper::wait>(all[n], go_on);
    }
    co_await until([&] { return go_on.is_awaited(); });
    auto queue = [](const otpp::process_view& one) { return one.queue_length(); };
    auto ids = [](const std::vector<otpp::process_info>& list) {
      std::vector<std::uint64_t> result;
      for (const otpp::process_info& one : list) {
        result.push_back(one.id);
      }
      return result;
    };
    co_await until([&] { return otpp::top_processes(1, queue).front().queue_length == 2U; });
    using list = std::vector<std::uint64_t>;
    CHECK(ids(otpp::top_processes(3, queue)) == list{all[3].id(), all[1].id(), all[0].id()});
    CHECK(ids(otpp::top_processes(9, queue)).size() == 5);
    CHECK(otpp::top_processes(0, queue).empty());
    auto newest = [](const otpp::process_view& one) { return one.id(); };
    CHECK(ids(otpp::top_processes(2, newest)) == list{all[4].id(), all[3].id()});
    go_on.happen();
    for (auto& one : all) {
      co_await one.stop();
    }
  });
}

TEST_CASE("processes: a supervisor says how it supervises, and whose children they are") {
  run([]() -> asio::awaitable<void> {
    auto tree = co_await otpp::start<otpp::supervisor>(
        otpp::supervisor_spec(otpp::rest_for_one)
            .add(otpp::child<sleeper>("first").named("first"))
            .add(otpp::child<sleeper>("second").restart(otpp::temporary))
            .intensity(3, std::chrono::seconds(7)));
    std::optional<otpp::process_info> top = find(tree);
    REQUIRE(top->supervises);
    CHECK(top->is_supervisor);
    CHECK_FALSE(top->child);
    CHECK(top->supervises->how == otpp::rest_for_one);
    CHECK(top->supervises->intensity == 3);
    CHECK(top->supervises->period == std::chrono::seconds(7));
    CHECK_FALSE(top->supervises->is_dynamic);

    otpp::server_ref<sleeper> first = *otpp::whereis<sleeper>("first");
    REQUIRE(find(first)->child);
    CHECK(find(first)->child->id == "first");
    CHECK(find(first)->child->position == 1);
    CHECK(find(first)->child->restarts == 0);
    CHECK_FALSE(find(first)->supervises);
    otpp::kill(first);
    co_await until([&] {
      auto now = otpp::whereis<sleeper>("first");
      return now && *now != first && find(*now) && find(*now)->child;
    });
    otpp::server_ref<sleeper> again = *otpp::whereis<sleeper>("first");
    CHECK(find(again)->child->position == 1);
    CHECK(find(again)->child->restarts == 1);
    CHECK(find(again)->child->restart == otpp::permanent);
    co_await tree.stop();
  });
}

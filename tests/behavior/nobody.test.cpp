// SPDX-License-Identifier: BSL-1.0

#include <otpp/all.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

// Handles that refer to nobody: made without anything, or moved from (docs/architecture.md, "Handles"). Beside them, in
// the same tables, those whose server has ended, those whose server's context is gone, and those of another context.

using namespace std::chrono_literals;
using counter_ref = otpp::server_ref<counter>;

namespace {

// A server to monitor groups with.
struct group_watcher {
  int init() { return 0; }
  void handle_info(otpp::group_change, int&) {}
};

template <class Handle>
Handle moved_from(Handle handle) {
  Handle taken = std::move(handle);
  return handle; // NOLINT: this is what is tested
}

// A server whose context has been destroyed.
template <class Callbacks = counter, class... Args>
otpp::server_ref<Callbacks> abandoned(Args... args) {
  asio::thread_pool pool(1);
  otpp::options there = otpp::options().on(pool.get_executor());
  return otpp::start<Callbacks>(there, std::move(args)..., asio::use_future).get();
}

// Starts a server on another context, which has a thread of its own.
asio::awaitable<counter_ref> start_on(asio::thread_pool& pool) {
  counter_ref server = co_await otpp::start<counter>(otpp::options().on(pool.get_executor()), 1);
  co_return server;
}

template <class Address>
struct verb {
  const char* name;
  asio::awaitable<void> (*use)(Address);
};

// What is asked of a server, and awaited.
template <class Address>
std::vector<verb<Address>> awaited_verbs() {
  std::vector<verb<Address>> all = {
      {"call", [](Address to) -> asio::awaitable<void> { co_await otpp::call<counter::get>(to); }},
      {"call of a message",
       [](Address to) -> asio::awaitable<void> {
         counter::add one{1};
         co_await otpp::call(to, one);
       }},
      {"call_for",
       [](Address to) -> asio::awaitable<void> { co_await otpp::call_for<counter::get>(to, 1s); }},
      {"call, moved",
       [](Address to) -> asio::awaitable<void> { co_await otpp::call<counter::get>(std::move(to)); }},
      {"cast", [](Address to) -> asio::awaitable<void> { co_await otpp::cast<counter::set>(to, 1); }},
      {"send", [](Address to) -> asio::awaitable<void> { co_await otpp::send<counter::reset>(to); }},
      {"send_request",
       [](Address to) -> asio::awaitable<void> {
         auto request = otpp::send_request<counter::get>(to);
         co_await request.receive(1s);
       }},
      {"stop", [](Address to) -> asio::awaitable<void> { co_await to.stop(); }},
      {"stop with a reason",
       [](Address to) -> asio::awaitable<void> { co_await to.stop(otpp::exit_reason::shutdown()); }},
      {"stop with a time",
       [](Address to) -> asio::awaitable<void> { co_await to.stop(otpp::exit_reason::normal(), 1s); }},
      {"get_status", [](Address to) -> asio::awaitable<void> { co_await otpp::get_status(to); }},
      {"suspend", [](Address to) -> asio::awaitable<void> { co_await otpp::suspend(to); }},
      {"resume", [](Address to) -> asio::awaitable<void> { co_await otpp::resume(to); }},
      {"statistics", [](Address to) -> asio::awaitable<void> { co_await otpp::statistics(to); }},
      {"trace", [](Address to) -> asio::awaitable<void> { co_await otpp::trace(to, nullptr); }},
  };
  if constexpr (!std::is_same_v<Address, otpp::pid>) {
    all.push_back({"inspect", [](Address to) -> asio::awaitable<void> {
                     co_await otpp::inspect(to, [](const int& count) { return count; });
                   }});
    all.push_back({"replace_state", [](Address to) -> asio::awaitable<void> {
                     co_await otpp::replace_state(to, [](const int& count) { return count + 1; });
                   }});
  }
  return all;
}

template <class Address>
asio::awaitable<void> check_awaited_verbs(Address to, const char* which) {
  REQUIRE((!to || to.has_ended()));
  for (const verb<Address>& one : awaited_verbs<Address>()) {
    std::error_code code = co_await code_of(one.use(to));
    INFO(one.name << " of " << which);
    CHECK(code == otpp::errc::no_process);
  }
}

template <class Function>
std::error_code code_thrown_by(Function function) {
  try {
    function();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

} // namespace

TEST_CASE("nobody: a server_ref that is made without anything, or moved from", "[nobody]") {
  static_assert(std::is_nothrow_default_constructible_v<counter_ref>);
  static_assert(std::is_nothrow_move_constructible_v<counter_ref>);
  static_assert(std::is_nothrow_move_assignable_v<counter_ref>);
  static_assert(!std::is_convertible_v<counter_ref, bool>);
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    counter_ref moved = server;
    counter_ref later;
    CHECK_FALSE(later);
    later = std::move(moved);
    CHECK(later);
    for (const counter_ref& nobody : {counter_ref(), moved_from(server), moved}) {
      CHECK_FALSE(nobody);
      CHECK(nobody.id() == 0);
      CHECK(nobody.has_ended());
      CHECK(nobody.describe() == "nobody");
      CHECK(nobody == counter_ref());
      CHECK(nobody != server);
      CHECK_FALSE(otpp::pid(nobody));
      CHECK(nobody == otpp::pid());
      std::ostringstream out;
      out << nobody << ' ' << server;
      CHECK(out.str() == "nobody " + otpp::pid(server).describe());
      std::unordered_set<counter_ref> set = {nobody, server};
      CHECK(set.count(counter_ref()) == 1);
      CHECK(set.size() == 2);
    }
    later = {};
    CHECK_FALSE(later);
    co_await server.stop();
    CHECK(server); // still that one, which has ended
  });
}

TEST_CASE("nobody: a pid that is made without anything, or moved from", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    counter_ref given = server;
    otpp::pid who = std::move(given);
    CHECK_FALSE(given);
    for (const otpp::pid& nobody : {otpp::pid(), otpp::pid(counter_ref()), moved_from(who)}) {
      CHECK_FALSE(nobody);
      CHECK(nobody.id() == 0);
      CHECK(nobody.has_ended());
      CHECK(nobody.describe() == "nobody");
      CHECK(nobody == otpp::pid());
      CHECK_FALSE(nobody.as<counter>());
      std::unordered_set<otpp::pid> set = {nobody, who};
      CHECK(set.count(otpp::pid()) == 1);
    }
    co_await who.stop();
  });
}

TEST_CASE("nobody: what is awaited ends with errc::no_process", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    otpp::pid who = server;
    counter_ref no_server = moved_from(server);
    otpp::pid no_process = moved_from(who);
    co_await check_awaited_verbs(counter_ref(), "a server_ref made without anything");
    co_await check_awaited_verbs(no_server, "a server_ref moved from");
    co_await check_awaited_verbs(otpp::pid(), "a pid made without anything");
    co_await check_awaited_verbs(no_process, "a pid moved from");
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
    co_await check_awaited_verbs(server, "a server_ref to one that has ended");
    co_await check_awaited_verbs(who, "a pid of one that has ended");
    counter_ref on_gone = abandoned(1);
    co_await check_awaited_verbs(on_gone, "a server_ref whose context is gone");
    co_await check_awaited_verbs(otpp::pid(on_gone), "a pid whose context is gone");
  });
}

TEST_CASE("nobody: what is awaited of a server on another context succeeds", "[nobody]") {
  asio::thread_pool pool(1);
  run([&]() -> asio::awaitable<void> {
    for (const verb<counter_ref>& one : awaited_verbs<counter_ref>()) {
      counter_ref server = co_await start_on(pool);
      std::error_code code = co_await code_of(one.use(server));
      INFO(one.name);
      CHECK_FALSE(code);
      otpp::kill(server);
      co_await server.join();
    }
    for (const verb<otpp::pid>& one : awaited_verbs<otpp::pid>()) {
      otpp::pid server = co_await start_on(pool);
      std::error_code code = co_await code_of(one.use(server));
      INFO(one.name << " of a pid");
      CHECK_FALSE(code);
      otpp::kill(server);
      co_await server.join();
    }
  });
}

TEST_CASE("nobody: join", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    counter_ref no_server;
    otpp::error error = co_await error_of(no_server.join());
    CHECK(error.code() == otpp::errc::no_process);
    CHECK(std::string(error.what()).find("join at nobody") != std::string::npos);
    otpp::pid no_process;
    error = co_await error_of(no_process.join());
    CHECK(error.code() == otpp::errc::no_process);
    error = co_await error_of(no_process.stop());
    CHECK(std::string(error.what()).find("stop at nobody") != std::string::npos);

    auto server = co_await otpp::start<counter>(1);
    otpp::pid who = server;
    co_await server.stop(otpp::exit_reason::shutdown());
    otpp::exit_reason why = co_await server.join(); // of one that has ended, the reason is still known
    CHECK(why == otpp::exit_reason::shutdown());
    why = co_await who.join();
    CHECK(why == otpp::exit_reason::shutdown());
    counter_ref on_gone = abandoned(1);
    why = co_await on_gone.join();
    CHECK(why == otpp::exit_reason::killed());
    why = co_await otpp::pid(on_gone).join();
    CHECK(why == otpp::exit_reason::killed());
  });
}

namespace {

// What is asked of a supervisor.
template <class Address>
std::vector<verb<Address>> supervisor_verbs() {
  return {
      {"start_child",
       [](Address to) -> asio::awaitable<void> {
         co_await otpp::start_child(to, otpp::child<counter>("child", 1));
       }},
      {"restart_child",
       [](Address to) -> asio::awaitable<void> { co_await otpp::restart_child(to, "child"); }},
      {"terminate_child",
       [](Address to) -> asio::awaitable<void> { co_await otpp::terminate_child(to, "child"); }},
      {"delete_child", [](Address to) -> asio::awaitable<void> { co_await otpp::delete_child(to, "child"); }},
      {"which_children", [](Address to) -> asio::awaitable<void> { co_await otpp::which_children(to); }},
      {"count_children", [](Address to) -> asio::awaitable<void> { co_await otpp::count_children(to); }},
  };
}

template <class Address>
asio::awaitable<void> check_supervisor_verbs(Address to, const char* which) {
  for (const verb<Address>& one : supervisor_verbs<Address>()) {
    std::error_code code = co_await code_of(one.use(to));
    INFO(one.name << " of " << which);
    CHECK(code == otpp::errc::no_process);
  }
}

} // namespace

TEST_CASE("nobody: every function of supervisors ends with errc::no_process", "[nobody]") {
  using top_ref = otpp::server_ref<otpp::supervisor>;
  run([]() -> asio::awaitable<void> {
    auto top = co_await otpp::start<otpp::supervisor>(otpp::supervisor_spec());
    top_ref moved = moved_from(top);
    co_await top.stop();
    top_ref on_gone = abandoned<otpp::supervisor>(otpp::supervisor_spec());
    co_await check_supervisor_verbs(top_ref(), "a server_ref made without anything");
    co_await check_supervisor_verbs(moved, "a server_ref moved from");
    co_await check_supervisor_verbs(top, "one that has ended");
    co_await check_supervisor_verbs(on_gone, "one whose context is gone");
    co_await check_supervisor_verbs(otpp::pid(), "a pid made without anything");
    co_await check_supervisor_verbs(otpp::pid(top), "a pid of one that has ended");
    co_await check_supervisor_verbs(otpp::pid(on_gone), "a pid whose context is gone");
  });
}

TEST_CASE("nobody: as a supervisor, and as a child", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    otpp::server_ref<otpp::supervisor> no_supervisor;
    otpp::child_spec spec = otpp::child<counter>("child", 1);
    std::error_code code = co_await code_of(otpp::start_child(no_supervisor, spec));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::start_child(otpp::pid(no_supervisor), spec));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::which_children(no_supervisor));
    CHECK(code == otpp::errc::no_process);
    auto pool = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec());
    code = co_await code_of(otpp::terminate_child(pool, otpp::pid()));
    CHECK(code == otpp::errc::not_found); // it is not one of its children
    otpp::pid child = co_await otpp::start_child(pool, otpp::temporary_child<counter>("child", 1));
    co_await child.stop();
    auto stranger = co_await otpp::start<counter>(1);
    counter_ref on_gone = abandoned(1);
    code = co_await code_of(otpp::terminate_child(pool, stranger));
    CHECK(code == otpp::errc::not_found);
    for (const otpp::pid& other : {child, otpp::pid(on_gone)}) {
      co_await otpp::terminate_child(pool, other); // it has ended, which is what was asked for
    }
    co_await stranger.stop();
    auto ended = pool;
    co_await ended.stop();
    using dynamic_ref = otpp::server_ref<otpp::dynamic_supervisor>;
    for (const dynamic_ref& nobody :
         {dynamic_ref(), ended, abandoned<otpp::dynamic_supervisor>(otpp::dynamic_spec())}) {
      code = co_await code_of(otpp::terminate_child(nobody, child));
      CHECK(code == otpp::errc::no_process);
      code = co_await code_of(otpp::terminate_child(otpp::pid(nobody), child));
      CHECK(code == otpp::errc::no_process);
      code = co_await code_of(otpp::start_child(nobody, spec));
      CHECK(code == otpp::errc::no_process);
    }
  });
}

TEST_CASE("nobody: a child whose init says ignore can be joined and stopped", "[nobody]") {
  struct lazy {
    otpp::init_result<int> init() { return otpp::ignore; }
  };
  run([]() -> asio::awaitable<void> {
    auto top = co_await otpp::start<otpp::supervisor>(otpp::supervisor_spec());
    otpp::pid who = co_await otpp::start_child(top, otpp::child<lazy>("lazy"));
    CHECK_FALSE(who);
    std::error_code code = co_await code_of(who.join());
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(who.stop());
    CHECK(code == otpp::errc::no_process);
    co_await top.stop();
  });
}

TEST_CASE("nobody: every token is told", "[nobody]") {
  asio::io_context context;
  std::future<void> stopped = otpp::pid().stop(asio::use_future);
  std::future<void> stopped_in_time = counter_ref().stop(otpp::exit_reason::normal(), 1s, asio::use_future);
  std::future<otpp::exit_reason> joined = otpp::pid().join(asio::use_future);
  std::promise<std::exception_ptr> told;
  counter_ref().stop([&](std::exception_ptr error) { told.set_value(std::move(error)); });
  CHECK(code_thrown_by([&] { stopped.get(); }) == otpp::errc::no_process);
  CHECK(code_thrown_by([&] { stopped_in_time.get(); }) == otpp::errc::no_process);
  CHECK(code_thrown_by([&] { joined.get(); }) == otpp::errc::no_process);
  CHECK(code_thrown_by([&] { std::rethrow_exception(told.get_future().get()); }) == otpp::errc::no_process);
}

TEST_CASE("nobody: what is sent without waiting is not taken", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    otpp::pid who = server;
    counter_ref no_server = moved_from(server);
    otpp::pid no_process = moved_from(who);
    counter::set one{1};
    CHECK(otpp::try_cast(server, one));
    co_await server.stop();
    counter_ref on_gone = abandoned(1);
    for (const counter_ref& to : {counter_ref(), no_server, server, on_gone}) {
      CHECK_FALSE(otpp::try_cast(to, one));
      CHECK_FALSE(otpp::try_cast<counter::set>(to, 1));
      CHECK_FALSE(otpp::try_send(to, counter::reset()));
      CHECK_FALSE(otpp::try_send<counter::reset>(to));
    }
    for (const otpp::pid& to : {otpp::pid(), no_process, who, otpp::pid(on_gone)}) {
      CHECK_FALSE(otpp::try_cast(to, one));
      CHECK_FALSE(otpp::try_cast<counter::set>(to, 1));
      CHECK_FALSE(otpp::try_send(to, counter::reset()));
      CHECK_FALSE(otpp::try_send<counter::reset>(to));
    }
  });
}

TEST_CASE("nobody: timers", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    for (const counter_ref& nobody : {counter_ref(), moved_from(server)}) {
      CHECK(code_thrown_by([&] { otpp::send_after<counter::reset>(1ms, nobody); }) == otpp::errc::no_process);
      CHECK(
          code_thrown_by([&] { otpp::send_after(1ms, nobody, counter::reset()); }) == otpp::errc::no_process);
      CHECK(code_thrown_by([&] {
              otpp::send_interval<counter::reset>(1ms, nobody);
            }) == otpp::errc::no_process);
    }
    otpp::timer_ref timer = otpp::send_after<counter::reset>(1h, server);
    CHECK(timer);
    otpp::timer_ref moved = std::move(timer);
    CHECK(moved);
    for (const otpp::timer_ref& none : {otpp::timer_ref(), timer}) {
      CHECK_FALSE(none);
      CHECK(none == otpp::timer_ref());
      CHECK_FALSE(none.cancel());
      CHECK_FALSE(none.remaining());
    }
    CHECK(moved.cancel());
    co_await server.stop();
    for (const counter_ref& over : {server, abandoned(1)}) { // no error, and the timer is done
      timer = otpp::send_after<counter::reset>(1h, over);
      CHECK(timer);
      CHECK_FALSE(timer.remaining());
      CHECK_FALSE(timer.cancel());
      timer = otpp::send_interval<counter::reset>(1h, over);
      CHECK_FALSE(timer.remaining());
    }
    asio::thread_pool pool(1);
    counter_ref elsewhere = co_await start_on(pool);
    timer = otpp::send_after<counter::reset>(1h, elsewhere);
    CHECK(timer.remaining());
    CHECK(timer.cancel());
    timer = otpp::send_after<counter::reset>(1h, elsewhere);
    otpp::kill(elsewhere);
    co_await elsewhere.join();
    CHECK_FALSE(timer.remaining());
    timer = otpp::send_after<counter::reset>(1h, abandoned(1));
    CHECK_FALSE(timer.cancel());
  });
}

TEST_CASE("nobody: names and groups", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    otpp::duplicate_registry topics;
    otpp::pg groups;
    auto server = co_await otpp::start<counter>(1);
    auto watcher = co_await otpp::start<group_watcher>();
    topics.add("rain", server);
    groups.join("readers", server);
    counter_ref no_server = moved_from(server);
    otpp::server_ref<group_watcher> no_watcher = moved_from(watcher);
    otpp::pid no_process;
    CHECK(topics.keys(no_process).empty());
    CHECK(topics.keys() == std::vector<std::string>{"rain"});
    CHECK(topics.remove("rain", no_process) == 0);
    CHECK_FALSE(groups.leave("readers", no_process));
    CHECK(topics.count() == 1);

    auto ended = co_await otpp::start<counter>(1);
    auto ended_watcher = co_await otpp::start<group_watcher>();
    co_await ended.stop();
    co_await ended_watcher.stop();
    counter_ref on_gone = abandoned(1);
    for (const counter_ref& to : {counter_ref(), no_server, ended, on_gone}) {
      CHECK(code_thrown_by([&] { otpp::register_name("name", to, names); }) == otpp::errc::no_process);
      CHECK(code_thrown_by([&] { names.add("name", otpp::pid(to)); }) == otpp::errc::no_process);
      CHECK(code_thrown_by([&] { topics.add("rain", to); }) == otpp::errc::no_process);
      CHECK(code_thrown_by([&] { groups.join("readers", to); }) == otpp::errc::no_process);
      CHECK(topics.keys(to).empty());
      CHECK(topics.remove("rain", to) == 0);
      CHECK_FALSE(groups.leave("readers", to));
    }
    for (const auto& to :
         {otpp::server_ref<group_watcher>(), no_watcher, ended_watcher, abandoned<group_watcher>()}) {
      CHECK(code_thrown_by([&] { groups.monitor("readers", to); }) == otpp::errc::no_process);
      CHECK(code_thrown_by([&] { groups.monitor_scope(to); }) == otpp::errc::no_process);
    }
    CHECK(otpp::registered(names).empty());
    CHECK(groups.members("readers").size() == 1);

    otpp::group_monitor ref = groups.monitor("readers", watcher).ref;
    CHECK(ref);
    otpp::group_monitor moved = std::move(ref);
    for (const otpp::group_monitor& none : {otpp::group_monitor(), ref}) {
      CHECK_FALSE(none);
      CHECK(none.is_over());
      CHECK(none == otpp::group_monitor());
      CHECK_FALSE(groups.demonitor(none));
    }
    CHECK(groups.demonitor(moved));
    co_await server.stop();
    co_await watcher.stop();
  });
}

TEST_CASE("nobody: multi_call and broadcast have it among the others", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    auto ended = co_await otpp::start<counter>(1);
    co_await ended.stop();
    asio::thread_pool pool(1);
    counter_ref elsewhere = co_await start_on(pool);
    std::vector<counter_ref> all = {counter_ref(), server, ended, abandoned(1), elsewhere};
    auto answers = co_await otpp::multi_call<counter::get>(all, 1s);
    REQUIRE(answers.size() == 5);
    CHECK(code_thrown_by([&] { answers[0].value(); }) == otpp::errc::no_process);
    CHECK(answers[1].value() == 1);
    CHECK(code_thrown_by([&] { answers[2].value(); }) == otpp::errc::no_process);
    CHECK(code_thrown_by([&] { answers[3].value(); }) == otpp::errc::no_process);
    CHECK(answers[4].value() == 1);
    CHECK(otpp::broadcast<counter::set>(all, 2) == 2);
    std::vector<otpp::pid> pids(all.begin(), all.end());
    CHECK(otpp::broadcast<counter::set>(pids, 2) == 2);
    int count = co_await otpp::call<counter::get>(server);
    CHECK(count == 2);
    co_await server.stop();
  });
}

TEST_CASE("nobody: monitors, links and exit signals", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    counter_ref no_server = moved_from(server);
    auto body = [](counter_ref gone) -> asio::awaitable<void> {
      for (const counter_ref& nobody : {counter_ref(), gone}) {
        CHECK(code_thrown_by([&] { otpp::monitor(nobody); }) == otpp::errc::no_process);
        CHECK(code_thrown_by([&] { otpp::link(nobody); }) == otpp::errc::no_process);
        otpp::unlink(nobody);
        otpp::exit(nobody, otpp::exit_reason::shutdown());
        otpp::kill(nobody);
      }
      co_return;
    };
    otpp::pid process = co_await otpp::spawn(body(no_server));
    otpp::exit_reason why = co_await process.join();
    CHECK(why == otpp::exit_reason::normal());

    counter_ref on_gone = abandoned(1);
    for (const otpp::pid& over : {process, otpp::pid(on_gone)}) {
      otpp::exit(over, otpp::exit_reason::shutdown());
      otpp::kill(over);
    }
    auto told_at_once = [](otpp::pid over, otpp::exit_reason reason) -> asio::awaitable<void> {
      otpp::trap_exit();
      otpp::monitor_ref ref = otpp::monitor(over);
      otpp::down told = co_await otpp::receive<otpp::down>(1s);
      CHECK(told.ref == ref);
      CHECK(told.who == over);
      CHECK(told.reason == reason);
      CHECK_FALSE(otpp::demonitor(ref));
      otpp::link(over);
      otpp::exit_signal signal = co_await otpp::receive<otpp::exit_signal>(1s);
      CHECK(signal.from == over);
      CHECK(code_thrown_by([&] {
              std::rethrow_exception(signal.reason.exception());
            }) == otpp::errc::no_process);
      otpp::unlink(over);
    };
    for (const otpp::pid& over : {process, otpp::pid(on_gone)}) {
      otpp::exit_reason reason = co_await over.join();
      otpp::pid observer = co_await otpp::spawn(told_at_once(over, reason));
      why = co_await observer.join();
      CHECK(why == otpp::exit_reason::normal());
    }
    asio::thread_pool pool(1);
    counter_ref elsewhere = co_await start_on(pool);
    auto told_of_elsewhere = [](otpp::pid there) -> asio::awaitable<void> {
      otpp::trap_exit();
      otpp::monitor_ref ref = otpp::monitor(there);
      otpp::monitor_ref other = otpp::monitor(there);
      otpp::link(there);
      CHECK(otpp::demonitor(other));
      otpp::kill(there);
      otpp::down told = co_await otpp::receive<otpp::down>(1s);
      CHECK(told.ref == ref);
      otpp::exit_signal signal = co_await otpp::receive<otpp::exit_signal>(1s);
      CHECK(signal.from == there);
    };
    otpp::pid observer = co_await otpp::spawn(told_of_elsewhere(elsewhere));
    why = co_await observer.join();
    CHECK(why == otpp::exit_reason::normal());
    CHECK_FALSE(otpp::demonitor(otpp::monitor_ref()));
    CHECK_FALSE(otpp::monitor_ref());
    CHECK_FALSE(otpp::down().is_void());
    co_await server.stop();
  });
}

TEST_CASE("nobody: to unlink it leaves monitors as they are", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    auto body = [](counter_ref watched) -> asio::awaitable<void> {
      otpp::monitor_ref ref = otpp::monitor(watched);
      otpp::unlink(otpp::pid());
      co_await watched.stop();
      otpp::down told = co_await otpp::receive<otpp::down>(1s);
      CHECK(told.ref == ref);
      CHECK(told.ref);
      otpp::monitor_ref moved = std::move(ref);
      CHECK_FALSE(ref);
      CHECK(ref == otpp::monitor_ref());
      CHECK_FALSE(otpp::demonitor(ref));
      CHECK_FALSE(otpp::demonitor(moved)); // it has ended
    };
    otpp::pid process = co_await otpp::spawn(body(server));
    otpp::exit_reason why = co_await process.join();
    CHECK(why == otpp::exit_reason::normal());
  });
}

TEST_CASE("nobody: to unlink it takes back no exit signal", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto body = []() -> asio::awaitable<void> {
      otpp::kill(otpp::self());
      otpp::unlink(otpp::pid());
      co_await otpp::receive<otpp::down>(1s); // nothing comes
    };
    otpp::pid process = co_await otpp::spawn(body());
    otpp::exit_reason why = co_await process.join();
    CHECK(why == otpp::exit_reason::killed());
  });
}

TEST_CASE("nobody: requests", "[nobody]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    otpp::request_handle<int> request = otpp::send_request<counter::get>(server);
    CHECK(request);
    otpp::request_handle<int> moved = std::move(request);
    otpp::request_handle<int> none;
    for (otpp::request_handle<int>* one : {&none, &request}) {
      CHECK_FALSE(*one);
      CHECK_FALSE(one->is_open());
      CHECK_FALSE(one->poll());
      one->abandon();
      std::exception_ptr failure = co_await failure_of(one->wait());
      CHECK_THROWS_AS(std::rethrow_exception(failure), std::logic_error);
      failure = co_await failure_of(one->receive(1s));
      CHECK_THROWS_AS(std::rethrow_exception(failure), std::logic_error);
    }

    otpp::request_set<int, int> set;
    CHECK_THROWS_AS(set.add(1, std::move(none)), std::invalid_argument);
    otpp::request_set<int, int> other = std::move(set);
    CHECK(set.empty());
    std::exception_ptr failure = co_await failure_of(set.next());
    CHECK_THROWS_AS(std::rethrow_exception(failure), std::logic_error);
    otpp::request_set<int, int> gone = std::move(set);
    set.add(2, std::move(moved));
    CHECK(set.size() == 1);
    auto next = co_await set.next(1s);
    CHECK(next.label == 2);
    CHECK(next.answer.value() == 1);
    asio::thread_pool pool(1);
    counter_ref elsewhere = co_await start_on(pool);
    set.add(3, otpp::send_request<counter::get>(elsewhere));
    next = co_await set.next(5s);
    CHECK(next.answer.value() == 1);
    co_await server.stop();
    for (const counter_ref& over : {server, abandoned(1)}) {
      otpp::request_handle<int> refused = otpp::send_request<counter::get>(over);
      CHECK(refused);
      std::error_code code = co_await code_of(refused.receive(1s));
      CHECK(code == otpp::errc::no_process);
      set.add(4, otpp::send_request<counter::get>(over));
      next = co_await set.next(1s);
      CHECK(code_thrown_by([&] { next.answer.value(); }) == otpp::errc::no_process);
    }
  });
}

TEST_CASE("nobody: a caller that is made without anything, or moved from", "[nobody]") {
  static_assert(std::is_nothrow_default_constructible_v<otpp::caller<int>>);
  // Keeps whoever asks in a member that is set later, and answers when it is told to.
  struct patient {
    struct ask {
      using reply_type = int;
    };
    struct answer {
      int with;
      using reply_type = bool;
    };
    struct state {
      otpp::caller<int> waiting;
    };
    state init() { return {}; }
    otpp::outcome<int> handle_call(ask, otpp::caller<int> from, state& s) {
      s.waiting = std::move(from);
      CHECK_FALSE(from); // NOLINT: this is what is tested
      CHECK(s.waiting);
      return otpp::no_reply;
    }
    bool handle_call(answer m, state& s) {
      bool was_asked = s.waiting.reply(m.with);
      CHECK_FALSE(s.waiting);
      return was_asked;
    }
  };
  run([]() -> asio::awaitable<void> {
    otpp::caller<int> nobody;
    otpp::caller<int> moved = std::move(nobody);
    for (otpp::caller<int>* one : {&nobody, &moved}) {
      CHECK_FALSE(*one);
      CHECK_FALSE(one->is_waiting());
      CHECK_FALSE(one->reply(1));
      CHECK_FALSE(one->fail(std::runtime_error("boom")));
      co_await otpp::reply(std::move(*one), 1);
    }
    auto server = co_await otpp::start<patient>();
    bool was_asked = co_await otpp::call<patient::answer>(server, 1);
    CHECK_FALSE(was_asked);
    auto request = otpp::send_request<patient::ask>(server);
    was_asked = co_await otpp::call<patient::answer>(server, 5);
    CHECK(was_asked);
    int answer = co_await request.receive(1s);
    CHECK(answer == 5);
    co_await server.stop();
  });
}

TEST_CASE("nobody: a caller whose server has ended, or whose context is gone", "[nobody]") {
  struct giver {
    struct ask {
      using reply_type = int;
    };
    otpp::caller<int>* init(otpp::caller<int>* to) { return to; }
    otpp::outcome<int> handle_call(ask, otpp::caller<int> from, otpp::caller<int>*& to) {
      *to = std::move(from);
      return otpp::no_reply;
    }
  };
  otpp::caller<int> of_ended;
  otpp::caller<int> of_gone_server;
  otpp::caller<int> of_gone_caller;
  {
    asio::thread_pool pool(1);
    otpp::options there = otpp::options().on(pool.get_executor());
    auto elsewhere = otpp::start<giver>(there, &of_gone_server, asio::use_future).get();
    run([&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<giver>(&of_ended);
      auto request = otpp::send_request<giver::ask>(server);
      auto second = otpp::send_request<giver::ask>(elsewhere);
      co_await otpp::get_status(server);
      co_await otpp::get_status(elsewhere);
      CHECK(of_ended.is_waiting());
      CHECK(of_gone_server.is_waiting());
      co_await server.stop();
      std::error_code code = co_await code_of(request.receive(1s));
      CHECK(code == otpp::errc::exited);
    });
  }
  asio::thread_pool pool(1);
  otpp::options there = otpp::options().on(pool.get_executor());
  auto elsewhere = otpp::start<giver>(there, &of_gone_caller, asio::use_future).get();
  {
    asio::io_context callers;
    otpp::call<giver::ask>(elsewhere, asio::bind_executor(callers, [](std::exception_ptr, int) {}));
    otpp::get_status(elsewhere, asio::use_future).get();
    CHECK(of_gone_caller.is_waiting());
  }
  for (otpp::caller<int>* one : {&of_ended, &of_gone_server, &of_gone_caller}) {
    CHECK_FALSE(one->is_waiting());
    CHECK_FALSE(one->reply(1));
    CHECK_FALSE(one->fail(std::runtime_error("boom")));
  }
}

// ---- with Asio's own tokens, some of which want a default value beside an error ----

namespace {

asio::awaitable<counter_ref> start_my_counter(int first) {
  auto server = co_await otpp::start<counter>(first);
  co_return server;
}

struct refuses {
  int init() { throw std::runtime_error("no"); }
};

} // namespace

TEST_CASE("nobody: co_spawn starts a server, by itself or in a user's coroutine", "[nobody]") {
  asio::io_context context;
  std::future<counter_ref> first = asio::co_spawn(context, otpp::start<counter>(1), asio::use_future);
  std::future<counter_ref> second = asio::co_spawn(context, start_my_counter(2), asio::use_future);
  context.run();
  counter_ref one = first.get();
  counter_ref two = second.get();
  CHECK(one);
  CHECK(two);
  context.restart();
  std::future<int> count = otpp::call<counter::get>(two, asio::use_future);
  std::future<void> stopped = one.stop(asio::use_future);
  context.run();
  CHECK(count.get() == 2);
  stopped.get();
  CHECK(one.has_ended());
}

TEST_CASE("nobody: what a callback gets of a start that failed", "[nobody]") {
  asio::io_context context;
  std::optional<otpp::server_ref<refuses>> got;
  std::string text;
  asio::co_spawn(
      context, otpp::start<refuses>(), [&](std::exception_ptr error, otpp::server_ref<refuses> server) {
        text = text_of(std::move(error));
        got = std::move(server);
      });
  std::optional<otpp::server_ref<refuses>> got_at_once;
  otpp::start<refuses>(
      otpp::options().on(context.get_executor()),
      [&](std::exception_ptr, otpp::server_ref<refuses> server) { got_at_once = std::move(server); });
  context.run();
  CHECK(text == "no");
  REQUIRE(got.has_value());
  CHECK_FALSE(*got);
  REQUIRE(got_at_once.has_value());
  CHECK_FALSE(*got_at_once);
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/all.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"
#include "support/supervised.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// Executors that the library is given for later, and whose context has gone by then. AddressSanitizer sees whether they
// are used. In each test the library has the last copy of the executor: one of a strand must not outlive its context.

using namespace std::chrono_literals;
using report_kind = otpp::supervisor_report::kind;

namespace {

// Says "ignore" at its first start.
struct late_riser {
  otpp::init_result<int> init(std::shared_ptr<bool> was_started) {
    if (!std::exchange(*was_started, true)) {
      return otpp::ignore;
    }
    return 0;
  }
};

// A pool, and options that run a server there.
struct elsewhere {
  explicit elsewhere(bool on_strand) {
    asio::any_io_executor executor = pool->get_executor();
    how.on(on_strand ? asio::any_io_executor(asio::make_strand(executor)) : executor);
  }
  elsewhere(const elsewhere&) = delete;
  elsewhere& operator=(const elsewhere&) = delete;

  std::unique_ptr<asio::thread_pool> pool = std::make_unique<asio::thread_pool>(1);
  otpp::options how;
};

std::ptrdiff_t failed_starts(const supervisor_log& log) {
  const auto& texts = log.texts();
  return std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
    return text.find("was not started: otpp: start in a context that has been destroyed") !=
           std::string::npos;
  });
}

} // namespace

TEST_CASE("kept executors: options can be kept longer than their context", "[kept]") {
  bool on_strand = GENERATE(false, true);
  elsewhere place(on_strand);
  otpp::options copy = place.how;
  CHECK(copy.executor());
  otpp::server_ref<counter> one = otpp::start<counter>(copy, 1, asio::use_future).get();
  place.pool.reset();
  CHECK(one.has_ended());
  CHECK_FALSE(copy.executor());
  run([&]() -> asio::awaitable<void> {
    std::error_code code = co_await code_of(otpp::start<counter>(copy, 1));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::start<counter>(place.how, 1));
    CHECK(code == otpp::errc::no_process);
  });
  std::future<otpp::server_ref<counter>> two = otpp::start<counter>(copy, 1, asio::use_future);
  std::promise<std::exception_ptr> told;
  otpp::start<counter>(copy, 1, [&](std::exception_ptr error, otpp::server_ref<counter>) {
    told.set_value(std::move(error));
  });
  CHECK_THROWS_AS(two.get(), otpp::error);
  CHECK_THROWS_AS(std::rethrow_exception(told.get_future().get()), otpp::error);
}

TEST_CASE("kept executors: options of one context never mean its successor at the same address", "[kept]") {
  alignas(asio::thread_pool) std::byte memory[sizeof(asio::thread_pool)];
  auto* first = new (memory) asio::thread_pool(1);
  otpp::options how = otpp::options().on(first->get_executor());
  first->~thread_pool();
  auto* second = new (memory) asio::thread_pool(1);
  run([&]() -> asio::awaitable<void> {
    std::error_code code = co_await code_of(otpp::start<counter>(how, 1));
    CHECK(code == otpp::errc::no_process);
  });
  second->~thread_pool();
}

TEST_CASE("kept executors: a supervisor whose child's context has gone gives up", "[kept]") {
  bool on_strand = GENERATE(false, true);
  otpp::strategy strategy = GENERATE(otpp::one_for_one, otpp::one_for_all);
  otpp::restart_type when = GENERATE(otpp::permanent, otpp::transient);
  supervisor_log log;
  run([&]() -> asio::awaitable<void> {
    elsewhere place(on_strand);
    otpp::supervisor_spec spec(strategy);
    spec.intensity(3, 1h);
    spec.add(otpp::child<counter>("child", 1).start_options(std::exchange(place.how, {})).restart(when));
    auto top = co_await otpp::start<otpp::supervisor>(std::move(spec));
    place.pool.reset();
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
  });
  CHECK(failed_starts(log) == 3);
  CHECK(log.has(report_kind::gave_up));
}

TEST_CASE("kept executors: a supervisor without restarts goes on when a child's context has gone", "[kept]") {
  supervisor_log log;
  run([&]() -> asio::awaitable<void> {
    elsewhere place(true);
    otpp::supervisor_spec spec;
    spec.add(otpp::child<counter>("here", 1));
    spec.add(otpp::child<counter>("there", 1)
                 .start_options(std::exchange(place.how, {}))
                 .restart(otpp::temporary));
    auto top = co_await otpp::start<otpp::supervisor>(std::move(spec));
    auto was_started = std::make_shared<bool>(false);
    otpp::child_spec late = otpp::child<late_riser>("late", was_started).on(place.pool->get_executor());
    otpp::pid nobody = co_await otpp::start_child(top, late);
    CHECK_FALSE(nobody);
    place.pool.reset();
    std::error_code code = co_await code_of(otpp::restart_child(top, "late"));
    CHECK(code == otpp::errc::no_process);
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    REQUIRE(children.size() == 2);
    CHECK(children[0].who);
    CHECK_FALSE(children[1].who);
    co_await top.stop();
  });
  CHECK(failed_starts(log) == 1);
}

TEST_CASE("kept executors: a dynamic supervisor whose child's context has gone gives up", "[kept]") {
  bool on_strand = GENERATE(false, true);
  supervisor_log log;
  run([&]() -> asio::awaitable<void> {
    elsewhere place(on_strand);
    auto top = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().intensity(2, 1h));
    otpp::pid here = co_await otpp::start_child(top, otpp::child<counter>("here", 1));
    otpp::child_spec spec = otpp::child<counter>("there", 1).start_options(std::exchange(place.how, {}));
    co_await otpp::start_child(top, std::move(spec));
    place.pool.reset();
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK(here.has_ended());
  });
  CHECK(failed_starts(log) == 2);
  CHECK(log.has(report_kind::gave_up));
}

TEST_CASE(
    "kept executors: a child for a context that has gone is refused, and the supervisor goes on", "[kept]") {
  supervisor_log log;
  run([&]() -> asio::awaitable<void> {
    elsewhere place(true);
    otpp::child_spec spec = otpp::child<counter>("there", 1).start_options(std::exchange(place.how, {}));
    place.pool.reset();
    auto top = co_await otpp::start<otpp::supervisor>(otpp::supervisor_spec());
    auto pool = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec());
    std::error_code code = co_await code_of(otpp::start_child(top, spec));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::start_child(pool, spec));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::start<otpp::supervisor>(otpp::supervisor_spec().add(spec)));
    CHECK(code == otpp::errc::exited);
    co_await top.stop();
    co_await pool.stop();
  });
  CHECK(failed_starts(log) == 3);
}

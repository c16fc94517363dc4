// SPDX-License-Identifier: BSL-1.0

#include <otpp/pool/pool.hpp> // the header under test comes first

#include <otpp/otpp.hpp>
#include <otpp/pool.hpp>
#include <otpp/process.hpp>
#include <otpp/request.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// A worker that knows how many were started before it.
struct pooled {
  struct who {
    using reply_type = int;
  };
  struct work { // answers when it happens
    event until;
    using reply_type = int;
  };
  struct keep { // answers when the test does
    kept_caller where;
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  struct note {
    event done;
  };

  int init(std::shared_ptr<int> started) { return ++*started; }
  int handle_call(who, int& me) { return me; }
  asio::awaitable<int> handle_call(work m, int& me) {
    co_await m.until.wait();
    co_return me;
  }
  void handle_call(keep m, otpp::caller<int> from, int&) { m.where->emplace(std::move(from)); }
  int handle_call(crash, int&) { throw boom(); }
  asio::awaitable<void> handle_cast(note m, int&) { co_await m.done.wait(); }
};

std::shared_ptr<int> nobody_yet() { return std::make_shared<int>(0); }

struct pool_quiet {
  otpp::subscription crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  otpp::subscription reports =
      otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
};

// Has a call ended as one may whose worker fails?
template <class Message>
asio::awaitable<bool> ask_pool(otpp::pool<pooled> workers) {
  std::error_code why = co_await code_of(otpp::call_for<Message>(workers, otpp::infinite));
  co_return !why || why == otpp::errc::exited || why == otpp::errc::no_process;
}

} // namespace

TEST_CASE("pool: one after the other, the least busy, or by key", "[pool]") {
  run([]() -> asio::awaitable<void> {
    auto turns = co_await otpp::start_pool<pooled>(otpp::pool_options(3), nobody_yet());
    std::vector<int> seen;
    for (int n = 0; n != 6; ++n) {
      int me = co_await otpp::call<pooled::who>(turns);
      seen.push_back(me);
    }
    CHECK(seen == std::vector<int>{1, 2, 3, 1, 2, 3});
    co_await turns.stop();
    std::error_code gone = co_await code_of(otpp::call<pooled::who>(turns));
    CHECK(gone == otpp::errc::no_process);

    auto busy = co_await otpp::start_pool<pooled>(otpp::pool_options(3, otpp::least_busy), nobody_yet());
    event go_on;
    pending<int> first;
    pending<int> second;
    otpp::call<pooled::work>(busy, go_on, first.token());
    otpp::call<pooled::work>(busy, go_on, second.token());
    for (int n = 0; n != 3; ++n) {
      int me = co_await otpp::call<pooled::who>(busy); // only the third has nothing to do
      CHECK(me == 3);
    }
    std::set<int> of_keys;
    go_on.happen();
    for (std::string key : {"ann", "bob", "cid", "dan", "eve", "fay"}) {
      int me = co_await otpp::call<pooled::who>(busy.at(key));
      int again = co_await otpp::call<pooled::who>(busy.at(key));
      CHECK(me == again);
      of_keys.insert(me);
    }
    CHECK(of_keys.size() == 3);
    int one = co_await first.get();
    int two = co_await second.get();
    CHECK(one + two == 3);
    bool is_taken = otpp::try_cast<pooled::note>(busy, go_on);
    CHECK(is_taken);
    co_await otpp::stop(busy);
    CHECK(busy.supervisor().has_ended());
  });
}

TEST_CASE("pool: a key has its place, and few keys move when the size changes", "[pool]") {
  std::size_t moved = 0;
  std::vector<int> per_bucket(5);
  for (std::uint64_t key = 0; key != 1000; ++key) {
    std::size_t before = otpp::detail::bucket_of(key, 4);
    std::size_t after = otpp::detail::bucket_of(key, 5);
    CHECK(before < 4);
    bool stays = before == after;
    CHECK((stays || after == 4)); // to the new one
    moved += stays ? 0 : 1;
    ++per_bucket[after];
  }
  CHECK(moved > 150);
  CHECK(moved < 250);
  for (int number : per_bucket) {
    CHECK(number > 150);
  }
  CHECK(otpp::detail::bucket_of(7, 1) == 0);
  CHECK_THROWS_AS(otpp::pool_options(0), std::invalid_argument);
}

TEST_CASE("pool: so many calls in flight, and no more", "[pool]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      auto how = otpp::pool_options(2, otpp::least_busy).in_flight(1);
      auto workers = co_await otpp::start_pool<pooled>(how, nobody_yet());
      std::vector<std::string> failures;
      otpp::subscription heard = otpp::subscribe<otpp::failed_call>(
          [&](const otpp::failed_call& failed) { failures.push_back(failed.text()); });
      kept_caller first = keep_caller();
      kept_caller second = keep_caller();
      pending<int> one_call;
      otpp::call_for<pooled::keep>(workers, otpp::infinite, first, one_call.token());
      {
        auto request = otpp::send_request<pooled::keep>(workers, second);
        std::error_code full = co_await code_of(otpp::call<pooled::who>(workers));
        CHECK(full == otpp::errc::mailbox_full);
        CHECK(failures.size() == 1);
        std::error_code at_key = co_await code_of(otpp::call<pooled::who>(workers.at(1)));
        CHECK(at_key == otpp::errc::mailbox_full);
        (*second)->reply(2);
        int answer = co_await request.wait();
        CHECK(answer == 2);
        int me = co_await otpp::call<pooled::who>(workers); // though the handle is still there
        CHECK(me == 2);
      }
      std::error_code late = co_await code_of(otpp::call_for<pooled::keep>(workers, 1s, second));
      CHECK(late == otpp::errc::timeout);
      std::error_code still = co_await code_of(otpp::call<pooled::who>(workers)); // it is not dealt with
      CHECK(still == otpp::errc::mailbox_full);
      (*second)->reply(3);
      (*first)->reply(4);
      int answer = co_await one_call.get();
      CHECK(answer == 4);
      for (int n = 0; n != 4; ++n) {
        int me = co_await otpp::call<pooled::who>(workers);
        CHECK(me > 0);
      }
      co_await workers.stop();
    });
    one.run();
  });
}

TEST_CASE("pool: a worker that fails tells its callers, and is replaced in its place", "[pool]") {
  pool_quiet quiet;
  run([]() -> asio::awaitable<void> {
    auto how = otpp::pool_options(2).intensity(5, 1s).in_flight(3);
    auto workers = co_await otpp::start_pool<pooled>(how, nobody_yet());
    pending<int> queued;
    pending<int> crashing;
    otpp::call<pooled::crash>(workers.at(1), crashing.token());
    otpp::call<pooled::who>(workers.at(1), queued.token());
    std::error_code why = co_await crashing.code();
    CHECK(why == otpp::errc::exited);
    std::error_code other = co_await queued.code();
    CHECK(other == otpp::errc::exited);
    for (int n = 0; n != 4; ++n) {
      int me = co_await otpp::call<pooled::who>(workers); // the other one, until there is a new one
      CHECK(me > 0);
    }
    int replaced = co_await otpp::call<pooled::who>(workers.at(1));
    CHECK(replaced == 3);
    auto counts = co_await otpp::count_children(workers.supervisor());
    CHECK(counts.active == 2);
    co_await workers.stop();
  });
}

TEST_CASE("pool: it grows and shrinks while it runs, and nothing accepted is lost", "[pool]") {
  run([]() -> asio::awaitable<void> {
    auto workers = co_await otpp::start_pool<pooled>(otpp::pool_options(1), nobody_yet());
    co_await workers.resize(3);
    CHECK(workers.size() == 3);
    std::set<int> seen;
    for (int n = 0; n != 3; ++n) {
      int me = co_await otpp::call<pooled::who>(workers);
      seen.insert(me);
    }
    CHECK(seen == std::set<int>{1, 2, 3});
    event go_on;
    std::vector<otpp::request_handle<int>> asked;
    for (int n = 0; n != 6; ++n) {
      asked.push_back(otpp::send_request<pooled::work>(workers, go_on));
    }
    auto executor = co_await asio::this_coro::executor;
    auto shrinking = in_background(executor, workers.resize(1));
    while (workers.size() != 1) {
      co_await asio::post(executor, asio::use_awaitable);
    }
    std::error_code busy = co_await code_of(workers.resize(2));
    CHECK(busy == otpp::errc::running);
    go_on.happen();
    for (auto& one : asked) {
      int answer = co_await one.receive();
      CHECK(answer > 0);
    }
    co_await shrinking.get();
    for (int n = 0; n != 3; ++n) {
      int me = co_await otpp::call<pooled::who>(workers);
      CHECK(me == 1);
    }
    co_await workers.drain(1s);
  });
}

TEST_CASE("pool: it is one child of a supervisor, which restarts it whole", "[pool]") {
  pool_quiet quiet;
  run([]() -> asio::awaitable<void> {
    auto started = nobody_yet();
    otpp::pool<pooled> workers(otpp::pool_options(2).intensity(0, 1s));
    CHECK_FALSE(workers.supervisor());
    std::error_code early = co_await code_of(otpp::call<pooled::who>(workers));
    CHECK(early == otpp::errc::no_process);
    auto spec = otpp::supervisor_spec().add(workers.child("workers", started));
    CHECK_THROWS_AS(workers.child("workers", started), std::logic_error);
    auto top = co_await otpp::start_supervisor(spec);
    co_await workers.resize(3);
    otpp::pid before = workers.supervisor();
    std::error_code crashed = co_await code_of(otpp::call<pooled::crash>(workers));
    CHECK(crashed == otpp::errc::exited);
    co_await before.join();
    while (workers.supervisor() == before || workers.supervisor().has_ended()) {
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
    co_await otpp::count_children(workers.supervisor());
    CHECK(workers.size() == 2);
    int me = co_await otpp::call<pooled::who>(workers);
    CHECK(me > 3);
    co_await top.stop();
    CHECK(workers.supervisor().has_ended());
  });
}

TEST_CASE("pool: workers on threads of their own are chosen from any thread", "[pool]") {
  asio::thread_pool threads(2);
  run([&]() -> asio::awaitable<void> {
    auto how = otpp::pool_options(2, otpp::least_busy)
                   .in_flight(1)
                   .start_options(otpp::options().on(threads.get_executor()));
    auto workers = co_await otpp::start_pool<pooled>(how, nobody_yet());
    for (int n = 0; n != 200; ++n) { // an answer frees its place before its caller goes on
      int me = co_await otpp::call<pooled::who>(workers.at(1));
      CHECK(me > 0);
    }
    co_await workers.stop();
  });
  threads.join();
}

TEST_CASE("pool: in every order each call ends once, and frees its place", "[pool]") {
  pool_quiet quiet;
  explore(orders::all(1), [](world& one) {
    auto workers = std::make_shared<otpp::pool<pooled>>(otpp::pool_options(2).in_flight(1).intensity(9, 1s));
    auto ended = std::make_shared<int>(0);
    one.spawn("owner", [workers, ended]() -> asio::awaitable<void> {
      co_await otpp::start_supervisor(workers->spec(nobody_yet()));
      auto executor = co_await asio::this_coro::executor;
      auto crashing = in_background(executor, ask_pool<pooled::crash>(*workers));
      auto asking = in_background(executor, ask_pool<pooled::who>(*workers));
      bool is_told = co_await crashing.get();
      bool is_answered = co_await asking.get();
      *ended += (is_told ? 1 : 0) + (is_answered ? 1 : 0);
      co_await otpp::count_children(workers->supervisor());
      for (int n = 0; n != 2; ++n) {
        int me = co_await otpp::call_for<pooled::who>(*workers, otpp::infinite);
        *ended += me > 0 ? 1 : 0;
      }
      co_await workers->stop();
    });
    one.run();
    one.check(*ended == 4, "a call has ended otherwise");
  });
}

TEST_CASE("pool: an error frees the place, and so does an answer that comes too late", "[pool]") {
  run([]() -> asio::awaitable<void> {
    auto workers = co_await otpp::start_pool<pooled>(otpp::pool_options(1).in_flight(1), nobody_yet());
    kept_caller kept = keep_caller();
    auto refused = otpp::send_request<pooled::keep>(workers, kept);
    std::error_code full = co_await code_of(otpp::call<pooled::who>(workers));
    CHECK(full == otpp::errc::mailbox_full);
    co_await until([&] { return kept->has_value(); });
    (*kept)->fail(std::system_error(std::make_error_code(std::errc::timed_out)));
    std::error_code why = co_await code_of(refused.wait());
    CHECK(why == std::errc::timed_out);
    int number = co_await otpp::call<pooled::who>(workers); // though the handle is still there
    CHECK(number == 1);
    kept->reset();
    pooled::keep question{kept};
    auto late = otpp::send_request(workers, question, 1ms);
    std::error_code patience = co_await code_of(late.wait());
    CHECK(patience == otpp::errc::timeout);
    std::error_code still = co_await code_of(otpp::call<pooled::who>(workers));
    CHECK(still == otpp::errc::mailbox_full);
    (*kept)->reply(1);
    int again = co_await otpp::call<pooled::who>(workers); // likewise
    CHECK(again == 1);
    co_await workers.stop();
  });
}

TEST_CASE("pool: a worker that drains gets nothing while another is left", "[pool]") {
  run([]() -> asio::awaitable<void> {
    auto workers = co_await otpp::start_pool<pooled>(otpp::pool_options(2), nobody_yet());
    event go_on;
    std::vector<otpp::request_handle<int>> asked;
    asked.push_back(otpp::send_request<pooled::work>(workers, go_on));
    asked.push_back(otpp::send_request<pooled::work>(workers, go_on));
    pending<> drained;
    workers.drain(5s, drained.token());
    co_await some_steps();
    for (int n = 0; n != 3; ++n) { // the second is draining
      asked.push_back(otpp::send_request<pooled::who>(workers));
    }
    go_on.happen();
    for (auto& one : asked) {
      int answer = co_await one.receive();
      CHECK(answer > 0);
    }
    co_await drained.get();
  });
}

TEST_CASE("pool: a key has its place before all have started", "[pool]") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<pooled>(nobody_yet());
    otpp::detail::pool_table table(otpp::round_robin, 2, 1);
    table.put(0, first, first);
    for (std::uint64_t key = 0; key != 10; ++key) {
      bool is_there = static_cast<bool>(table.choose_for(key, nullptr));
      CHECK(is_there == (otpp::detail::bucket_of(key, 2) == 0));
    }
    co_await first.stop();
  });
}

TEST_CASE("pool: what a resize that was cancelled has left is replaced by the next", "[pool]") {
  run([]() -> asio::awaitable<void> {
    auto workers = co_await otpp::start_pool<pooled>(otpp::pool_options(1), nobody_yet());
    co_await otpp::start_child(workers.supervisor(), otpp::child<pooled>("worker 1", nobody_yet()));
    co_await workers.resize(2);
    std::set<int> seen;
    for (int n = 0; n != 2; ++n) {
      int me = co_await otpp::call<pooled::who>(workers);
      seen.insert(me);
    }
    CHECK(seen == std::set<int>{1, 2});
    co_await workers.stop();
  });
}

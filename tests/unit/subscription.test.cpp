// SPDX-License-Identifier: BSL-1.0

#include <otpp/subscription.hpp>

#include <otpp/crash_report.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/mailbox_report.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace {

using crashes = otpp::detail::topic<otpp::crash_report>;

void crash() { crashes::tell(otpp::crash_report(otpp::exit_reason::killed())); }

otpp::subscription note(std::string& said, char name) {
  return otpp::subscribe<otpp::crash_report>([&said, name](const otpp::crash_report&) { said += name; });
}

} // namespace

TEST_CASE("subscription: all who have subscribed hear of a report, in their order", "[subscription]") {
  std::string said;
  otpp::subscription a = note(said, 'a');
  otpp::subscription b = note(said, 'b');
  crash();
  CHECK(said == "ab");
  a.end();
  CHECK_FALSE(a);
  crash();
  CHECK(said == "abb");
  a = note(said, 'c');
  crash();
  CHECK(said == "abbbc");
}

TEST_CASE("subscription: it ends with its handle", "[subscription]") {
  std::string said;
  CHECK_FALSE(crashes::is_heard());
  {
    otpp::subscription first = note(said, 'a');
    otpp::subscription moved = std::move(first);
    CHECK_FALSE(first);
    CHECK(moved);
    CHECK(crashes::is_heard());
    crash();
    CHECK(said == "a");
    moved = note(said, 'b'); // the old one ends
    crash();
    CHECK(said == "ab");
    first = std::move(moved);
    crash();
    CHECK(said == "abb");
  }
  CHECK_FALSE(crashes::is_heard());
  captured_stderr written;
  crash();
  CHECK(said == "abb");
  CHECK(written.text().find("killed") != std::string::npos); // nobody listens: one line
}

TEST_CASE("subscription: each hears of its own type only", "[subscription]") {
  int crashed = 0;
  int grown = 0;
  otpp::subscription one = otpp::subscribe<otpp::crash_report>([&](const auto&) { ++crashed; });
  otpp::subscription other = otpp::subscribe<otpp::mailbox_report>([&](const auto&) { ++grown; });
  crash();
  CHECK(crashed == 1);
  CHECK(grown == 0);
}

TEST_CASE("subscription: one that throws keeps nobody from hearing", "[subscription]") {
  std::string said;
  otpp::subscription first = otpp::subscribe<otpp::crash_report>(
      [](const otpp::crash_report&) { throw std::runtime_error("a subscriber's own"); });
  otpp::subscription second = note(said, 'b');
  crash();
  CHECK(said == "b");
}

TEST_CASE("subscription: a subscriber may subscribe, and end itself and others", "[subscription]") {
  std::string said;
  otpp::subscription second;
  otpp::subscription late;
  otpp::subscription first;
  first = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report&) {
    said += 'a';
    second.end();
    late = note(said, 'c');
    first.end();
    said += '.'; // what it refers to is still there
  });
  second = note(said, 'b');
  crash();
  CHECK(said == "a.c");
  crash();
  CHECK(said == "a.cc");
}

TEST_CASE("subscription: reports that a subscriber causes are heard", "[subscription]") {
  std::string said;
  otpp::subscription nested = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report&) {
    said += '(';
    if (said.size() < 3) {
      crash();
    }
    if (said.size() == 3) {
      nested.end(); // in three calls of its own at a time
    }
    said += ')';
  });
  crash();
  CHECK(said == "((()))");
  CHECK_FALSE(crashes::is_heard());
}

TEST_CASE("subscription: its end waits until no other thread is in the function", "[subscription]") {
  std::promise<void> entered;
  std::promise<void> may_return;
  std::atomic<bool> has_returned{false};
  otpp::subscription slow = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report&) {
    entered.set_value();
    may_return.get_future().wait();
    has_returned = true;
  });
  std::thread teller(crash);
  entered.get_future().wait();
  std::future<bool> ended = std::async(std::launch::async, [&] {
    slow.end();
    return has_returned.load();
  });
  CHECK(ended.wait_for(20ms) == std::future_status::timeout);
  may_return.set_value();
  CHECK(ended.get());
  teller.join();
}

TEST_CASE("subscription: threads tell, subscribe and end at the same time", "[subscription]") {
  std::atomic<bool> is_over{false};
  std::atomic<int> heard{0};
  otpp::subscription quiet = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report&) { ++heard; });
  std::thread teller([&] {
    while (!is_over) {
      crash();
    }
  });
  for (int round = 0; round != 500; ++round) {
    auto count = std::make_unique<std::atomic<int>>(0);
    otpp::subscription one =
        otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report&) { ++*count; });
    std::this_thread::yield();
    one.end();
    count.reset(); // nobody refers to it any more
  }
  while (heard == 0) {
    std::this_thread::yield();
  }
  is_over = true;
  teller.join();
}

TEST_CASE("subscription: what its function holds goes with it") {
  auto held = std::make_shared<int>(0);
  otpp::subscription listening = otpp::subscribe<otpp::crash_report>([held](const otpp::crash_report&) {});
  CHECK(held.use_count() == 2);
  listening.end();
  CHECK(held.use_count() == 1);
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/outbound_calls.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using otpp::detail::outbound_call;
using otpp::detail::outbound_calls;
using otpp::detail::ref_view;

namespace {
namespace calling_out {

// What became of a call.
struct fate {
  bool is_waiting = true;
  bool wants_answer = true;
  std::atomic<int> lost{0};
  std::string ended;
};

class told_call final : public outbound_call {
 public:
  explicit told_call(fate& of) : outbound_call("{x,'a@b'}"), of_(of) {}
  bool is_waiting() const noexcept override { return of_.is_waiting; }
  bool wants_answer() const noexcept override { return of_.wants_answer; }
  void answer(otpp::detail::term_reader) noexcept override {}
  void ended(std::string_view reason) noexcept override { of_.ended = std::string(reason); }
  void fail(std::exception_ptr why) noexcept override {
    try {
      std::rethrow_exception(why);
    } catch (const otpp::error& error) {
      of_.lost += error.code() == otpp::errc::no_connection ? 1 : 100;
    } catch (...) {
      of_.lost += 100;
    }
  }

 private:
  std::string_view message() const noexcept override { return "m"; }
  fate& of_;
};

ref_view reference(std::uint32_t number) {
  ref_view one;
  one.creation = 7;
  one.count = 3;
  one.words = {number, 0, 0, 0, 0};
  return one;
}

outbound_calls::entry call_of(fate& of, std::uint64_t target = 0) {
  outbound_calls::entry one;
  one.call = std::make_unique<told_call>(of);
  one.name = "x";
  one.asking = 9;
  one.target = target;
  return one;
}

} // namespace calling_out
} // namespace

TEST_CASE("outbound_calls: each is taken once, by its answer or its end", "[dist]") {
  outbound_calls calls;
  calling_out::fate first;
  calling_out::fate second;
  auto one = calling_out::call_of(first);
  auto two = calling_out::call_of(second);
  CHECK(calls.add(calling_out::reference(1), one));
  CHECK_FALSE(one.call); // it was taken
  CHECK(calls.add(calling_out::reference(2), two));
  CHECK_FALSE(calls.take_answered(calling_out::reference(3)).call);
  outbound_calls::entry taken = calls.take_answered(calling_out::reference(1));
  CHECK(taken.call);
  CHECK(taken.name == "x");
  CHECK(taken.asking == 9);
  CHECK_FALSE(calls.take_answered(calling_out::reference(1)).call);
  CHECK_FALSE(calls.take_ended(calling_out::reference(1)).call);
  CHECK(calls.take_ended(calling_out::reference(2)).call);
  CHECK_FALSE(calls.take_ended(calling_out::reference(2)).call);
  calls.close();
  CHECK(first.lost == 0);
  CHECK(second.lost == 0);
}

TEST_CASE("outbound_calls: one that waits for an end takes no answer", "[dist]") {
  outbound_calls calls;
  calling_out::fate stop;
  stop.wants_answer = false;
  auto one = calling_out::call_of(stop);
  calls.add(calling_out::reference(1), one);
  CHECK_FALSE(calls.take_answered(calling_out::reference(1)).call);
  CHECK(calls.take_ended(calling_out::reference(1)).call);
}

TEST_CASE("outbound_calls: those for whose answer nobody waits are taken out", "[dist]") {
  outbound_calls calls;
  std::vector<std::unique_ptr<calling_out::fate>> fates;
  for (std::uint32_t n = 0; n != 10; ++n) {
    fates.push_back(std::make_unique<calling_out::fate>());
    auto one = calling_out::call_of(*fates.back());
    calls.add(calling_out::reference(n), one);
  }
  CHECK(calls.take_forgotten().empty());
  fates[3]->is_waiting = false;
  fates[7]->is_waiting = false;
  auto forgotten = calls.take_forgotten();
  REQUIRE(forgotten.size() == 2);
  CHECK(forgotten[0].first.words[0] + forgotten[1].first.words[0] == 10);
  CHECK(forgotten[0].first.creation == 7);
  CHECK(calls.take_forgotten().empty());
  CHECK_FALSE(calls.take_answered(calling_out::reference(3)).call); // its answer is dropped
  calls.close();
  CHECK(fates[3]->lost == 0);
  CHECK(fates[4]->lost == 1);
}

TEST_CASE("outbound_calls: the connection is lost, and each is told once", "[dist]") {
  outbound_calls calls;
  calling_out::fate before;
  calling_out::fate after;
  auto one = calling_out::call_of(before);
  auto two = calling_out::call_of(after);
  calls.add(calling_out::reference(1), one);
  calls.close();
  CHECK(before.lost == 1);
  CHECK_FALSE(calls.add(calling_out::reference(2), two));
  CHECK(two.call); // it takes nothing
  calls.close();
  CHECK(before.lost == 1);
  CHECK(after.lost == 0);
  CHECK_FALSE(calls.take_answered(calling_out::reference(1)).call);
}

TEST_CASE("outbound_calls: the calls to a process that has ended are told its reason", "[dist]") {
  outbound_calls calls;
  calling_out::fate here[3];
  for (std::uint32_t n = 0; n != 3; ++n) {
    auto one = calling_out::call_of(here[n], n == 1 ? 5 : 4);
    calls.add(calling_out::reference(n), one);
  }
  calls.end_those_to(4, "reason");
  CHECK(here[0].ended == "reason");
  CHECK(here[1].ended.empty());
  CHECK(here[2].ended == "reason");
  CHECK(calls.take_answered(calling_out::reference(1)).call);
  CHECK_FALSE(calls.take_answered(calling_out::reference(0)).call);
}

TEST_CASE("outbound_calls: other threads add while it is closed, and none is left", "[dist]") {
  for (int round = 0; round != 50; ++round) {
    outbound_calls calls;
    std::vector<std::unique_ptr<calling_out::fate>> fates(200);
    std::atomic<int> refused{0};
    std::thread adding([&] {
      for (std::uint32_t n = 0; n != fates.size(); ++n) {
        fates[n] = std::make_unique<calling_out::fate>();
        auto one = calling_out::call_of(*fates[n]);
        if (!calls.add(calling_out::reference(n), one)) {
          ++refused;
        }
      }
    });
    calls.close();
    adding.join();
    int lost = 0;
    for (const auto& each : fates) {
      lost += each->lost;
    }
    CHECK(lost + refused == 200);
  }
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/history.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>

using namespace std::chrono_literals;
using otpp::detail::history;
using otpp::detail::process_histories;

namespace {

constexpr history::time_point first_moment{1h};

} // namespace

TEST_CASE("observer history: ten minutes are kept", "[observer]") {
  history kept;
  for (int second = 0; second != 1000; ++second) {
    kept.add({static_cast<float>(second), 0, 0, 0}, first_moment + second * 1s);
  }
  CHECK(kept.points().size() == 600);
  CHECK(kept.points()[0].messages == 400);
  CHECK(kept.points().back().messages == 999);
  CHECK(kept.end() == first_moment + 999s);
}

TEST_CASE("observer history: what nobody has looked at is not known", "[observer]") {
  history kept;
  kept.add({1, 0, 0, 0}, first_moment);
  kept.add({2, 0, 0, 0}, first_moment + 1s + 20ms);
  kept.add({3, 0, 0, 0}, first_moment + 4s);
  REQUIRE(kept.points().size() == 5); // one for each second
  CHECK(kept.points()[1].messages == 2);
  CHECK(std::isnan(kept.points()[2].messages));
  CHECK(std::isnan(kept.points()[3].messages));
  CHECK(kept.points()[4].messages == 3);
  kept.add({4, 0, 0, 0}, first_moment + 24h);
  CHECK(kept.points().size() == 600);
  CHECK(std::isnan(kept.points()[598].messages));
}

TEST_CASE("observer history: of processes only so many, and those that were wanted last", "[observer]") {
  process_histories kept;
  kept.want(1000, first_moment + 1min); // somebody looks at it
  for (std::uint64_t id = 1; id != 200; ++id) {
    kept.want(id, first_moment + static_cast<int>(id) * 1ms);
  }
  CHECK(kept.size() == process_histories::most);
  CHECK(kept.find(1000));
  CHECK(kept.find(199));
  CHECK_FALSE(kept.find(1));
  kept.want(1, first_moment); // longer ago than all others
  CHECK_FALSE(kept.find(1));
}

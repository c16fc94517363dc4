// SPDX-License-Identifier: BSL-1.0

#include "nap.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include "support/dice.hpp"

namespace lifetimes {

namespace {

std::atomic<std::uint64_t> next_seed{1};
std::atomic<std::int64_t> contexts{0};
std::atomic<int> planted{0};

} // namespace

void nap() noexcept {
  static thread_local dice mine(next_seed.fetch_add(1, std::memory_order_relaxed));
  std::uint32_t roll = mine.roll();
  if (roll % 64 != 0) {
    return;
  }
  roll /= 64;
  if (roll % 16 != 0) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(20 + roll / 16 % 180));
  }
}

void seed_naps(std::uint64_t seed) noexcept { next_seed = seed * 1'000'003; }

counted_context::counted_context() noexcept { contexts.fetch_add(1, std::memory_order_relaxed); }
counted_context::~counted_context() { contexts.fetch_sub(1, std::memory_order_relaxed); }
std::int64_t counted_context::alive() noexcept { return contexts.load(); }

bool is_planted(int fault) noexcept { return planted.load(std::memory_order_relaxed) == fault; }
void plant(int fault) noexcept { planted = fault; }

} // namespace lifetimes

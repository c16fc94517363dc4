// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <cstdint>

// Small, and the same on every platform; from a seed.
class dice {
 public:
  explicit dice(std::uint64_t seed) noexcept : state_(seed * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u) {}

  std::uint32_t roll() noexcept { // splitmix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<std::uint32_t>(z >> 32);
  }
  std::uint32_t below(std::size_t n) noexcept { return roll() % static_cast<std::uint32_t>(n); }

 private:
  std::uint64_t state_;
};

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstdint>

// What the copy of the library's headers calls that nap.cmake makes; light, as it is included by all of them.

namespace lifetimes {

// Stands where threads race: mostly does nothing, sometimes lets another thread go first, and rarely sleeps
// for longer than the other side needs for all that it does. So windows of a few instructions are met.
void nap() noexcept;

// The numbers of each thread follow from the seed, and from the order in which threads came here first.
void seed_naps(std::uint64_t seed) noexcept;

// A member of each context_state, to see that every one is freed.
class counted_context {
 public:
  counted_context() noexcept;
  counted_context(const counted_context&) = delete;
  counted_context& operator=(const counted_context&) = delete;
  ~counted_context();
  static std::int64_t alive() noexcept;
};

// A mistake that the program must find (nap.cmake); 0 is none.
bool is_planted(int fault) noexcept;
void plant(int fault) noexcept;

} // namespace lifetimes

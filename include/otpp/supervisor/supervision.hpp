// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#pragma GCC visibility push(default)

namespace otpp {

/// When a supervisor restarts a child that has ended by itself.
enum class restart_type : std::uint8_t {
  permanent, ///< Always.
  transient, ///< Unless it ended with `normal` or `shutdown`, with a detail or without.
  temporary, ///< Never; its specification is dropped.
};

/// `restart_type::permanent`.
inline constexpr restart_type permanent = restart_type::permanent;
/// `restart_type::transient`.
inline constexpr restart_type transient = restart_type::transient;
/// `restart_type::temporary`.
inline constexpr restart_type temporary = restart_type::temporary;

/// Which children a supervisor restarts when one of them fails.
enum class strategy : std::uint8_t {
  one_for_one,  ///< The child that failed.
  one_for_all,  ///< All: the others are shut down first.
  rest_for_one, ///< The child that failed, and those that were started after it.
};

/// `strategy::one_for_one`.
inline constexpr strategy one_for_one = strategy::one_for_one;
/// `strategy::one_for_all`.
inline constexpr strategy one_for_all = strategy::one_for_all;
/// `strategy::rest_for_one`.
inline constexpr strategy rest_for_one = strategy::rest_for_one;

/// What a supervisor says of one of its children (`process_info::child`).
struct child_place {
  std::string id;             ///< In the supervisor's specification.
  std::uint64_t position = 0; ///< The supervisor's children, in the order of this number, are in start order.
  restart_type restart{};     ///< When it is restarted.
  std::uint64_t restarts = 0; ///< How often it has been, each time as a new process.
};

/// How a supervisor supervises (`process_info::supervises`).
struct supervision {
  strategy how{};            ///< Whom it restarts.
  std::size_t intensity = 0; ///< How many restarts it makes in a period; one more, and it ends.
  duration period{};         ///< Of the intensity.
  bool is_dynamic = false;   ///< A `dynamic_supervisor`.
};

} // namespace otpp

#pragma GCC visibility pop

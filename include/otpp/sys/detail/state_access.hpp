// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/resolve.hpp>

#include <new>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Is this the address of a server whose state can be accessed?
template <class Address>
consteval bool check_state_of() {
  if constexpr (!check_address<Address>()) {
    return false;
  } else if constexpr (!is_typed_address<Address> || stands_for_another<Address>) {
    static_assert(
        !address<Address>,
        "otpp: the type of the state must be known: use a server_ref or a server_name (pid::as has the way)");
    return false;
  } else {
    constexpr bool has_none = requires { typename callbacks_of<Address>::takes_any_message; };
    static_assert(!has_none, "otpp: a coroutine that otpp::spawn has started has no state to look into");
    return !has_none;
  }
}

// Replaces the state by a new one, without throwing.
template <class State>
void put_state(State& old, State&& made) noexcept {
  static_assert(
      std::is_nothrow_move_constructible_v<State> || std::is_nothrow_move_assignable_v<State>,
      "otpp: replace_state needs a state that is moved without throwing, or else the old one could be lost "
      "half-way: give it noexcept moves, or keep it behind a std::unique_ptr");
  if constexpr (std::is_nothrow_move_assignable_v<State>) {
    old = std::move(made);
  } else {
    old.~State();
    ::new (static_cast<void*>(&old)) State(std::move(made));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop

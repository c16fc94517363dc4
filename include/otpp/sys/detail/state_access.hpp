// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/asio.hpp>

#include <concepts>
#include <new>
#include <type_traits>
#include <utility>

namespace otpp::detail {

template <class Address, class Function>
consteval bool check_sys() {
  static_assert(
      is_typed_address<Address>,
      "otpp: the type of the state must be known: use a server_ref or a server_name (pid::as has the way)");
  static_assert(
      !destroys_awaited_aggregates_twice || std::is_lvalue_reference_v<Function> ||
          std::is_trivially_copyable_v<std::remove_cvref_t<Function>> ||
          std::default_initializable<std::remove_cvref_t<Function>>,
      "otpp: GCC before 13 destroys a lambda twice that is made inside a co_await expression and captures "
      "more "
      "than references and numbers: name the function first, and pass the name");
  if constexpr (is_typed_address<Address>) {
    static_assert(
        !requires { typename Address::callbacks_type::takes_any_message; },
        "otpp: a coroutine that otpp::spawn has started has no state to look into");
  }
  return true;
}

// The new state in the place of the old one. It cannot fail half-way.
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

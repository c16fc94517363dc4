// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/type_name.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/callbacks.hpp>

#include <concepts>
#include <exception>
#include <sstream>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp {

/// A callbacks class that shows its state: it has a `format_status(const State&)`, usually static, that
/// returns a text, or anything that can be printed with `<<`. It should omit secrets. OTP's
/// `format_status/1`.
template <class Callbacks>
concept formats_status =
    requires(Callbacks& callbacks, const state_t<Callbacks>& state) { callbacks.format_status(state); };

namespace detail {

// Without a format_status the library cannot tell what is secret, so it shows only the type of the state.
template <class Callbacks, class State>
std::string show_state([[maybe_unused]] Callbacks& callbacks, [[maybe_unused]] State& state) {
  if constexpr (formats_status<Callbacks>) {
    try {
      const State& to_be_read = state;
      auto shown = callbacks.format_status(to_be_read);
      if constexpr (std::convertible_to<decltype(shown), std::string>) {
        return shown;
      } else {
        static_assert(
            requires(std::ostringstream& out) { out << shown; },
            "otpp: format_status returns a text, or something that can be printed with <<");
        std::ostringstream out;
        out << shown;
        return std::move(out).str();
      }
    } catch (const std::exception& error) {
      return std::string("format_status failed: ") + what_of(error);
    } catch (...) {
      return "format_status failed";
    }
  } else {
    return std::string(type_name<State>());
  }
}

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop

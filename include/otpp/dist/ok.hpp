// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/form.hpp>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// The answer `{ok, Value}`, as many servers of Erlang's and Elixir's give it.
///
/// For a `reply_type`: `{error, Reason}` then ends the call with `remote_error`.
///
/// @tparam Value  A type that has an Erlang form, and a default constructor.
///
/// @par Example
/// @code
/// struct fetch {
///   std::string key;
///   using reply_type = otpp::dist::ok<user>;   // {:ok, user} | {:error, reason}
///   static constexpr auto term = otpp::as::tagged("fetch");
/// };
/// otpp::dist::ok<user> found = co_await otpp::call<fetch>(node.remote("cache", "ex@host"), "ann");
/// use(found.value);
/// @endcode
template <class Value>
struct ok {
  Value value; ///< What comes after `ok`.

  static constexpr auto term = otpp::as::tagged("ok");

  friend bool operator==(const ok&, const ok&) = default;
};

} // namespace otpp::dist

#pragma GCC visibility pop

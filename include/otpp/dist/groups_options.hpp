// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/timeout.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// What the name of a group, which is a text here, is for Erlang and Elixir.
enum class group_names : std::uint8_t {
  binaries, ///< `<<"readers">>`; Elixir's `"readers"`.
  atoms ///< `readers`; Elixir's `:readers`. For names that the program writes: the BEAM never frees an atom.
};

/// How a scope is shared by `share_groups`. Setters chain, as those of `otpp::options`.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Example
/// @code
/// otpp::dist::groups_options().scope("my_app").names(otpp::dist::group_names::atoms);
/// @endcode
class groups_options {
 public:
  /// Sets the scope's name at the other nodes: that of `pg:start_link/1`.
  ///
  /// @param name  An atom there. By default `pg`, the scope that OTP's functions have without one.
  groups_options& scope(std::string name) & {
    scope_ = std::move(name);
    return *this;
  }
  groups_options scope(std::string name) && { return std::move(scope(std::move(name))); }

  /// Sets what names of groups are at the other nodes.
  ///
  /// @param what  Binaries by default.
  groups_options& names(group_names what) & noexcept {
    names_ = what;
    return *this;
  }
  groups_options names(group_names what) && noexcept { return std::move(names(what)); }

  /// Sets how often a peer that is connected, but where the scope is not started yet, is asked again.
  ///
  /// @param period  5 s by default; with one that is not longer than zero, `share_groups` throws.
  groups_options& ask_every(duration period) & noexcept {
    ask_every_ = period;
    return *this;
  }
  groups_options ask_every(duration period) && noexcept { return std::move(ask_every(period)); }

  /// Returns the scope's name at the other nodes.
  const std::string& scope() const noexcept { return scope_; }
  /// Returns what names of groups are at the other nodes.
  group_names names() const noexcept { return names_; }
  /// Returns how often a peer is asked again where the scope is not started yet.
  duration ask_every() const noexcept { return ask_every_; }

 private:
  std::string scope_ = "pg";
  group_names names_ = group_names::binaries;
  duration ask_every_ = std::chrono::seconds(5);
};

} // namespace otpp::dist

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <string_view>

#pragma GCC visibility push(default)

namespace otpp {

class registry;

/// The name of a server, with its callbacks type: an address that is checked at compile time.
///
/// The name is looked up at each use, so it also finds a server that was restarted. It is a view: the text
/// must outlive it, as a string literal does.
///
/// @par Example
/// @code
/// inline constexpr otpp::server_name<counter> the_counter{"counter"};
/// int n = co_await otpp::call<counter::get>(the_counter);
/// @endcode
template <class Callbacks>
class server_name {
 public:
  /// The callbacks of the server.
  using callbacks_type = Callbacks;

  /// A name in the global registry.
  ///
  /// @param name  A view of a text that must outlive this object, and every use of it.
  constexpr explicit server_name(std::string_view name) noexcept : name_(name) {}

  /// A name in another registry.
  ///
  /// @param name  As above.
  /// @param in    Where it is looked up; must outlive this object.
  constexpr server_name(std::string_view name, registry& in) noexcept : name_(name), registry_(&in) {}

  // The hidden argument makes every copy record its source location: a verb takes its address by value, and
  // so learns where it was called.
  constexpr server_name(const server_name& other, source_location where = source_location::current()) noexcept
      : name_(other.name_), registry_(other.registry_), where_(where) {}
  constexpr server_name(server_name&&) noexcept = default;
  constexpr server_name& operator=(const server_name&) noexcept = default;
  constexpr server_name& operator=(server_name&&) noexcept = default;
  constexpr ~server_name() = default;

  /// Returns the name.
  constexpr std::string_view name() const noexcept { return name_; }

  /// Returns the registry in which to look, or null for the global one.
  constexpr registry* in() const noexcept { return registry_; }

  /// Returns the source location of this copy.
  constexpr source_location where() const noexcept { return where_; }

 private:
  std::string_view name_;
  registry* registry_ = nullptr;
  source_location where_;
};

} // namespace otpp

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>

#include <concepts>
#include <string_view>
#include <type_traits>

#pragma GCC visibility push(default)

namespace otpp {

/// What can take the place of a registry, in `via` and in `named("x").in(...)`: `add` registers a name or
/// throws, `find` returns the process that has it or nobody, and `remove` removes it. OTP's via modules:
/// `register_name`, `whereis_name`, `unregister_name`.
///
/// All three may be called from any thread, without a lock of the library held. `otpp::registry` is a model.
///
/// @par Example
/// @code
/// class directory {  // names that are not told apart by case
///  public:
///   void add(std::string_view name, const otpp::pid& who) { names_.add(lower(name), who); }
///   otpp::pid find(std::string_view name) const { return names_.find(lower(name)); }
///   bool remove(std::string_view name) { return names_.remove(lower(name)); }
///  private:
///   otpp::registry names_;
/// };
/// @endcode
template <class Names>
concept name_registry = requires(Names& names, const Names& fixed, std::string_view name, const pid& who) {
  names.add(name, who);
  { names.remove(name) } -> std::convertible_to<bool>;
  pid(fixed.find(name));
};

/// A name in a registry of any class, as an address. OTP's `{via, Module, Name}`.
///
/// As with a string, the message is looked up in the server's `messages`; with `as<Callbacks>()` it is
/// checked at compile time, as with a `server_name`. The name is looked up at each use.
///
/// @par Lifetime
/// A view of the text and of the registry: both must outlive it.
///
/// @par Example
/// @code
/// int n = co_await otpp::call<counter::get>(otpp::via(people, "ann"));
/// int m = co_await otpp::call<counter::get>(otpp::via(people, "ann").as<counter>());
/// @endcode
template <name_registry Names, class Callbacks = void>
class via {
 public:
  /// The callbacks of the server; void where they are not known.
  using callbacks_type = Callbacks;

  /// A name in a registry.
  ///
  /// @param in    Where it is looked up: by its `find`, at each use.
  /// @param name  Whatever that takes for a name.
  via(const Names& in, std::string_view name) noexcept : names_(&in), name_(name) {}

  // The hidden argument makes every copy record its source location (server_name.hpp).
  via(const via& other, source_location where = source_location::current()) noexcept
      : names_(other.names_), name_(other.name_), where_(where) {}
  via(via&&) noexcept = default;
  via& operator=(const via&) noexcept = default;
  via& operator=(via&&) noexcept = default;
  ~via() = default;

  /// Returns the same name, for a server whose callbacks are known.
  template <class Known>
  via<Names, Known> as() const noexcept {
    return {*names_, name_};
  }

  /// Returns the name.
  std::string_view name() const noexcept { return name_; }
  /// Returns the registry in which to look.
  const Names& in() const noexcept { return *names_; }

  /// Returns the source location of this copy.
  source_location where() const noexcept { return where_; }

 private:
  const Names* names_;
  std::string_view name_;
  source_location where_;
};

template <class Names>
via(const Names&, std::string_view) -> via<Names>;

} // namespace otpp

#pragma GCC visibility pop

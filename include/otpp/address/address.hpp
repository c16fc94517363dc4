// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/address/via.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

template <class T>
inline constexpr bool is_server_ref = false;
template <class Callbacks>
inline constexpr bool is_server_ref<server_ref<Callbacks>> = true;

// The library's own address classes.
template <class T>
inline constexpr bool is_library_address = is_server_ref<T> || std::same_as<T, pid>;
template <class Callbacks>
inline constexpr bool is_library_address<server_name<Callbacks>> = true;
template <class Names, class Callbacks>
inline constexpr bool is_library_address<via<Names, Callbacks>> = true;

template <class T>
concept string_address = std::convertible_to<const T&, std::string_view> && std::copy_constructible<T>;

} // namespace detail

/// Makes a user's type an address: `resolve() const` returns the process that is meant now, as a `pid`, or as
/// a `server_ref`, with whose callbacks the message is checked at compile time.
///
/// It is called at each use, on the thread that uses the address, without a lock of the library held. If it
/// returns nobody, as `pid()` is, the verb fails with `errc::no_process`; if it throws, with that exception.
///
/// @par Example
/// @code
/// class any_of {  // one worker after the other
///  public:
///   explicit any_of(const std::vector<otpp::server_ref<worker>>& pool) : pool_(&pool) {}
///   otpp::server_ref<worker> resolve() const { return (*pool_)[next++ % pool_->size()]; }
///  ...
/// };
/// co_await otpp::cast<worker::job>(any_of(pool), "sweep");
/// @endcode
template <class T>
concept resolvable = std::copy_constructible<T> && requires(const T& to) {
  { to.resolve() } -> std::convertible_to<pid>;
};

/// What a verb accepts as a destination: a `server_ref`, a `server_name`, a `pid`, any string, which is a
/// name in the global registry, a `via`, which is a name in a registry of any class, or a `resolvable` type.
///
/// With the first two, and others that know the callbacks, the message is checked at compile time; with the
/// rest it is looked up in the server's `messages` list, and an unlisted message fails with
/// `errc::bad_message`.
template <class T>
concept address = detail::is_library_address<T> || resolvable<T> || detail::string_address<T>;

namespace detail {

template <class Address>
consteval auto find_callbacks() {
  if constexpr (requires { typename Address::callbacks_type; }) {
    return std::type_identity<typename Address::callbacks_type>();
  } else if constexpr (resolvable<Address>) {
    return find_callbacks<std::remove_cvref_t<decltype(std::declval<const Address&>().resolve())>>();
  } else {
    return std::type_identity<void>();
  }
}

// The callbacks of the server behind an address, or void if only the server knows them.
template <class Address>
using callbacks_of = typename decltype(find_callbacks<Address>())::type;
template <class Address>
inline constexpr bool is_typed_address = !std::is_void_v<callbacks_of<Address>>;

// An address that always means the same process; any other is a name, which may belong to another process
// later.
template <class T>
concept process_address = is_server_ref<T> || std::same_as<T, pid>;
template <class T>
concept name_address = address<T> && !process_address<T>;

// The type in which an address is stored for later use.
template <class Address>
using kept_address =
    std::conditional_t<string_address<Address> && !resolvable<Address>, std::string, Address>;

// The diagnostic of a verb that needs a process, and is given a name.
template <class Name>
consteval void refuse_name() {
  static_assert(
      !name_address<Name>,
      "otpp: this is about one process, for which a name may not stand: pass a pid or a server_ref, such as "
      "otpp::whereis returns");
}

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop

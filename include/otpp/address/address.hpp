// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/address/via.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/borrows.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/trailing_token.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/registry/registry.hpp>

#include <asio/use_awaitable.hpp>

#include <concepts>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace otpp {

namespace detail {

template <class T>
inline constexpr bool is_typed_address = false;
template <class Callbacks>
inline constexpr bool is_typed_address<server_ref<Callbacks>> = true;
template <class Callbacks>
inline constexpr bool is_typed_address<server_name<Callbacks>> = true;
template <class Names, class Callbacks>
inline constexpr bool is_typed_address<via<Names, Callbacks>> = !std::is_void_v<Callbacks>;

template <class T>
inline constexpr bool is_untyped_via = false;
template <class Names>
inline constexpr bool is_untyped_via<via<Names, void>> = true;

} // namespace detail

/// Whom a verb can talk to: a `server_ref`, a `server_name`, a `pid`, any string, which is a name in the
/// global registry, or a `via`, which is one in a registry of any class.
///
/// With the first two, and a `via` that knows the callbacks, the message is checked at compile time; with the others it is looked up in the
/// server's `messages` list, and one that is not there is `errc::bad_message`.
template <class T>
concept address = detail::is_typed_address<T> || std::same_as<T, pid> || detail::is_untyped_via<T> ||
                  (std::convertible_to<const T&, std::string_view> && std::copy_constructible<T>);

namespace detail {

// An address that is a name.
template <class T>
inline constexpr bool is_server_ref = false;
template <class Callbacks>
inline constexpr bool is_server_ref<server_ref<Callbacks>> = true;
template <class T>
concept name_address = address<T> && !is_server_ref<T>;

// What an address becomes that is kept for later.
template <class Address>
using kept_address = std::conditional_t<is_typed_address<Address>, Address, std::string>;

// Where a message goes, once its address has been looked up: a server and how it opens the message, or
// an error.
struct destination {
  intrusive_ptr<server_core> server;
  envelope::opener open = nullptr;
  std::exception_ptr error;
  source_location where;
};

template <server_core::verb Verb, class M, class Callbacks>
constexpr envelope::opener opener_of() noexcept {
  if constexpr (Verb == server_core::verb::call) {
    return &gen_server<Callbacks>::template open_call<M>;
  } else if constexpr (Verb == server_core::verb::cast) {
    return &gen_server<Callbacks>::template open_cast<M>;
  } else {
    return &gen_server<Callbacks>::template open_info<M>;
  }
}

template <server_core::verb Verb>
constexpr std::string_view verb_name() noexcept {
  return Verb == server_core::verb::call ? "call" : Verb == server_core::verb::cast ? "cast" : "send";
}

template <server_core::verb Verb, class M>
std::exception_ptr no_process_named(std::string_view name) noexcept {
  try {
    return make_error(errc::no_process, verb_name<Verb>(), type_name<M>(), '"' + std::string(name) + '"');
  } catch (...) {
    return std::current_exception();
  }
}

template <server_core::verb Verb, class M>
std::exception_ptr no_process_nobody() noexcept {
  return make_error(errc::no_process, verb_name<Verb>(), type_name<M>(), "nobody");
}

template <server_core::verb Verb, class M, class Callbacks>
destination find(server_ref<Callbacks>&& address) noexcept {
  source_location where = address.where();
  destination result{access::core(std::move(address)), opener_of<Verb, M, Callbacks>(), nullptr, where};
  if (!result.server) {
    result.error = no_process_nobody<Verb, M>();
  }
  return result;
}

template <server_core::verb Verb, class M, class Callbacks>
destination find(server_name<Callbacks>&& address) noexcept {
  destination result{{}, opener_of<Verb, M, Callbacks>(), nullptr, address.where()};
  const registry& names = address.in() ? *address.in() : registry::global();
  result.server = access::core(names.find(address.name()));
  if (!result.server) {
    result.error = no_process_named<Verb, M>(address.name());
  } else if (result.server->callbacks_type_info() != typeid(Callbacks)) {
    result.error =
        make_error(errc::bad_message, verb_name<Verb>(), type_name<M>(), result.server->describe());
    result.server = {};
  }
  return result;
}

// A server of any type, which must list the message.
template <server_core::verb Verb, class M>
destination find_in(intrusive_ptr<server_core> server) noexcept {
  destination result;
  result.server = std::move(server);
  result.open = result.server->find_opener(Verb, typeid(M));
  if (!result.open) {
    result.error =
        make_error(errc::bad_message, verb_name<Verb>(), type_name<M>(), result.server->describe());
    result.server = {};
  }
  return result;
}

template <server_core::verb Verb, class M>
destination find(std::string_view name) noexcept {
  destination result;
  result.server = access::core(registry::global().find(name));
  if (!result.server) {
    result.error = no_process_named<Verb, M>(name);
    return result;
  }
  return find_in<Verb, M>(std::move(result.server));
}

template <server_core::verb Verb, class M>
destination find(pid&& who) noexcept {
  if (!who) {
    destination result;
    result.error = no_process_nobody<Verb, M>();
    return result;
  }
  return find_in<Verb, M>(access::core(who));
}

template <server_core::verb Verb, class M, class Names, class Callbacks>
destination find(via<Names, Callbacks>&& address) noexcept {
  destination result;
  try {
    pid who(address.in().find(address.name()));
    if (!who) {
      result.error = no_process_named<Verb, M>(address.name());
    } else if constexpr (std::is_void_v<Callbacks>) {
      result = find_in<Verb, M>(access::core(who));
    } else if (access::core(who)->callbacks_type_info() != typeid(Callbacks)) {
      result.error = make_error(errc::bad_message, verb_name<Verb>(), type_name<M>(), who.describe());
    } else {
      result.server = access::core(who);
      result.open = opener_of<Verb, M, Callbacks>();
    }
  } catch (...) {
    result.error = std::current_exception(); // the registry's own
  }
  result.where = address.where();
  return result;
}

// The address's own compile-time check of a message; that of the others is made at run time.
template <server_core::verb Verb, class M, class Address>
consteval bool check_sent() {
  if constexpr (is_typed_address<Address>) {
    using callbacks = typename Address::callbacks_type;
    if constexpr (Verb == server_core::verb::call) {
      return check_call<callbacks, M>();
    } else if constexpr (Verb == server_core::verb::cast) {
      return check_cast<callbacks, M>();
    } else {
      return check_info<callbacks, M>();
    }
  } else {
    static_assert(
        Verb != server_core::verb::call || call_message<M>,
        "otpp: a message for call must name its answer: add `using reply_type = ...;`");
    return check_message<M>();
  }
}

// True if the check above passes: what follows it is compiled only then, so that there is one error.
template <server_core::verb Verb, class M, class Address>
consteval bool can_be_sent() {
  if constexpr (!message<M>) {
    return false;
  } else if constexpr (message_borrows<M>()) {
    return false;
  } else if constexpr (!is_typed_address<Address>) {
    return Verb != server_core::verb::call || call_message<M>;
  } else if constexpr (Verb == server_core::verb::call) {
    if constexpr (handles_call<typename Address::callbacks_type, M>) {
      return call_result_fits<typename Address::callbacks_type, M>();
    } else {
      return false;
    }
  } else if constexpr (Verb == server_core::verb::cast) {
    return handles_cast<typename Address::callbacks_type, M>;
  } else {
    return handles_info<typename Address::callbacks_type, M>;
  }
}

template <class M, class... Args>
concept makes =
    std::is_constructible_v<M, Args...> || requires(Args&&... args) { M{std::forward<Args>(args)...}; };

template <class M>
struct is_made_of {
  template <class... Args>
  struct these {
    static constexpr bool value = makes<M, Args...>;
  };
};

template <class M, class... Args>
consteval bool makes_without_last() {
  return holds_without_last<is_made_of<M>::template these, Args...>();
}

template <class M, class... Args>
M make_message(Args&&... args) {
  if constexpr (std::is_constructible_v<M, Args...>) {
    return M(std::forward<Args>(args)...);
  } else {
    return M{std::forward<Args>(args)...};
  }
}

template <class Token>
inline constexpr bool is_use_awaitable = false;
template <class Executor>
inline constexpr bool is_use_awaitable<asio::use_awaitable_t<Executor>> = true;

// GCC 12 destroys `M{...}` twice in `co_await call(server, M{...})`, whatever the callee does.
template <class Message, class Token>
consteval bool check_temporary() {
  using M = std::remove_cvref_t<Message>;
  static_assert(
      !destroys_awaited_aggregates_twice || std::is_lvalue_reference_v<Message> || !std::is_aggregate_v<M> ||
          std::is_trivially_copyable_v<M> || !is_use_awaitable<std::decay_t<Token>>,
      "otpp: GCC before 13 destroys an aggregate twice that is made inside a co_await expression: write "
      "`co_await otpp::call<Message>(server, arguments...)`, likewise cast and send, or name the message "
      "first and pass the name");
  return true;
}

} // namespace detail
} // namespace otpp

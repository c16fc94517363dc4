// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/failed_call.hpp>
#include <otpp/registry/registry.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

// The one place where an address is resolved to a server, and a message to its handler.

namespace otpp::detail {

// The result of resolving an address: a server, or the error why there is none.
struct destination {
  intrusive_ptr<server_core> server;
  envelope::opener open = nullptr; // how the server opens the message, if one is sent
  std::exception_ptr error;        // if there is no server
  source_location where;           // where the verb was used, if the address recorded it
};

// The address that a verb was given by reference, to be kept. A copy records where it is made, for verbs that take their
// address by value; here that would be a line of the library, so it is left unsaid.
template <class Address>
std::decay_t<Address> keep_address(Address&& to) {
  using kept = std::decay_t<Address>;
  if constexpr (
      std::is_lvalue_reference_v<Address> && std::is_constructible_v<kept, const kept&, source_location>) {
    return kept(to, source_location());
  } else {
    return kept(std::forward<Address>(to));
  }
}

constexpr std::string_view verb_name(server_core::verb verb) noexcept {
  return verb == server_core::verb::call ? "call" : verb == server_core::verb::cast ? "cast" : "send";
}

// The verb for which an address is looked up, for the text of an error. Without a verb no error is created,
// as it would not be read.
struct purpose {
  std::string_view verb;
  type_namer message = nullptr;
  bool is_told = true; // to those who hear of failed calls

  // @param type  That of the server that was expected; may be empty.
  std::exception_ptr nobody_is_named(std::string_view name, std::string_view type) const noexcept {
    return make(errc::no_process, [&] { return '"' + std::string(name) + '"'; }, type);
  }
  std::exception_ptr nobody_is_meant(std::string_view type) const noexcept {
    return make(errc::no_process, [] { return std::string("nobody"); }, type);
  }
  std::exception_ptr not_for(const server_core& server) const noexcept {
    return make(errc::bad_message, [&] { return server.describe(); }, server.type_name(), server.id());
  }

 private:
  template <class Describe>
  std::exception_ptr make(
      errc code, Describe whom, std::string_view type, std::uint64_t id = 0) const noexcept {
    if (verb.empty()) {
      return nullptr;
    }
    try {
      if (message && is_told) {
        topic<failed_call>::tell_if_heard(
            [&] { return failed_call{code, verb, message(), whom(), type, id}; });
      }
      return make_error(code, verb, message ? message() : std::string_view(), whom());
    } catch (...) {
      return std::current_exception(); // no memory for the error
    }
  }
};

template <class Callbacks>
std::string_view expected_type() noexcept {
  if constexpr (std::is_void_v<Callbacks>) {
    return {};
  } else {
    return type_name<Callbacks>();
  }
}

// The server behind a pid. If the callbacks are known, the server must have them.
template <class Callbacks>
destination resolve_pid(pid&& who, const purpose& why, source_location where = {}) noexcept {
  destination found;
  found.where = where;
  if (!who) {
    found.error = why.nobody_is_meant(expected_type<Callbacks>());
    return found;
  }
  if constexpr (!std::is_void_v<Callbacks>) {
    if (!has_callbacks<Callbacks>(*access::core(who))) {
      found.error = why.not_for(*access::core(who));
      return found;
    }
  }
  found.server = access::core(std::move(who));
  return found;
}

// The server that is currently registered under a name.
template <class Callbacks, class Names>
destination resolve_name(
    const Names& names, std::string_view name, const purpose& why, source_location where = {}) noexcept {
  destination found;
  found.where = where;
  try {
    pid who(names.find(name));
    if (who) {
      return resolve_pid<Callbacks>(std::move(who), why, where);
    }
    found.error = why.nobody_is_named(name, expected_type<Callbacks>());
  } catch (...) {
    found.error = std::current_exception(); // thrown by the registry
  }
  return found;
}

template <class Callbacks>
destination resolve(server_ref<Callbacks>&& to, const purpose& why) noexcept {
  source_location where = to.where();
  destination found{access::core(std::move(to)), nullptr, nullptr, where};
  if (!found.server) {
    found.error = why.nobody_is_meant(expected_type<Callbacks>());
  }
  return found;
}

template <class Callbacks>
destination resolve(server_name<Callbacks>&& to, const purpose& why) noexcept {
  return resolve_name<Callbacks>(to.in() ? *to.in() : registry::global(), to.name(), why, to.where());
}

template <class Names, class Callbacks>
destination resolve(via<Names, Callbacks>&& to, const purpose& why) noexcept {
  return resolve_name<Callbacks>(to.in(), to.name(), why, to.where());
}

inline destination resolve(pid&& to, const purpose& why) noexcept {
  return resolve_pid<void>(std::move(to), why);
}

inline destination resolve(std::string_view name, const purpose& why) noexcept {
  return resolve_name<void>(registry::global(), name, why);
}

// An address whose process is a proxy for a server elsewhere, which alone has the callbacks. The address's
// own `opener<Verb, M>()` says how the process opens a message, for example by writing it to a connection.
template <class Address>
concept stands_for_another = requires { typename Address::stands_for_another; };

// An address that stands for several servers, such as a pool: what ends one ends all of them.
template <class Address>
concept is_supervised_group = requires(const Address& to) {
  { to.supervisor() } -> std::same_as<pid>;
};

template <resolvable Address>
destination resolve(Address&& to, const purpose& why) noexcept {
  using expected = std::conditional_t<stands_for_another<Address>, void, callbacks_of<Address>>;
  try {
    return resolve_pid<expected>(pid(to.resolve()), why);
  } catch (...) {
    destination none;
    none.error = std::current_exception(); // thrown by the address
    return none;
  }
}

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

// Resolves the destination of a message.
//
// This also selects the handler: `open` is a function of gen_server<Callbacks>, which the server calls when
// it dequeues the message, and which calls handle_call, handle_cast or handle_info. If the callbacks are
// known it is selected at compile time; otherwise the server finds it in its list of `messages`
// (gen_server::find_opener).
template <server_core::verb Verb, class M, class Address>
destination resolve_for(Address&& to, const purpose& why = {verb_name(Verb), &type_name<M>}) noexcept {
  destination found = resolve(std::move(to), why);
  if constexpr (stands_for_another<Address>) {
    found.open = Address::template opener<Verb, M>();
  } else if constexpr (is_typed_address<Address>) {
    found.open = opener_of<Verb, M, callbacks_of<Address>>();
  } else if (found.server) {
    found.open = found.server->find_opener(Verb, typeid(M));
    if (!found.open) {
      found.error = why.not_for(*found.server);
      found.server = {};
    }
  }
  return found;
}

} // namespace otpp::detail

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/dist/detail/rex_call.hpp>
#include <otpp/dist/node.hpp>
#include <otpp/dist/remote_reason.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/term/atom.hpp>
#include <otpp/term/value.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <exception>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// A name of OTP's `global`: a text is the atom, as names are elsewhere; an `otpp::term` is any other, such as `{counter, 7}`.
///
/// @par Errors
/// std::invalid_argument if the text can be no atom.
class global_name {
 public:
  /// A name that is an atom.
  ///
  /// @param text  The atom, without quotes; copied.
  global_name(const char* text) : global_name(std::string(text)) {}

  /// A name that is an atom.
  ///
  /// @param text  The atom, without quotes; moved.
  global_name(std::string text) : global_name(atom(std::move(text))) {}

  /// A name that is an atom.
  ///
  /// @param name  The atom.
  global_name(const atom& name) : term_(otpp::term::of(name)) {}

  /// A name that is any term.
  ///
  /// @param name  The term, such as `otpp::term::of(std::pair(otpp::atom("counter"), 7))`.
  global_name(otpp::term name) noexcept : term_(std::move(name)) {}

  /// Returns it as it is sent.
  const otpp::term& term() const noexcept { return term_; }

 private:
  otpp::term term_;
};

/// Gives a process of this program a name that all nodes of a cluster of Erlang know: `global:register_name/2`, which is called at a
/// peer, as this node is a hidden one and takes no part in `global`.
///
/// The name is gone when the process ends, and when the connection with the peer is lost; register it again when
/// the peer is up (`node::events`). Erlang then finds it by `{global, Name}`, Elixir by `{:global, name}`.
///
/// @param by     The node of this program, which must be open.
/// @param name   The name: a text, which is an atom, or any term.
/// @param who    The process, which must be one of this program.
/// @param peer   The whole name of the node of Erlang that is asked to do it. It is connected with if need
///               be.
/// @param token  A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - `errc::name_taken`: a process has the name.
/// - `errc::no_connection`, and others of `remote_name`: those of a call.
/// - `remote_error`: the peer cannot, `{badrpc, Reason}`.
/// - std::invalid_argument, from the call itself: no node can have such a name.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`; the name is registered all the same.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// All may be destroyed meanwhile. The process can be reached by peers from then on.
///
/// @par Example
/// @code
/// co_await otpp::dist::register_global(node, "counter", server, "erl@host"); // gen_server:call({global, counter}, get)
/// @endcode
template <class Token = asio::use_awaitable_t<>>
auto register_global(const node& by, global_name name, pid who, std::string peer, Token&& token = {}) {
  auto judge = [name](const term& answer) -> std::exception_ptr {
    if (answer.view().is_atom("yes")) {
      return nullptr;
    }
    return answer.view().is_atom("no")
               ? detail::make_error(errc::name_taken, "register_global", {}, to_string(name.term()))
               : std::make_exception_ptr(remote_error(answer));
  };
  detail::rex_call<term> wanted{atom("global"), atom("register_name"), {name.term(), std::move(who)}};
  return detail::initiate<void>(
      detail::initiate_rex_call(std::move(judge)), std::forward<Token>(token),
      by.remote("rex", std::move(peer)), std::move(wanted));
}

/// Takes a name of `global` back, whoever has it: `global:unregister_name/1`, which is called at a peer. All else as
/// `register_global`; without `errc::name_taken`.
///
/// @param by     As above.
/// @param name   As above.
/// @param peer   As above.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <class Token = asio::use_awaitable_t<>>
auto unregister_global(const node& by, global_name name, std::string peer, Token&& token = {}) {
  auto judge = [](const term& answer) {
    return answer.view().what() == term_view::kind::tuple ? std::make_exception_ptr(remote_error(answer))
                                                          : std::exception_ptr();
  };
  detail::rex_call<term> wanted{atom("global"), atom("unregister_name"), {name.term()}};
  return detail::initiate<void>(
      detail::initiate_rex_call(std::move(judge)), std::forward<Token>(token),
      by.remote("rex", std::move(peer)), std::move(wanted));
}

/// Returns the process that has a name of `global`, wherever it is; nobody if none has it. `global:whereis_name/1`, which is called at
/// a peer.
///
/// @param by     As above.
/// @param name   As above.
/// @param peer   As above.
/// @param token  A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::pid)`
///
/// @par Errors
/// Those of a call: `errc::no_connection`, and `errc::bad_reply` with `{badrpc, Reason}` in its text.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// All may be destroyed meanwhile.
///
/// @par Example
/// @code
/// otpp::pid counter = co_await otpp::dist::whereis_global(node, "counter", "erl@host");
/// @endcode
template <class Token = asio::use_awaitable_t<>>
auto whereis_global(const node& by, global_name name, std::string peer, Token&& token = {}) {
  detail::rex_call<pid> wanted{atom("global"), atom("whereis_name"), {name.term()}};
  return otpp::call(by.remote("rex", std::move(peer)), wanted, infinite, std::forward<Token>(token));
}

} // namespace otpp::dist

#pragma GCC visibility pop

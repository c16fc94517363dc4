// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/dist/detail/name_watch.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/stand_in.hpp>
#include <otpp/dist/detail/start_with_node.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/message.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// The callbacks of a server that is known by its messages alone.
template <class List>
struct listed_elsewhere;
template <class... Messages>
struct listed_elsewhere<message_list<Messages...>> {
  using messages = message_list<Messages...>;

  int init() { return 0; }
  template <class M>
    requires(call_message<M> && is_listed<M>(std::type_identity<messages>()))
  reply_t<M> handle_call(M, int&);
  template <class M>
    requires(is_listed<M>(std::type_identity<messages>()))
  void handle_cast(M, int&);
  template <class M>
    requires(is_listed<M>(std::type_identity<messages>()))
  void handle_info(M, int&);
};

template <class Server>
struct callbacks_elsewhere {
  using type = Server;
};
template <class... Messages>
struct callbacks_elsewhere<message_list<Messages...>> {
  using type = listed_elsewhere<message_list<Messages...>>;
};

} // namespace detail

namespace dist {

class node;
template <class Server = void>
class remote_name;

} // namespace dist

template <class Server>
monitor_ref monitor(const dist::remote_name<Server>& whom);

namespace dist {

/// A name on another node, as an address: Erlang's `{Name, Node}`. `node::remote` makes one.
///
/// An address for every verb: `call`, `cast`, `send`, `send_request`, `multi_call`, and timers. The node is connected with when it is
/// first used, and again after the connection was lost; what is sent meanwhile is kept in order. The messages, and the
/// answers of calls, must have an Erlang form (term.hpp).
///
/// @tparam Server  The class of the other server's callbacks, or a `message_list`: then other messages do not compile. Without
///                 it, every message that has a form is sent.
///
/// @par Errors
/// Of a call, besides those of every call:
/// - `errc::no_process`: nobody has the name there.
/// - `errc::exited`: the server has ended before it answered; `error::reason()` is `normal`, `shutdown`, `killed`, or has a
///   `remote_reason`.
/// - `errc::no_connection`: there is no connection, for the reason that the text says, or it was lost.
/// - `errc::bad_reply`: the answer is not of the type of the call's; the text has it.
/// - `remote_error`: the answer was `{error, Term}`, and that is not of the type either.
///
/// A cast or a message has no error: it is taken, and lost if there is no connection, or nobody has the name. Where the other node
/// reads slowly, `co_await` waits, and `try_cast` and `try_send` return false (`node_options::watermarks`).
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Lifetime
/// May outlive the node; then every verb fails with `errc::no_process`.
///
/// @par Example
/// @code
/// auto cache = node.remote("cache", "erl@host");
/// auto found = co_await otpp::call<lookup>(cache, "ann");   // gen_server:call({cache, 'erl@host'}, {lookup, <<"ann">>})
/// co_await otpp::cast<evict>(cache, "ann");
/// @endcode
template <class Server>
class remote_name {
 public:
  /// By what messages are checked: `Server`, or what stands for its `message_list`; void without it.
  using callbacks_type = typename detail::callbacks_elsewhere<Server>::type;
  using stands_for_another = void;

  /// Returns the name.
  const std::string& name() const noexcept { return name_; }

  /// Returns the other node's name.
  const std::string& node_name() const noexcept { return peer_; }

  /// Asks the server to end with the reason `normal`, and waits until it has: OTP's `gen_server:stop/1,3` of
  /// `{Name, Node}`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// As a call's; `errc::exited` if it has ended with another reason.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the server still ends.
  ///
  /// @par Thread safety
  /// Safe from any thread.
  ///
  /// @par Lifetime
  /// This object may be destroyed at once.
  ///
  /// @par Example
  /// @code
  /// co_await node.remote("cache", "erl@host").stop();
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!std::convertible_to<Token, exit_reason>)
  auto stop(Token&& token = {}) const {
    return stop(exit_reason::normal(), infinite, std::forward<Token>(token));
  }

  /// Stops the server with another reason. All else as above.
  ///
  /// @param reason  What its `terminate` gets, there as a term (`remote_reason`).
  /// @param token   A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto stop(exit_reason reason, Token&& token = {}) const {
    return stop(std::move(reason), infinite, std::forward<Token>(token));
  }

  /// Stops the server, and waits for the end for a limited time. All else as above.
  ///
  /// @param reason   What its `terminate` gets, as above.
  /// @param timeout  How long to wait; `otpp::infinite` waits forever. After a timeout the server still ends.
  /// @param token    A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto stop(exit_reason reason, Duration timeout, Token&& token = {}) const {
    return call_for<detail::stop_elsewhere>(
        remote_name<>(core_, name_, peer_), timeout, std::move(reason), std::forward<Token>(token));
  }

  /// Returns the process here that stands for the name; nobody if the node is closed.
  pid resolve() const {
    if (!core_ || core_->process.has_ended()) {
      return {};
    }
    std::string key = '{' + name_ + ",'" + peer_ + "'}";
    if (pid known = core_->names_elsewhere().get(key).who) {
      return known;
    }
    pid made = detail::start_with_node<detail::stand_in>(
        *core_, key, detail::peer_outbox::mailbox_limit, core_, peer_, name_);
    pid entered = made ? core_->names_elsewhere().enter(key, peer_, {made}).who : pid();
    if (entered != made) {
      kill(made); // another thread was first
    }
    return entered;
  }

  template <detail::server_core::verb Verb, class M>
  static constexpr detail::envelope::opener opener() noexcept {
    return detail::opener_of<Verb, M, detail::stand_in>();
  }

 private:
  friend class node;
  template <class Other>
  friend monitor_ref otpp::monitor(const remote_name<Other>&);
  template <class Other>
  friend class remote_name;

  // Starts a process that ends when who has the name does.
  pid watch() const {
    return core_ ? detail::start_with_node<detail::name_watch>(
                       *core_, '{' + name_ + ",'" + peer_ + "'}", 0, core_, peer_, name_)
                 : pid();
  }

  remote_name(std::shared_ptr<detail::node_core> core, std::string name, std::string peer)
      : core_(std::move(core)), name_(std::move(name)), peer_(std::move(peer)) {}

  std::shared_ptr<detail::node_core> core_;
  std::string name_;
  std::string peer_;
};

} // namespace dist

/// Sends this process one `down` message when the server that has a name on another node has ended; at once if nobody has that
/// name, or the node cannot be reached. OTP's `monitor(process, {Name, Node})`.
///
/// As OTP's, it is about the server that has the name when the other node hears of it, and not about who has it later. It connects
/// with the other node if need be. Must be called inside a callback, or in the body of a spawned coroutine.
///
/// Returns an identifier that is unique to this monitor, for `demonitor`. `down::ref` is the same; `down::who`
/// is a process of the library's that stands for the name, and prints as it does.
///
/// @param whom  The name, which need not be registered yet: then `down` comes at once.
///
/// @par Errors
/// - `errc::no_process`: the caller is no process, or the node is closed.
/// - std::bad_alloc; then nothing is monitored.
///
/// The reason of `down` is the server's: `normal`, `shutdown`, `killed`, or has a `remote_reason`. Else it is
/// - `errc::no_process`: nobody had the name.
/// - `errc::no_connection`: there is no connection, for the reason that the text says, or it was lost.
///
/// @par Thread safety
/// Affects the process in whose step it is called.
///
/// @par Lifetime
/// A monitor ends with the calling process, or by `demonitor`; the other node is told within some seconds.
///
/// @par Example
/// @code
/// s.cache = otpp::monitor(node.remote("cache", "erl@host"));
/// @endcode
template <class Server>
monitor_ref monitor(const dist::remote_name<Server>& whom) {
  detail::running_process("monitor");
  return monitor(whom.watch());
}

} // namespace otpp

#pragma GCC visibility pop

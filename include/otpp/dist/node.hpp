// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/dist_node.hpp>
#include <otpp/dist/detail/inbound_to.hpp>
#include <otpp/dist/detail/know_message.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/peer_presence.hpp>
#include <otpp/dist/detail/pid_term.hpp>
#include <otpp/dist/detail/process_elsewhere.hpp>
#include <otpp/dist/detail/published_address.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/remote_processes.hpp>
#include <otpp/dist/detail/start_with_node.hpp>
#include <otpp/dist/node_event.hpp>
#include <otpp/dist/node_options.hpp>
#include <otpp/dist/node_statistics.hpp>
#include <otpp/dist/remote_name.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

struct initiate_open;

} // namespace detail

namespace dist {

/// A handle of a node, which `open` has opened: a process of this program that connects it with nodes of Erlang, Elixir and
/// otpp.
///
/// A default-constructed or moved-from one is a handle of none: it converts to false, `peers` is empty, and every verb fails with
/// `errc::no_process`.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading; all functions of it may be called from any thread.
///
/// @par Lifetime
/// Closes nothing when it is destroyed: the node lives until it is closed, or its context or `otpp::run` ends. May outlive it.
class node {
 public:
  /// A handle of no node.
  node() noexcept = default;

  /// False for no node.
  explicit operator bool() const noexcept { return core_ != nullptr; }

  /// Returns its whole name: `cpp@127.0.0.1`.
  const std::string& name() const noexcept { return core_ ? core_->name : nobody(); }

  /// Returns its process: for `monitor`, `link`, `join`, and for a supervisor's eye.
  pid process() const noexcept { return process_; }

  /// Returns where it listens; port 0 if it does not.
  asio::ip::tcp::endpoint local_endpoint() const noexcept {
    return core_ ? core_->address : asio::ip::tcp::endpoint();
  }

  /// Lets other nodes reach a server by a name: `{Name, Node}` in Erlang and Elixir. OTP's `register/2`, of which this
  /// is the part that others see.
  ///
  /// What is sent to the name is read by the `messages` list of the server's callbacks class, whose messages, and the answers of
  /// calls, must have an Erlang form (term.hpp). The first that fits is taken; what fits none is `bad_message`, or goes to the
  /// handlers of `any_call` and `otpp::term`.
  ///
  /// @param to    A `server_name`, which is looked up at each message and so follows restarts; a
  ///              `server_ref`, which is this server only; or another address that knows the callbacks.
  /// @param name  The name that others use.
  ///
  /// @par Errors
  /// `errc::name_taken` if the node has published that name; `errc::no_process` for a handle of no node; std::invalid_argument
  /// if the name is no atom; std::bad_alloc.
  ///
  /// @par Lifetime
  /// The text of a `server_name` is copied. A registry that it names must outlive the node.
  ///
  /// @par Example
  /// @code
  /// node.publish(otpp::server_name<counter>("counter"));
  /// node.publish(worker, "worker");
  /// @endcode
  template <address Address>
  void publish(Address to, std::string name) {
    using callbacks = detail::callbacks_of<Address>;
    if constexpr (check_published<Address>()) {
      detail::each_listed_by<callbacks>([]<class M>(std::type_identity<M>) { detail::know_message<M>(); });
      core().exports().publish(
          atom(std::move(name)).text(),
          {detail::published_address<Address>(std::move(to)), &detail::inbound_of<callbacks>});
    }
  }

  /// Publishes a server by the name that it has here. All else as above.
  ///
  /// @param to  The name, which is looked up at each message.
  template <class Callbacks>
  void publish(const server_name<Callbacks>& to) {
    publish(to, std::string(to.name()));
  }

  /// Takes a published name back. Returns false if there is none.
  ///
  /// @param name  The name that others use. Calls that have come by it are still answered.
  bool unpublish(std::string_view name) noexcept { return core_ && core_->exports().unpublish(name); }

  /// Returns a name on another node, as an address: Erlang's `{Name, Node}`. The other node need not be there.
  ///
  /// @tparam Server  What is known of the server: the class of its callbacks, or a `message_list`.
  /// @param name     The name that it is registered under there.
  /// @param peer     The other node's whole name.
  ///
  /// @par Errors
  /// std::invalid_argument if the name is no atom, or no node can have such a name; std::bad_alloc.
  ///
  /// @par Example
  /// @code
  /// auto far = node.remote<counter>("counter", "cpp2@host");
  /// int count = co_await otpp::call<counter::add>(far, 5);
  /// @endcode
  template <class Server = void>
  remote_name<Server> remote(std::string name, std::string peer) const {
    detail::parse_node_name(peer);
    return remote_name<Server>(core_, atom(std::move(name)).text(), std::move(peer));
  }

  /// Returns the name of the node on which a process is. Erlang's `node/1`.
  ///
  /// @param who  A process: this node's name for one of this program, an empty text for nobody.
  std::string node_of(const pid& who) const {
    if (!core_ || !who) {
      return {};
    }
    std::optional<detail::remote_identity> elsewhere = detail::identity_elsewhere(who);
    return elsewhere ? elsewhere->node : core_->name;
  }

  /// Returns a process that lives as long as the connection with another node, for `monitor`, `link` and `join`: OTP's
  /// `monitor_node/2`. It connects; if it cannot, or when that is lost, it ends with `errc::no_connection`.
  ///
  /// @param name  The other node's whole name.
  ///
  /// @par Errors
  /// std::invalid_argument if no node can have such a name; std::bad_alloc. Nobody, for a handle of no node, or one that is closed.
  ///
  /// @par Example
  /// @code
  /// otpp::monitor(node.peer("erl@host"));   // a `down` when it is gone
  /// @endcode
  pid peer(std::string name) const {
    detail::parse_node_name(name);
    return core_ ? detail::start_with_node<detail::peer_presence>(*core_, "peer " + name, 0, core_, name)
                 : pid();
  }

  /// Sends a server a `node_event` when another node has connected, and when a connection is lost, for as long as the server
  /// lives. What happens while its mailbox is full is not told. OTP's `net_kernel:monitor_nodes/1`.
  ///
  /// @param to  A `server_ref` whose `handle_info` takes a `node_event`.
  ///
  /// @par Errors
  /// `errc::no_process` for a handle of no node; std::bad_alloc.
  template <class Callbacks>
    requires handles_info<Callbacks, node_event>
  void events(server_ref<Callbacks> to) const {
    core().listeners().add([to = std::move(to)](const node_event& event) {
      try_send(to, node_event(event));
      return !to.has_ended();
    });
  }

  /// Connects with another node, and completes when both have shaken hands; at once if they have. OTP's
  /// `net_kernel:connect_node/1`.
  ///
  /// @param peer   Its whole name.
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::no_connection`: the text says at which step, and what to do: the port mapper does not know it, nobody listens
  ///   there, another cookie, not allowed.
  /// - `errc::no_process`: the node was closed.
  /// - std::invalid_argument, from the call itself: no node can have such a name.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the attempt goes on.
  ///
  /// @par Thread safety
  /// Safe from any thread.
  ///
  /// @par Lifetime
  /// The handle may be destroyed meanwhile.
  ///
  /// @par Example
  /// @code
  /// co_await node.connect("erl@host");
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
  auto connect(std::string peer, Token&& token = {}) const {
    detail::parse_node_name(peer);
    return otpp::call(process_, detail::connect_peer{std::move(peer)}, infinite, std::forward<Token>(token));
  }

  /// Ends the connection with a peer, if there is one. What is on the way is lost; monitors and links are told. It connects
  /// again when either side wants to. OTP's `erlang:disconnect_node/1`.
  ///
  /// @param peer  The other node's whole name.
  void disconnect(std::string peer) const { try_cast(process_, detail::disconnect_peer{std::move(peer)}); }

  /// Returns the names of the nodes with which it is connected now. OTP's `nodes/1`.
  std::vector<std::string> peers() const { return core_ ? core_->peers() : std::vector<std::string>(); }

  /// Returns what has happened so far.
  node_statistics statistics() const { return core_ ? core_->statistics() : node_statistics(); }

  /// Closes the node, and completes when it has ended: its name is free, and its connections are closed, after they have had a
  /// second to write what was answered. Servers go on. All else as `connect`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// `errc::no_process`: it was closed before.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; it is closed all the same.
  template <class Token = asio::use_awaitable_t<>>
  auto close(Token&& token = {}) const {
    return process_.stop(std::forward<Token>(token));
  }

  /// Waits until the node has been closed, or has ended otherwise, and returns the reason: as `pid::join`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
  auto join(Token&& token = {}) const {
    return process_.join(std::forward<Token>(token));
  }

 private:
  friend struct detail::access;
  friend struct detail::initiate_open;

  node(std::shared_ptr<detail::node_core> core, pid process) noexcept
      : core_(std::move(core)), process_(std::move(process)) {}

  template <class Address>
  static consteval bool check_published() {
    constexpr bool is_typed = detail::is_typed_address<Address>;
    constexpr bool is_here = !detail::stands_for_another<Address>;
    static_assert(
        is_typed,
        "otpp: publish needs an address that knows the server's callbacks: a server_name<callbacks>, "
        "or a server_ref");
    static_assert(is_here, "otpp: this process is on another node: publish it there");
    return is_typed && is_here;
  }

  detail::node_core& core() const {
    if (!core_) {
      std::rethrow_exception(detail::make_error(errc::no_process, "this", {}, "a handle of no node"));
    }
    return *core_;
  }

  static const std::string& nobody() noexcept {
    static const std::string none;
    return none;
  }

  std::shared_ptr<detail::node_core> core_;
  pid process_;
};

} // namespace dist

namespace detail {

// Starts the node's process, and makes a handle of it. The core is made first, because the handle shares it.
struct initiate_open : initiation {
  template <class Handler>
  void operator()(Handler&& handler, dist::node_options how) const {
    know_message<term>();
    using opened = opened_node<std::decay_t<Handler>>;
    options where = how.executor() ? options().on(how.executor()) : options();
    how.on(asio::any_io_executor()); // which must not outlive its context, as handles may
    auto core = std::make_shared<node_core>(std::move(how));
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto executor = asio::get_associated_executor(handler);
    auto told = asio::bind_cancellation_slot(slot, opened{std::forward<Handler>(handler), core});
    if constexpr (has_own_executor<std::decay_t<Handler>>) {
      start<dist_node>(std::move(where), core, asio::bind_executor(executor, std::move(told)));
    } else {
      start<dist_node>(std::move(where), core, std::move(told));
    }
  }

 private:
  template <class Handler>
  struct opened_node {
    void operator()(std::exception_ptr error, server_ref<dist_node> made) {
      std::move(handler)(error, error ? dist::node() : dist::node(std::move(core), std::move(made)));
    }

    Handler handler;
    std::shared_ptr<node_core> core;
  };
};

} // namespace detail

namespace dist {

/// Opens a node: registers its name with Erlang's port mapper, listens, and returns a handle. OTP's `net_kernel:start/2`.
///
/// The node is a process. It ends by `node::close`, with the process' context, and as all others when `otpp::run` returns. It is
/// a hidden node, as those of `erl -hidden` are: others see it in `nodes(hidden)`, it is not told of other nodes, and nothing but what
/// it publishes, and processes whose pids it has sent, can be reached through it.
///
/// By default it runs on the opener's executor, and listens at 127.0.0.1, for nodes of this machine.
///
/// @param how    The name and all else: `node_options`.
/// @param token  A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::dist::node)`
///
/// @par Errors
/// - `errc::name_taken`: the port mapper has a node of that name.
/// - `errc::no_connection`: the port mapper cannot be reached; the text says what to do.
/// - std::invalid_argument: Erlang has no node of such a name.
/// - std::runtime_error: there is no cookie, or others can read its file.
/// - std::system_error: it cannot listen there.
///
/// @par Cancellation
/// As `start`: all types cancel the wait for the port mapper.
///
/// @par Thread safety
/// Safe from any thread. Several nodes may be open at a time, with different names.
///
/// @par Lifetime
/// As `start`: no handle keeps the node open, nor ends it.
///
/// @par Example
/// @code
/// #include <otpp/dist.hpp> // link otpp::dist
///
/// auto node = co_await otpp::dist::open(otpp::dist::node_options("cpp@127.0.0.1").cookie("secret"));
/// co_await otpp::start<counter>(otpp::named("counter"), 0);
/// node.publish(otpp::server_name<counter>("counter"));
/// @endcode
template <class Token = asio::use_awaitable_t<>>
auto open(node_options how, Token&& token = {}) {
  return detail::initiate<node>(detail::initiate_open(), std::forward<Token>(token), std::move(how));
}

} // namespace dist
} // namespace otpp

#pragma GCC visibility pop

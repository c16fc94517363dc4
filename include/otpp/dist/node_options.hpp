// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/dist/transport.hpp>
#include <otpp/error.hpp>
#include <otpp/message.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// know_message.hpp, which needs more than this.
template <class M>
void know_message();
template <class M>
void know_received_message();

} // namespace detail

namespace dist {

/// The type of `never`.
struct never_t {
  explicit constexpr never_t() = default;
};

/// Says that a node connects with others only by `node::connect`, and when they connect: `node_options::connect`.
inline constexpr never_t never{};

/// What the connection with a peer may cost, whatever the peer sends.
struct node_limits {
  /// The longest message, in bytes, with its frame; no more than four times that is kept of those that come in fragments. A peer
  /// that sends a longer one is disconnected.
  std::size_t frame = std::size_t(64) << 20;
  /// How many bytes may wait for a peer to read them. It is disconnected when more is to be sent, which only answers and signals are:
  /// messages wait (`node_options::watermarks`).
  std::size_t unsent = std::size_t(64) << 20;
  /// How many calls that are not answered, and monitors and links, a peer may have here. One that wants more is disconnected.
  std::size_t open = 262'144;
  /// How many processes of another node may be known here at a time, of each; of all together, four times as many. A message with
  /// the pid of one more is refused.
  std::size_t processes = 262'144;
  /// How many connections may be in their handshake at a time. Of more, the oldest is closed.
  std::size_t handshakes = 32;
};

/// How a node is opened: its name, its cookie, where it listens. Setters chain, as those of `otpp::options`.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Example
/// @code
/// auto node = co_await otpp::dist::open(otpp::dist::node_options("cpp@127.0.0.1").cookie("secret"));
/// @endcode
class node_options {
 public:
  /// An address and a port.
  using endpoint = asio::ip::tcp::endpoint;
  /// A function for `allow`, which gets the name and the address of a node that wants to connect.
  using permission = std::function<bool(std::string_view node, const endpoint& from)>;
  /// A function for `resolver`, which gets the whole name of a node, and says where it listens.
  using resolution = std::function<asio::awaitable<endpoint>(std::string node)>;

  /// Options of a node of this name, with the defaults.
  ///
  /// @param name  Such as `cpp@127.0.0.1`. One without `@` gets the short name of this host, as `erl -sname`
  ///              does. A name whose host has a dot is a long name, and others are short ones: a node of
  ///              Erlang does not connect with one of the other kind. `open` throws std::invalid_argument if
  ///              Erlang could have no such name.
  explicit node_options(std::string name) : name_(std::move(name)) {}

  /// Sets the cookie, which all nodes that connect have in common.
  ///
  /// It is no encryption, nor proof against those who can listen: docs/between-machines.md, "Security".
  ///
  /// @param text  Without it, that of `cookie_file` is taken.
  node_options& cookie(std::string text) & {
    cookie_ = std::move(text);
    return *this;
  }
  node_options cookie(std::string text) && { return std::move(cookie(std::move(text))); }

  /// Sets another cookie for one peer.
  ///
  /// @param peer  Its whole name.
  /// @param text  The cookie that it has, too.
  node_options& cookie_for(std::string peer, std::string text) & {
    cookies_[std::move(peer)] = std::move(text);
    return *this;
  }
  node_options cookie_for(std::string peer, std::string text) && {
    return std::move(cookie_for(std::move(peer), std::move(text)));
  }

  /// Reads the cookie from a file.
  ///
  /// @param path  `~/.erlang.cookie` by default. It is read by `open`, once. As in OTP, a file that others
  ///              than its owner can read is refused.
  node_options& cookie_file(std::string path) & {
    cookie_file_ = std::move(path);
    return *this;
  }
  node_options cookie_file(std::string path) && { return std::move(cookie_file(std::move(path))); }

  /// Sets where the node listens.
  ///
  /// @param where  An address and a port; port zero means any that is free. By default 127.0.0.1 and any
  ///               port: for nodes of this machine only.
  node_options& listen(endpoint where) & {
    listen_ = std::move(where);
    return *this;
  }
  node_options listen(endpoint where) && { return std::move(listen(std::move(where))); }

  /// Does not listen: only this node connects with others. It is not registered with epmd either.
  node_options& no_listen() & noexcept {
    listen_.reset();
    return *this;
  }
  node_options no_listen() && noexcept { return std::move(no_listen()); }

  /// Sets where Erlang's port mapper is, in which this node registers.
  ///
  /// @param where  By default 127.0.0.1, at the port that the environment has as `ERL_EPMD_PORT`, or 4369.
  ///               The port is also that of the port mappers of other hosts.
  node_options& epmd(endpoint where) & {
    epmd_ = std::move(where);
    return *this;
  }
  node_options epmd(endpoint where) && { return std::move(epmd(std::move(where))); }

  /// Does without the port mapper: `listen` has a port that peers know, as those do that were started with
  /// `erl -start_epmd false -erl_epmd_port Port`.
  node_options& no_epmd() & noexcept {
    epmd_.reset();
    return *this;
  }
  node_options no_epmd() && noexcept { return std::move(no_epmd()); }

  /// Has a function say where a peer listens, instead of the port mapper of its host: a table, a name
  /// service.
  ///
  /// @param where  Called when the node connects, with the peer's whole name; what it throws is the error of
  ///               the connection. Kept as long as the node.
  node_options& resolver(resolution where) & {
    resolver_ = std::move(where);
    return *this;
  }
  node_options resolver(resolution where) && { return std::move(resolver(std::move(where))); }

  /// Sets after which time a peer that says nothing counts as lost. OTP's `net_ticktime`. Peers whose time is
  /// much longer do not speak more often than twice a second.
  ///
  /// @param time  60 seconds by default; a quarter of it is the time between two signs of life. Throws
  ///              std::invalid_argument for less than 10 milliseconds.
  template <detail::timeout_like Duration>
  node_options& tick(Duration time) & {
    tick_ = at_least(std::chrono::milliseconds(10), detail::saturate(time), "tick");
    return *this;
  }
  template <detail::timeout_like Duration>
  node_options tick(Duration time) && {
    return std::move(tick(time));
  }

  /// Sets how long connecting may take, with the handshake. OTP's `net_setuptime`. Where both sides connect
  /// at once, the one that lets the other pass waits a quarter of it for a connection that does not come.
  ///
  /// @param time  7 seconds by default. Throws std::invalid_argument unless it is longer than zero.
  template <detail::timeout_like Duration>
  node_options& setup(Duration time) & {
    setup_ = at_least(duration(1), detail::saturate(time), "setup");
    return *this;
  }
  template <detail::timeout_like Duration>
  node_options setup(Duration time) && {
    return std::move(setup(time));
  }

  /// Connects with another node only by `node::connect`, and not when something is sent there: without a connection, that fails
  /// with `errc::no_connection`. OTP's `dist_auto_connect never`.
  node_options& connect(never_t) & noexcept {
    is_automatic_ = false;
    return *this;
  }
  node_options connect(never_t) && noexcept { return std::move(connect(never)); }

  /// Decides which nodes may connect, besides by the cookie. A node that may not is told `not_allowed`.
  ///
  /// @param which  Called on the node's executor with the peer's name and address; returns true if it may. It
  ///               is called before the cookie is checked, so that the name is what the peer says. An empty
  ///               function, the default, lets all pass.
  node_options& allow(permission which) & {
    allow_ = std::move(which);
    return *this;
  }
  node_options allow(permission which) && { return std::move(allow(std::move(which))); }

  /// Says which message types this program sends to processes of other nodes that it knows by a `pid` alone, and which its spawned
  /// coroutines receive from there; where it is called once for a type, that holds for all nodes of the program. What a published
  /// server lists in its `messages` can be sent without this, and `otpp::term` always.
  ///
  /// @par Example
  /// @code
  /// otpp::dist::node_options("cpp@host").knows<news, alarm>()   // Pid ! {news, ...}
  /// @endcode
  template <message... M>
  node_options& knows() & {
    (detail::know_message<M>(), ...);
    (detail::know_received_message<M>(), ...);
    return *this;
  }
  template <message... M>
  node_options knows() && {
    return std::move(knows<M...>());
  }

  /// Sets what the connection with a peer may cost.
  ///
  /// @param all  Replaces all that were set. A frame has less than 4 GiB in any case.
  node_options& limits(const node_limits& all) & noexcept {
    limits_ = all;
    limits_.frame = (std::min)(limits_.frame, std::size_t(0xFFFFFFFF)); // as its length is sent
    return *this;
  }
  node_options limits(const node_limits& all) && noexcept { return std::move(limits(all)); }

  /// Sets how many bytes wait for a peer to read them before who sends there waits, too.
  ///
  /// Above the high one, the process that stands here for one of the peer's takes no more messages; a
  /// thousand wait in its mailbox, and then `co_await call`, `cast` and `send` wait in line, while `try_cast`
  /// and `try_send` return false. Answers and signals do not wait.
  ///
  /// @param high  At how many bytes senders wait: 1 MiB by default, which is OTP's `+zdbbl`.
  /// @param low   At how many they go on: 256 KiB by default. Throws std::invalid_argument unless it is less
  ///              than `high`.
  node_options& watermarks(std::size_t high, std::size_t low) & {
    if (low >= high) {
      throw std::invalid_argument("otpp: node_options: the low watermark is less than the high one");
    }
    high_watermark_ = high;
    low_watermark_ = low;
    return *this;
  }
  node_options watermarks(std::size_t high, std::size_t low) && { return std::move(watermarks(high, low)); }

  /// Sets what connections take; peers are to have the same.
  ///
  /// @param by  `otpp::dist::tls(...)` of `otpp/dist/tls.hpp`; TCP by default.
  node_options& transport(dist::transport by) & noexcept {
    transport_ = std::move(by);
    return *this;
  }
  node_options transport(dist::transport by) && noexcept { return std::move(transport(std::move(by))); }

  /// Runs the node and its connections on another executor than the opener's.
  ///
  /// @param executor  An empty one means the opener's.
  node_options& on(asio::any_io_executor executor) & {
    executor_ = std::move(executor);
    return *this;
  }
  node_options on(asio::any_io_executor executor) && { return std::move(on(std::move(executor))); }

  /// Returns the name as it was given, also one without `@`.
  const std::string& name() const noexcept { return name_; }
  /// Returns the cookie; nothing if it is read from a file.
  const std::optional<std::string>& cookie() const noexcept { return cookie_; }
  /// Returns the cookies of `cookie_for`, by the names of the peers.
  const std::map<std::string, std::string, std::less<>>& cookies() const noexcept { return cookies_; }
  /// Returns the file with the cookie; nothing for `~/.erlang.cookie`.
  const std::optional<std::string>& cookie_file() const noexcept { return cookie_file_; }
  /// Returns where the node listens; nothing if it does not.
  const std::optional<endpoint>& listen() const noexcept { return listen_; }
  /// Returns where the port mapper is; nothing if the node does without it.
  const std::optional<endpoint>& epmd() const noexcept { return epmd_; }
  /// Returns what says where a peer listens; an empty function if the port mapper does.
  const resolution& resolver() const noexcept { return resolver_; }
  /// Returns after which time a peer that says nothing counts as lost.
  duration tick() const noexcept { return tick_; }
  /// Returns how long connecting may take.
  duration setup() const noexcept { return setup_; }
  /// Returns false if the node connects with others only by `node::connect`.
  bool connects_by_use() const noexcept { return is_automatic_; }
  /// Returns what decides which nodes may connect; an empty function lets all pass.
  const permission& allow() const noexcept { return allow_; }
  /// Returns what the connection with a peer may cost.
  const node_limits& limits() const noexcept { return limits_; }
  /// Returns at how many bytes senders wait.
  std::size_t high_watermark() const noexcept { return high_watermark_; }
  /// Returns at how many bytes senders go on.
  std::size_t low_watermark() const noexcept { return low_watermark_; }
  /// Returns what connections take.
  const dist::transport& transport() const noexcept { return transport_; }
  /// Returns where the node runs; empty if on the opener's executor.
  const asio::any_io_executor& executor() const noexcept { return executor_; }

 private:
  static endpoint default_epmd() {
    std::uint16_t port = 4369;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): who changes the environment meanwhile harms more
    if (const char* text = std::getenv("ERL_EPMD_PORT")) { // else, and where it is no port, as it was
      std::from_chars(text, text + std::strlen(text), port);
    }
    return {asio::ip::address_v4::loopback(), port};
  }

  static duration at_least(duration least, duration time, const char* what) {
    if (time < least) {
      throw std::invalid_argument(
          std::string("otpp: node_options: ") + what + " is at least " + detail::text_of_time(least));
    }
    return time;
  }

  std::string name_;
  std::optional<std::string> cookie_;
  std::map<std::string, std::string, std::less<>> cookies_;
  std::optional<std::string> cookie_file_;
  std::optional<endpoint> listen_ = endpoint(asio::ip::address_v4::loopback(), 0);
  std::optional<endpoint> epmd_ = default_epmd();
  resolution resolver_;
  duration tick_ = std::chrono::seconds(60);
  duration setup_ = std::chrono::seconds(7);
  bool is_automatic_ = true;
  permission allow_;
  node_limits limits_;
  std::size_t high_watermark_ = std::size_t(1) << 20;
  std::size_t low_watermark_ = std::size_t(256) * 1024;
  dist::transport transport_;
  asio::any_io_executor executor_;
};

} // namespace dist
} // namespace otpp

#pragma GCC visibility pop

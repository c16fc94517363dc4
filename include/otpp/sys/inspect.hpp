// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/message.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/use_awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

// To look into a server that runs, and to change it: OTP's module sys. Each verb is a system message: the
// server takes it between two messages of its own, after those that were sent before.

namespace otpp {

/// What `get_status` says of a server.
struct server_status {
  pid who;
  std::string name;               ///< In words: `"counter"`, or `counter#7`.
  std::vector<std::string> names; ///< All that are registered.
  std::string type;               ///< Its callbacks.
  std::uint64_t parent = 0;       ///< The id of who has started it with a link; else zero.
  bool is_suspended = false;
  bool is_traced = false;
  std::size_t queue_length = 0; ///< Messages that waited at that moment, those of the library too.
  std::optional<server_statistics> statistics; ///< Where they are on.
  std::string state; ///< What its `format_status` says; else the type of its state, and no more.
};

namespace detail {

// Something that is done to a server between two of its messages. It is done only while somebody waits for
// it, so that it may refer to what is the caller's; once it has begun, the caller waits for its end.
template <class R, class Act>
class sys_request : public envelope, public answer_slot<R> {
 public:
  sys_request(std::string_view verb, Act&& act)
      : envelope(&opened), verb_(verb), act_(std::in_place, std::move(act)) {
    is_system = true;
  }

  void bounce(server_core&, const exit_reason& reason) noexcept override { this->fail(errc::exited, reason); }
  void abandon() noexcept override { this->leave(); }

 protected:
  ~sys_request() = default;
  std::string_view operation() const noexcept override { return verb_; }

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<sys_request&>(item);
    reply_slot::claim won = self.try_claim();
    if (!won) {
      self.leave();
      return;
    }
    std::exception_ptr why;
    try {
      if constexpr (std::is_void_v<R>) {
        (*self.act_)(server);
        self.prepare();
      } else {
        self.prepare((*self.act_)(server));
      }
    } catch (...) {
      why = std::current_exception();
    }
    self.act_.reset(); // its captures are the caller's business, and must not outlive its wait
    if (why) {
      self.write_error(std::move(why));
    }
    self.deliver_and_leave(won);
  }

  std::string_view verb_;
  std::optional<Act> act_;
};

struct sys_target {
  intrusive_ptr<server_core> server;
  std::exception_ptr error;
};

template <class Callbacks>
sys_target find_process(std::string_view, server_ref<Callbacks>&& to) noexcept {
  return {std::move(to).core(), nullptr};
}

inline sys_target find_process(std::string_view verb, std::string_view name, const registry& in) {
  intrusive_ptr<server_core> found = in.find(name);
  std::exception_ptr error =
      found ? nullptr : make_error(errc::no_process, verb, {}, '"' + std::string(name) + '"');
  return {std::move(found), std::move(error)};
}
inline sys_target find_process(std::string_view verb, std::string_view name) {
  return find_process(verb, name, registry::global());
}

template <class Callbacks>
sys_target find_process(std::string_view verb, server_name<Callbacks>&& to) {
  sys_target found = find_process(verb, to.name(), to.in() ? *to.in() : registry::global());
  if (found.server && found.server->callbacks_type_info() != typeid(Callbacks)) {
    found.error = make_error(errc::bad_message, verb, {}, found.server->describe());
  }
  return found;
}

inline sys_target find_process(std::string_view verb, pid&& who) {
  return {who.core(), who ? nullptr : make_error(errc::no_process, verb, {}, "nobody")};
}

template <class R, class Act>
struct initiate_sys : initiation {
  template <class Handler>
  void operator()(Handler&& handler, std::string_view verb, sys_target target, duration patience, Act&& act) {
    using request = operation<sys_request<R, Act>, R, std::decay_t<Handler>>;
    fallback otherwise(handler, target.server);
    auto* ask = request::make(
        std::forward<Handler>(handler), otherwise.executor(), turn::current(), verb, std::move(act));
    if (!ask) {
      return;
    }
    ask->timeout = patience;
    if (target.error) {
      ask->fail(std::move(target.error));
      return;
    }
    server_core& server = *target.server;
    ask->server = target.server;
    if (ask->is_inside(server)) {
      ask->fail(errc::calling_self);
    } else if (patience < duration::zero()) {
      ask->fail(errc::timeout);
    } else {
      server.send_enrolled<&mailbox::push_library_message>(*ask, turn::current());
    }
  }
};

template <class Act, class Address, timeout_like Duration, class Token = asio::use_awaitable_t<>>
auto ask_sys(std::string_view verb, Address to, Act act, Duration patience, Token&& token = {}) {
  using R = std::invoke_result_t<Act&, server_core&>;
  static_assert(check_token<R, Token>());
  static_assert(
      std::is_void_v<R> || std::is_nothrow_move_constructible_v<R>,
      "otpp: what the function returns is moved to the caller, which must not throw: let it return a "
      "std::unique_ptr");
  return asio::async_initiate<Token, completion_signature_t<R>>(
      initiate_sys<R, Act>(), token, verb, find_process(verb, std::move(to)), saturate(patience),
      std::move(act));
}

template <class Act, class Address, class Token = asio::use_awaitable_t<>>
  requires(!timeout_like<Token>)
auto ask_sys(std::string_view verb, Address to, Act act, Token&& token = {}) {
  return ask_sys(verb, std::move(to), std::move(act), default_timeout, std::forward<Token>(token));
}

template <class Address, class Function>
consteval bool check_sys() {
  static_assert(
      is_typed_address<Address>,
      "otpp: the type of the state must be known: use a server_ref or a server_name (pid::as has the way)");
  static_assert(
      !destroys_awaited_aggregates_twice || std::is_lvalue_reference_v<Function> ||
          std::is_trivially_copyable_v<std::remove_cvref_t<Function>> ||
          std::default_initializable<std::remove_cvref_t<Function>>,
      "otpp: GCC before 13 destroys a lambda twice that is made inside a co_await expression and captures "
      "more "
      "than references and numbers: name the function first, and pass the name");
  if constexpr (is_typed_address<Address>) {
    static_assert(
        !requires { typename Address::callbacks_type::takes_any_message; },
        "otpp: a coroutine that otpp::spawn has started has no state to look into");
  }
  return true;
}

// A process that is one coroutine has no loop that could be asked to do this.
inline void expect_loop(std::string_view verb, const server_core& server) {
  if (server.receives_with()) {
    std::rethrow_exception(make_error(errc::bad_message, verb, {}, server.describe()));
  }
}

// The new state in the place of the old one. It cannot fail half-way.
template <class State>
void put_state(State& old, State&& made) noexcept {
  static_assert(
      std::is_nothrow_move_constructible_v<State> || std::is_nothrow_move_assignable_v<State>,
      "otpp: replace_state needs a state that is moved without throwing, or else the old one could be lost "
      "half-way: give it noexcept moves, or keep it behind a std::unique_ptr");
  if constexpr (std::is_nothrow_move_assignable_v<State>) {
    old = std::move(made);
  } else {
    old.~State();
    ::new (static_cast<void*>(&old)) State(std::move(made));
  }
}

} // namespace detail

/// Looks into a server: calls `look(const State&)` between two of its messages, and returns what that
/// returns. OTP's `sys:get_state/1,2`.
///
/// It goes to the end of the mailbox, takes no room there, and is handled while the server is suspended too.
/// It is no message to the server: a timeout of its `outcome::timeout(d)` begins anew, one with a message
/// goes on.
///
/// @param to    A `server_ref` or a `server_name`.
/// @param look  Called on the server's executor. It returns a copy of what is wanted, and should be quick:
///              the server waits. It may refer to what is the caller's: it is called only while the caller
///              waits.
/// @param rest  A timeout, by default five seconds; a completion token; both; or neither.
///
/// @par Completion signature
/// `void(std::exception_ptr, R)`, where `look` returns `R` or a reference to it; for void,
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - what `look` throws. The server goes on.
/// - `errc::no_process`: nobody has that name, or the server has ended.
/// - `errc::exited`: the server ended before it came to this.
/// - `errc::timeout`: it has not come to this in time; then it never does.
/// - `errc::calling_self`: a handler waits for its own server.
/// - `errc::bad_message`: the name belongs to a server of another type.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`, and then `look` is not called. One that is
/// being called is not interrupted.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Lifetime
/// The address may be destroyed at once. The destruction of the caller's context waits while `look` runs.
///
/// @par Example
/// @code
/// std::size_t size = co_await otpp::inspect(server, [](const state& s) { return s.table.size(); });
/// @endcode
template <address Address, class Function, class... Rest>
auto inspect(Address to, Function&& look, Rest&&... rest) {
  static_assert(detail::check_sys<Address, Function>());
  using callbacks = typename Address::callbacks_type;
  using function = std::decay_t<Function>;
  static_assert(
      std::invocable<function&, const state_t<callbacks>&>,
      "otpp: inspect takes a function of `const State&`");
  using result = std::decay_t<std::invoke_result_t<function&, const state_t<callbacks>&>>;
  if constexpr (!std::is_void_v<result>) {
    static_assert(
        !detail::message_borrows<result>(),
        "otpp: what the function returns to inspect would dangle: it refers to the state; return a copy");
  }
  return detail::ask_sys(
      "inspect", std::move(to),
      [look = function(std::forward<Function>(look))](detail::server_core& server) mutable -> result {
        return std::invoke(look, std::as_const(gen_server<callbacks>::state_of(server)));
      },
      std::forward<Rest>(rest)...);
}

/// Gives a server another state. `make` is called between two messages: as `State make(const State&)`, which
/// returns the new one, or as `void make(State&)`, which changes a copy. OTP's `sys:replace_state/2,3`.
///
/// If it throws, the state is what it was. The new state takes the place of the old one, at the same address.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// What `make` throws; else as `inspect`. After a timeout or a cancellation the state is not changed any
/// more.
///
/// @par Cancellation
/// As `inspect`.
///
/// @par Thread safety
/// As `inspect`.
///
/// @par Lifetime
/// As `inspect`.
///
/// @par Example
/// @code
/// co_await otpp::replace_state(server, [](const state& old) { return state{.limit = 2 * old.limit}; });
/// co_await otpp::replace_state(server, [](state& s) { s.limit *= 2; });
/// @endcode
template <address Address, class Function, class... Rest>
auto replace_state(Address to, Function&& make, Rest&&... rest) {
  static_assert(detail::check_sys<Address, Function>());
  using callbacks = typename Address::callbacks_type;
  using state = state_t<callbacks>;
  using function = std::decay_t<Function>;
  constexpr bool makes_one = [] {
    if constexpr (std::invocable<function&, const state&>) {
      return std::convertible_to<std::invoke_result_t<function&, const state&>, state>;
    }
    return false;
  }();
  static_assert(
      makes_one || std::invocable<function&, state&>,
      "otpp: replace_state takes a function of `const State&` that returns the new state, or of `State&`");
  static_assert(
      makes_one || std::copy_constructible<state>,
      "otpp: replace_state changes a copy, and this state cannot be copied: take `const State&`, and return "
      "the new state");
  return detail::ask_sys(
      "replace_state", std::move(to),
      [make = function(std::forward<Function>(make))](detail::server_core& server) mutable {
        state& old = gen_server<callbacks>::state_of(server);
        if constexpr (makes_one) {
          state made = std::invoke(make, std::as_const(old));
          detail::put_state(old, std::move(made));
        } else {
          state copy(std::as_const(old));
          std::invoke(make, copy);
          detail::put_state(old, std::move(copy));
        }
      },
      std::forward<Rest>(rest)...);
}

/// Makes a server wait: its messages stay queued, in their order, until `resume`. OTP's `sys:suspend/1,2`.
///
/// System messages are handled meanwhile: those of this header, `stop`, an exit signal that ends it, and the
/// end of its parent. In a mailbox with a limit, what waits keeps its room. A plain timeout begins anew at
/// `resume`. Suspending one that is suspended changes nothing, and one `resume` ends it.
///
/// @param to    Any address.
///
/// @par Completion signature
/// `void(std::exception_ptr)`: from now on it handles no message.
///
/// @par Errors
/// As `inspect`; `errc::bad_message` also for a coroutine that `otpp::spawn` has started.
///
/// @par Cancellation
/// As `inspect`.
///
/// @par Thread safety
/// As `inspect`.
///
/// @par Lifetime
/// As `inspect`.
///
/// @par Complexity
/// While a server is suspended, a system message costs it time linear in the messages that wait.
///
/// @par Example
/// @code
/// co_await otpp::suspend(server);
/// co_await otpp::replace_state(server, upgrade);
/// co_await otpp::resume(server);
/// @endcode
template <address Address, class... Rest>
auto suspend(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "suspend", std::move(to),
      [](detail::server_core& server) {
        detail::expect_loop("suspend", server);
        server.observe().is_suspended = true;
        server.notice();
      },
      std::forward<Rest>(rest)...);
}

/// Lets a server go on that `suspend` has stopped, with what came first. Does nothing to another. OTP's
/// `sys:resume/1,2`. All else as `suspend`.
template <address Address, class... Rest>
auto resume(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "resume", std::move(to),
      [](detail::server_core& server) {
        if (detail::observation* watch = server.observed()) {
          watch->is_suspended = false;
          server.notice();
        }
      },
      std::forward<Rest>(rest)...);
}

/// Has a hook called with what a server does: the messages that it takes, the answers that its handlers give,
/// its timeouts, and its end. With `nullptr`, no more. OTP's `sys:trace/2,3`, and `sys:install/2`.
///
/// There is one hook at a time. It runs on the server's executor, before the handler, and should be quick.
/// One that throws is not called again, as in OTP; the server goes on.
///
/// @param to    Any address.
/// @param hook  `void(const otpp::trace_event&)`. Destroyed on the server's executor when it is replaced, or
///              when the server ends.
///
/// @par Completion signature
/// `void(std::exception_ptr)`: from now on it is called.
///
/// @par Errors
/// As `suspend`.
///
/// @par Cancellation
/// As `inspect`.
///
/// @par Thread safety
/// As `inspect`.
///
/// @par Lifetime
/// What the hook refers to must live until it is replaced, or the server has ended.
///
/// @par Example
/// @code
/// co_await otpp::trace(server, [](const otpp::trace_event& event) { std::cerr << event.text() << '\n'; });
/// @endcode
template <address Address, class Hook, class... Rest>
  requires(
      std::same_as<std::decay_t<Hook>, std::nullptr_t> ||
      std::invocable<std::decay_t<Hook>&, const trace_event&>)
auto trace(Address to, Hook&& hook, Rest&&... rest) {
  using kept = std::function<void(const trace_event&)>;
  static_assert(
      !detail::destroys_awaited_aggregates_twice || std::is_lvalue_reference_v<Hook> ||
          std::is_trivially_copyable_v<std::remove_cvref_t<Hook>> ||
          std::default_initializable<std::remove_cvref_t<Hook>>,
      "otpp: GCC before 13 destroys a lambda twice that is made inside a co_await expression and captures "
      "more "
      "than references and numbers: name the hook first, and pass the name");
  return detail::ask_sys(
      "trace", std::move(to),
      [hook = kept(std::forward<Hook>(hook))](detail::server_core& server) mutable {
        detail::expect_loop("trace", server);
        server.observe().hook = std::move(hook);
        server.notice();
      },
      std::forward<Rest>(rest)...);
}

/// Makes a server count what it does from now on, or stop that. OTP's `sys:statistics(Server, true | false)`.
///
/// While it is on, a message costs two looks at the clock, and sending takes a mutex for a moment; so it does
/// to one with a mailbox limit, always.
///
/// @param to    Any address.
/// @param on    Counting begins again with nothing if it was on.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// As `suspend`; std::bad_alloc.
///
/// @par Cancellation
/// As `inspect`.
///
/// @par Thread safety
/// As `inspect`.
///
/// @par Lifetime
/// As `inspect`.
///
/// @par Example
/// @code
/// co_await otpp::statistics(server, true);
/// std::optional<otpp::server_statistics> seen = co_await otpp::statistics(server);
/// @endcode
template <address Address, std::same_as<bool> Switch, class... Rest>
auto statistics(Address to, Switch on, Rest&&... rest) {
  return detail::ask_sys(
      "statistics", std::move(to),
      [on](detail::server_core& server) {
        detail::expect_loop("statistics", server);
        if (!on && !server.observed()) {
          return;
        }
        detail::observation& watch = server.observe();
        server.count_messages(on);
        watch.counts = on;
        watch.counted = {};
        watch.counted.since = server.now();
        server.notice();
      },
      std::forward<Rest>(rest)...);
}

namespace detail {

inline std::optional<server_statistics> statistics_of(const server_core& server) noexcept {
  const observation* watch = server.observed();
  if (!watch || !watch->counts) {
    return std::nullopt;
  }
  server_statistics result = watch->counted;
  if (auto lengths = server.queue_length()) {
    result.queue_length = lengths->now;
    result.longest_queue = lengths->longest;
  }
  return result;
}

} // namespace detail

/// Returns what has been counted since `statistics(server, true)`; nothing if it is not on. OTP's
/// `sys:statistics(Server, get)`.
///
/// @par Completion signature
/// `void(std::exception_ptr, std::optional<otpp::server_statistics>)`
///
/// @par Errors
/// As `inspect`.
///
/// @par Cancellation
/// As `inspect`.
///
/// @par Thread safety
/// As `inspect`.
///
/// @par Lifetime
/// As `inspect`.
///
/// @par Example
/// @code
/// std::optional<otpp::server_statistics> seen = co_await otpp::statistics(server);
/// @endcode
template <address Address, class... Rest>
auto statistics(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "statistics", std::move(to), [](detail::server_core& server) { return detail::statistics_of(server); },
      std::forward<Rest>(rest)...);
}

/// Returns what can be said of a server. OTP's `sys:get_status/1,2`.
///
/// Its state is in it only as its `format_status(const State&)` shows it, which leaves out what is secret. If
/// that throws, its error stands there instead.
///
/// @param to    Any address, also that of a coroutine that `otpp::spawn` has started.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_status)`
///
/// @par Errors
/// As `inspect`.
///
/// @par Cancellation
/// As `inspect`.
///
/// @par Thread safety
/// As `inspect`.
///
/// @par Lifetime
/// As `inspect`.
///
/// @par Complexity
/// Linear in the messages that wait, which are counted.
///
/// @par Example
/// @code
/// struct vault {
///   static std::string format_status(const state& s) { return std::to_string(s.keys.size()) + " keys"; }
///   ...
/// };
/// otpp::server_status status = co_await otpp::get_status(server);
/// @endcode
template <address Address, class... Rest>
auto get_status(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "get_status", std::move(to),
      [](detail::server_core& server) {
        server_status result;
        const detail::observation* watch = server.observed();
        result.who = pid(detail::intrusive_ptr<detail::server_core>(&server));
        result.name = server.describe();
        result.names = detail::names_of(server);
        result.type = server.type_name();
        result.parent = server.parent();
        result.is_suspended = watch && watch->is_suspended;
        result.is_traced = watch && watch->hook;
        result.queue_length = server.count_queue();
        result.statistics = detail::statistics_of(server);
        result.state = server.show_state();
        return result;
      },
      std::forward<Rest>(rest)...);
}

} // namespace otpp

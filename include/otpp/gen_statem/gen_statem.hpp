// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/gen_statem/detail/handlers.hpp>
#include <otpp/gen_statem/detail/server.hpp>
#include <otpp/gen_statem/states.hpp>
#include <otpp/gen_statem/transition.hpp>
#include <otpp/message.hpp>

#include <stdexcept>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Says that a state machine handles a message in at least one of its states.
template <class Callbacks, class M>
concept handles_event = message<M> && detail::states_with_handler<Callbacks, M> != 0;

/// The base of the callbacks class of a state machine: a server whose handlers are chosen by the message and by the state
/// that it is in. OTP's behavior `gen_statem`.
///
/// It is started, called and supervised as every server: `start<Callbacks>(...)`, `call`, `cast`, `send`, `stop`, timers,
/// links, monitors and `child<Callbacks>` work as they do with a `gen_server`.
///
/// | callback | returns (each also as `asio::awaitable`) |
/// | --- | --- |
/// | `init(args...)` | `state_type`, which is made from the first state and the data, or `initial` |
/// | `handle_event(M, S, Data&)` | `void` or `transition<>`; of a call `M::reply_type` or `transition<M::reply_type>` |
/// | `handle_event(M, caller<R>, S, Data&)` | `void` or `transition<>`; the caller is answered later |
/// | `handle_enter(const state& from, S, Data&)` | `void` or `entry`; called when a state is entered, before any event |
/// | `terminate(const exit_reason&, state_type&)` | `void` |
/// | `format_status(const state_type&)` | as for a `gen_server` |
///
/// All messages come to `handle_event`: of `call`, `cast`, `send`, of timeouts and of `next_event`. `S` is an
/// `in_state<value>` where the states are values (`states<...>`), an alternative by reference where they are types (a
/// `std::variant`), and otherwise the state. A handler whose `S` is the type of the values, or `any_state` where the states
/// are types, or a template parameter, is for all states that have no handler of their own. The compiler checks that each
/// state handles a message that is sent, where OTP would end the machine with `function_clause`.
///
/// @tparam Callbacks  The class that derives from this.
/// @tparam States     `states<values...>`, a `std::variant`, or any type, whose values are the states.
/// @tparam Data       What all states share. It is not copied.
///
/// @par Example
/// @code
/// enum class light { red, green };
/// struct crossing : otpp::gen_statem<crossing, otpp::states<light::red, light::green>, int> {
///   struct press {};
///   struct stop_walking {};
///   state_type init() { return {light::red, 0}; }
///   transition<> handle_event(press, otpp::in_state<light::red>, int&) { return next_state(light::green); }
///   void handle_event(press, otpp::in_state<light::green>, int&) {}
///   entry handle_enter(light, otpp::in_state<light::green>, int& crossings) {
///     ++crossings;
///     return entry().state_timeout(20s, stop_walking());
///   }
///   transition<> handle_event(stop_walking, light, int&) { return next_state(light::red); }
/// };
/// @endcode
template <class Callbacks, class States, class Data>
class gen_statem {
 public:
  using given_states = States;
  /// The type of a state: of the values of `states<values...>`, else `States` itself.
  using state = typename detail::state_set<States>::type;
  /// The state and the data: what `init` returns, and `terminate` gets.
  using state_type = state_and_data<state, Data>;
  /// What a handler takes that is for all states without one of their own, where states are types.
  using any_state = whole_state<state>;

  /// What `handle_event` returns to say more: `otpp::transition`.
  template <class R = void>
  using transition = otpp::transition<Callbacks, state, R>;
  /// What `handle_enter` returns to say more: `otpp::state_entry`.
  using entry = state_entry<Callbacks, state>;
  /// What `init` returns to say more: `otpp::initial_state`.
  using initial = initial_state<Callbacks, state, Data>;

  /// Changes the state after this handler.
  ///
  /// The state timeout is cancelled, the postponed events are tried again, and `handle_enter` of the new
  /// state is called before anything else. OTP's `{next_state, NextState, NewData}`.
  ///
  /// @param to  The new state; moved. To the same state it is `keep_state`; states that are types are the
  ///            same if they are equal, or empty.
  ///
  /// @throws std::logic_error  if the state is none of `States`.
  static transition<detail::unanswered_yet> next_state(state to) {
    if (!detail::state_set<States>::contains(to)) {
      throw std::logic_error("otpp: next_state of what is none of the machine's states");
    }
    transition<detail::unanswered_yet> made;
    detail::access::state(made).kind = detail::step_kind::next;
    detail::access::state(made).next.emplace(std::move(to));
    return made;
  }

  /// Keeps the state, and is a result to which timeouts, events and an answer can be added. OTP's `keep_state`.
  static transition<detail::unanswered_yet> keep_state() { return {}; }

  /// Keeps the state, and calls `handle_enter` again. OTP's `repeat_state`.
  static transition<detail::unanswered_yet> repeat_state() {
    transition<detail::unanswered_yet> made;
    detail::access::state(made).kind = detail::step_kind::repeat;
    return made;
  }

  /// Keeps the state, and postpones the event: `keep_state().postpone()`.
  static transition<detail::postponed_event> postpone() { return keep_state().postpone(); }

  // Declared only: by these every verb finds out whether the machine handles a message.
  template <class M>
    requires(call_message<M> && handles_event<Callbacks, M>)
  reply_t<M> handle_call(M, state_type&);
  template <class M>
    requires(!call_message<M> && handles_event<Callbacks, M>)
  void handle_cast(M, state_type&);
  template <class M>
    requires(!call_message<M> && handles_event<Callbacks, M>)
  void handle_info(M, state_type&);
};

} // namespace otpp

#pragma GCC visibility pop

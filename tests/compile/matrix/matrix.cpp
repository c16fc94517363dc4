// SPDX-License-Identifier: BSL-1.0

// Every verb with every kind of address and every kind of token. Compiling is the test.
//
//                                               server_ref  server_name  pid  string  via  via.as<>  resolvable
// call, call_for, cast, send, try_cast, try_send, stop, drain,
// send_request, multi_call, broadcast,
// send_after, send_interval, get_status, suspend,
// resume, trace, statistics, the supervisors'       yes         yes      yes   yes    yes    yes       yes
// inspect, replace_state                            yes         yes       -     -      -     yes     if typed
// .stop, .drain, .join, monitor, link, unlink,
// exit, kill                                        yes          -       yes    -      -      -         -
// wait_for_name                                      -           -        -    yes     -      -         -
//
// What is refused, and with which sentence, is in compile/fail: inspect_without_a_type and *_of_a_name. The members
// stop, drain and join are those of a process; the other addresses do not have them. A pool is a resolvable that is typed.

#include <otpp/all.hpp>

#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace matrix {

using namespace std::chrono_literals;

struct server {
  struct ask {
    int n;
    using reply_type = int;
  };
  struct tell {
    int n;
  };
  using messages = otpp::message_list<ask, tell>;
  int init() { return 0; }
  int handle_call(ask message, int& state) { return state += message.n; }
  void handle_cast(tell message, int& state) { state = message.n; }
  void handle_info(tell message, int& state) { state = message.n; }
};

// ---- addresses ----

class chosen_later { // resolvable, and only the server knows its callbacks
 public:
  otpp::pid resolve() const { return {}; }
};
template <class Callbacks>
class chosen { // resolvable, with callbacks that are known
 public:
  explicit chosen(otpp::server_ref<Callbacks> which) : which_(std::move(which)) {}
  otpp::server_ref<Callbacks> resolve() const { return which_; }

 private:
  otpp::server_ref<Callbacks> which_;
};

template <class... T>
struct types {};

template <class C>
using addresses = types<
    otpp::server_ref<C>, otpp::server_name<C>, otpp::pid, const char*, std::string, otpp::via<otpp::registry>,
    otpp::via<otpp::registry, C>, chosen_later, chosen<C>, otpp::pool<C>>;

template <class Address>
constexpr bool is_process = false;
template <class C>
constexpr bool is_process<otpp::server_ref<C>> = true;
template <>
constexpr bool is_process<otpp::pid> = true;

template <class Address>
constexpr bool is_string = false;
template <>
constexpr bool is_string<const char*> = true;
template <>
constexpr bool is_string<std::string> = true;

template <class Address>
constexpr bool is_typed = false;
template <class C>
constexpr bool is_typed<otpp::server_ref<C>> = true;
template <class C>
constexpr bool is_typed<otpp::server_name<C>> = true;
template <class C>
constexpr bool is_typed<otpp::via<otpp::registry, C>> = true;
template <>
constexpr bool is_typed<otpp::via<otpp::registry>> = false;
template <class C>
constexpr bool is_typed<chosen<C>> = true;

// ---- tokens ----

struct callback {
  template <class... R>
  void operator()(const std::exception_ptr&, R&&...) const {}
};
using tokens = types<asio::use_awaitable_t<>, callback, asio::use_future_t<>>;

template <class Token, class R>
struct result {
  using type = void;
};
template <class R>
struct result<asio::use_awaitable_t<>, R> {
  using type = asio::awaitable<R>;
};
template <class R>
struct result<asio::use_future_t<>, R> {
  using type = std::future<R>;
};

// Uses a verb that ends with an R.
template <class R, class Token, class Verb>
void ends(Verb verb) {
  using got = decltype(verb());
  static_assert(std::is_same_v<got, typename result<Token, R>::type>);
  static_cast<void>(verb());
}

// ---- verbs ----

// Which addresses a verb takes, and whether it takes a token.
struct of_any {
  using callbacks = server;
  template <class Address>
  static constexpr bool takes = true;
};
struct of_typed : of_any {
  template <class Address>
  static constexpr bool takes = is_typed<Address>;
};
struct of_process : of_any {
  template <class Address>
  static constexpr bool takes = is_process<Address>;
};
struct of_string : of_any {
  template <class Address>
  static constexpr bool takes = is_string<Address>;
};
struct of_supervisor : of_any {
  using callbacks = otpp::supervisor;
};

struct call : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    server::ask message{1};
    ends<int, T>([&] { return otpp::call<server::ask>(to, 1, token); });
    ends<int, T>([&] { return otpp::call(to, message, token); });
    ends<int, T>([&] { return otpp::call(to, message, 1s, token); });
    ends<int, T>([&] { return otpp::call_for<server::ask>(to, 1s, 1, token); });
  }
};
struct call_without_token : of_any {
  template <class A>
  static void use(const A& to) {
    server::ask message{1};
    ends<int, asio::use_awaitable_t<>>([&] { return otpp::call<server::ask>(to, 1); });
    ends<int, asio::use_awaitable_t<>>([&] { return otpp::call(to, message); });
    ends<int, asio::use_awaitable_t<>>([&] { return otpp::call(to, message, 1s); });
    ends<int, asio::use_awaitable_t<>>([&] { return otpp::call_for<server::ask>(to, 1s, 1); });
  }
};
struct cast : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    server::tell message{1};
    ends<void, T>([&] { return otpp::cast<server::tell>(to, 1, token); });
    ends<void, T>([&] { return otpp::cast(to, message, token); });
  }
};
struct send : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    server::tell message{1};
    ends<void, T>([&] { return otpp::send<server::tell>(to, 1, token); });
    ends<void, T>([&] { return otpp::send(to, message, token); });
  }
};
struct try_cast_and_send : of_any {
  template <class A>
  static void use(const A& to) {
    server::tell message{1};
    static_cast<void>(otpp::try_cast<server::tell>(to, 1) && otpp::try_cast(to, message));
    static_cast<void>(otpp::try_send<server::tell>(to, 1) && otpp::try_send(to, message));
  }
};
struct send_request : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    server::ask message{1};
    ends<int, T>([&] { return otpp::send_request<server::ask>(to, 1).wait(token); });
    ends<int, T>([&] { return otpp::send_request(to, message).receive(1s, token); });
    ends<int, T>([&] { return otpp::send_request(to, message, 1s).receive(token); });
  }
};
struct multi_call : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    std::vector<A> all{to};
    using answers = std::vector<otpp::response<int>>;
    ends<answers, T>([&] { return otpp::multi_call<server::ask>(all, 1s, 1, token); });
  }
};
struct broadcast : of_any {
  template <class A>
  static void use(const A& to) {
    const std::vector<A> all{to};
    static_cast<void>(otpp::broadcast<server::tell>(all, 1));
  }
};
struct timers : of_any {
  template <class A>
  static void use(const A& to) {
    auto at = std::chrono::steady_clock::now();
    server::tell message{1};
    otpp::timer_ref one = otpp::send_after<server::tell>(1s, to, 1);
    one = otpp::send_after<server::tell>(at, to, 1);
    one = otpp::send_after(1s, to, message);
    one = otpp::send_interval<server::tell>(1s, to, 1);
    one = otpp::send_interval<server::tell>(at, 1s, to, 1);
    one = otpp::send_interval(1s, to, message);
    one = otpp::send_interval(at, 1s, to, message);
    one = otpp::send_interval<server::tell>(otpp::every(1s), to, 1);
    one = otpp::send_interval(at, otpp::every(1s).even_if_queued(), to, message);
  }
};
struct get_status : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<otpp::server_status, T>([&] { return otpp::get_status(to, token); });
    ends<otpp::server_status, T>([&] { return otpp::get_status(to, 1s, token); });
  }
};
struct suspend_and_resume : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<void, T>([&] { return otpp::suspend(to, token); });
    ends<void, T>([&] { return otpp::suspend(to, 1s, token); });
    ends<void, T>([&] { return otpp::resume(to, token); });
    ends<void, T>([&] { return otpp::resume(to, 1s, token); });
  }
};
struct trace : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<void, T>([&] { return otpp::trace(to, [](const otpp::trace_event&) {}, token); });
    ends<void, T>([&] { return otpp::trace(to, nullptr, 1s, token); });
  }
};
struct statistics : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    using counted = std::optional<otpp::server_statistics>;
    ends<void, T>([&] { return otpp::statistics(to, true, token); });
    ends<counted, T>([&] { return otpp::statistics(to, token); });
    ends<counted, T>([&] { return otpp::statistics(to, 1s, token); });
  }
};
struct inspect : of_typed {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<int, T>([&] { return otpp::inspect(to, [](const int& state) { return state; }, token); });
    ends<void, T>([&] { return otpp::inspect(to, [](const int&) {}, 1s, token); });
  }
};
struct replace_state : of_typed {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<void, T>([&] { return otpp::replace_state(to, [](const int& old) { return old + 1; }, token); });
    ends<void, T>([&] { return otpp::replace_state(to, [](int& state) { ++state; }, 1s, token); });
  }
};
struct stop : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<void, T>([&] { return otpp::stop(to, token); });
    ends<void, T>([&] { return otpp::stop(to, otpp::exit_reason::shutdown(), token); });
    ends<void, T>([&] { return otpp::stop(to, otpp::exit_reason::normal(), 1s, token); });
  }
};
struct drain : of_any {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<void, T>([&] { return otpp::drain(to, 1s, token); });
    ends<void, T>([&] { return otpp::drain(to, 1s, otpp::exit_reason::shutdown(), token); });
  }
};
struct stop_and_join : of_process {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<void, T>([&] { return to.stop(otpp::exit_reason::normal(), otpp::infinite, token); });
    ends<void, T>([&] { return to.drain(otpp::infinite, token); });
    ends<otpp::exit_reason, T>([&] { return to.join(token); });
  }
};
struct signals : of_process {
  template <class A>
  static void use(const A& to) {
    otpp::monitor_ref ref = otpp::monitor(to);
    static_cast<void>(otpp::demonitor(ref));
    otpp::link(to);
    otpp::unlink(to);
    otpp::exit(to, otpp::exit_reason::shutdown());
    otpp::kill(to);
  }
};
struct wait_for_name : of_string {
  template <class A, class T>
  static void use(const A& name, T token) {
    // A callback gets a reference beside an error, too, for which there must be one that refers to nobody.
    if constexpr (!std::is_same_v<T, callback> || std::is_default_constructible_v<otpp::server_ref<server>>) {
      ends<otpp::server_ref<server>, T>(
          [&] { return otpp::wait_for_name<server>(name, 1s, otpp::registry::global(), token); });
    }
  }
};
struct children : of_supervisor {
  template <class A, class T>
  static void use(const A& to, T token) {
    ends<std::vector<otpp::child_info>, T>([&] { return otpp::which_children(to, token); });
    ends<otpp::child_counts, T>([&] { return otpp::count_children(to, token); });
    ends<void, T>([&] { return otpp::terminate_child(to, "child", token); });
    ends<void, T>([&] { return otpp::delete_child(to, "child", token); });
  }
};

using verbs = types<
    call, call_without_token, cast, send, try_cast_and_send, send_request, multi_call, broadcast, timers,
    get_status, suspend_and_resume, trace, statistics, inspect, replace_state, stop, drain, stop_and_join,
    signals, wait_for_name, children>;

// ---- all of them ----

template <class Address>
const Address& some(); // nobody runs this

template <class Verb, class Address, class... Token>
void with_tokens(types<Token...>) {
  static_assert(otpp::address<Address>);
  if constexpr (!Verb::template takes<Address>) {
    // refused
  } else if constexpr (requires { Verb::use(some<Address>()); }) {
    Verb::use(some<Address>());
  } else {
    (Verb::use(some<Address>(), Token()), ...);
  }
}
template <class Verb, class... Address>
void with_addresses(types<Address...>) {
  (with_tokens<Verb, Address>(tokens()), ...);
}
template <class... Verb>
void with_verbs(types<Verb...>) {
  (with_addresses<Verb>(addresses<typename Verb::callbacks>()), ...);
}

void all() { with_verbs(verbs()); }

} // namespace matrix

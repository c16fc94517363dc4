// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/inbound_to.hpp>

#include <otpp/dist.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/raw_peer.hpp"
#include "support/run.hpp"

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using otpp::detail::inbound_result;
using otpp::detail::inbound_to;
using otpp::detail::term_reader;

namespace {
namespace incoming_messages {

struct one { // the first that fits is taken
  int n;
  static constexpr auto term = otpp::as::tagged("one");
};
struct any_one {
  std::string text;
  static constexpr auto term = otpp::as::tagged("one");
};
struct ask {
  int n;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("ask");
};
struct ask_any { // the same, by one who does not know the answer's type
  int n;
  using reply_type = otpp::term;
  static constexpr auto term = otpp::as::tagged("ask");
};
struct other { // which nobody lists
  int n;
  using reply_type = otpp::term;
  static constexpr auto term = otpp::as::tagged("other");
};
struct reset {
  static constexpr auto term = otpp::as::tagged("reset");
};

// Casts are words, and infos words with a dash.
struct listener {
  using messages = otpp::message_list<one, any_one, ask, reset>;
  using state = std::shared_ptr<std::string>;
  static state init(state s) { return s; }
  static void handle_cast(one m, state& s) { *s += "one" + std::to_string(m.n) + ' '; }
  static void handle_cast(any_one m, state& s) { *s += "any:" + m.text + ' '; }
  static void handle_info(one m, state& s) { *s += "-one" + std::to_string(m.n) + ' '; }
  static void handle_info(reset, state& s) { *s += "-reset "; }
  static int handle_call(ask m, state& s) {
    *s += "ask" + std::to_string(m.n) + ' ';
    return m.n;
  }
};

// Takes whatever comes.
struct curious {
  using messages = otpp::message_list<one, ask>;
  using state = std::shared_ptr<std::string>;
  static state init(state s) { return s; }
  static void handle_cast(one m, state& s) { *s += "one" + std::to_string(m.n) + ' '; }
  static void handle_cast(const otpp::term& m, state& s) { *s += otpp::to_string(m) + ' '; }
  static void handle_info(const otpp::term& m, state& s) { *s += '-' + otpp::to_string(m) + ' '; }
  static int handle_call(ask m, state&) { return m.n; }
  static otpp::term handle_call(otpp::dist::any_call m, state&) { return m.request; }
};

struct deaf {
  static int init() { return 0; }
};

template <class T>
std::string bytes(const T& value) {
  return otpp::to_bytes(value).substr(1);
}
std::string bytes_of_unknown() { return bytes_of(104, 2, 119, 5, "other", 97, 1); }

} // namespace incoming_messages
} // namespace

TEST_CASE(
    "inbound_to: casts and plain messages are read by the list, each for what it has handlers for",
    "[dist]") {
  namespace in = incoming_messages;
  run([]() -> asio::awaitable<void> {
    auto seen = std::make_shared<std::string>();
    auto server = co_await otpp::start<in::listener>(seen);
    using to = inbound_to<in::listener>;
    std::string one = in::bytes(in::one{1});
    std::string text = in::bytes(in::any_one{"x"});
    CHECK(to::cast(server, term_reader(one)) == inbound_result::taken);
    CHECK(to::cast(server, term_reader(text)) == inbound_result::taken);
    CHECK(to::info(server, term_reader(one)) == inbound_result::taken);
    CHECK(to::info(server, term_reader(in::bytes(in::reset()))) == inbound_result::taken);
    CHECK(to::info(server, term_reader(text)) == inbound_result::unknown);                   // a cast
    CHECK(to::cast(server, term_reader(in::bytes(in::reset()))) == inbound_result::unknown); // an info
    CHECK(to::cast(server, term_reader(in::bytes(in::ask{1}))) == inbound_result::unknown);  // a call
    CHECK(to::cast(server, term_reader(in::bytes_of_unknown())) == inbound_result::unknown);
    CHECK(to::cast(server, term_reader("")) == inbound_result::unknown);
    CHECK(to::cast(server, term_reader(one + "x")) == inbound_result::unknown); // something follows
    CHECK(to::cast(server, term_reader(one.substr(0, one.size() - 1))) == inbound_result::unknown);
    CHECK(
        to::cast(server, term_reader(bytes_of(104, 1, 119, 3, "one"))) ==
        inbound_result::unknown); // another arity
    CHECK(
        to::cast(server, term_reader(bytes_of(104, 2, 119, 3, "one", 110, 8, 0, std::string(8, 'x')))) ==
        inbound_result::unknown); // no int, nor a text
    co_await server.stop();
    CHECK(*seen == "one1 any:x -one1 -reset ");
    CHECK(to::cast(server, term_reader(one)) == inbound_result::refused); // it has ended
  });
}

TEST_CASE("inbound_to: a full mailbox refuses", "[dist]") {
  namespace in = incoming_messages;
  run([]() -> asio::awaitable<void> {
    auto seen = std::make_shared<std::string>();
    auto server = co_await otpp::start<in::listener>(otpp::options().mailbox_limit(1), seen);
    std::string one = in::bytes(in::one{1});
    CHECK(inbound_to<in::listener>::cast(server, term_reader(one)) == inbound_result::taken);
    CHECK(inbound_to<in::listener>::info(server, term_reader(one)) == inbound_result::refused);
    co_await server.stop();
    CHECK(*seen == "one1 ");
  });
}

TEST_CASE("inbound_to: handlers of any term take what fits nothing", "[dist]") {
  namespace in = incoming_messages;
  run([]() -> asio::awaitable<void> {
    auto seen = std::make_shared<std::string>();
    auto server = co_await otpp::start<in::curious>(seen);
    using to = inbound_to<in::curious>;
    CHECK(to::cast(server, term_reader(in::bytes(in::one{1}))) == inbound_result::taken);
    CHECK(to::cast(server, term_reader(in::bytes_of_unknown())) == inbound_result::taken);
    CHECK(to::info(server, term_reader(in::bytes(in::one{1}))) == inbound_result::taken);
    CHECK(to::info(server, term_reader("\x01")) == inbound_result::unknown); // no term
    co_await server.stop();
    CHECK(*seen == "one1 {other,1} -{one,1} ");
  });
}

TEST_CASE("inbound_to: a class without messages takes nothing", "[dist]") {
  namespace in = incoming_messages;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<in::deaf>();
    CHECK(inbound_to<in::deaf>::cast(server, term_reader(in::bytes_of_unknown())) == inbound_result::unknown);
    CHECK(inbound_to<in::deaf>::info(server, term_reader(in::bytes_of_unknown())) == inbound_result::unknown);
    CHECK(
        inbound_to<in::deaf>::call(server, term_reader(in::bytes_of_unknown()), nullptr) ==
        inbound_result::unknown);
    co_await server.stop();
  });
}

TEST_CASE("inbound_to: calls, and those that any_call takes", "[dist]") {
  namespace in = incoming_messages;
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto server = co_await otpp::start<in::curious>(std::make_shared<std::string>());
    nodes.b.publish(server, "curious");
    auto to = nodes.a.remote("curious", "b@127.0.0.1");
    int n = co_await otpp::call<in::ask>(to, 5);
    CHECK(n == 5);
    otpp::term answer = co_await otpp::call<in::other>(to, 7);
    CHECK(otpp::to_string(answer) == "{other,7}");
    // A typed one comes before it.
    answer = co_await otpp::call<in::ask_any>(to, 3);
    CHECK(otpp::to_string(answer) == "3");
  });
}

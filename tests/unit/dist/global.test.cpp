// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/global.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>

#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace {
namespace globally {

const std::string b = "b@127.0.0.1";

// What Erlang's `rex` would do, with names of its own.
struct rex {
  using argument = std::variant<otpp::pid, otpp::term>;

  struct apply {
    otpp::atom module;
    otpp::atom function;
    std::vector<argument> arguments;
    otpp::atom leader;
    using reply_type = argument;
    static constexpr auto term = otpp::as::tagged("call");
  };
  using messages = otpp::message_list<apply>;

  struct state {
    std::map<std::string, otpp::pid> names;
    std::vector<otpp::caller<argument>> kept;
  };

  static state init() { return {}; }
  static void handle_call(const apply& what, otpp::caller<argument> from, state& s) {
    const auto* name = std::get_if<otpp::term>(&what.arguments.at(0));
    if (!name || what.module.text() != "global" || what.leader.text() != "user") {
      from.reply(word("wrong"));
      return;
    }
    const std::string text = otpp::to_string(*name);
    if (text == "never") {
      s.kept.push_back(std::move(from));
    } else if (text == "broken") {
      from.reply(otpp::term::of(std::pair(otpp::atom("badrpc"), 7)));
    } else if (what.function.text() == "register_name") {
      bool is_new = s.names.emplace(text, std::get<otpp::pid>(what.arguments.at(1))).second;
      from.reply(word(is_new ? "yes" : "no"));
    } else if (what.function.text() == "unregister_name") {
      s.names.erase(text);
      from.reply(word("ok"));
    } else {
      auto found = s.names.find(text);
      from.reply(found == s.names.end() ? argument(word("undefined")) : argument(found->second));
    }
  }

  static argument word(const char* text) { return otpp::term::of(otpp::atom(text)); }
};

} // namespace globally
} // namespace

TEST_CASE("global: a name is registered, found and taken back", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto server = co_await otpp::start<globally::rex>();
    nodes.b.publish(server, "rex");
    otpp::pid found = co_await otpp::dist::whereis_global(nodes.a, "counter", globally::b);
    CHECK_FALSE(found);
    co_await otpp::dist::register_global(nodes.a, "counter", server, globally::b);
    found = co_await otpp::dist::whereis_global(nodes.a, "counter", globally::b);
    CHECK(found == otpp::pid(server));
    otpp::error taken =
        co_await error_of(otpp::dist::register_global(nodes.a, "counter", server, globally::b));
    CHECK(taken.code() == otpp::errc::name_taken);
    CHECK(std::string(taken.what()).find("register_global at counter") != std::string::npos);
    co_await otpp::dist::unregister_global(nodes.a, "counter", globally::b);
    found = co_await otpp::dist::whereis_global(nodes.a, "counter", globally::b);
    CHECK_FALSE(found);

    // A name that is no atom.
    otpp::term seven = otpp::term::of(std::pair(otpp::atom("counter"), 7));
    co_await otpp::dist::register_global(nodes.a, seven, server, globally::b);
    found = co_await otpp::dist::whereis_global(nodes.a, seven, globally::b);
    CHECK(found == otpp::pid(server));
    co_await server.stop();
  });
}

TEST_CASE("global: errors", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    std::error_code code =
        co_await code_of(otpp::dist::whereis_global(nodes.a, "counter", "nowhere@127.0.0.1"));
    CHECK(code == otpp::errc::no_connection);
    otpp::dist::node none;
    code = co_await code_of(otpp::dist::register_global(none, "counter", otpp::pid(), globally::b));
    CHECK(code == otpp::errc::no_process);
    CHECK_THROWS_AS(otpp::dist::whereis_global(nodes.a, "counter", "nonsense"), std::invalid_argument);
    CHECK_THROWS_AS(otpp::dist::global_name(std::string(256, 'x')), std::invalid_argument);

    auto server = co_await otpp::start<globally::rex>();
    nodes.b.publish(server, "rex");
    std::exception_ptr why =
        co_await failure_of(otpp::dist::register_global(nodes.a, "broken", server, globally::b));
    CHECK_THROWS_AS(std::rethrow_exception(why), otpp::dist::remote_error);
    CHECK(text_of(why) == "{badrpc,7}");
    why = co_await failure_of(otpp::dist::unregister_global(nodes.a, "broken", globally::b));
    CHECK(text_of(why) == "{badrpc,7}");
    code = co_await code_of(otpp::dist::whereis_global(nodes.a, "broken", globally::b));
    CHECK(code == otpp::errc::bad_reply);
    co_await server.stop();
  });
}

TEST_CASE("global: a wait is cancelled, and other tokens", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto server = co_await otpp::start<globally::rex>();
    nodes.b.publish(server, "rex");
    co_await nodes.a.connect(globally::b);
    asio::cancellation_signal cancel;
    pending<> waiting;
    otpp::dist::register_global(
        nodes.a, "never", server, globally::b, asio::bind_cancellation_slot(cancel.slot(), waiting.token()));
    co_await some_steps();
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code code = co_await waiting.code();
    CHECK(code == asio::error::operation_aborted);

    pending<> plain;
    otpp::dist::register_global(nodes.a, "counter", server, globally::b, plain.token());
    code = co_await plain.code();
    CHECK_FALSE(code);
    co_await server.stop();
  });
}

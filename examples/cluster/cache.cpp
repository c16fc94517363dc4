// SPDX-License-Identifier: BSL-1.0

// Calls a gen_server of Erlang, that of cache.escript. First what a program does, then what goes wrong where the two do
// not agree.

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <optional>
#include <string>

// [messages]
struct user {
  std::string name;
  int age;
  static constexpr auto term = otpp::as::map("name", &user::name, "age", &user::age); // #{name => .., age => ..}
};
struct lookup { // {lookup,Key}, which is answered with a user, or `undefined`
  std::string key;
  using reply_type = std::optional<user>;
  static constexpr auto term = otpp::as::tagged("lookup");
};
struct store { // {store,Key,User}, a cast
  std::string key;
  user who;
  static constexpr auto term = otpp::as::tagged("store");
};
struct forget { // {forget,Key}, which is answered with `ok`, or `{error,not_found}`
  std::string key;
  using reply_type = void;
  static constexpr auto term = otpp::as::tagged("forget");
};
using cache_messages = otpp::message_list<lookup, store, forget>;
// [messages]

// [calls]
asio::awaitable<void> ask(otpp::dist::node node) {
  auto cache = node.remote<cache_messages>("cache", "cache@127.0.0.1");

  user ann{"Ann", 36};
  co_await otpp::cast<store>(cache, "ann", ann);
  std::optional<user> found = co_await otpp::call<lookup>(cache, "ann");
  std::cout << "ann: " << found.value().name << ", " << found.value().age << '\n';
  std::optional<user> missing = co_await otpp::call<lookup>(cache, "bob");
  std::cout << "bob: " << (missing ? "there" : "not there") << '\n';

  try {
    co_await otpp::call<forget>(cache, "bob");
  } catch (const otpp::dist::remote_error& error) {
    std::cout << "forget bob: " << error.term() << '\n'; // of {error,Term}
  }
}
// [calls]

// [errors]
struct age { // {age,Key}, whose answer this program believes to be a number
  std::string key;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("age");
};
struct crash {
  using reply_type = void;
  static constexpr auto term = otpp::as::tagged("crash");
};

asio::awaitable<void> fail(otpp::dist::node node) {
  auto cache = node.remote("cache", "cache@127.0.0.1"); // without a list: any message that has an Erlang form
  try {
    co_await otpp::call<age>(cache, "ann");
  } catch (const otpp::error& error) {
    if (error.code() != otpp::errc::bad_reply) throw;
    std::cout << "bad_reply: " << error.what() << '\n';
  }
  try {
    co_await otpp::call<crash>(cache);
  } catch (const otpp::error& error) {
    if (error.code() != otpp::errc::exited) throw;
    std::cout << "exited: " << error.reason() << '\n'; // Erlang's term
  }
}
// [errors]

asio::awaitable<void> run() {
  auto node = co_await otpp::dist::open(otpp::dist::node_options("asker@127.0.0.1").cookie("secret"));
  co_await ask(node);
  co_await fail(node);
}

int main() { return otpp::run(run); }

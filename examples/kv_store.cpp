// SPDX-License-Identifier: BSL-1.0

// A key-value store. Its users see the class kv_store, a few functions to await;
// the server behind it is found by its name.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>

using table = std::map<std::string, std::string>;
using value = std::optional<std::string>;

// [server]
struct kv_server {
  struct get { std::string key; using reply_type = value; };
  struct set { std::string key; std::string text; using reply_type = value; };
  struct get_all { using reply_type = table; };
  struct erase { std::string key; };

  table init() { return {}; }

  value handle_call(get request, table& entries) {
    return find(entries, request.key);
  }
  value handle_call(set request, table& entries) {
    value old = find(entries, request.key);
    entries[request.key] = request.text;
    return old;
  }
  table handle_call(get_all, table& entries) { return entries; }

  void handle_cast(erase request, table& entries) { entries.erase(request.key); }

  static value find(const table& entries, const std::string& key) {
    auto found = entries.find(key);
    return found == entries.end() ? value() : value(found->second);
  }
};
// [server]

// [client]
class kv_store {
 public:
  static asio::awaitable<void> start() {
    co_await otpp::start<kv_server>(otpp::named("kv_store"));
  }
  static asio::awaitable<value> get(std::string key) {
    return otpp::call<kv_server::get>(server, std::move(key));
  }
  static asio::awaitable<value> set(std::string key, std::string text) {
    return otpp::call<kv_server::set>(server, std::move(key), std::move(text));
  }
  static asio::awaitable<void> erase(std::string key) {
    return otpp::cast<kv_server::erase>(server, std::move(key));
  }
  static asio::awaitable<table> get_all() {
    return otpp::call<kv_server::get_all>(server);
  }

 private:
  static constexpr otpp::server_name<kv_server> server{"kv_store"};
};
// [client]

void print(const std::string& title, const table& entries) {
  std::cout << title << ":";
  for (const auto& [key, text] : entries) std::cout << ' ' << key << '=' << text;
  std::cout << '\n';
}

// [main]
asio::awaitable<void> use_the_store() {
  co_await kv_store::start();

  co_await kv_store::set("name", "Alice");
  co_await kv_store::set("age", "30");

  value name = co_await kv_store::get("name");
  std::cout << "Name: " << name.value_or("nobody") << '\n';

  table all = co_await kv_store::get_all();
  print("All data", all);

  co_await kv_store::erase("age");
  all = co_await kv_store::get_all();
  print("After delete", all);
}
// [main]

int main() { return otpp::run(use_the_store); } // stops what still lives

// Output:
// Name: Alice
// All data: age=30 name=Alice
// After delete: name=Alice

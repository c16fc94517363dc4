// SPDX-License-Identifier: BSL-1.0

// Servers and time: a cache whose entries expire, a job that is done again and again, and a session that ends
// when nobody uses it.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <string>

using namespace std::chrono_literals;

// [cache]
struct cache {
  struct put { std::string key; std::string value; };
  struct get { std::string key; using reply_type = std::optional<std::string>; };
  struct expire { std::string key; int number; };

  struct entry { std::string value; int number; };
  struct state {
    otpp::duration time_to_live;
    std::map<std::string, entry> entries;
    int puts = 0;
  };

  state init(otpp::duration time_to_live) { return {time_to_live, {}}; }

  void handle_cast(put m, state& s) {
    s.entries[m.key] = {m.value, ++s.puts};
    otpp::send_after<expire>(s.time_to_live, otpp::self<cache>(), m.key, s.puts);
  }
  std::optional<std::string> handle_call(get m, state& s) {
    auto found = s.entries.find(m.key);
    return found == s.entries.end() ? std::nullopt : std::optional(found->second.value);
  }
  void handle_info(expire m, state& s) {
    auto found = s.entries.find(m.key);
    bool is_newer = found != s.entries.end() && found->second.number != m.number;
    if (!is_newer) s.entries.erase(m.key);
  }
};
// [cache]

// [periodic]
struct cleaner {
  struct clean {};

  int init(otpp::duration period) {
    otpp::send_interval<clean>(period, otpp::self<cleaner>()); // ends with the server
    return 0;
  }

  // If it takes longer than a period, it skips what it has missed.
  otpp::outcome<> handle_info(clean, int& times) {
    std::cout << "cleaned\n";
    if (++times == 2) return otpp::stop();
    return {};
  }
};
// [periodic]

// [idle]
struct session {
  struct use { using reply_type = int; };

  otpp::init_result<int> init() { return otpp::init_result<int>(0).timeout(200ms); }
  otpp::outcome<int> handle_call(use, int& times) { return otpp::outcome<int>(++times).timeout(200ms); }

  otpp::outcome<> handle_info(otpp::timeout, int&) { return otpp::stop(); } // no message for 200 ms
  void terminate(const otpp::exit_reason&, int& times) { std::cout << "used " << times << " times\n"; }
};
// [idle]

asio::awaitable<void> show(otpp::server_ref<cache> server) {
  auto value = co_await otpp::call<cache::get>(server, "apple");
  std::cout << "apple: " << value.value_or("none") << '\n';
}

asio::awaitable<void> client() {
  auto kept = co_await otpp::start<cache>(300ms);
  co_await otpp::cast<cache::put>(kept, "apple", "red");
  co_await show(kept);

  auto cleaning = co_await otpp::start<cleaner>(200ms);
  co_await cleaning.join();
  co_await show(kept);

  auto used = co_await otpp::start<session>();
  co_await otpp::call<session::use>(used);
  co_await used.join();
}

int main() { return otpp::run(client); }

// Output:
// apple: red
// cleaned
// cleaned
// apple: none
// used 1 times

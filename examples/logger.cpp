// SPDX-License-Identifier: BSL-1.0

// A logger: `cast` is for messages that need no answer. The sender does not wait
// for the handler, yet its messages are handled in the order it sent them.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

// [logger]
struct logger {
  using lines = std::vector<std::string>;

  struct log { std::string text; };
  struct clear {};
  struct get_logs { using reply_type = lines; };

  lines init() { return {}; }

  void handle_cast(log message, lines& logs) {
    std::cout << "Logged: " << message.text << '\n';
    logs.push_back(std::move(message.text));
  }
  void handle_cast(clear, lines& logs) { logs.clear(); }

  lines handle_call(get_logs, lines& logs) { return logs; }
};
// [logger]

// [client]
asio::awaitable<void> client() {
  auto server = co_await otpp::start<logger>(otpp::named("logger"));

  co_await otpp::cast<logger::log>(server, "Application started");
  co_await otpp::cast<logger::log>(server, "Processing request");

  // Sent after the casts, so handled after them.
  auto logs = co_await otpp::call<logger::get_logs>(server);
  std::cout << "All logs: " << logs.size() << '\n';

  co_await otpp::cast<logger::clear>(server);
  logs = co_await otpp::call<logger::get_logs>(server);
  std::cout << "After clear: " << logs.size() << '\n';

  co_await server.stop();
}
// [client]

int main() { return otpp::run(client); }

// Output:
// Logged: Application started
// Logged: Processing request
// All logs: 2
// After clear: 0

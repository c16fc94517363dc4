// SPDX-License-Identifier: BSL-1.0

// The results of operations as messages: a directory that looks names up slowly, and answers
// others meanwhile; and a server that reads a stream as fast as it can handle it.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

int searches = 0;

asio::awaitable<std::string> search(std::string name) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer slow(executor, 10ms);
  co_await slow.async_wait(asio::use_awaitable);
  ++searches;
  if (name == "nobody") throw std::runtime_error("there is no such name");
  co_return name + "@example.com";
}

// [directory]
struct directory {
  struct find { std::string name; using reply_type = std::string; };
  struct found { std::string name; std::exception_ptr error; std::string address; };

  using state = std::map<std::string, std::vector<otpp::caller<std::string>>>; // who waits for a name

  state init() { return {}; }

  // Returns at once, so that others are served meanwhile. All who ask for one name share one search.
  void handle_call(find request, otpp::caller<std::string> caller, state& waiting) {
    waiting[request.name].push_back(std::move(caller));
    if (waiting[request.name].size() > 1) return;
    otpp::pipe<directory>(
        search(request.name), [name = request.name](std::exception_ptr error, std::string address) {
          return found{name, std::move(error), std::move(address)};
        });
  }

  void handle_info(found result, state& waiting) {
    auto entry = waiting.extract(result.name);
    for (otpp::caller<std::string>& caller : entry.mapped()) {
      result.error ? caller.fail(result.error) : caller.reply(result.address);
    }
  }
};
// [directory]

// [stream]
struct adder {
  struct begin {};
  struct number { std::exception_ptr error; std::optional<int> value; };

  otpp::init_result<int> init() { return otpp::init_result<int>(0).then(begin()); }

  // The next number is asked for when the last one is handled.
  void handle_continue(begin, int&) {
    otpp::pipe_each<adder>(
        [n = 0]() mutable -> asio::awaitable<std::optional<int>> {
          if (n == 4) co_return std::nullopt; // the end
          co_return ++n;
        },
        [](std::exception_ptr error, std::optional<int> value) { return number{std::move(error), value}; });
  }

  otpp::outcome<> handle_info(number next, int& sum) {
    if (!next.value) return otpp::stop(next.error ? otpp::exit_reason(next.error) : otpp::exit_reason::normal());
    sum += *next.value;
    return {};
  }

  void terminate(const otpp::exit_reason&, int& sum) { std::cout << "the sum is " << sum << '\n'; }
};
// [stream]

asio::awaitable<void> find(otpp::server_ref<directory> server, std::string name) {
  try {
    std::string address = co_await otpp::call<directory::find>(server, name);
    std::cout << name << ": " << address << '\n';
  } catch (const std::exception& error) {
    std::cout << name << ": " << error.what() << '\n';
  }
}

asio::awaitable<void> client() {
  using namespace asio::experimental::awaitable_operators;

  auto server = co_await otpp::start<directory>();
  auto all = find(server, "ann") && find(server, "ann") && find(server, "nobody");
  co_await std::move(all);
  std::cout << "searches: " << searches << '\n';
  co_await server.stop();

  auto sum = co_await otpp::start<adder>();
  co_await sum.join();
}

int main() { return otpp::run(client()); }

// Output:
// ann: ann@example.com
// ann: ann@example.com
// nobody: there is no such name
// searches: 2
// the sum is 10

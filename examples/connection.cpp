// SPDX-License-Identifier: BSL-1.0

// A TCP connection as a state machine: connecting, connected, or backing off. The states are types, so that only a
// connection that is there has a socket. What is asked while there is none is postponed, and so nothing is lost.

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <concepts>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

using namespace std::chrono_literals;
using asio::ip::tcp;

// [states]
struct connecting {};
struct connected { std::unique_ptr<tcp::socket> socket; };
struct backing_off {};
using link_state = std::variant<connecting, connected, backing_off>;
// [states]

// [connection]
struct connection : otpp::gen_statem<connection, link_state, tcp::endpoint> {
  struct ask { std::string line; using reply_type = std::string; };
  struct wait_for_refusal { using reply_type = void; };
  struct opened { std::unique_ptr<tcp::socket> socket; };
  struct refused {};
  struct try_again {};

  state_type init(tcp::endpoint peer) { return {connecting(), peer}; }

  // A coroutine of its own, so that the machine handles events meanwhile. It ends with the machine.
  void handle_enter(const link_state&, connecting&, tcp::endpoint& peer) {
    std::cout << "connecting\n";
    otpp::co_spawn(connect(otpp::self<connection>(), peer));
  }
  transition<> handle_event(opened it, connecting&, tcp::endpoint&) {
    return next_state(connected{std::move(it.socket)});
  }
  transition<> handle_event(refused, connecting&, tcp::endpoint&) { return next_state(backing_off()); }

  void handle_enter(const link_state&, connected&, tcp::endpoint&) { std::cout << "connected\n"; }

  entry handle_enter(const link_state&, backing_off&, tcp::endpoint&) {
    std::cout << "backing off\n";
    return entry().state_timeout(20ms, try_again());
  }
  transition<> handle_event(try_again, backing_off&, tcp::endpoint&) { return next_state(connecting()); }

  // A handler may be a coroutine: the next event waits until it is done.
  asio::awaitable<transition<std::string>> handle_event(const ask& it, connected& its, tcp::endpoint&) {
    std::string answer;
    try {
      co_await asio::async_write(*its.socket, asio::buffer(it.line), asio::use_awaitable);
      co_await asio::async_read_until(*its.socket, asio::dynamic_buffer(answer), '\n', asio::use_awaitable);
    } catch (const std::system_error&) {
      answer.clear();
    }
    if (answer.empty()) {
      std::cout << "lost\n";
      co_return next_state(connecting()).postpone(); // and asked again there
    }
    co_return answer;
  }
  transition<std::string> handle_event(const ask&, any_state, tcp::endpoint&) { return postpone(); }

  void handle_event(wait_for_refusal, backing_off&, tcp::endpoint&) {}
  transition<void> handle_event(wait_for_refusal, any_state, tcp::endpoint&) { return postpone(); }

  // The states that have no other handler for these, as the compiler wants to know.
  template <class Late>
    requires(std::same_as<Late, opened> || std::same_as<Late, refused> || std::same_as<Late, try_again>)
  void handle_event(const Late&, any_state, tcp::endpoint&) {}

 private:
  static asio::awaitable<void> connect(otpp::server_ref<connection> machine, tcp::endpoint peer) {
    auto executor = co_await asio::this_coro::executor;
    auto socket = std::make_unique<tcp::socket>(executor);
    std::error_code error;
    co_await socket->async_connect(peer, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      otpp::try_cast<refused>(machine);
    } else {
      otpp::try_cast<opened>(machine, std::move(socket));
    }
  }
};
// [connection]

// Answers one line on each connection, and closes it.
asio::awaitable<void> serve(tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket peer = co_await acceptor.async_accept(asio::use_awaitable);
    std::string line;
    co_await asio::async_read_until(peer, asio::dynamic_buffer(line), '\n', asio::use_awaitable);
    line = "you said " + line;
    co_await asio::async_write(peer, asio::buffer(line), asio::use_awaitable);
  }
}

asio::awaitable<void> client() {
  auto executor = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(executor);
  acceptor.open(tcp::v4());
  acceptor.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0)); // has a port, and does not listen yet

  auto machine = co_await otpp::start<connection>(acceptor.local_endpoint());
  co_await otpp::call<connection::wait_for_refusal>(machine);
  acceptor.listen();
  auto server = co_await otpp::spawn(serve(acceptor));

  for (const char* word : {"hello\n", "hello again\n"}) {
    std::string line = word;
    std::string answer = co_await otpp::call<connection::ask>(machine, line);
    std::cout << answer;
  }
  co_await machine.stop();
  otpp::exit(server, otpp::exit_reason::shutdown());
  co_await server.join();
}

int main() { return otpp::run(client); }

// Output:
// connecting
// backing off
// connecting
// connected
// you said hello
// lost
// connecting
// connected
// you said hello again

// SPDX-License-Identifier: BSL-1.0

// A chat: a server for each connection, and rooms, which are groups of such servers. A connection that is
// lost ends its server, and that has left its room before anybody can know.

#include <otpp/otpp.hpp>
#include <otpp/pg.hpp>

#include <asio.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>

using asio::ip::tcp;

// [session]
struct session {
  struct begin {};
  struct line { std::exception_ptr error; std::string text; };
  struct said { std::string text; };
  using messages = otpp::message_list<said>;

  struct state { tcp::socket socket; std::string room; std::string buffer; };

  otpp::init_result<state> init(tcp::socket socket, std::string room) {
    otpp::pg::global().join(room, otpp::self<session>());
    return otpp::init_result<state>(state{std::move(socket), std::move(room), "welcome\n"}).then(begin());
  }

  asio::awaitable<void> handle_continue(begin, state& s) {
    co_await asio::async_write(s.socket, asio::dynamic_buffer(s.buffer), asio::use_awaitable);
    otpp::pipe_each<session>([&s] { return read_line(s); }, [](std::exception_ptr error, std::string text) {
      return line{std::move(error), std::move(text)};
    });
  }

  // The next line is read when this one has been handled.
  otpp::outcome<> handle_info(line m, state& s) {
    if (m.error) return otpp::stop(); // the connection is over
    otpp::pg::global().cast(s.room, said{m.text});
    return {};
  }

  asio::awaitable<void> handle_cast(said m, state& s) {
    co_await asio::async_write(s.socket, asio::buffer(m.text), asio::use_awaitable);
  }

 private:
  static asio::awaitable<std::string> read_line(state& s) {
    auto buffer = asio::dynamic_buffer(s.buffer, 1000); // no line is longer
    std::size_t size = co_await asio::async_read_until(s.socket, buffer, '\n', asio::use_awaitable);
    std::string text = s.buffer.substr(0, size);
    s.buffer.erase(0, size);
    co_return text;
  }
};
// [session]

// [listener]
struct listener {
  struct begin {};
  struct accepted { std::error_code error; tcp::socket socket; };
  struct port { using reply_type = unsigned short; };

  otpp::init_result<tcp::acceptor> init(asio::any_io_executor executor) {
    tcp::acceptor acceptor(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    return otpp::init_result<tcp::acceptor>(std::move(acceptor)).then(begin());
  }
  unsigned short handle_call(port, tcp::acceptor& acceptor) { return acceptor.local_endpoint().port(); }

  void handle_continue(begin, tcp::acceptor& acceptor) {
    auto accept = [&acceptor](auto token) { return acceptor.async_accept(std::move(token)); };
    otpp::pipe_each<listener>([accept] { return accept; }, [](std::error_code error, tcp::socket socket) {
      return accepted{error, std::move(socket)};
    });
  }

  // A session that cannot be started hurts nobody else.
  asio::awaitable<void> handle_info(accepted m, tcp::acceptor&) {
    if (m.error) throw std::system_error(m.error);
    co_await otpp::start<session>(std::move(m.socket), "lobby");
  }
};
// [listener]

class visitor {
 public:
  explicit visitor(asio::any_io_executor executor) : socket_(std::move(executor)) {}

  asio::awaitable<void> enter(unsigned short port) {
    tcp::endpoint there(asio::ip::address_v4::loopback(), port);
    co_await socket_.async_connect(there, asio::use_awaitable);
    co_await hear("enters");
  }
  asio::awaitable<void> say(std::string text) {
    co_await asio::async_write(socket_, asio::buffer(text), asio::use_awaitable);
  }
  asio::awaitable<void> hear(std::string what) {
    auto buffer = asio::dynamic_buffer(heard_);
    std::size_t size = co_await asio::async_read_until(socket_, buffer, '\n', asio::use_awaitable);
    std::cout << what << ": " << heard_.substr(0, size);
    heard_.erase(0, size);
  }

 private:
  tcp::socket socket_;
  std::string heard_;
};

asio::awaitable<void> client() {
  auto executor = co_await asio::this_coro::executor;
  auto server = co_await otpp::start<listener>(executor);
  auto port = co_await otpp::call<listener::port>(server);

  visitor ann(executor);
  visitor bob(executor);
  co_await ann.enter(port);
  co_await bob.enter(port);
  co_await ann.say("hello\n");
  co_await ann.hear("ann hears");
  co_await bob.hear("bob hears");
}

int main() { return otpp::run(client); }

// Output:
// enters: welcome
// enters: welcome
// ann hears: hello
// bob hears: hello

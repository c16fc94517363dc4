// SPDX-License-Identifier: BSL-1.0

// A node that is measured, and measures (nodes.escript):
//
//   node <name> <cookie> <port of epmd>
//
// It publishes `echo`. From its standard input it takes
//
//   call <peer> <in flight> <calls>    calls echo there
//   cast <peer> <casts>                sends casts of 100 bytes, and then one call
//   blob <peer> <calls>                calls with 1 MiB, of which the answer is the size
//   bare <times>                       the same bytes by Asio alone: 1 MiB one way, 8 bytes back
//
// and prints `done <microseconds>` after each.

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <array>
#include <asio.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct echo {
  struct add {
    int n;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("add");
  };
  struct blob {
    otpp::binary bytes;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("blob");
  };
  struct noted {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("noted");
  };
  struct note {
    std::string text;
    static constexpr auto term = otpp::as::tagged("note");
  };
  using messages = otpp::message_list<add, blob, noted, note>;

  static int init() { return 0; }
  static int handle_call(add m, int&) { return m.n; }
  static int handle_call(const blob& m, int&) { return static_cast<int>(m.bytes.view().size()); }
  static int handle_call(noted, int& count) { return std::exchange(count, 0); }
  static void handle_cast(const note&, int& count) { ++count; }
};

using address = otpp::dist::remote_name<echo>;
constexpr auto patience = 60s;

asio::awaitable<void> call_often(address to, int calls) {
  for (int n = 0; n != calls; ++n) {
    int same = co_await otpp::call_for<echo::add>(to, patience, n);
    if (same != n) {
      throw std::runtime_error("another answer");
    }
  }
}

asio::awaitable<void> call(address to, int in_flight, int calls) {
  std::vector<otpp::pid> callers;
  for (int n = 0; n != in_flight; ++n) {
    otpp::pid made = co_await otpp::spawn(call_often(to, calls / in_flight));
    callers.push_back(made);
  }
  for (otpp::pid& each : callers) {
    otpp::exit_reason why = co_await each.join();
    if (why != otpp::exit_reason::normal()) {
      throw std::runtime_error("a caller has failed");
    }
  }
}

asio::awaitable<void> cast(address to, int casts) {
  echo::note one{std::string(100, 'x')};
  for (int n = 0; n != casts; ++n) {
    co_await otpp::cast(to, one);
  }
  int noted = co_await otpp::call_for<echo::noted>(to, patience);
  if (noted != casts) {
    throw std::runtime_error("not all casts came");
  }
}

asio::awaitable<void> blob(address to, int calls) {
  const echo::blob one{otpp::binary(std::string(std::size_t(1) << 20, 'x'))};
  for (int n = 0; n != calls; ++n) {
    int size = co_await otpp::call_for<echo::blob>(to, patience, one.bytes);
    if (size != 1 << 20) {
      throw std::runtime_error("another size");
    }
  }
}

// Both ends are on threads of their own, as two nodes are.
void bare(int times) {
  asio::io_context context;
  asio::ip::tcp::acceptor listening(context, {asio::ip::address_v4::loopback(), 0});
  std::thread other([&] {
    asio::io_context there;
    asio::ip::tcp::socket socket(there);
    socket.connect(listening.local_endpoint());
    std::vector<char> bytes(std::size_t(1) << 20);
    for (int n = 0; n != times; ++n) {
      asio::read(socket, asio::buffer(bytes));
      asio::write(socket, asio::buffer(bytes.data(), 8));
    }
  });
  asio::ip::tcp::socket socket = listening.accept();
  socket.set_option(asio::ip::tcp::no_delay(true));
  std::vector<char> bytes(std::size_t(1) << 20, 'x');
  std::array<char, 8> answer{};
  for (int n = 0; n != times; ++n) {
    asio::write(socket, asio::buffer(bytes));
    asio::read(socket, asio::buffer(answer));
  }
  other.join();
}

asio::awaitable<void> work(otpp::dist::node node, std::string line) {
  std::istringstream words(line);
  std::string what;
  std::string peer;
  int first = 0;
  int second = 0;
  words >> what;
  if (what == "bare") {
    words >> first;
    bare(first);
    co_return;
  }
  words >> peer >> first >> second;
  auto to = node.remote<echo>("echo", peer);
  if (what == "call") {
    co_await call(to, first, second);
  } else if (what == "cast") {
    co_await cast(to, first);
  } else {
    co_await blob(to, first);
  }
}

asio::awaitable<void> serve(std::vector<std::string> arguments) {
  otpp::dist::node_options how(arguments.at(0));
  asio::ip::tcp::endpoint epmd(
      asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoul(arguments.at(2))));
  how.cookie(arguments.at(1)).epmd(epmd);
  auto node = co_await otpp::dist::open(how);
  auto server = co_await otpp::start<echo>();
  node.publish(server, "echo");
  std::cout << "ready" << std::endl;

  asio::posix::stream_descriptor in(co_await asio::this_coro::executor, ::dup(STDIN_FILENO));
  std::string text;
  while (true) {
    std::error_code end;
    std::size_t size = co_await asio::async_read_until(
        in, asio::dynamic_buffer(text), '\n', asio::redirect_error(asio::use_awaitable, end));
    if (end) {
      break;
    }
    std::string line = text.substr(0, size);
    text.erase(0, size);
    auto begin = std::chrono::steady_clock::now();
    co_await work(node, line);
    auto time = std::chrono::steady_clock::now() - begin;
    std::cout << "done " << std::chrono::duration_cast<std::chrono::microseconds>(time).count() << std::endl;
  }
  co_await node.close();
}

} // namespace

int main(int argc, char** argv) { return otpp::run(serve(std::vector<std::string>(argv + 1, argv + argc))); }

// SPDX-License-Identifier: BSL-1.0

// A member of a group of OTP's pg, to which press.escript sends.

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <string>
#include <vector>

// [readers]
struct news {
  std::string text;
  static constexpr auto term = otpp::as::tagged("news"); // {news,<<"text">>}
};

struct reader {
  using messages = otpp::message_list<news>;

  int init() { return 0; }
  void handle_info(const news& one, int&) { std::cout << "reader: " << one.text << std::endl; }
};

asio::awaitable<void> run() {
  auto node = co_await otpp::dist::open(otpp::dist::node_options("readers@127.0.0.1").cookie("secret"));
  auto server = co_await otpp::start<reader>();
  node.publish(server, "reader"); // which makes its messages known, also to who knows its pid only

  otpp::pg& groups = otpp::pg::global();
  groups.join("readers", server);
  std::vector<std::string> peers{"press@127.0.0.1"};
  otpp::dist::share_groups(node, groups, peers);

  otpp::exit_reason reason = co_await server.join();
  std::cout << "the reader was stopped: " << reason << std::endl;
}

int main() { return otpp::run(run); }
// [readers]

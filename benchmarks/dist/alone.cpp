// SPDX-License-Identifier: BSL-1.0

// What nodes cost those who do not use them just now: a call of a server of this program with a node open and connected, beside one
// without; and the memory of a connection that is idle, and of what stands for a process or a name elsewhere.
//
//   alone [<rounds>]

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <algorithm>
#include <asio.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <malloc.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

struct counter {
  struct add {
    int n;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("add");
  };
  struct give { // so many processes, which live as long as this one
    int count;
    using reply_type = std::vector<otpp::pid>;
    static constexpr auto term = otpp::as::tagged("give");
  };
  struct note {
    static constexpr auto term = otpp::as::tagged("note");
  };
  using messages = otpp::message_list<add, give, note>;

  struct state {
    int sum = 0;
  };
  static state init() { return {}; }
  static void handle_cast(note, state&) {}
  static int handle_call(add m, state& s) { return s.sum += m.n; }
  static asio::awaitable<std::vector<otpp::pid>> handle_call(give m, state&) {
    std::vector<otpp::pid> made;
    for (int n = 0; n != m.count; ++n) {
      auto one = co_await otpp::start_link<counter>();
      made.push_back(one);
    }
    co_return made;
  }
};

using places = std::map<std::string, asio::ip::tcp::endpoint>;

asio::awaitable<asio::ip::tcp::endpoint> find(std::shared_ptr<places> all, std::string name) {
  co_return all->at(name);
}

asio::awaitable<otpp::dist::node> open(std::string name, std::shared_ptr<places> all) {
  otpp::dist::node_options how(std::move(name));
  how.cookie("bench").no_epmd().resolver([all](std::string peer) { return find(all, std::move(peer)); });
  auto node = co_await otpp::dist::open(how);
  (*all)[node.name()] = node.local_endpoint();
  co_return node;
}

std::size_t memory_in_use() { return ::mallinfo2().uordblks; }

// Returns how long it has taken, in nanoseconds each.
asio::awaitable<double> call(otpp::server_ref<counter> server) {
  constexpr int calls = 20'000;
  auto begin = std::chrono::steady_clock::now();
  for (int n = 0; n != calls; ++n) {
    co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
  }
  std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
  co_return time.count() / calls;
}

double median(std::vector<double> of) {
  auto middle = of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2);
  std::nth_element(of.begin(), middle, of.end());
  return *middle;
}

// In turns, so that only the ratio counts.
asio::awaitable<void> compare_calls(int rounds) {
  auto server = co_await otpp::start<counter>();
  std::vector<double> without;
  std::vector<double> with;
  std::vector<double> ratios;
  for (int n = 0; n != rounds; ++n) {
    double first = co_await call(server);
    auto all = std::make_shared<places>();
    auto a = co_await open("a@127.0.0.1", all);
    auto b = co_await open("b@127.0.0.1", all);
    a.publish(server, "counter");
    co_await a.connect("b@127.0.0.1");
    double second = co_await call(server);
    co_await a.close();
    co_await b.close();
    without.push_back(first);
    with.push_back(second);
    ratios.push_back(second / first);
  }
  std::cout << "a local call: " << median(without) << " ns without a node, " << median(with)
            << " ns with one that is connected: " << median(ratios) << " times\n";
  co_await server.stop();
}

asio::awaitable<void> measure_memory() {
  constexpr int count = 1000;
  constexpr int peers = 50;
  auto all = std::make_shared<places>();
  auto a = co_await open("a@127.0.0.1", all);
  auto b = co_await open("b@127.0.0.1", all);
  auto server = co_await otpp::start<counter>();
  b.publish(server, "counter");
  auto far = a.remote<counter>("counter", "b@127.0.0.1");
  co_await otpp::call<counter::add>(far, 1);

  std::vector<otpp::dist::node> others;
  for (int n = 0; n != peers; ++n) {
    auto one = co_await open("peer" + std::to_string(n) + "@127.0.0.1", all);
    others.push_back(one);
  }
  std::size_t before = memory_in_use();
  for (const otpp::dist::node& each : others) {
    co_await a.connect(each.name());
  }
  std::cout << "a connection: " << (memory_in_use() - before) / (2 * peers) << " bytes at each end\n";

  std::vector<otpp::dist::remote_name<counter>> names;
  for (int n = 0; n != count; ++n) {
    names.push_back(a.remote<counter>("name" + std::to_string(n), "b@127.0.0.1"));
  }
  before = memory_in_use();
  for (const auto& each : names) {
    otpp::try_cast<counter::note>(each);
  }
  co_await otpp::call<counter::add>(far, 1);
  std::cout << "a name elsewhere: " << (memory_in_use() - before) / count << " bytes\n";

  before = memory_in_use();
  std::vector<otpp::pid> here = co_await otpp::call<counter::give>(server, count);
  std::size_t processes = memory_in_use() - before;
  before = memory_in_use();
  std::vector<otpp::pid> there = co_await otpp::call<counter::give>(far, count);
  std::cout << "a process elsewhere: " << (memory_in_use() - before - processes) / count
            << " bytes, those included with which its own node knows it; a server: " << processes / count
            << " bytes\n";
  for (const otpp::dist::node& each : others) {
    co_await each.close();
  }
  co_await a.close();
  co_await b.close();
  co_await server.stop();
}

asio::awaitable<void> measure(int rounds) {
  otpp::subscription quiet = otpp::subscribe<otpp::dist::connection_report>([](const auto&) {});
  co_await measure_memory();
  co_await compare_calls(rounds);
}

} // namespace

int main(int argc, char** argv) { return otpp::run(measure(argc > 1 ? std::atoi(argv[1]) : 31)); }

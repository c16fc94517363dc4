// SPDX-License-Identifier: BSL-1.0

// Servers of one kind behind one address: a pool. worker_pool.cpp shows the other way, a new worker for each job.

#include <otpp/otpp.hpp>
#include <otpp/pool.hpp>
#include <otpp/supervisor.hpp>

#include <asio.hpp>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

// [cache]
// Each worker has the entries of its keys.
struct cache {
  struct put { std::string key; int value; using reply_type = void; };
  struct get { std::string key; using reply_type = int; };
  struct count { using reply_type = int; };

  using entries = std::map<std::string, int>;

  entries init() { return {}; }
  void handle_call(put request, entries& mine) { mine[request.key] = request.value; }
  int handle_call(get request, entries& mine) {
    if (!mine.count(request.key)) throw std::out_of_range("no " + request.key);
    return mine[request.key];
  }
  int handle_call(count, entries& mine) { return static_cast<int>(mine.size()); }
};
// [cache]

// [pool]
asio::awaitable<void> client(otpp::pool<cache> caches) {
  for (std::string key : {"apple", "banana", "cherry", "date", "elder", "fig"}) {
    co_await otpp::call<cache::put>(caches.at(key), key, static_cast<int>(key.size()));
  }
  int banana = co_await otpp::call<cache::get>(caches.at("banana"), "banana");
  std::cout << "banana: " << banana << '\n';

  int all = 0;
  for (std::size_t n = 0; n != caches.size(); ++n) {
    int some = co_await otpp::call<cache::count>(caches); // without a key: one after the other
    all += some;
  }
  std::cout << all << " entries\n";

  try {
    co_await otpp::call<cache::get>(caches.at("grape"), "grape");
  } catch (const otpp::error& error) {
    std::cout << error.reason() << "; its worker is replaced\n";
  }
  co_await caches.resize(6); // one key in two moves
  std::cout << caches.size() << " workers\n";
  co_await caches.stop();
}

int main() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  otpp::subscription no_reports = otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
  return otpp::run([]() -> asio::awaitable<void> {
    auto caches = co_await otpp::start_pool<cache>(otpp::pool_options(3));
    co_await client(caches);
  });
}
// [pool]

// Output:
// banana: 6
// 6 entries
// no grape; its worker is replaced
// 6 workers

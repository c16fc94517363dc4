// SPDX-License-Identifier: BSL-1.0

// The program, a library and a plugin each start a server, and each talks to those of all.

#include "account.hpp"

#include <cstddef>
#include <cstdio>
#include <dlfcn.h>
#include <set>
#include <string>
#include <vector>

EXPORTED branch open_bank();

static int failures = 0;

static void expect(const char* what, int got, int wanted) {
  if (got != wanted) {
    std::printf("%s: %d instead of %d\n", what, got, wanted);
    ++failures;
  }
}

static asio::awaitable<void> use_one(otpp::pid one, std::string name, const std::vector<branch>& branches) {
  int sum = 0;
  for (const branch& from : branches) {
    int got = co_await from.add(one, 1);
    expect("a call to a pid", got, ++sum);
    got = co_await from.add_by_name(name, 1);
    expect("a call to a name", got, ++sum);
  }
  otpp::server_ref<account> typed = *one.as<account>();
  int got = co_await otpp::call<account::add>(typed, 1);
  expect("a call with a type", got, ++sum);
  expect("whereis", otpp::whereis<account>(name) == typed, true);
}

// Each watches and is linked to the next; then one after another fails.
static asio::awaitable<void> end_all(const std::vector<otpp::pid>& all, const std::vector<branch>& branches) {
  for (std::size_t n = 0; n + 1 != all.size(); ++n) {
    int watches = co_await otpp::call<account::watch>(all[n], all[n + 1]);
    int tied = co_await otpp::call<account::tie>(all[n], all[n + 1]);
    expect("a monitor and a link", watches + tied, 2);
  }
  int sum = co_await branches.front().close(all.back());
  expect("an answer that ends the server", sum, 7);
  int ends = co_await otpp::call<account::ends>(all[all.size() - 2]);
  expect("told of the end", ends, 11);
  otpp::pid second = all[1];
  co_await otpp::cast<account::fail>(second);
  co_await second.join();
  ends = co_await otpp::call<account::ends>(all.front());
  expect("told of the failure", ends, 11);
  otpp::pid first = all.front();
  co_await first.stop();
}

static asio::awaitable<int> client(std::vector<branch> branches) {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  std::vector<otpp::pid> all;
  std::set<std::uint64_t> ids;
  for (std::size_t n = 0; n != branches.size(); ++n) {
    std::string name = "account " + std::to_string(n);
    otpp::pid made = co_await branches[n].open(name);
    ids.insert(made.id());
    all.push_back(made);
    co_await use_one(made, name, branches);
  }
  expect("ids that differ", static_cast<int>(ids.size()), static_cast<int>(all.size()));
  co_await end_all(all, branches);
  co_return failures;
}

int main() {
  void* loaded = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
  void* open = loaded ? dlsym(loaded, "open_plugin") : nullptr;
  if (!open) {
    std::printf("no plugin: %s\n", dlerror());
    return 1;
  }
  branch plugin{};
  reinterpret_cast<void (*)(branch&)>(open)(plugin);
  return otpp::run(client({make_branch(), open_bank(), plugin}));
}

// SPDX-License-Identifier: BSL-1.0

// The workloads of docs/performance.md on CAF 0.17, the C++ Actor Framework that Debian 12 has.
//
//   caf W1 1
//
// Its actors answer in callbacks: a client sends the next request from the handler of the last answer.

#include <caf/all.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using add_atom = caf::atom_constant<caf::atom("add")>;
using note_atom = caf::atom_constant<caf::atom("note")>;
using next_atom = caf::atom_constant<caf::atom("next")>;
using token_atom = caf::atom_constant<caf::atom("token")>;

constexpr caf::atom_value registered = caf::atom("srv_500");

// Told when a workload is over.
using finish = std::function<void()>;

// ---- the server: a counter that can also be a part of a ring ----

struct counter_state {
  int count = 0;
  caf::actor next;
};

caf::behavior counter(caf::stateful_actor<counter_state>* self, finish done) {
  return {
      [=](add_atom, int n) { return self->state.count += n; },
      [=](note_atom, int n) { self->state.count += n; },
      [=](next_atom, const caf::actor& next) { self->state.next = next; },
      [=](token_atom, std::int64_t hops) {
        if (hops > 1) {
          self->send(self->state.next, token_atom::value, hops - 1);
        } else {
          done();
        }
      },
  };
}

void nothing() {}

// ---- clients ----

struct client_state {
  int left = 0;
};

using client_actor = caf::stateful_actor<client_state>;

template <class Timeout>
void call_again(client_actor* self, const caf::actor& server, Timeout timeout, const finish& done) {
  self->request(server, timeout, add_atom::value, 1).then([=](int) {
    if (--self->state.left > 0) {
      call_again(self, server, timeout, done);
    } else {
      done();
    }
  });
}

template <class Timeout>
void client(client_actor* self, const caf::actor& server, int calls, Timeout timeout, const finish& done) {
  self->state.left = calls;
  call_again(self, server, timeout, done);
}

void call_name_again(client_actor* self, const finish& done) {
  auto server = caf::actor_cast<caf::actor>(self->system().registry().get(registered));
  self->request(server, caf::infinite, add_atom::value, 1).then([=](int) {
    if (--self->state.left > 0) {
      call_name_again(self, done);
    } else {
      done();
    }
  });
}

void client_by_name(client_actor* self, int calls, const finish& done) {
  self->state.left = calls;
  call_name_again(self, done);
}

void caster(caf::event_based_actor* self, const caf::actor& server, int casts, const finish& done) {
  for (int i = 0; i < casts; ++i) {
    self->send(server, note_atom::value, 1);
  }
  self->request(server, caf::infinite, add_atom::value, 1).then([=](int) { done(); });
}

using actors = std::shared_ptr<std::vector<caf::actor>>;

void start_again(
    caf::event_based_actor* self, const actors& started, std::size_t number, const finish& done) {
  started->push_back(self->spawn(counter, finish(nothing)));
  self->request(started->back(), caf::infinite, add_atom::value, 1).then([=](int) {
    if (started->size() < number) {
      start_again(self, started, number, done);
    } else {
      done();
    }
  });
}

// ---- the workloads ----

class stopwatch {
 public:
  double nanoseconds() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Waits until it was told of so many ends.
class ends {
 public:
  explicit ends(int number) : left_(std::make_shared<std::atomic<int>>(number)) {}

  finish one() {
    return [left = left_, all = all_] {
      if (--*left == 0) {
        all->set_value();
      }
    };
  }
  void wait() { all_->get_future().wait(); }

 private:
  std::shared_ptr<std::atomic<int>> left_;
  std::shared_ptr<std::promise<void>> all_ = std::make_shared<std::promise<void>>();
};

template <class Timeout>
double measure_calls(caf::actor_system& system, int clients, int calls, Timeout timeout) {
  auto server = system.spawn(counter, finish(nothing));
  ends done(clients);
  stopwatch watch;
  for (int i = 0; i < clients; ++i) {
    system.spawn(client<Timeout>, server, calls, timeout, done.one());
  }
  done.wait();
  return watch.nanoseconds() / (static_cast<double>(clients) * calls);
}

double measure_calls_by_name(caf::actor_system& system, int calls) {
  for (int i = 0; i < 1000; ++i) {
    auto server = system.spawn(counter, finish(nothing));
    system.registry().put(caf::atom_from_string("srv_" + std::to_string(i)), server);
  }
  ends done(1);
  stopwatch watch;
  system.spawn(client_by_name, calls, done.one());
  done.wait();
  return watch.nanoseconds() / calls;
}

double measure_casts(caf::actor_system& system, int casts) {
  auto server = system.spawn(counter, finish(nothing));
  ends done(1);
  stopwatch watch;
  system.spawn(caster, server, casts, done.one());
  done.wait();
  return watch.nanoseconds() / casts;
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double measure_starts(caf::actor_system& system, bool bytes) {
  constexpr int number = 100'000;
  auto started = std::make_shared<std::vector<caf::actor>>();
  started->reserve(number);
  ends done(1);
  double before = resident_bytes();
  stopwatch watch;
  system.spawn(start_again, started, static_cast<std::size_t>(number), done.one());
  done.wait();
  return (bytes ? resident_bytes() - before : watch.nanoseconds()) / number;
}

double measure_ring(caf::actor_system& system) {
  constexpr std::size_t size = 1000;
  constexpr std::int64_t hops = 1000 * 1000;
  ends done(1);
  std::vector<caf::actor> servers;
  for (std::size_t i = 0; i < size; ++i) {
    servers.push_back(system.spawn(counter, done.one()));
  }
  for (std::size_t i = 0; i < size; ++i) {
    caf::anon_send(servers[i], next_atom::value, servers[(i + 1) % size]);
  }
  stopwatch watch;
  caf::anon_send(servers.front(), token_atom::value, hops);
  done.wait();
  return watch.nanoseconds() / static_cast<double>(hops);
}

double measure(caf::actor_system& system, const std::string& workload) {
  if (workload == "W1" || workload == "W2") {
    return measure_calls(system, 1, 1'000'000, caf::infinite);
  } else if (workload == "W7") {
    return measure_calls(system, 1, 500'000, std::chrono::seconds(5));
  } else if (workload == "W6") {
    return measure_calls_by_name(system, 1'000'000);
  } else if (workload == "W3_1" || workload == "W3_2") {
    return measure_casts(system, 3'000'000);
  } else if (workload == "W4") {
    return measure_calls(system, 1000, 1000, caf::infinite);
  } else if (workload == "W5spawn" || workload == "W5rss") {
    return measure_starts(system, workload == "W5rss");
  } else if (workload == "W5ring") {
    return measure_ring(system);
  }
  std::cerr << "no such workload: " << workload << '\n';
  std::exit(1);
}

} // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--version") {
    std::cout << CAF_MAJOR_VERSION << '.' << CAF_MINOR_VERSION << '.' << CAF_PATCH_VERSION << '\n';
    return 0;
  }
  if (argc != 3) {
    std::cerr << "usage: caf <workload> <workers>\n";
    return 1;
  }
  caf::actor_system_config config;
  config.set("scheduler.max-threads", static_cast<std::size_t>(std::atoi(argv[2])));
  caf::actor_system system(config);
  std::cout << argv[1] << ' ' << measure(system, argv[1]) << std::endl;
  // Actors refer to each other in circles, and the system would wait for all of them.
  std::_Exit(0);
}

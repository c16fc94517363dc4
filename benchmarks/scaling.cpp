// SPDX-License-Identifier: BSL-1.0

// What happens when there are many: servers, messages, outstanding calls, clients. Prints Markdown tables.
//
//   scaling [--quick] [servers] [queues] [full_mailbox] [outstanding] [clients] [timers] [children] [million]
//
// Every row is measured in a process of its own, so that none finds memory that another has left behind.

#include "workload.hpp"

#include <otpp/all.hpp>

#include <asio.hpp>

#include <malloc.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using workload::resident_bytes;
using workload::rethrow;

int calls_for_a_mean = 300'000;

// ---- measuring ----

class stopwatch {
 public:
  /// The nanoseconds since the start, or since the last lap.
  double lap() {
    auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::nano>(now - std::exchange(begin_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// What malloc has handed out: unlike the resident memory exact for one server, too.
double heap_bytes() {
  struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Prints what `row` prints, from a process of its own.
template <class Row>
void in_a_process(Row row) {
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    row();
    std::fflush(stdout);
    std::_Exit(EXIT_SUCCESS);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) {
    std::printf("(this row has crashed, status %d)\n", status);
  }
}

void run(asio::io_context& context, asio::awaitable<void> body) {
  asio::co_spawn(context, std::move(body), rethrow);
  context.run();
  context.restart();
}

// 1234567 as "1,234,567".
std::string grouped(double value) {
  std::string digits = std::to_string(static_cast<long>(value + 0.5));
  for (std::size_t at = digits.size(); at > 3; at -= 3) {
    digits.insert(at - 3, ",");
  }
  return digits;
}

void print_row(const std::vector<std::string>& cells) {
  for (const std::string& cell : cells) {
    std::printf("| %s ", cell.c_str());
  }
  std::printf("|\n");
}

void print_header(const char* title, const std::vector<std::string>& cells) {
  std::printf("\n### %s\n\n", title);
  print_row(cells);
  print_row(std::vector<std::string>(cells.size(), "---:"));
}

// ---- the server ----

struct counter {
  struct add {
    int n;
    using reply_type = int;
  };
  struct note {
    int n;
  };

  int init() { return 0; }
  int handle_call(add request, int& count) { return count += request.n; }
  void handle_cast(note message, int& count) { count += message.n; }
};

using counter_ref = otpp::server_ref<counter>;

// The mean time of a call, with everything else as it is.
asio::awaitable<double> measure_calls(counter_ref server) {
  stopwatch watch;
  for (int i = 0; i < calls_for_a_mean; ++i) {
    co_await otpp::call<counter::add>(server, 1);
  }
  co_return watch.lap() / calls_for_a_mean;
}

// ---- many servers ----

// The first server of a context brings the context's own things; it is not counted. (One server alone then
// has the memory that this one has left: 0 bytes of heap.)
asio::awaitable<void> warm_up() {
  auto first = co_await otpp::start<counter>();
  co_await otpp::call<counter::add>(first, 1);
  co_await first.stop();
}

asio::awaitable<void> measure_servers(int number) {
  co_await warm_up();
  std::vector<counter_ref> servers;
  servers.reserve(static_cast<std::size_t>(number));

  double before = heap_bytes();
  stopwatch watch;
  for (int i = 0; i < number; ++i) {
    auto server = co_await otpp::start<counter>();
    servers.push_back(std::move(server));
  }
  double start_each = watch.lap() / number;
  double bytes = (heap_bytes() - before) / number;
  watch.lap();
  for (counter_ref& server : servers) {
    co_await otpp::call<counter::add>(server, 1);
  }
  double first_call = watch.lap() / number;

  double start = 0;
  double stop = 0;
  constexpr int more = 1000;
  for (int i = 0; i < more; ++i) {
    watch.lap();
    auto server = co_await otpp::start<counter>();
    start += watch.lap() / more;
    co_await server.stop();
    stop += watch.lap() / more;
  }
  double call = co_await measure_calls(servers.back());

  print_row(
      {grouped(number), grouped(start_each), grouped(bytes), grouped(first_call), grouped(call),
       grouped(start), grouped(stop)});
}

void servers() {
  print_header(
      "Many servers", {"servers", "start of each, ns", "bytes of each", "first call to each, ns",
                       "then a call, ns", "start of one more, ns", "and its stop, ns"});
  for (int number : {1, 10, 1'000, 100'000}) {
    in_a_process([&] {
      asio::io_context context(1);
      run(context, measure_servers(number));
    });
  }
}

// ---- long queues ----

asio::awaitable<void> measure_queue(int length) {
  auto server = co_await otpp::start<counter>();
  co_await otpp::call<counter::add>(server, 1);
  int rounds = std::max(1, 10'000 / std::max(1, length)); // short ones several times
  double fill = 0;
  double drain = 0;
  stopwatch watch;
  for (int round = 0; round < rounds; ++round) {
    watch.lap();
    for (int i = 0; i < length; ++i) {
      otpp::try_cast<counter::note>(server, 1);
    }
    fill += watch.lap() / rounds;
    co_await otpp::call<counter::add>(server, 1); // answered when all before it are handled
    drain += watch.lap() / rounds;
  }
  double each = std::max(1, length);
  print_row({grouped(length), grouped(fill / each), grouped(drain / each), grouped((fill + drain) / each)});
}

void queues() {
  print_header(
      "Long queues", {"messages in the mailbox", "try_cast of each, ns",
                      "handling of each, the last a call, ns", "together, ns"});
  for (int length : {0, 1, 10, 100, 1'000, 10'000, 100'000, 1'000'000}) {
    in_a_process([&] {
      asio::io_context context(1);
      run(context, measure_queue(length));
    });
  }
}

// ---- a server that calls while its own mailbox is full ----

struct busy {
  struct ask {
    counter_ref whom;
    int queued;
    using reply_type = double;
  };
  struct note {};

  int init() { return 0; }

  // In Erlang this is where a selective receive would look at every message of a long mailbox.
  asio::awaitable<double> handle_call(ask request, int&) {
    auto me = otpp::self<busy>();
    for (int i = 0; i < request.queued; ++i) {
      otpp::try_cast<note>(me);
    }
    double call = co_await measure_calls(request.whom);
    co_return call;
  }
  void handle_cast(note, int&) {}
};

asio::awaitable<void> measure_full_mailbox(int queued) {
  auto whom = co_await otpp::start<counter>();
  auto server = co_await otpp::start<busy>();
  double call = co_await otpp::call_for<busy::ask>(server, otpp::infinite, whom, queued);
  print_row({grouped(queued), grouped(call)});
}

void full_mailbox() {
  print_header("Calls by a server with a full mailbox", {"messages in the caller's mailbox", "a call, ns"});
  for (int queued : {0, 1'000, 1'000'000}) {
    in_a_process([&] {
      asio::io_context context(1);
      run(context, measure_full_mailbox(queued));
    });
  }
}

// ---- many outstanding calls ----

struct silent {
  struct ask {
    using reply_type = int;
  };
  struct waiting {
    using reply_type = std::size_t;
  };
  using callers = std::vector<otpp::caller<int>>;

  callers init() { return {}; }
  void handle_call(ask, otpp::caller<int> caller, callers& all) { all.push_back(std::move(caller)); }
  std::size_t handle_call(waiting, callers& all) { return all.size(); }
};

asio::awaitable<void> measure_outstanding(int number, otpp::duration timeout) {
  auto executor = co_await asio::this_coro::executor;
  auto other = co_await otpp::start<counter>();
  auto server = co_await otpp::start<silent>();
  int ended = 0;

  double before = heap_bytes();
  stopwatch watch;
  for (int i = 0; i < number; ++i) {
    // A callback, not a coroutine, whose frame would be most of the time and of the memory.
    auto token = asio::bind_executor(executor, [&ended](std::exception_ptr, int) { ++ended; });
    otpp::call_for<silent::ask>(server, timeout, std::move(token));
  }
  co_await otpp::call_for<silent::waiting>(server, otpp::infinite); // answered when it has all of them
  double send = watch.lap() / std::max(1, number);
  double bytes = (heap_bytes() - before) / std::max(1, number);
  double call = co_await measure_calls(other);
  watch.lap();
  co_await server.stop(); // fails all of them
  while (ended < number) {
    co_await asio::post(executor, asio::use_awaitable);
  }
  double fail = watch.lap() / std::max(1, number);
  const char* shown = number == 0 ? "-" : timeout == otpp::infinite ? "infinite" : "60 s";
  print_row(
      {grouped(number), shown, number ? grouped(send) : "-", number ? grouped(bytes) : "-", grouped(call),
       number ? grouped(fail) : "-"});
}

void outstanding() {
  print_header(
      "Many outstanding calls", {"waiting calls", "their timeout", "sending and taking of each, ns",
                                 "bytes of each", "another call meanwhile, ns", "the end of each, ns"});
  for (int number : {0, 1'000, 1'000'000}) {
    for (otpp::duration timeout : {otpp::infinite, otpp::duration(60s)}) {
      if (number == 0 && timeout != otpp::infinite) {
        continue;
      }
      in_a_process([&] {
        asio::io_context context(1);
        run(context, measure_outstanding(number, timeout));
      });
    }
  }
}

// ---- many clients ----

asio::awaitable<void> one_client(counter_ref server, int calls) {
  for (int i = 0; i < calls; ++i) {
    co_await otpp::call<counter::add>(server, 1);
  }
}

asio::awaitable<void> spawn_clients(int number, int calls, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  auto executor = co_await asio::this_coro::executor;
  for (int i = 0; i < number; ++i) {
    asio::co_spawn(executor, one_client(server, calls), rethrow);
  }
}

double on_one_context(int number, int calls) {
  asio::io_context context(1);
  stopwatch watch;
  run(context, spawn_clients(number, calls, context.get_executor()));
  return watch.lap() / number / calls;
}

double on_a_pool(int number, int calls) {
  asio::thread_pool threads(2);
  stopwatch watch;
  asio::co_spawn(threads, spawn_clients(number, calls, threads.get_executor()), rethrow);
  threads.join();
  return watch.lap() / number / calls;
}

double on_two_contexts(int number, int calls) {
  asio::io_context ours(1);
  asio::io_context theirs(1);
  auto guard = asio::make_work_guard(theirs);
  std::thread thread([&] { theirs.run(); });
  stopwatch watch;
  run(ours, spawn_clients(number, calls, theirs.get_executor()));
  double time = watch.lap() / number / calls;
  theirs.stop();
  thread.join();
  return time;
}

void clients() {
  print_header(
      "Many clients of one server",
      {"clients", "a call on one io_context, ns", "on two, ns", "on thread_pool(2), ns"});
  for (int number : {1, 10, 100, 1000}) {
    in_a_process([&] {
      int calls = calls_for_a_mean / number;
      int fewer = number == 1 ? calls / 20 : calls; // alone, each call waits for two threads to wake up
      print_row(
          {grouped(number), grouped(on_one_context(number, calls)), grouped(on_two_contexts(number, fewer)),
           grouped(on_a_pool(number, calls))});
    });
  }
}

// ---- many timers ----

struct alarm_clock {
  struct ring {};
  struct rung {
    using reply_type = int;
  };

  int init() { return 0; }
  void handle_info(ring, int& count) { ++count; }
  int handle_call(rung, int& count) { return count; }
};

// Half of them are cancelled; the others fire, all at once.
asio::awaitable<void> measure_timers(int number) {
  auto executor = co_await asio::this_coro::executor;
  auto server = co_await otpp::start<alarm_clock>();
  auto other = co_await otpp::start<counter>();
  std::vector<otpp::timer_ref> timers;
  timers.reserve(static_cast<std::size_t>(number));
  double each = std::max(1, number);

  double before = heap_bytes();
  stopwatch watch;
  auto far = std::chrono::steady_clock::now() + 1h;
  for (int i = 0; i < number / 2; ++i) { // in no order
    timers.push_back(otpp::send_after<alarm_clock::ring>(far + 1us * (i * 7919LL % number), server));
  }
  auto soon = std::chrono::steady_clock::now() + 5s;
  for (int i = number / 2; i < number; ++i) {
    timers.push_back(otpp::send_after<alarm_clock::ring>(soon, server));
  }
  double arm = watch.lap() / each;
  double bytes = (heap_bytes() - before) / each;
  double call = co_await measure_calls(other);
  watch.lap();
  for (int i = 0; i < number / 2; ++i) {
    timers[static_cast<std::size_t>(i)].cancel();
  }
  double cancel = watch.lap() / std::max(1, number / 2);
  asio::steady_timer until(executor, soon);
  co_await until.async_wait(asio::use_awaitable);
  watch.lap();
  int rung = 0;
  while (rung < number - number / 2) {
    rung = co_await otpp::call<alarm_clock::rung>(server);
  }
  double fire = watch.lap() / std::max(1, number - number / 2);
  co_await server.stop();
  print_row({grouped(number), grouped(arm), grouped(bytes), grouped(call), grouped(cancel), grouped(fire)});
}

void timers() {
  print_header(
      "Many timers", {"timers", "send_after of each, ns", "bytes of each", "a call meanwhile, ns",
                      "cancel of each, ns", "firing of each, handled, ns"});
  for (int number : {0, 1'000, 1'000'000}) {
    in_a_process([&] {
      asio::io_context context(1);
      run(context, measure_timers(number));
    });
  }
}

// ---- many children of a supervisor ----

struct fragile {
  struct crash {};
  struct add {
    int n;
    using reply_type = int;
  };

  int init() { return 0; }
  void handle_cast(crash, int&) { throw std::runtime_error("crash"); }
  int handle_call(add request, int& count) { return count += request.n; }
};

// From the crash to the first answer of the next incarnation, by name.
asio::awaitable<double> measure_restarts(int times) {
  otpp::server_name<fragile> name("fragile");
  stopwatch watch;
  for (int i = 0; i < times; ++i) {
    auto one = otpp::whereis<fragile>("fragile");
    otpp::try_cast<fragile::crash>(*one);
    co_await one->join();
    co_await otpp::wait_for_name<fragile>("fragile");
    co_await otpp::call<fragile::add>(name, 1);
  }
  co_return watch.lap() / times;
}

asio::awaitable<void> measure_children(int number) {
  constexpr int restarts = 2'000;
  otpp::dynamic_spec how = otpp::dynamic_spec().intensity(10 * restarts, 1h);
  auto top = co_await otpp::start<otpp::dynamic_supervisor>(how);
  otpp::child_spec mortal = otpp::child<fragile>("fragile").named("fragile");
  co_await otpp::start_child(top, mortal);
  co_await measure_restarts(10); // the first brings what the others use again

  double before = heap_bytes();
  stopwatch watch;
  for (int i = 0; i < number; ++i) {
    otpp::child_spec spec = otpp::child<counter>("counter");
    co_await otpp::start_child(top, spec);
  }
  double start = watch.lap() / number;
  double bytes = (heap_bytes() - before) / number;
  double restart = co_await measure_restarts(restarts);
  watch.lap();
  co_await top.stop();
  double stop = watch.lap() / number;
  print_row({grouped(number), grouped(start), grouped(bytes), grouped(restart), grouped(stop)});
}

void children() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  otpp::subscription no_reports =
      otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
  print_header(
      "Many children of a dynamic supervisor",
      {"children", "start of each, ns", "bytes of each, the server's too", "restart of one, ns",
       "stop of each, ns"});
  for (int number : {1, 1'000, 100'000}) {
    in_a_process([&] {
      asio::io_context context(1);
      run(context, measure_children(number));
    });
  }
}

// ---- a million servers ----

asio::awaitable<void> measure_million(int number) {
  co_await warm_up();
  std::vector<counter_ref> servers;
  servers.reserve(static_cast<std::size_t>(number));
  double before = resident_bytes();
  stopwatch watch;
  for (int i = 0; i < number; ++i) {
    auto server = co_await otpp::start<counter>();
    servers.push_back(std::move(server));
  }
  double start = watch.lap() / 1e9;
  double bytes = resident_bytes() - before;
  watch.lap();
  for (counter_ref& server : servers) {
    co_await otpp::call<counter::add>(server, 1);
  }
  double call = watch.lap() / 1e9;
  for (counter_ref& server : servers) {
    co_await server.stop();
  }
  double stop = watch.lap() / 1e9;

  auto seconds = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", value);
    return std::string(text);
  };
  print_row({grouped(number), seconds(start), grouped(bytes / 1e6), seconds(call), seconds(stop)});
}

void million() {
  print_header(
      "A million servers",
      {"servers", "start of all, s", "resident memory, MB", "a call to each, s", "stop of all, s"});
  in_a_process([] {
    asio::io_context context(1);
    run(context, measure_million(1'000'000));
  });
}

struct section {
  std::string_view name;
  void (*print)();
};

constexpr section sections[] = {
    {"servers", servers}, {"queues", queues}, {"full_mailbox", full_mailbox}, {"outstanding", outstanding},
    {"clients", clients}, {"timers", timers}, {"children", children},         {"million", million},
};

} // namespace

int main(int argc, char** argv) {
  std::vector<std::string_view> wanted(argv + 1, argv + argc);
  auto quick = std::find(wanted.begin(), wanted.end(), "--quick");
  if (quick != wanted.end()) {
    wanted.erase(quick);
    calls_for_a_mean = 20'000;
  }
  for (const section& each : sections) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), each.name) != wanted.end()) {
      each.print();
    }
  }
}

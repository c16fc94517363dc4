// SPDX-License-Identifier: BSL-1.0

// What Prometheus sees of a program, for which `main` has one line. This program scrapes itself, and prints
// some of the metrics; docs/observing.md lists all of them, and has the lines for prometheus.yml.

#include <otpp/observer.hpp>
#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>

#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

struct counter {
  struct add { int n; using reply_type = int; };

  int init() { return 0; }
  int handle_call(add request, int& count) {
    if (request.n < 0) throw std::invalid_argument("counts up only");
    return count += request.n;
  }
};

asio::awaitable<void> wait(otpp::duration time) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

// Does not get to its second page.
struct printer {
  struct page {};

  int init() { return 0; }
  asio::awaitable<void> handle_cast(page, int&) { co_await wait(24h); }
};

asio::awaitable<void> work() {
  constexpr otpp::server_name<counter> visitors("visitors");
  constexpr otpp::server_name<counter> votes("votes");
  constexpr otpp::server_name<printer> printing("printer");
  for (int page = 0; page != 3; ++page) {
    co_await otpp::cast<printer::page>(printing);
  }
  try {
    co_await otpp::call<counter::add>(votes, -1);
  } catch (const otpp::error&) { // and its supervisor restarts it
  }
  co_await otpp::wait_for_name<counter>("votes", 10s);
  for (int visitor = 0; visitor != 5; ++visitor) {
    co_await otpp::call<counter::add>(visitors, 1);
  }
}

// Does what `curl http://localhost:4040/metrics` does.
asio::awaitable<std::string> scrape(std::uint16_t port) {
  auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::socket socket(executor);
  asio::ip::tcp::endpoint observer(asio::ip::address_v4::loopback(), port);
  co_await socket.async_connect(observer, asio::use_awaitable);
  std::string text = "GET /metrics HTTP/1.1\r\nHost: localhost:" + std::to_string(port) + "\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
  text.clear();
  std::error_code closed; // by the observer, after its answer
  auto token = asio::redirect_error(asio::use_awaitable, closed);
  co_await asio::async_read(socket, asio::dynamic_buffer(text), token);
  co_return text;
}

void print(const std::string& metrics) {
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    for (const char* name : {"otpp_processes{", "otpp_process_exits_total{", "otpp_messages_handled_total{",
                             "otpp_mailbox_messages{", "otpp_supervisor_restarts_total{"}) {
      if (line.starts_with(name)) std::cout << line << '\n';
    }
  }
}

asio::awaitable<void> program(std::uint16_t port) {
  otpp::supervisor_spec spec;
  spec.add(otpp::child<counter>("visitors").named("visitors"))
      .add(otpp::child<counter>("votes").named("votes"))
      .add(otpp::child<printer>("printer").named("printer").shutdown(otpp::brutal_kill));
  auto main = co_await otpp::start_supervisor(otpp::named("main"), spec);

  std::string metrics = co_await scrape(port); // from the first one on, messages are counted
  co_await work();
  // The observer looks at the processes once a second. Prometheus need not wait for that: it comes again.
  while (metrics.find("server=\"visitors\"} 5\n") == std::string::npos) {
    co_await wait(100ms);
    metrics = co_await scrape(port);
  }
  print(metrics);
  co_await main.stop();
}

int main() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  otpp::subscription no_restarts =
      otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
  otpp::observer watch = otpp::observe(otpp::observer_options().port(0)); // any that is free
  return otpp::run(program(watch.port()));
}

// Output:
// otpp_processes{type="counter"} 2
// otpp_processes{type="otpp::supervisor"} 1
// otpp_processes{type="printer"} 1
// otpp_process_exits_total{type="counter",reason="error"} 1
// otpp_messages_handled_total{type="counter",server="visitors"} 5
// otpp_messages_handled_total{type="otpp::supervisor",server="main"} 1
// otpp_messages_handled_total{type="printer",server="printer"} 1
// otpp_mailbox_messages{type="counter",server="visitors"} 0
// otpp_mailbox_messages{type="counter",server="votes"} 0
// otpp_mailbox_messages{type="otpp::supervisor",server="main"} 0
// otpp_mailbox_messages{type="printer",server="printer"} 2
// otpp_supervisor_restarts_total{supervisor="main",child="votes"} 1

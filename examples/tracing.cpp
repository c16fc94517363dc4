// SPDX-License-Identifier: BSL-1.0

// Tracing: each message is a span, and its parent is the message whose handler has sent it. The ids of a span
// are put into the message when it is sent, and are read when it has been handled. With opentelemetry-cpp the
// same spans go there: see tracing_opentelemetry.hpp.

#include <otpp/otpp.hpp>
#include <otpp/sys/trace_event.hpp>

#include "tracing_opentelemetry.hpp"

#include <asio.hpp>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

// [tracer]
// What travels with a message.
struct span {
  std::uint64_t id;       // the number of the message
  std::uint64_t parent;   // zero: no handler has sent it
  exported_span exported;
};

// Both functions are called by whichever thread sends or handles a message.
class tracer {
 public:
  void print() const {
    std::lock_guard lock(mutex_);
    print_below(0, "");
  }

 private:
  struct ended_span { std::uint64_t parent; std::string text; };

  void begin(const otpp::trace_capture& sent) {
    // Of what the sender handles; null if it handles nothing.
    auto parent = std::static_pointer_cast<const span>(sent.event.context);
    exported_span exported(sent.event, parent ? &parent->exported : nullptr);
    sent.keep(std::make_shared<const span>(span{sent.event.sequence, parent ? parent->id : 0, exported}));
  }

  void end(const otpp::trace_event& event) {
    // A message that was sent before this began has no context.
    if (event.what != otpp::trace_event::kind::handled || !event.context) return;
    auto handled = std::static_pointer_cast<const span>(event.context);
    handled->exported.end(event);
    std::string outcome = event.reason.is_clean() ? "ok" : "failed: " + event.reason.message();
    std::string text = std::string(event.server) + ' ' + std::string(event.message) + ", " + outcome;
    std::lock_guard lock(mutex_); // event.waited and event.ran are not printed: they differ from run to run
    ended_.insert({handled->id, {handled->parent, std::move(text)}});
  }

  void print_below(std::uint64_t parent, const std::string& indent) const {
    for (const auto& [id, one] : ended_) {
      if (one.parent != parent) continue;
      std::cout << indent << one.text << '\n';
      print_below(id, indent + "  ");
    }
  }

  mutable std::mutex mutex_;
  std::map<std::uint64_t, ended_span> ended_; // in the order in which the messages were sent
  // Last, so that they end first.
  otpp::subscription begin_ =
      otpp::subscribe<otpp::trace_capture>([this](const otpp::trace_capture& sent) { begin(sent); });
  otpp::subscription end_ =
      otpp::subscribe<otpp::trace_event>([this](const otpp::trace_event& event) { end(event); });
};
// [tracer]

struct mailer {
  struct write { std::string text; };

  int init() { return 0; }
  void handle_cast(write, int& sent) { ++sent; }
};

struct stock {
  struct take { std::string article; using reply_type = int; };

  int init(int apples) { return apples; }
  int handle_call(take request, int& apples) {
    if (request.article != "apple") throw std::invalid_argument("there are only apples");
    return --apples;
  }
};

// Asks the stock, and writes a mail for which it does not wait.
struct shop {
  struct order { std::string article; using reply_type = bool; };

  int init() { return 0; }
  asio::awaitable<bool> handle_call(order request, int& sold) {
    try {
      co_await otpp::call<stock::take>(otpp::server_name<stock>("stock"), request.article);
    } catch (const otpp::error&) {
      co_return false;
    }
    ++sold;
    co_await otpp::cast<mailer::write>(otpp::server_name<mailer>("mailer"), request.article);
    co_return true;
  }
};

asio::awaitable<void> client() {
  auto mailing = co_await otpp::start<mailer>(otpp::named("mailer"));
  auto storing = co_await otpp::start<stock>(otpp::named("stock"), 10);
  auto selling = co_await otpp::start<shop>(otpp::named("shop"));

  for (const char* article : {"apple", "pear"}) {
    bool is_sold = co_await otpp::call<shop::order>(selling, article);
    std::cout << article << (is_sold ? ": sold\n" : ": not sold\n");
  }
  co_await selling.stop();
  co_await storing.join(); // the pear has ended it
  co_await mailing.stop();
}

int main() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  start_exporting();
  tracer spans;
  int status = otpp::run(client);
  spans.print();
  return status;
}

// Output:
// apple: sold
// pear: not sold
// "shop" shop::order, ok
//   "stock" stock::take, ok
//   "mailer" mailer::write, ok
// "shop" shop::order, ok
//   "stock" stock::take, failed: there are only apples

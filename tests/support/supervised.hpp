// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/exit_reason.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/registry/wait_for_name.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/testing.hpp>
#include <otpp/timeout.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"

#include <asio/awaitable.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What the children of a supervisor do: "+a" is a start of a, "-a" its end, "!a" a start that fails.
struct family {
  std::string text;
  std::map<std::string, int> failures; // how many of its next starts fail
  std::set<std::string> alive;
  bool overlapped = false;

  std::string take() { return std::exchange(text, {}); }
};
using family_ptr = std::shared_ptr<family>;

// A child. Its state is there as long as it is.
struct member {
  struct crash {};
  struct leave {
    otpp::exit_reason why;
  };
  struct get {
    using reply_type = std::string;
  };

  class presence {
   public:
    presence(family_ptr all, std::string name) : all_(std::move(all)), name_(std::move(name)) {
      if (all_->failures[name_] > 0) {
        --all_->failures[name_];
        all_->text += '!' + name_;
        throw std::runtime_error(name_ + " fails");
      }
      all_->overlapped |= !all_->alive.insert(name_).second;
      all_->text += '+' + name_;
    }
    presence(const presence&) = delete;
    presence& operator=(const presence&) = delete;
    ~presence() {
      all_->alive.erase(name_);
      all_->text += '-' + name_;
    }
    const std::string& name() const { return name_; }

   private:
    family_ptr all_;
    std::string name_;
  };
  using state = std::unique_ptr<presence>;

  state init(family_ptr all, std::string name) {
    return std::make_unique<presence>(std::move(all), std::move(name));
  }

  void handle_cast(crash, state&) { throw std::runtime_error("boom"); }
  otpp::outcome<> handle_cast(leave request, state&) { return otpp::stop(request.why); }
  std::string handle_call(get, state& mine) { return mine->name(); }
};

// One that does not want to end: it traps exits, and takes its time.
struct stubborn : member {
  state init(family_ptr all, std::string name) {
    otpp::trap_exit();
    return member::init(std::move(all), std::move(name));
  }
  // Forever.
  asio::awaitable<void> terminate(const otpp::exit_reason&, state&) {
    co_await otpp::wait_for_name<member>("a name that nobody has", otpp::infinite);
  }
};

// Keeps the reports of supervisors off stderr, and for the test to see, and those of crashes too.
class supervisor_log {
 public:
  supervisor_log() = default;
  supervisor_log(const supervisor_log&) = delete;
  supervisor_log& operator=(const supervisor_log&) = delete;

  const std::vector<std::string>& texts() const { return texts_; }
  bool has(otpp::supervisor_report::kind what) const {
    return std::find(kinds_.begin(), kinds_.end(), what) != kinds_.end();
  }

 private:
  crash_log crashes_;
  std::vector<std::string> texts_;
  std::vector<otpp::supervisor_report::kind> kinds_;
  otpp::subscription reports_ =
      otpp::subscribe<otpp::supervisor_report>([this](const otpp::supervisor_report& report) {
        texts_.push_back(report.text());
        kinds_.push_back(report.what);
      });
};

// Runs `body` in a world's time, first in, first out.
template <class Body>
void in_a_world(Body body) {
  otpp::testing::explore(otpp::testing::orders::fifo(), [&](otpp::testing::world& one) {
    one.spawn("test", [&] { return body(one); });
    one.run();
  });
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/registry/pg.hpp>

#include <array>
#include <cstddef>
#include <vector>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"
#include "started.hpp"

namespace {

using preemption::entry;
using preemption::expect;

struct member {
  int init() { return 0; }
};

struct listener {
  using log = std::vector<otpp::pid>*;
  log init(log joined) { return joined; }
  void handle_info(const otpp::group_change& change, log& joined) { joined->push_back(change.who); }
};

// Two join at once, and each may be the one who tells the monitor: it hears of both, in the order of the members.
struct order_of_changes final : preemption::scenario {
  preemption::context here;
  otpp::pg groups;
  std::vector<otpp::pid> heard;
  std::array<otpp::pid, 2> joining;

  order_of_changes() {
    for (otpp::pid& one : joining) {
      one = preemption::started<member>(here, otpp::options());
    }
    groups.monitor("readers", preemption::started<listener>(here, otpp::options(), &heard));
  }

  void run(int thread) override { groups.join("readers", joining[static_cast<std::size_t>(thread - 1)]); }

  void finish() override {
    here.poll();
    expect(heard.size() == 2, "the monitor has not heard of both");
    expect(heard == groups.members("readers"), "the monitor has heard another order");
  }
};
const entry order_of_changes_entry("pg.order_of_changes", 2, 3, preemption::make<order_of_changes>);

} // namespace

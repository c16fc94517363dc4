// SPDX-License-Identifier: BSL-1.0

#include "explorer.hpp"

namespace {

// Two threads of two points each: how many orders there are is known.
struct two_by_two : preemption::scenario {
  void run(int) override {
    preemption::mark(1);
    preemption::mark(2);
  }
};
const preemption::entry two_by_two_entry("explorer.two_by_two", 2, 3, preemption::make<two_by_two>);

} // namespace

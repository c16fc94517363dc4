// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/queue/deadline_heap.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <vector>

using otpp::detail::deadline;
using otpp::detail::deadline_heap;
using otpp::detail::expired_list;

namespace {

struct item final : deadline {
  bool claim_expired() noexcept override { return true; }
  void expire() noexcept override { order->push_back(this); }

  std::vector<item*>* order = nullptr;
  bool is_in = false;
  std::multimap<time_point, item*>::iterator where;
};

deadline::time_point at(int n) { return deadline::time_point(std::chrono::nanoseconds(n)); }

} // namespace

TEST_CASE("deadline_heap: yields what is due, the earliest first", "[deadline_heap]") {
  deadline_heap heap;
  item a, b, c;
  CHECK(heap.empty());
  CHECK(heap.pop_due(at(100)) == nullptr);
  heap.add(b, at(20));
  heap.add(c, at(30));
  heap.add(a, at(10));
  CHECK(heap.earliest() == at(10));
  CHECK(heap.pop_due(at(9)) == nullptr);
  CHECK(heap.pop_due(at(10)) == &a);
  CHECK(heap.pop_due(at(100)) == &b);
  CHECK(heap.pop_due(at(29)) == nullptr);
  CHECK(heap.earliest() == at(30));
  heap.remove(c);
  CHECK(heap.empty());
  heap.remove(c); // once more does nothing
  heap.remove(a);
  CHECK(heap.empty());
  heap.add(a, at(5)); // it can come again
  CHECK(heap.pop_due(at(5)) == &a);
}

TEST_CASE("deadline_heap: does the same as a multimap, whatever happens", "[deadline_heap]") {
  for (unsigned seed = 1; seed != 9; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<item>> items;
    for (int n = 0; n != 300; ++n) {
      items.push_back(std::make_unique<item>());
    }
    deadline_heap heap;
    std::multimap<deadline::time_point, item*> model;
    int now = 0;
    int wrong = 0;
    auto take_out = [&](item& one) {
      model.erase(one.where);
      one.is_in = false;
    };
    for (int step = 0; step != 20000; ++step) {
      item& one = *items[random() % items.size()];
      switch (random() % 4) {
        case 0:
        case 1:
          if (!one.is_in) {
            auto when = at(now + static_cast<int>(random() % 500));
            heap.add(one, when);
            one.where = model.emplace(when, &one);
            one.is_in = true;
          }
          break;
        case 2:
          heap.remove(one);
          if (one.is_in) {
            take_out(one);
          }
          break;
        default:
          now += static_cast<int>(random() % 20);
          while (deadline* due = heap.pop_due(at(now))) {
            auto& popped = static_cast<item&>(*due);
            wrong += !popped.is_in || popped.where->first != model.begin()->first ? 1 : 0;
            take_out(popped);
          }
          wrong += !model.empty() && model.begin()->first <= at(now) ? 1 : 0;
          break;
      }
      wrong += heap.empty() != model.empty() ? 1 : 0;
      wrong += !heap.empty() && heap.earliest() != model.begin()->first ? 1 : 0;
      REQUIRE(wrong == 0);
    }
    while (deadline* rest = heap.pop_due(deadline::time_point::max())) {
      auto& popped = static_cast<item&>(*rest);
      REQUIRE(popped.where->first == model.begin()->first);
      take_out(popped);
    }
    CHECK(model.empty());
  }
}

TEST_CASE("deadline_heap: a hundred thousand in a row do not deepen the stack", "[deadline_heap]") {
  std::vector<item> items(100000);
  deadline_heap heap;
  for (std::size_t n = 0; n != items.size(); ++n) {
    heap.add(items[n], at(static_cast<int>(n)));
  }
  std::size_t next = 0;
  bool in_order = true;
  while (deadline* due = heap.pop_due(deadline::time_point::max())) {
    in_order = in_order && due == &items[next];
    ++next;
  }
  CHECK(in_order);
  CHECK(next == items.size());
}

TEST_CASE("expired_list: expires each once, in the order in which they came", "[deadline_heap]") {
  std::vector<item*> order;
  item a, b, c;
  expired_list list;
  for (item* one : {&b, &a, &c}) {
    one->order = &order;
    list.push_back(*one);
  }
  list.expire_all();
  list.expire_all();
  CHECK(order == std::vector<item*>{&b, &a, &c});
}

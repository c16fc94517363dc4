// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/util/intrusive_list.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <list>
#include <random>
#include <vector>

using otpp::detail::intrusive_list;
using otpp::detail::list_hook;

namespace {

class list_item {
 public:
  explicit list_item(int text = 0) : number(text) {}
  bool is_linked() const noexcept { return hook_.is_linked(); }
  int number;

 private:
  friend intrusive_list<list_item>;
  list_hook<list_item> hook_;
};

// Returns the elements, and checks that they are the same ones in both directions.
std::vector<int> in_order(const intrusive_list<list_item>& list) {
  std::vector<int> result;
  std::vector<int> backward;
  list.for_each([&](const list_item& one) { result.push_back(one.number); });
  for (const list_item* one = list.back(); one; one = list.before(*one)) {
    backward.push_back(one->number);
  }
  std::reverse(backward.begin(), backward.end());
  CHECK(result == backward);
  CHECK(list.empty() == result.empty());
  CHECK((list.front() ? list.front()->number : -1) == (result.empty() ? -1 : result.front()));
  CHECK((list.back() ? list.back()->number : -1) == (result.empty() ? -1 : result.back()));
  return result;
}

} // namespace

TEST_CASE("intrusive_list: is one pointer large, and its hook two", "[intrusive_list]") {
  CHECK(sizeof(intrusive_list<list_item>) == sizeof(void*));
  CHECK(sizeof(list_hook<list_item>) == 2 * sizeof(void*));
}

TEST_CASE("intrusive_list: an empty one has no elements", "[intrusive_list]") {
  intrusive_list<list_item> list;
  CHECK(in_order(list).empty());
  CHECK(list.pop_front() == nullptr);
  CHECK(list.find([](const list_item&) { return true; }) == nullptr);
}

TEST_CASE("intrusive_list: takes elements at both ends", "[intrusive_list]") {
  intrusive_list<list_item> list;
  list_item a(1), b(2), c(3), d(4);
  list.push_back(b);
  CHECK(in_order(list) == std::vector{2});
  list.push_back(c);
  list.push_front(a);
  list.push_back(d);
  CHECK(in_order(list) == std::vector{1, 2, 3, 4});
  CHECK(list.pop_front() == &a);
  CHECK(!a.is_linked());
  CHECK(in_order(list) == std::vector{2, 3, 4});
}

TEST_CASE("intrusive_list: an element knows whether it is linked", "[intrusive_list]") {
  intrusive_list<list_item> list;
  list_item a(1), b(2);
  CHECK(!a.is_linked());
  CHECK(!list.erase_if_linked(a));
  list.push_back(a);
  CHECK(a.is_linked());
  list.push_back(b);
  CHECK(b.is_linked());
  CHECK(list.erase_if_linked(a));
  CHECK(!a.is_linked());
  CHECK(!list.erase_if_linked(a));
  list.push_front(a);
  CHECK(in_order(list) == std::vector{1, 2});
}

TEST_CASE("intrusive_list: finds the first element that is wanted", "[intrusive_list]") {
  intrusive_list<list_item> list;
  list_item a(1), b(2), c(2);
  list.push_back(a);
  list.push_back(b);
  list.push_back(c);
  CHECK(list.find([](const list_item& one) { return one.number == 2; }) == &b);
  CHECK(list.find([](const list_item& one) { return one.number == 3; }) == nullptr);
}

TEST_CASE("intrusive_list: an element may go while it is visited", "[intrusive_list]") {
  std::list<list_item> items;
  intrusive_list<list_item> list;
  for (int n = 1; n <= 6; ++n) {
    list.push_back(items.emplace_back(n));
  }
  auto destroy = [&](list_item& one) {
    list.erase(one);
    items.remove_if([&](const list_item& other) { return &other == &one; });
  };
  list.for_each([&](list_item& one) {
    if (one.number % 3 == 1) {
      destroy(one);
    }
  });
  CHECK(in_order(list) == std::vector{2, 3, 5, 6});
  list.for_each([&](list_item& one) {
    if (one.number % 3 == 0) {
      destroy(one);
    }
  });
  CHECK(in_order(list) == std::vector{2, 5});
  list.for_each(destroy);
  CHECK(in_order(list).empty());
}

TEST_CASE("intrusive_list: agrees with std::list", "[intrusive_list]") {
  std::mt19937 random(1);
  std::vector<list_item> items(8);
  intrusive_list<list_item> list;
  std::list<int> model;
  for (int n = 0; n < 8; ++n) {
    items[static_cast<std::size_t>(n)].number = n;
  }
  for (int step = 0; step < 2000; ++step) {
    list_item& one = items[random() % items.size()];
    if (one.is_linked()) {
      list.erase(one);
      model.remove(one.number);
    } else if (random() % 2 == 0) {
      list.push_back(one);
      model.push_back(one.number);
    } else {
      list.push_front(one);
      model.push_front(one.number);
    }
    REQUIRE(in_order(list) == std::vector(model.begin(), model.end()));
  }
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/util/intrusive_fifo.hpp>

#include "support/catch.hpp"

#include <string>

using otpp::detail::intrusive_fifo;

namespace {

struct fifo_link {
  fifo_link* next = nullptr;
};

// As in a message, the link has the type of the base.
struct fifo_node : fifo_link {
  explicit fifo_node(char text) : name(text) {}
  char name;
};

// Takes out all elements.
std::string names_in_fifo(intrusive_fifo<fifo_node>& list) {
  std::string result;
  while (fifo_node* one = list.pop_front()) {
    result += one->name;
  }
  CHECK(list.empty());
  return result;
}

auto named_as(char name) {
  return [name](const fifo_node& one) { return one.name == name; };
}

} // namespace

TEST_CASE("intrusive_fifo: yields elements in the order in which they came", "[intrusive_fifo]") {
  intrusive_fifo<fifo_node> list;
  fifo_node a('a'), b('b');
  CHECK(list.empty());
  CHECK(list.pop_front() == nullptr);
  list.push_back(a);
  list.push_back(b);
  CHECK_FALSE(list.empty());
  CHECK(list.pop_front() == &a);
  list.push_back(a);
  CHECK(names_in_fifo(list) == "ba");
  list.push_back(b);
  CHECK(names_in_fifo(list) == "b");
}

TEST_CASE("intrusive_fifo: takes out an element at any position", "[intrusive_fifo]") {
  intrusive_fifo<fifo_node> list;
  fifo_node a('a'), b('b'), c('c'), d('d');
  for (fifo_node* one : {&a, &b, &c}) {
    list.push_back(*one);
  }
  CHECK(list.take_first(named_as('x')) == nullptr);
  CHECK(list.take_first(named_as('b')) == &b);
  CHECK(list.take_first(named_as('c')) == &c); // the last one
  list.push_back(d);
  CHECK(names_in_fifo(list) == "ad");
  list.push_back(a);
  list.push_back(d);
  CHECK(list.take_first(named_as('a')) == &a);
  CHECK(list.take_first(named_as('d')) == &d); // the only one
  CHECK(list.empty());
  list.push_back(b);
  CHECK(names_in_fifo(list) == "b");
}

TEST_CASE("intrusive_fifo: what comes next stands at the end, whichever was taken out", "[intrusive_fifo]") {
  fifo_node a('a'), b('b'), c('c');
  char taken = GENERATE('a', 'b');
  intrusive_fifo<fifo_node> list;
  list.push_back(a);
  list.push_back(b);
  list.take_first(named_as(taken));
  list.push_back(c);
  CHECK(names_in_fifo(list) == (taken == 'a' ? "bc" : "ac"));
}

TEST_CASE("intrusive_fifo: can be used again after it has been cleared", "[intrusive_fifo]") {
  intrusive_fifo<fifo_node> list;
  fifo_node a('a'), b('b');
  list.push_back(a);
  list.clear();
  CHECK(list.empty());
  list.push_back(b);
  CHECK(names_in_fifo(list) == "b");
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/util/intrusive_fifo.hpp>

#include "support/catch.hpp"

#include <string>
#include <utility>

using otpp::detail::intrusive_fifo;

namespace {

struct linked {
  linked* next = nullptr;
};

// As in a message, the link has the type of the base.
struct item : linked {
  explicit item(char text) : name(text) {}
  char name;
};

std::string names_of(const intrusive_fifo<item>& list) {
  std::string result;
  list.for_each([&](const item& one) { result += one.name; });
  CHECK(list.empty() == result.empty());
  CHECK(list.has_many() == (result.size() > 1));
  return result;
}

auto is(char name) {
  return [name](const item& one) { return one.name == name; };
}

} // namespace

TEST_CASE("intrusive_fifo: yields elements in the order in which they came", "[intrusive_fifo]") {
  intrusive_fifo<item> list;
  item a('a'), b('b');
  CHECK(names_of(list) == "");
  CHECK(list.pop_front() == nullptr);
  list.push_back(a);
  CHECK(names_of(list) == "a");
  list.push_back(b);
  CHECK(names_of(list) == "ab");
  CHECK(list.pop_front() == &a);
  list.push_back(a);
  CHECK(names_of(list) == "ba");
  CHECK(list.pop_front() == &b);
  CHECK(list.pop_front() == &a);
  CHECK(list.pop_front() == nullptr);
  list.push_back(b);
  CHECK(names_of(list) == "b");
}

TEST_CASE("intrusive_fifo: takes out an element at any position", "[intrusive_fifo]") {
  intrusive_fifo<item> list;
  item a('a'), b('b'), c('c'), d('d');
  for (item* one : {&a, &b, &c}) {
    list.push_back(*one);
  }
  CHECK(list.take_first(is('x')) == nullptr);
  CHECK(list.take_first(is('b')) == &b);
  CHECK(names_of(list) == "ac");
  CHECK(list.take_first(is('c')) == &c); // the last one
  list.push_back(d);
  CHECK(names_of(list) == "ad");
  CHECK(list.take_first(is('a')) == &a);
  CHECK(list.take_first(is('d')) == &d); // the only one
  CHECK(names_of(list) == "");
  list.push_back(b);
  CHECK(names_of(list) == "b");
}

TEST_CASE("intrusive_fifo: takes another list behind or in front of its own", "[intrusive_fifo]") {
  item a('a'), b('b'), c('c'), d('d'), e('e');
  intrusive_fifo<item> list;
  intrusive_fifo<item> other;
  list.append(std::move(other));
  list.prepend(intrusive_fifo<item>());
  CHECK(names_of(list) == "");

  intrusive_fifo<item> middle;
  middle.push_back(c);
  list.append(std::move(middle)); // to an empty one
  CHECK(names_of(middle) == "");
  CHECK(names_of(list) == "c");

  intrusive_fifo<item> front;
  front.push_back(a);
  front.push_back(b);
  list.prepend(std::move(front));
  CHECK(names_of(list) == "abc");

  intrusive_fifo<item> back;
  back.push_back(d);
  list.append(std::move(back));
  list.append(intrusive_fifo<item>());
  list.prepend(intrusive_fifo<item>());
  list.push_back(e);
  CHECK(names_of(list) == "abcde");

  intrusive_fifo<item> empty;
  empty.prepend(std::move(list));
  empty.push_back(*empty.pop_front());
  CHECK(names_of(empty) == "bcdea");
}

TEST_CASE("intrusive_fifo: is made from a linked list, and turned into one", "[intrusive_fifo]") {
  item a('a'), b('b'), c('c');
  a.next = &b;
  intrusive_fifo<item> list(&a);
  list.push_back(c);
  CHECK(names_of(list) == "abc");
  CHECK(list.take_all() == &a);
  CHECK(b.next == &c);
  CHECK(c.next == nullptr);
  CHECK(names_of(list) == "");
  CHECK(names_of(intrusive_fifo<item>(nullptr)) == "");
}

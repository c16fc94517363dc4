// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/queue/mailbox.hpp>

#include "support/catch.hpp"

#include <string>
#include <vector>

using otpp::detail::mailbox;

namespace {

// An envelope that writes down what becomes of it.
class letter final : public otpp::detail::envelope {
 public:
  letter(std::string& said, char name) : envelope(nullptr), said_(said), name_(name) {}

  void fail_unhandled(otpp::detail::server_core&, const otpp::exit_reason&) noexcept override {}
  void discard_message() noexcept override { note('-'); }
  bool put_in_line() noexcept override {
    note(may_wait ? '~' : '!');
    return may_wait;
  }
  void admitted() noexcept override { note('+'); }
  bool expired() const noexcept override { return has_expired; }
  const void* sender() const noexcept override { return this; }

  char name() const { return name_; }

  bool has_expired = false;
  bool may_wait = true;

 private:
  void note(char what) noexcept {
    said_ += what;
    said_ += name_;
  }

  std::string& said_;
  char name_;
};

std::string pop_all(mailbox& box) {
  std::string result;
  while (otpp::detail::envelope* item = box.pop()) {
    result += static_cast<letter*>(item)->name();
  }
  return result;
}

std::string names_of(otpp::detail::envelope* list) {
  std::string result;
  for (; list; list = list->next_envelope()) {
    result += static_cast<letter*>(list)->name();
  }
  return result;
}

class work final : public otpp::detail::task {
 public:
  void run() override {}
  void discard() noexcept override { ++discarded; }

  int discarded = 0;
};

struct letters {
  std::string said;
  letter a{said, 'a'}, b{said, 'b'}, c{said, 'c'}, d{said, 'd'}, e{said, 'e'};
};

} // namespace

TEST_CASE("mailbox: keeps the order, and says whom to wake", "[mailbox]") {
  letters l;
  mailbox box(0);
  CHECK(box.empty());
  CHECK(box.push(l.a) == mailbox::result::taken); // the receiver is awake at first
  CHECK(box.try_push(l.b) == mailbox::result::taken);
  CHECK(box.push_library_message(l.c) == mailbox::result::taken);
  CHECK_FALSE(box.park());
  CHECK(pop_all(box) == "abc");
  CHECK(box.park());
  CHECK(box.push(l.d) == mailbox::result::woke);
  CHECK(box.push(l.e) == mailbox::result::taken);
  CHECK(pop_all(box) == "de");
  CHECK(l.said.empty());
}

TEST_CASE("mailbox: a limit makes those who may wait stand in line", "[mailbox]") {
  letters l;
  mailbox box(2);
  CHECK(box.push(l.a) == mailbox::result::taken);
  CHECK(box.push(l.b) == mailbox::result::taken);
  CHECK(box.try_push(l.e) == mailbox::result::full);
  CHECK(box.push(l.c) == mailbox::result::waiting);
  CHECK(box.push(l.d) == mailbox::result::waiting);
  CHECK(l.said == "~c~d");
  CHECK(box.pop() == &l.a); // c comes in
  CHECK(l.said == "~c~d+c");
  CHECK(box.try_push(l.e) == mailbox::result::full); // its place is c's
  CHECK(pop_all(box) == "bcd");
  CHECK(l.said == "~c~d+c+d");
  CHECK(box.try_push(l.e) == mailbox::result::taken);
  CHECK(pop_all(box) == "e");
}

TEST_CASE(
    "mailbox: what goes ahead is beside the queue, and the oldest that takes room may be dropped",
    "[mailbox]") {
  letters l;
  letter f{l.said, 'f'};
  work notice;
  mailbox box(2);
  box.prepare(otpp::overflow::drop_oldest, nullptr, notice);
  CHECK(box.push_library_message(l.a) == mailbox::result::taken);
  CHECK(box.push(l.b) == mailbox::result::taken);
  CHECK(box.push(l.c) == mailbox::result::taken);
  CHECK(box.push_local(l.d) == mailbox::result::full);
  CHECK(box.push(l.d) == mailbox::result::full);
  CHECK(box.take_oldest() == &l.b);
  CHECK(box.take_oldest() == nullptr); // there is room
  CHECK(box.push(l.d) == mailbox::result::taken);
  CHECK(box.push_ahead(l.e) == mailbox::result::taken); // nobody has prepared it for that
  box.let_ahead(notice);
  CHECK(box.push_ahead(f) == mailbox::result::taken);
  CHECK(box.count_up_to(100) == 5);
  CHECK(box.pop_any() == &notice);
  CHECK(box.park());
  box.notice_is_over();
  CHECK(box.take_first([&](const auto& one) { return &one == &l.c; }) == &l.c);
  CHECK(box.pop_beside() == &f);
  CHECK(box.pop_past_tasks() == &l.a);
  CHECK(box.push(l.b) == mailbox::result::woke);
  CHECK(names_of(box.close()) == "deb");
  CHECK(box.push(l.a) == mailbox::result::closed);
  CHECK(box.push_ahead(l.a) == mailbox::result::closed);
  CHECK(box.pop_any() == &notice);
}

TEST_CASE("mailbox: library messages take no place and never wait", "[mailbox]") {
  letters l;
  mailbox box(1);
  CHECK(box.push_library_message(l.a) == mailbox::result::taken);
  CHECK(box.push(l.b) == mailbox::result::taken);
  CHECK(box.push(l.c) == mailbox::result::waiting);
  CHECK(box.push_library_message(l.d) == mailbox::result::taken);
  CHECK(box.pop() == &l.a);
  CHECK(l.said == "~c");        // no place has become free
  CHECK(pop_all(box) == "bcd"); // d was sent after c
  CHECK(l.said == "~c+c");
}

TEST_CASE("mailbox: library messages keep their place among those that wait for room", "[mailbox]") {
  letters l;
  letter f{l.said, 'f'};
  mailbox box(1);
  box.push(l.a);
  box.push(l.b);
  CHECK(box.push_library_message(l.c) == mailbox::result::taken);
  box.push(l.d);
  box.push_library_message(l.e);
  box.push_library_message(f);
  CHECK(box.withdraw(&l.b) == &l.b); // then c is the first in line
  CHECK(box.pop() == &l.a);
  CHECK(l.said == "~b~d+d"); // c has taken no place
  CHECK(pop_all(box) == "cdef");
  CHECK(box.try_push(l.a) == mailbox::result::taken);
  CHECK(box.push_library_message(l.b) == mailbox::result::taken);
  CHECK(pop_all(box) == "ab");
}

TEST_CASE("mailbox: a receiver may let library messages pass those that wait for room", "[mailbox]") {
  letters l;
  letter f{l.said, 'f'};
  mailbox box(1);
  l.d.is_system = true;
  l.e.is_system = true;
  box.push(l.a);
  box.push(l.b);
  box.push_library_message(l.c);
  box.push_library_message(l.d);
  box.let_pass(mailbox::passing::system);
  box.push_library_message(l.e);
  auto is_system = [](const otpp::detail::envelope& one) { return one.is_system; };
  CHECK(box.take_first(is_system) == &l.d);
  CHECK(box.take_first(is_system) == &l.e);
  CHECK(box.take_first(is_system) == nullptr);
  CHECK(box.take_first([](const otpp::detail::envelope& one) {
    return !one.counted;
  }) == &l.c); // out of the line
  box.let_pass(mailbox::passing::none);
  box.push_library_message(l.c);
  box.let_pass(mailbox::passing::all);
  box.push_library_message(f);
  CHECK(box.push(l.d) == mailbox::result::waiting); // behind b
  CHECK(pop_all(box) == "acfbd");
}

TEST_CASE("mailbox: who must not wait is refused", "[mailbox]") {
  letters l;
  mailbox box(1);
  box.push(l.a);
  l.b.may_wait = false;
  CHECK(box.push(l.b) == mailbox::result::full);
  CHECK(box.push(l.c) == mailbox::result::waiting);
  CHECK(l.said == "!b~c");
  CHECK(pop_all(box) == "ac");
}

TEST_CASE("mailbox: who has given up is passed over", "[mailbox]") {
  letters l;
  mailbox box(1);
  box.push(l.a);
  box.push(l.b);
  box.push(l.c);
  box.push(l.d);
  l.b.has_expired = true;
  l.c.has_expired = true;
  CHECK(pop_all(box) == "ad");
  CHECK(l.said.find("-b") != std::string::npos);
  CHECK(l.said.find("-c") != std::string::npos);
  CHECK(l.said.find("+d") != std::string::npos);
  CHECK(l.said.find("+b") == std::string::npos);
}

TEST_CASE("mailbox: what stands in line can be taken back, from any place in it", "[mailbox]") {
  letters l;
  mailbox box(1);
  CHECK(box.withdraw(&l.a) == nullptr);
  box.push(l.a);
  box.push(l.b);
  box.push(l.c);
  box.push(l.d);
  CHECK(box.withdraw(&l.a) == nullptr); // taken: too late
  CHECK(box.withdraw(&l.c) == &l.c);    // from the middle
  CHECK(box.withdraw(&l.c) == nullptr);
  CHECK(box.withdraw(&l.d) == &l.d); // the last
  CHECK(box.push(l.e) == mailbox::result::waiting);
  CHECK(box.withdraw(&l.b) == &l.b); // the first
  CHECK(pop_all(box) == "ae");
  mailbox unlimited(0);
  CHECK(unlimited.withdraw(&l.a) == nullptr);
}

TEST_CASE("mailbox: closing yields what was in it, then those in line, and it takes no more", "[mailbox]") {
  {
    letters l;
    mailbox box(2);
    box.push(l.a);
    box.push(l.b);
    box.push(l.c);
    box.push_library_message(l.d);
    CHECK_FALSE(box.is_closed());
    CHECK(names_of(box.close()) == "abcd");
    CHECK(box.is_closed());
    CHECK(box.push(l.e) == mailbox::result::closed);
    CHECK(box.try_push(l.e) == mailbox::result::closed);
    CHECK(box.push_library_message(l.e) == mailbox::result::closed);
    CHECK(box.pop() == nullptr);
    CHECK(box.close() == nullptr);
    CHECK(l.said == "~c");
  }
  {
    letters l;
    mailbox box(0);
    box.push(l.a);
    box.push(l.b);
    box.pop();
    box.push(l.c);
    CHECK(names_of(box.close()) == "bc");
    CHECK(box.push(l.e) == mailbox::result::closed);
  }
  {
    letters l;
    mailbox box(0);
    CHECK(box.park());
    CHECK(box.close() == nullptr); // a sleeping one
    CHECK(box.push(l.a) == mailbox::result::closed);
  }
}

TEST_CASE(
    "mailbox: tasks and messages keep one order, and a message waits for the task before it", "[mailbox]") {
  letters l;
  work one;
  mailbox box(0);
  box.push(l.a);
  CHECK(box.submit(one) == mailbox::result::taken);
  box.push(l.b);
  CHECK(box.has_message());
  CHECK(box.pop() == &l.a);
  CHECK_FALSE(box.has_message());
  CHECK(box.pop() == nullptr); // the task comes first
  CHECK_FALSE(box.empty());
  CHECK_FALSE(box.park());
  CHECK(box.pop_any() == &one);
  CHECK(box.pop() == &l.b);
  CHECK(box.empty());
}

TEST_CASE("mailbox: what is put aside is received first, in its order", "[mailbox]") {
  letters l;
  work one;
  mailbox box(0);
  box.push(l.a);
  box.push(l.b);
  box.submit(one);
  box.push(l.c);
  while (otpp::detail::queued* item = box.pop_any()) {
    if (item->what() == otpp::detail::queued::kind::message) {
      box.put_aside(static_cast<letter&>(*item));
    }
  }
  CHECK(box.has_message());
  CHECK_FALSE(box.empty());
  CHECK(box.park()); // they wait for the receiver, not the receiver for them
  CHECK(box.push(l.d) == mailbox::result::woke);
  CHECK(pop_all(box) == "abcd");
}

TEST_CASE("mailbox: a message can be received past tasks", "[mailbox]") {
  letters l;
  work one, two;
  mailbox box(0);
  box.submit(one);
  box.push(l.a);
  box.submit(two);
  box.push(l.b);
  CHECK(box.pop_past_tasks() == &l.a);
  CHECK(box.pop_past_tasks() == &l.b);
  CHECK(box.pop_past_tasks() == nullptr);
  CHECK(box.pop_any() == &one);
  CHECK(box.pop_any() == &two);
  CHECK(box.empty());
}

TEST_CASE("mailbox: a count that begins late has what is queued, wherever that stands", "[mailbox]") {
  letters l;
  work task;
  mailbox box(0);
  CHECK_FALSE(box.length());
  box.push(l.a);
  CHECK(box.pop_any() == &l.a);
  box.put_aside(l.a);
  box.push(l.b);
  box.submit(task);
  box.push(l.c);
  box.count(true);
  REQUIRE(box.length());
  CHECK(box.length()->now == 3);
  CHECK(box.length()->longest == 3);
  CHECK(pop_all(box) == "abc");
  CHECK(box.length()->now == 0);
  CHECK(box.length()->longest == 3);
  box.count(false);
  CHECK_FALSE(box.length());
  CHECK(box.pop_any() == &task);
}

TEST_CASE("mailbox: the receiver's own push comes after what others have pushed before", "[mailbox]") {
  constexpr auto receiver = mailbox::by::receiver;
  letters l;
  mailbox box(0);
  CHECK(box.park());
  CHECK(box.claim());
  CHECK(box.push(l.a, receiver) == mailbox::result::taken);
  box.push(l.b);
  box.push(l.c, receiver); // b is not taken yet
  CHECK(box.pop() == &l.a);
  CHECK(box.pop() == &l.b);
  box.push(l.d, receiver); // behind c, which is taken with b
  box.push(l.e);
  CHECK(pop_all(box) == "cde");
  CHECK(box.park());
  CHECK(box.push(l.a, receiver) == mailbox::result::woke); // by mistake, and all the same
}

TEST_CASE("mailbox: closed for messages it still takes tasks and sleeps, until it is barred", "[mailbox]") {
  letters l;
  work one, two, three;
  mailbox box(0);
  box.push(l.a);
  box.submit(one);
  box.push(l.b);
  box.put_aside(static_cast<letter&>(*box.pop_any()));
  CHECK(names_of(box.close()) == "ab");
  CHECK(box.push(l.c) == mailbox::result::closed);
  CHECK(box.submit(two) == mailbox::result::taken);
  CHECK(box.pop_any() == &one);
  CHECK(box.pop_any() == &two);
  CHECK(box.park());
  CHECK(box.submit(two) == mailbox::result::woke);
  otpp::detail::queued* left = box.bar();
  CHECK(left == &two);
  CHECK(left->next == nullptr);
  CHECK(box.submit(three) == mailbox::result::closed);
  CHECK_FALSE(box.park());
  CHECK_FALSE(box.claim());
}

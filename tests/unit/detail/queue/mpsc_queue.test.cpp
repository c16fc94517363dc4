// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/queue/mpsc_queue.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

using otpp::detail::mpsc_queue;
using otpp::detail::push_result;

namespace {

struct entry {
  int sender = 0;
  int number = 0;
  bool is_task = false;
  entry* next = nullptr;

  bool counts() const noexcept { return !is_task; }
};

std::vector<int> numbers(entry* list) {
  std::vector<int> result;
  for (; list; list = list->next) {
    result.push_back(list->number);
  }
  return result;
}

} // namespace

TEST_CASE("mpsc_queue: what goes in comes out in the same order", "[mpsc_queue]") {
  mpsc_queue<entry> queue(false);
  std::vector<entry> nodes(6);
  for (int n = 0; n != 6; ++n) {
    nodes[static_cast<std::size_t>(n)].number = n;
  }
  CHECK(queue.empty());
  CHECK(queue.pop() == nullptr);
  for (std::size_t n : {0u, 1u, 2u}) {
    CHECK(queue.push(&nodes[n]) == push_result::queued);
  }
  CHECK_FALSE(queue.empty());
  CHECK(queue.pop() == &nodes[0]);
  queue.push(&nodes[3]); // while a batch is half eaten
  queue.push(&nodes[4]);
  for (std::size_t n : {1u, 2u, 3u, 4u}) {
    CHECK(queue.pop() == &nodes[n]);
  }
  CHECK(queue.pop() == nullptr);
  CHECK(queue.empty());
}

TEST_CASE("mpsc_queue: what is queued can be counted where it is", "[mpsc_queue]") {
  mpsc_queue<entry> queue(true);
  std::vector<entry> nodes(6);
  nodes[3].is_task = true;
  CHECK(queue.count_up_to(9) == 0); // parked
  for (std::size_t n : {0u, 1u, 2u}) {
    queue.push(&nodes[n]);
  }
  CHECK(queue.count_up_to(9) == 3);
  CHECK(queue.count_up_to(2) == 2);
  CHECK(queue.pop() == &nodes[0]); // the others are taken with it
  CHECK(queue.count_up_to(9) == 3);
  queue.let_go();
  CHECK(queue.count_up_to(9) == 2);
  queue.push(&nodes[3]); // does not count
  queue.push(&nodes[4]);
  CHECK(queue.count_up_to(9) == 3);
  CHECK(queue.pop() == &nodes[1]); // nothing was taken, or moved
  queue.let_go();
  CHECK(queue.extract([&](const entry& one) { return &one == &nodes[2]; }) == &nodes[2]);
  CHECK(queue.count_up_to(9) == 2);
  queue.let_go();
  CHECK(queue.pop() == &nodes[3]);
  CHECK(queue.push_owned(&nodes[5], 1) == push_result::queued);
  CHECK(queue.count_up_to(9) == 2);
  queue.bar();
  CHECK(queue.count_up_to(9) == 0);
}

TEST_CASE("mpsc_queue: another thread may count while it is filled and emptied", "[mpsc_queue]") {
  constexpr int most = 20'000;
  mpsc_queue<entry> queue(false);
  std::vector<entry> nodes(most);
  std::atomic<bool> is_done{false};
  std::size_t longest = 0;
  std::thread looking([&] {
    while (!is_done) {
      std::size_t seen = queue.count_up_to(most);
      longest = seen > longest ? seen : longest;
    }
  });
  std::thread sending([&] {
    for (entry& one : nodes) {
      queue.push(&one);
    }
  });
  for (int popped = 0; popped != most;) {
    if (entry* one = queue.pop()) {
      one->number = ++popped; // it is the consumer's, whoever counts
      queue.let_go();
    }
  }
  sending.join();
  is_done = true;
  looking.join();
  CHECK(longest <= most);
  CHECK(queue.count_up_to(9) == 0);
}

TEST_CASE("mpsc_queue: the first push to a parked consumer wakes it, and only that", "[mpsc_queue]") {
  mpsc_queue<entry> queue(true);
  entry a, b, c;
  CHECK(queue.empty());
  CHECK(queue.pop() == nullptr); // and it sleeps on
  CHECK(queue.is_parked());
  CHECK(queue.push(&a) == push_result::woke);
  CHECK_FALSE(queue.is_parked());
  CHECK(queue.push(&b) == push_result::queued);
  CHECK_FALSE(queue.park());
  CHECK(queue.pop() == &a);
  CHECK_FALSE(queue.park()); // b
  CHECK(queue.pop() == &b);
  CHECK(queue.park());
  CHECK(queue.push(&c) == push_result::woke);
  CHECK(queue.pop() == &c);
}

TEST_CASE("mpsc_queue: a parked consumer's place can be taken once", "[mpsc_queue]") {
  mpsc_queue<entry> queue(true);
  entry a;
  CHECK(queue.claim());
  CHECK_FALSE(queue.claim());
  CHECK(queue.push(&a) == push_result::queued); // nobody to wake
  CHECK_FALSE(queue.claim());
  CHECK(queue.pop() == &a);
  CHECK(queue.park());
  CHECK(queue.claim());
}

TEST_CASE("mpsc_queue: barring takes what is left, oldest first, and refuses the rest", "[mpsc_queue]") {
  mpsc_queue<entry> queue(false);
  std::vector<entry> nodes(5);
  for (int n = 0; n != 5; ++n) {
    nodes[static_cast<std::size_t>(n)].number = n;
  }
  queue.push(&nodes[0]);
  queue.push(&nodes[1]);
  queue.push(&nodes[2]);
  queue.pop();
  queue.push(&nodes[3]);
  CHECK_FALSE(queue.is_barred());
  CHECK(numbers(queue.bar()) == std::vector<int>{1, 2, 3});
  CHECK(queue.is_barred());
  CHECK(queue.push(&nodes[4]) == push_result::refused);
  CHECK(queue.pop() == nullptr);
  CHECK(queue.empty());
  CHECK_FALSE(queue.park());
  CHECK_FALSE(queue.claim());
  CHECK(queue.bar() == nullptr);
}

TEST_CASE("mpsc_queue: barring a parked or an empty one yields nothing", "[mpsc_queue]") {
  mpsc_queue<entry> parked(true);
  CHECK(parked.bar() == nullptr);
  CHECK(parked.is_barred());
  mpsc_queue<entry> empty(false);
  CHECK(empty.bar() == nullptr);
  CHECK(empty.is_barred());
}

TEST_CASE("mpsc_queue: what is taken out of the middle leaves the rest in order", "[mpsc_queue]") {
  mpsc_queue<entry> queue(false);
  std::vector<entry> nodes(8);
  for (int n = 0; n != 8; ++n) {
    nodes[static_cast<std::size_t>(n)].number = n;
  }
  auto odd = [](const entry& one) { return one.number % 2 != 0; };
  auto none = [](const entry&) { return false; };
  CHECK(queue.extract(odd) == nullptr); // of nothing
  for (std::size_t n : {0u, 1u, 2u}) {
    queue.push(&nodes[n]);
  }
  CHECK(queue.pop() == &nodes[0]); // 1 and 2 are taken, and newer ones come
  queue.push(&nodes[3]);
  queue.push(&nodes[4]);
  CHECK(numbers(queue.extract(odd)) == std::vector<int>{1, 3});
  CHECK(queue.extract(odd) == nullptr);
  CHECK(queue.push_owned(&nodes[5], 1) == push_result::queued); // behind 4
  queue.push(&nodes[6]);
  CHECK(queue.extract(none) == nullptr);
  CHECK_FALSE(queue.park());
  for (std::size_t n : {2u, 4u, 5u, 6u}) {
    CHECK(queue.pop() == &nodes[n]);
  }
  CHECK(queue.pop() == nullptr);
  CHECK(queue.park());
  CHECK(queue.extract(odd) == nullptr); // of one that sleeps, and goes on sleeping
  CHECK(queue.push(&nodes[7]) == push_result::woke);
  CHECK(numbers(queue.extract(odd)) == std::vector<int>{7});
  CHECK(queue.empty());
  CHECK(queue.push_owned(&nodes[1], 1) == push_result::queued); // there is no last one to go behind
  CHECK(queue.pop() == &nodes[1]);
  queue.bar();
  CHECK(queue.extract(odd) == nullptr);
  CHECK(queue.is_barred());
}

TEST_CASE("mpsc_queue: many threads lose nothing, and each keeps its order", "[mpsc_queue]") {
  constexpr int senders = 4;
  constexpr int each = 5000;
  mpsc_queue<entry> queue(true);
  std::vector<std::vector<entry>> nodes(senders, std::vector<entry>(each));
  std::atomic<int> awake{0}; // wake-ups that the consumer has not seen
  std::vector<std::thread> threads;
  for (int s = 0; s != senders; ++s) {
    threads.emplace_back([&, s] {
      for (int n = 0; n != each; ++n) {
        entry& one = nodes[static_cast<std::size_t>(s)][static_cast<std::size_t>(n)];
        one.sender = s;
        one.number = n;
        if (queue.push(&one) == push_result::woke) {
          ++awake;
        }
      }
    });
  }
  std::vector<int> next(senders, 0);
  int received = 0;
  int wrong_order = 0;
  int too_many_awake = 0;
  while (received != senders * each) {
    while (awake == 0) {
      std::this_thread::yield();
    }
    too_many_awake += --awake != 0 ? 1 : 0;
    do {
      while (entry* one = queue.pop()) {
        int& expected = next[static_cast<std::size_t>(one->sender)];
        wrong_order += one->number != expected ? 1 : 0;
        expected = one->number + 1;
        ++received;
      }
    } while (!queue.park());
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(wrong_order == 0);
  CHECK(too_many_awake == 0);
  CHECK(awake == 0);
}

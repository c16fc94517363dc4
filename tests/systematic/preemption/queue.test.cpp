// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/queue/mpsc_queue.hpp>

#include <array>

#include "explorer.hpp"
#include "instrumented.hpp"

namespace {

using otpp::detail::mpsc_queue;
using otpp::detail::push_result;
using preemption::cell;
using preemption::entry;
using preemption::event;
using preemption::expect;

struct node {
  cell<int> content;
  int times = 0; // taken out
  int sender = 0;
  int number = 0;
  node* next = nullptr;

  bool counts() const noexcept { return true; }
};

// Two senders, two nodes each, and what every one of these scenarios ends with.
struct traffic : preemption::scenario {
  std::array<std::array<node, 2>, 2> nodes;
  std::array<int, 2> last{-1, -1};
  cell<int> receiver{0}; // touched by whoever has the consumer's place

  node& fresh(int sender, int number) {
    node& one = nodes[static_cast<std::size_t>(sender)][static_cast<std::size_t>(number)];
    one.content.write() = number;
    one.sender = sender;
    one.number = number;
    return one;
  }

  void take(node& one) {
    ++receiver.write();
    expect(one.content.read() == one.number, "a node came out changed");
    expect(++one.times == 1, "a node came out twice");
    int& before = last[static_cast<std::size_t>(one.sender)];
    expect(before < one.number, "a sender's nodes came out in another order");
    before = one.number;
  }

  int taken() const {
    int result = 0;
    for (auto& of_one : nodes) {
      for (const node& each : of_one) {
        result += each.times;
      }
    }
    return result;
  }
};

// A consumer that sleeps, woken by whoever is told to.
struct wake_up : traffic {
  mpsc_queue<node> queue{false};
  event wake;

  void run(int thread) override {
    if (thread == 3) {
      return consume();
    }
    for (int number = 0; number != 2; ++number) {
      push_result result = queue.push(&fresh(thread - 1, number));
      expect(result != push_result::refused, "refused by a queue that nobody has barred");
      if (result == push_result::woke) {
        wake.set();
      }
    }
  }

  void consume() {
    for (int count = 0; count != 4;) {
      if (node* one = queue.pop()) {
        take(*one);
        ++count;
      } else if (queue.park()) {
        wake.wait();
      }
    }
  }

  void finish() override {
    expect(queue.empty(), "something is left");
    expect(taken() == 4, "a node is lost");
  }
};
const entry wake_up_entry("mpsc_queue.wake_up", 3, 3, preemption::make<wake_up>);

// A queue whose consumer sleeps: whoever pushes first, or claims, takes its place, until it parks.
struct claim : traffic {
  mpsc_queue<node> queue{true};

  void run(int thread) override {
    if (thread == 3) {
      if (queue.claim()) {
        consume();
      }
    } else if (thread == 2) {
      for (int number = 0; number != 2; ++number) {
        node& one = fresh(1, number);
        if (queue.claim()) {
          ++receiver.write();
          expect(queue.push_owned(&one, 1) == push_result::queued, "the consumer is told to wake itself");
          consume();
        } else {
          push(one);
        }
      }
    } else {
      push(fresh(0, 0));
      push(fresh(0, 1));
    }
  }

  void push(node& one) {
    if (queue.push(&one) == push_result::woke) {
      consume();
    }
  }

  void consume() {
    do {
      while (node* one = queue.pop()) {
        take(*one);
      }
    } while (!queue.park());
  }

  void finish() override {
    expect(queue.empty(), "something is left");
    expect(taken() == 4, "a node is lost");
  }
};
const entry claim_entry("mpsc_queue.claim", 3, 3, preemption::make<claim>);

// Each node is either refused, or comes out: before the bar, or by it.
struct bar : traffic {
  mpsc_queue<node> queue{false};
  int refused = 0;

  void run(int thread) override {
    if (thread != 3) {
      push_result last_result = push_result::queued;
      for (int number = 0; number != 2; ++number) {
        push_result result = queue.push(&fresh(thread - 1, number));
        expect(result != push_result::woke, "nobody slept");
        expect(
            last_result != push_result::refused || result == push_result::refused,
            "barred, and not barred afterwards");
        refused += result == push_result::refused;
        last_result = result;
      }
      return;
    }
    if (node* one = queue.pop()) {
      take(*one);
    }
    for (node* left = queue.bar(); left;) {
      node* next = left->next;
      take(*left);
      left = next;
    }
    expect(queue.is_barred(), "not barred");
    expect(queue.pop() == nullptr && !queue.park(), "more comes out of a barred queue");
  }

  void finish() override { expect(taken() + refused == 4, "a node is lost"); }
};
const entry bar_entry("mpsc_queue.bar", 3, 3, preemption::make<bar>);

// As a lane whose server asks for some: extract() among pushes.
struct extract : traffic {
  mpsc_queue<node> queue{false};

  void run(int thread) override {
    if (thread != 3) {
      queue.push(&fresh(thread - 1, 0));
      queue.push(&fresh(thread - 1, 1));
      return;
    }
    for (int round = 0; round != 2; ++round) {
      // The order of a sender is kept among those that were wanted, and among the others.
      node* wanted = queue.extract([](const node& one) { return one.sender == 0; });
      while (wanted) {
        node* next = wanted->next;
        take(*wanted);
        wanted = next;
      }
      if (node* one = queue.pop()) {
        take(*one);
      }
    }
  }

  void finish() override {
    while (node* one = queue.pop()) {
      take(*one);
    }
    expect(taken() == 4, "a node is lost");
  }
};
const entry extract_entry("mpsc_queue.extract", 3, 3, preemption::make<extract>);

// A node that is touched when it is counted.
struct counted_node {
  cell<int> content;
  counted_node* next = nullptr;

  bool counts() const noexcept { return content.read() != 0; }
};

// One counts what another one pushes and a third one takes out, and changes.
struct count : preemption::scenario {
  std::array<counted_node, 2> nodes;
  mpsc_queue<counted_node> queue{false};
  int taken = 0;

  void run(int thread) override {
    if (thread == 1) {
      for (counted_node& one : nodes) {
        one.content.write() = 1;
        queue.push(&one);
      }
    } else if (thread == 2) {
      expect(queue.count_up_to(9) <= 2, "one is counted twice");
    } else {
      take();
      take();
    }
  }

  void take() {
    if (counted_node* one = queue.pop()) {
      queue.let_go();
      ++one->content.write();
      ++taken;
    }
  }

  void finish() override {
    take();
    take();
    expect(taken == 2, "a node is lost");
    expect(queue.count_up_to(9) == 0, "one that is gone is counted");
  }
};
const entry count_entry("mpsc_queue.count", 3, 3, preemption::make<count>);

// One counts what another one has pushed and bars, and then changes.
struct count_or_bar : preemption::scenario {
  std::array<counted_node, 2> nodes;
  mpsc_queue<counted_node> queue{false};

  void run(int thread) override {
    if (thread == 1) {
      expect(queue.count_up_to(9) <= 2, "one is counted twice");
      return;
    }
    for (counted_node& one : nodes) {
      one.content.write() = 1;
      queue.push(&one);
    }
    int taken = 0;
    for (counted_node* left = queue.bar(); left; left = left->next) {
      ++left->content.write();
      ++taken;
    }
    expect(taken == 2, "a node is lost");
  }

  void finish() override { expect(queue.count_up_to(9) == 0, "one that is gone is counted"); }
};
const entry count_or_bar_entry("mpsc_queue.count_or_bar", 2, 3, preemption::make<count_or_bar>);

} // namespace

// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/queue/mailbox.hpp>

#include <array>
#include <atomic>
#include <cstddef>

#include "explorer.hpp"
#include "instrumented.hpp"

namespace {

using otpp::detail::envelope;
using otpp::detail::mailbox;
using otpp::detail::queued;
using preemption::atomic;
using preemption::cell;
using preemption::entry;
using preemption::event;
using preemption::expect;

// Ends once, in one of the ways in which a message can.
class letter final : public envelope {
 public:
  letter() : envelope(nullptr) {}
  ~letter() override = default;

  void write(int sender, int number) {
    content_.write() = number;
    from = sender;
    number_ = number;
  }

  void end() noexcept {
    expect(content_.read() == number_, "a message came out changed");
    expect(!ended, "a message came to two ends");
    ended = true;
  }

  void fail_unhandled(otpp::detail::server_core&, const otpp::exit_reason&) noexcept override {}
  void discard_message() noexcept override {
    expect(given_up.load(), "abandoned, and its sender waits");
    end();
    settled.set();
  }
  bool put_in_line() noexcept override { return true; }
  void admitted() noexcept override { settled.set(); }
  bool expired() const noexcept override { return given_up.load(std::memory_order_acquire); }
  const void* sender() const noexcept override { return this; }

  int from = 0;
  bool ended = false;
  atomic<bool> given_up{false};
  event settled; // admitted, or told that there is nothing to wait for

 private:
  cell<int> content_;
  int number_ = 0;
};

// The last thing that a sender sends: a task, which the mailbox takes whether it is closed or not.
struct farewell final : otpp::detail::task {
  void run() override {}
  void discard() noexcept override {}
  ~farewell() override = default;
};

struct post_office : preemption::scenario {
  explicit post_office(std::size_t limit, int received_before_close)
      : box(limit), open_for(received_before_close) {}

  mailbox box;
  int open_for;
  event wake;
  std::array<std::array<letter, 2>, 2> letters;
  std::array<farewell, 2> farewells;
  std::array<int, 2> last{-1, -1};
  std::array<int, 2> sent{2, 2}; // of each sender
  cell<int> receiver{0};

  letter& fresh(int sender, int number) {
    letter& one = letters[static_cast<std::size_t>(sender)][static_cast<std::size_t>(number)];
    one.write(sender, number);
    return one;
  }

  void leave(int sender) { woken_by(box.submit(farewells[static_cast<std::size_t>(sender)])); }

  void woken_by(mailbox::result result) {
    if (result == mailbox::result::woke) {
      wake.set();
    }
  }

  void take(envelope& item) {
    auto& one = static_cast<letter&>(item);
    ++receiver.write();
    one.end();
    int& before = last[static_cast<std::size_t>(one.from)];
    int number = static_cast<int>(&one - letters[static_cast<std::size_t>(one.from)].data());
    expect(before < number, "a sender's messages came out in another order");
    before = number;
  }

  void take_all(envelope* list, bool they_wait) {
    while (list) {
      envelope* next = list->next_envelope();
      auto& one = static_cast<letter&>(*list);
      take(one);
      if (they_wait && !one.counted) {
        one.settled.set();
      }
      list = next;
    }
  }

  // As process::discard_work() does it. Returns the number of tasks.
  int take_left() {
    int tasks = 0;
    for (queued* item = box.bar(); item;) {
      queued* one = std::exchange(item, item->next);
      if (one->what() == queued::kind::task) {
        ++tasks;
      } else {
        take(static_cast<letter&>(*one));
      }
    }
    return tasks;
  }

  // As process::run_steps() and server_core do it.
  void receive(bool has_limit) {
    int received = 0;
    for (int gone = 0; gone != 2;) {
      if (received == open_for && !box.is_closed()) {
        take_all(box.close(), has_limit);
      }
      if (!box.is_closed()) {
        if (envelope* one = box.pop()) {
          take(*one);
          ++received;
          continue;
        }
      }
      if (queued* one = box.pop_any()) {
        if (one->what() == queued::kind::task) {
          ++gone;
        } else if (box.is_closed()) {
          take(static_cast<letter&>(*one)); // it came too late
        } else {
          box.put_aside(static_cast<letter&>(*one)); // it came between the two looks
        }
      } else if (box.park()) {
        wake.wait();
      }
    }
    expect(take_left() == 0, "a task was left behind");
    expect(box.submit(farewells[0]) == mailbox::result::closed, "a barred mailbox takes a task");
  }

  void finish() override {
    expect(box.empty(), "something is left");
    for (std::size_t sender = 0; sender != 2; ++sender) {
      for (int number = 0; number != sent[sender]; ++number) {
        expect(letters[sender][static_cast<std::size_t>(number)].ended, "a message is lost");
      }
    }
  }
};

// Closed after one message: what is in it, and what comes too late, comes to one end, in order.
struct close : post_office {
  close() : post_office(0, 1) {}

  void run(int thread) override {
    if (thread == 3) {
      return receive(false);
    }
    bool closed = false;
    for (int number = 0; number != 2; ++number) {
      letter& one = fresh(thread - 1, number);
      mailbox::result result = box.push(one);
      expect(!closed || result == mailbox::result::closed, "closed, and open afterwards");
      closed = result == mailbox::result::closed;
      if (closed) {
        one.end();
      }
      woken_by(result);
    }
    leave(thread - 1);
  }
};
const entry close_entry("mailbox.close", 3, 3, preemption::make<close>);

// Closed and barred while others send, as where an executor refuses to run the receiver.
struct refuse : post_office {
  refuse() : post_office(0, 0) {}

  void run(int thread) override {
    if (thread == 3) {
      if (box.park()) {
        wake.wait();
      }
      take_all(box.close(), false);
      take_left();
      return;
    }
    for (int number = 0; number != 2; ++number) {
      letter& one = fresh(thread - 1, number);
      mailbox::result result = box.push(one);
      if (result == mailbox::result::closed) {
        one.end();
      }
      woken_by(result);
    }
    leave(thread - 1);
  }
};
const entry refuse_entry("mailbox.refuse", 3, 3, preemption::make<refuse>);

// Room for one: the second sender takes its message back while it stands in line.
struct withdraw : post_office {
  withdraw() : post_office(1, 1) { sent[1] = 1; }

  void run(int thread) override {
    if (thread == 3) {
      return receive(true);
    }
    for (int number = 0; number != sent[static_cast<std::size_t>(thread - 1)]; ++number) {
      send(fresh(thread - 1, number), thread == 2);
    }
    leave(thread - 1);
  }

  virtual void send(letter& one, bool gives_up) {
    switch (mailbox::result result = box.push(one)) {
      case mailbox::result::closed: one.end(); break;
      case mailbox::result::waiting:
        if (gives_up) {
          if (envelope* back = box.withdraw(&one)) {
            expect(back == &one, "another's message was taken back");
            one.end();
            break;
          }
        }
        one.settled.wait();
        break;
      case mailbox::result::full: preemption::fail("push does not say that it is full");
      default: woken_by(result);
    }
  }
};
const entry withdraw_entry("mailbox.withdraw", 3, 3, preemption::make<withdraw>);

// The same, by a timeout: it stays where it is, and is thrown away when its turn would have come.
struct expire : withdraw {
  void send(letter& one, bool gives_up) override {
    switch (mailbox::result result = box.push(one)) {
      case mailbox::result::closed: one.end(); break;
      case mailbox::result::waiting:
        if (gives_up) {
          one.given_up.store(true);
        }
        one.settled.wait();
        break;
      case mailbox::result::full: preemption::fail("push does not say that it is full");
      default: woken_by(result);
    }
  }
};
const entry expire_entry("mailbox.expire", 3, 3, preemption::make<expire>);

// Room for one, and the oldest is dropped: the messages are beside the queue, from which senders take them out, too.
struct drop_oldest : post_office {
  drop_oldest() : post_office(1, 1) {
    box.prepare(otpp::overflow::drop_oldest, nullptr, notice);
    sent[1] = 1;
  }

  farewell notice;

  void run(int thread) override {
    if (thread == 3) {
      return receive_beside();
    }
    for (int number = 0; number != sent[static_cast<std::size_t>(thread - 1)]; ++number) {
      letter& one = fresh(thread - 1, number);
      mailbox::result result = box.try_push(one);
      while (result == mailbox::result::full) {
        if (envelope* oldest = box.take_oldest()) {
          static_cast<letter&>(*oldest).end();
        }
        result = box.try_push(one);
      }
      if (result == mailbox::result::closed) {
        one.end();
      }
      woken_by(result);
    }
    leave(thread - 1);
  }

  void receive_beside() {
    int received = 0;
    for (int gone = 0; gone != 2;) {
      if (received == open_for && !box.is_closed()) {
        take_all(box.close(), false);
      }
      if (envelope* one = box.pop_beside()) {
        take(*one);
        ++received;
      } else if (queued* next = box.pop_any()) {
        if (next == &notice) {
          box.notice_is_over();
        } else {
          ++gone;
        }
      } else if (box.park()) {
        wake.wait();
      }
    }
  }
};
const entry drop_oldest_entry(
    "mailbox.drop_oldest", 3, 2, preemption::make<drop_oldest>); // 3: 1448265 schedules

} // namespace

// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <string_view>
#include <utility>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"

namespace {

using otpp::detail::context_state;
using preemption::cell;
using preemption::entry;
using preemption::expect;
using room_ptr = otpp::detail::intrusive_ptr<context_state>;
using lane_ptr = otpp::detail::intrusive_ptr<otpp::detail::lane>;

// ---- the gate ----

// Whoever is inside finds the context there; whoever destroys it has seen all that they did.
struct gate : preemption::scenario {
  preemption::context context;
  room_ptr room = context_state::of(context.get_executor());
  std::array<cell<int>, 2> belongings;
  bool gone = false;

  void run(int thread) override {
    if (thread == 3) {
      context.close();
      gone = true;
      belongings[0].write() = -1;
      belongings[1].write() = -1;
      return;
    }
    bool was_closed = false;
    for (int round = 0; round != 2; ++round) {
      bool inside = room->enter();
      expect(!(inside && was_closed), "closed, and open afterwards");
      was_closed = !inside;
      if (inside) {
        expect(!gone, "inside a context that has gone");
        ++belongings[static_cast<std::size_t>(thread - 1)].write();
        room->leave();
      }
    }
  }
  void finish() override { expect(!room->enter(), "the gate of a context that has gone is open"); }
};
const entry gate_entry("gate", 3, 3, preemption::make<gate>);

// ---- what runs one step at a time ----

class worker_process final : public otpp::detail::process {
 public:
  explicit worker_process(lane_ptr home) : process(std::move(home), 0) {}

  void begin() noexcept { activate(nullptr); }
  void end() noexcept { deactivate(otpp::detail::turn::current()); }

  std::string describe() const override { return "worker"; }
  void on_context_destroyed() noexcept override {
    otpp::detail::intrusive_ptr<process> keep(this);
    ++state.write();
    deactivate(nullptr);
    discard_work();
  }

  cell<int> state{0}; // touched by every step

 private:
  bool advance(otpp::detail::turn&) override { return false; }
  void accept(otpp::detail::envelope&) noexcept override {}
};

struct job final : otpp::detail::task {
  ~job() override = default;
  void run() override {
    ++times;
    expect(!worker->state.read(), "run after its process was evicted");
    worker->state.write() = 1;
    preemption::mark(1);
    worker->state.write() = 0;
    if (then) {
      worker->submit(*then);
    }
    if (--*left == 0) {
      context->end();
    }
  }
  void discard() noexcept override { ++times; }

  worker_process* worker = nullptr;
  preemption::context* context = nullptr;
  int times = 0;
  int* left = nullptr;
  job* then = nullptr;
};

struct crew : preemption::scenario {
  preemption::context context;
  lane_ptr home = context_state::of(context.get_executor())->lane_for(context.get_executor());
  otpp::detail::intrusive_ptr<worker_process> worker{new worker_process(home)};
  std::array<job, 3> jobs;
  int left = 3;

  crew() {
    for (job& one : jobs) {
      one.worker = worker.get();
      one.context = &context;
      one.left = &left;
    }
    worker->begin();
  }
  void finish() override {
    for (const job& one : jobs) {
      expect(one.times == 1, "a task did not come to one end");
    }
  }
};

// A pool of two runs a process; a third thread, and a step of the process itself, submit to it.
struct submit : crew {
  submit() { jobs[0].then = &jobs[2]; }
  void run(int thread) override {
    if (thread != 3) {
      context.run();
      return;
    }
    worker->submit(jobs[0]);
    worker->submit(jobs[1]);
  }
};
const entry submit_entry("process.submit", 3, 3, preemption::make<submit>);

// The context is destroyed while others submit: each task is run or discarded.
struct evict : crew {
  void run(int thread) override {
    if (thread == 3) {
      context.run_one(); // the first activation
      context.close();
      return;
    }
    worker->submit(jobs[static_cast<std::size_t>(thread)]);
    if (thread == 1) {
      worker->submit(jobs[0]);
    }
  }
  evict() { left = 0; } // nobody counts: the context does not wait for the last one
};
const entry evict_entry("process.evict", 3, 3, preemption::make<evict>);

// ---- the reply slot ----

struct value {
  explicit value(int number) : content(number) {}
  value() = default;
  value(value&&) noexcept = default;
  cell<int> content{0};
};

struct exchange;

// Says whether it was called, or only destroyed.
struct handler {
  struct deleter {
    void operator()(exchange* who) const noexcept;
  };
  std::unique_ptr<exchange, deleter> of;
  void operator()(std::exception_ptr error, value answer);
};

// An operation that is nothing but its slot.
template <class R>
class bare_slot : public otpp::detail::answer_slot<R> {
 protected:
  ~bare_slot() = default;
  std::string_view operation() const noexcept override { return {}; }
};

using slot = otpp::detail::operation<bare_slot<value>, value, handler>;
using cancellable_handler = asio::cancellation_slot_binder<handler, asio::cancellation_slot>;
using cancellable_slot = otpp::detail::operation<bare_slot<value>, value, cancellable_handler>;

// One who waits on `context`, and one or two who answer.
struct exchange : preemption::scenario {
  preemption::context context;
  int completed = 0;
  int destroyed = 0; // of those that were not called
  int answered = 0;  // of those who were told that they answered
  int errors = 0;
  int waiting = 0;
  cell<int> caller{0}; // touched by what the answer resumes

  template <class Slot, class Handler>
  Slot& wait(Handler how, otpp::duration timeout) {
    auto* made = new Slot(std::move(how));
    made->connect(context.get_executor(), nullptr);
    made->timeout = timeout;
    ++waiting;
    otpp::detail::server_half<Slot> half =
        otpp::detail::register_wait(otpp::detail::unregistered<Slot>(made));
    expect(static_cast<bool>(half), "not registered");
    return *half.release();
  }
  handler told() { return handler{std::unique_ptr<exchange, handler::deleter>(this)}; }

  void came_to_an_end() {
    if (completed + destroyed == waiting) {
      context.end();
    }
  }
  void finish() override {
    expect(completed + destroyed == waiting, "somebody waits forever");
    expect(completed - errors == answered, "who answered, and who was answered, differ");
  }
};

void handler::deleter::operator()(exchange* who) const noexcept {
  ++who->destroyed;
  who->came_to_an_end();
}

void handler::operator()(std::exception_ptr error, value answer) {
  exchange& here = *of.release();
  ++here.completed;
  ++here.caller.write();
  if (error) {
    ++here.errors;
  } else {
    expect(answer.content.read() == 42, "another answer");
  }
  here.came_to_an_end();
}

// Two threads run the caller's context, where its time is over; a third answers.
struct timeout : exchange {
  slot& waiter = wait<slot>(told(), otpp::duration::zero());

  void run(int thread) override {
    if (thread != 3) {
      context.run();
    } else {
      answered += waiter.answer(42);
    }
  }
};
const entry timeout_entry("reply_slot.timeout", 3, 3, preemption::make<timeout>);

// The time is over, the caller is cancelled, and the one who has the server half drops it.
struct cancel : exchange {
  asio::cancellation_signal signal;
  cancellable_slot& waiter =
      wait<cancellable_slot>(cancellable_handler(signal.slot(), told()), otpp::duration::zero());

  cancel() {
    asio::any_io_executor executor = context.get_executor();
    otpp::detail::hand_to(executor, [this] { signal.emit(asio::cancellation_type::terminal); });
  }
  void run(int thread) override {
    if (thread == 1) {
      context.run();
    } else {
      waiter.fail(otpp::errc::no_reply);
    }
  }
  void finish() override {
    expect(completed == 1 && errors == 1 && destroyed == 0, "not one completion");
    expect(caller.read() == 1, "not resumed once");
  }
};
const entry cancel_entry("reply_slot.cancel", 2, 3, preemption::make<cancel>);

// The caller's context is destroyed while one answers and another gives up.
struct shutdown : exchange {
  slot& first = wait<slot>(told(), otpp::infinite);
  slot& second = wait<slot>(told(), otpp::infinite);

  void run(int thread) override {
    switch (thread) {
      case 1: context.close(); break;
      case 2: first.answer(42); break;
      default: second.release_unanswered(); break;
    }
  }
  void finish() override { expect(completed == 0 && destroyed == 2, "a handler was run, or is left"); }
};
const entry shutdown_entry("reply_slot.shutdown", 3, 3, preemption::make<shutdown>);

// An operation goes with its context, and the signal to whose slot it is connected goes on another thread.
struct signal : exchange {
  std::optional<asio::cancellation_signal> emitter{std::in_place};
  cancellable_slot& waiter =
      wait<cancellable_slot>(cancellable_handler(emitter->slot(), told()), otpp::infinite);

  void run(int thread) override {
    switch (thread) {
      case 1: context.close(); break;
      case 2: waiter.release_unanswered(); break;
      default: emitter.reset(); break;
    }
  }
  void finish() override { expect(completed == 0 && destroyed == 1, "a handler was run, or is left"); }
};
const entry signal_entry("reply_slot.signal", 3, 3, preemption::make<signal>);

// What is done with an operation before it is registered anywhere, while its context begins to go.
struct initiation : exchange {
  room_ptr room = context_state::of(context.get_executor());

  void run(int thread) override {
    if (thread == 1) {
      context.close();
      return;
    }
    if (!room->enter()) {
      return;
    }
    auto* made = new slot(told());
    made->connect(context.get_executor(), nullptr);
    ++waiting;
    room->leave();
    go_on(otpp::detail::unregistered<slot>(made));
  }
  virtual void go_on(otpp::detail::unregistered<slot> made) = 0;
  void finish() override { expect(completed == 0 && destroyed == waiting, "a handler was run, or is left"); }
};

struct refused : initiation {
  void go_on(otpp::detail::unregistered<slot> made) override {
    otpp::detail::refuse(std::move(made), otpp::errc::timeout);
  }
};
const entry refused_entry("reply_slot.refused", 2, 3, preemption::make<refused>);

// What an operation gets was taken from somewhere inside a guard, and goes to it although its context begins to
// go meanwhile.
struct completed_inside : initiation {
  void go_on(otpp::detail::unregistered<slot> made) override {
    otpp::detail::context_guard inside(*room);
    if (inside) {
      otpp::detail::complete(made, inside, [](slot& to) noexcept { to.emplace(42); });
      expect(!made, "what was taken is lost");
    }
  }
};
const entry completed_inside_entry("reply_slot.completed_inside", 2, 3, preemption::make<completed_inside>);

// Two answers from two threads come through one inbox.
struct inbox : exchange {
  slot& first = wait<slot>(told(), otpp::infinite);
  slot& second = wait<slot>(told(), otpp::infinite);

  void run(int thread) override {
    switch (thread) {
      case 1: context.run(); break;
      case 2: answered += first.answer(42); break;
      default: answered += second.answer(42); break;
    }
  }
};
const entry inbox_entry("reply_slot.inbox", 3, 3, preemption::make<inbox>);

} // namespace

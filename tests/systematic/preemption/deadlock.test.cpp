// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/reply/deadlock.hpp>

#include <asio/any_io_executor.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"

namespace {

using otpp::detail::intrusive_ptr;
using preemption::entry;
using preemption::expect;

class waiting_process final : public otpp::detail::process {
 public:
  explicit waiting_process(intrusive_ptr<otpp::detail::lane> home) : process(std::move(home), 0) {}
  std::string describe() const override { return "waiting"; }
  void on_context_destroyed() noexcept override {}

 private:
  bool advance(otpp::detail::turn&) override { return false; }
  void accept(otpp::detail::envelope&) noexcept override {}
};

struct question final : otpp::detail::answer_slot<void> {
  ~question() = default;
  void answer() { decide(decision::server_half); }
  void resume() { stop_waiting(); }
  void run() override {}
  void discard() noexcept override {}
  void destroy() noexcept override {}
  void on_context_destroyed() noexcept override {}
  std::string_view operation() const noexcept override { return "call"; }
};

// Each of two processes calls the other inside its handler.
struct ring : preemption::scenario {
  preemption::context context;
  intrusive_ptr<otpp::detail::lane> home =
      otpp::detail::context_state::of(context.get_executor())->lane_for(context.get_executor());
  std::array<intrusive_ptr<waiting_process>, 2> both{
      intrusive_ptr<waiting_process>(new waiting_process(home)),
      intrusive_ptr<waiting_process>(new waiting_process(home))};
  std::array<int, 2> refused{};

  // True if it was refused.
  bool ask(std::size_t me, question& what) {
    waiting_process& from = *both[me];
    what.locate(asio::any_io_executor(otpp::detail::serial_executor(from)), nullptr);
    waiting_process& to = *both[1 - me];
    what.server = intrusive_ptr<otpp::detail::process>(&to);
    what.set_edge(from);
    otpp::detail::wait_cycle found;
    bool is_refused = to.edge().slot() && found.is_closed_by(from, to); // as a call does
    if (is_refused) {
      what.forget_edge();
    }
    refused[me] += is_refused ? 1 : 0;
    return is_refused;
  }
};

// Neither is answered: one of them is refused, whoever comes first.
struct closed_by_two final : ring {
  std::array<question, 2> asked;

  void run(int thread) override {
    std::size_t me = static_cast<std::size_t>(thread - 1);
    ask(me, asked[me]);
  }
  void finish() override { expect(refused[0] + refused[1] == 1, "a ring is refused not once"); }
};
const entry closed_entry("deadlock.closed_by_two", 2, 3, preemption::make<closed_by_two>);

// Each is answered and frees its question: who looks never looks at a freed one.
struct looked_at final : ring {
  void run(int thread) override {
    std::size_t me = static_cast<std::size_t>(thread - 1);
    for (int round = 0; round != 2; ++round) {
      question* one = new question;
      if (!ask(me, *one)) {
        one->answer();
        one->resume();
      }
      delete one;
    }
  }
  void finish() override { expect(!both[0]->edge().slot() && !both[1]->edge().slot(), "an edge is left"); }
};
const entry looked_at_entry("deadlock.looked_at", 2, 3, preemption::make<looked_at>);

// The other is asked and answers, and only then asks back: there never is a ring.
struct phantom final : ring {
  question first;
  question second;
  question third;
  waiting_process& outer = *new waiting_process(home);
  intrusive_ptr<waiting_process> kept{&outer};

  phantom() {
    // both[0] waits for both[1].
    first.locate(asio::any_io_executor(otpp::detail::serial_executor(*both[0])), nullptr);
    first.server = both[1];
    first.set_edge(*both[0]);
  }

  void run(int thread) override {
    otpp::detail::wait_cycle found;
    if (thread == 1) {
      first.answer();
      second.locate(asio::any_io_executor(otpp::detail::serial_executor(*both[1])), nullptr);
      second.server = kept; // both[1] goes on to call the outer one
      second.set_edge(*both[1]);
      expect(!found.is_closed_by(*both[1], outer), "a false alarm");
      return;
    }
    third.locate(asio::any_io_executor(otpp::detail::serial_executor(outer)), nullptr);
    third.server = both[0]; // which calls the first
    third.set_edge(outer);
    expect(!found.is_closed_by(outer, *both[0]), "a false alarm");
  }
  void finish() override {
    first.resume();
    second.resume();
    third.resume();
  }
};
const entry phantom_entry("deadlock.phantom", 2, 3, preemption::make<phantom>);

} // namespace

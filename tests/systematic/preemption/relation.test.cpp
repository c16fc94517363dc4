// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/server/relation.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/self.hpp>

#include <asio/bind_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"
#include "started.hpp"

namespace {

using otpp::detail::intrusive_ptr;
using preemption::cell;
using preemption::entry;
using preemption::expect;

struct partner {
  struct join {
    otpp::pid whom;
    preemption::context* here;
  };

  int init() { return 0; }
  void handle_cast(const join& what, int&) {
    otpp::link(what.whom);
    auto& mine = *otpp::detail::access::core(otpp::self());
    auto found = otpp::detail::relation::find_link(mine, what.whom.id());
    expect(static_cast<bool>(found), "linked, and not to be unlinked");
    what.here->end();
  }
};

enum class fate { is_stopped, waits, links };

std::size_t links_of(const otpp::detail::server_core& one) {
  std::size_t count = 0;
  otpp::detail::relation::visit_all(*one.related(), [&](std::uint64_t, bool, bool) { ++count; });
  return count;
}

// A context with one server; the first to run it ends the server, if that is its fate. It is over with that end, or with a link.
struct side {
  preemption::context context;
  otpp::server_ref<partner> server = preemption::started<partner>(context, otpp::options());
  intrusive_ptr<otpp::detail::server_core> core = otpp::detail::access::core(server);

  explicit side(fate of) {
    otpp::detail::relations::of(*core);
    if (of == fate::is_stopped) {
      auto ended = [&](std::exception_ptr error) {
        expect(!error, "stopped in vain");
        context.end();
      };
      server.stop(asio::bind_executor(context.get_executor(), ended));
    } else if (of == fate::waits) {
      auto ended = [&](std::exception_ptr, otpp::exit_reason why) {
        reason = why;
        has_ended = true;
        context.end();
      };
      server.join(asio::bind_executor(context.get_executor(), ended));
    }
  }

  otpp::exit_reason reason;
  bool has_ended = false;
};

// How often somebody is told, by whomever.
class counting_bond final : public otpp::detail::relation {
 public:
  counting_bond(const side& a, const side& b, cell<int>& count)
      : relation(a.core, b.core, true), count_(count) {}

 private:
  void notify(const otpp::detail::server_core&, const otpp::exit_reason&) noexcept override {
    ++count_.write();
  }
  cell<int>& count_;
};

struct couple : preemption::scenario {
  explicit couple(fate of_first = fate::is_stopped, fate of_second = fate::is_stopped)
      : first(of_first), second(of_second) {}
  side first;
  side second;
  cell<int> told{0};
  intrusive_ptr<counting_bond> bond{new counting_bond(first, second, told)};
};

// Both end at once: one of them tells the other, never both.
struct both_end final : couple {
  both_end() { expect(bond->connect(), "not tied"); }
  void run(int thread) override { (thread == 1 ? first : second).context.run(); }
  void finish() override { expect(told.read() == 1, "told not once"); }
};
const entry both_end_entry("relation.both_end", 2, 2, preemption::make<both_end>);

// One ends while the other ties the two: whoever could tie is told.
struct tie_or_end final : couple {
  void run(int thread) override {
    if (thread == 1) {
      first.context.run();
    } else {
      is_tied = bond->connect();
    }
  }
  void finish() override {
    expect(told.read() == (is_tied ? 1 : 0), "tied and never told, or told and not tied");
    second.context.poll();
  }
  bool is_tied = false;
};
const entry tie_or_end_entry("relation.connect_or_end", 2, 3, preemption::make<tie_or_end>);

// The same for a link. The process that ends is listed first, as the younger, and the other is not left with a link.
struct link_or_end final : couple {
  void run(int thread) override {
    if (thread == 1) {
      second.context.run();
    } else {
      is_tied = bond->connect_once() == otpp::detail::relations::addition::made;
    }
  }
  void finish() override {
    expect(told.read() == (is_tied ? 1 : 0), "linked and never told, or told and not linked");
    expect(links_of(*first.core) == 0, "linked with one that has ended");
    first.context.poll();
  }
  bool is_tied = false;
};
const entry link_or_end_entry("relation.link_or_end", 2, 3, preemption::make<link_or_end>);

// Both link with the other at once: they have one link.
struct both_link final : preemption::scenario {
  both_link() {
    otpp::try_cast<partner::join>(first.server, otpp::pid(second.server), &first.context);
    otpp::try_cast<partner::join>(second.server, otpp::pid(first.server), &second.context);
  }
  void run(int thread) override { (thread == 1 ? first : second).context.run(); }
  void finish() override {
    expect(links_of(*first.core) == 1 && links_of(*second.core) == 1, "not one link");
  }
  side first{fate::links};
  side second{fate::links};
};
const entry both_link_entry("relation.both_link", 2, 2, preemption::make<both_link>);

// One ends while the other ties the two and unties them again.
struct cut_or_end final : couple {
  void run(int thread) override {
    if (thread == 1) {
      first.context.run();
      return;
    }
    is_tied = bond->connect();
    was_tied = bond->disconnect();
  }
  void finish() override {
    expect(told.read() == (is_tied && !was_tied ? 1 : 0), "told although it was cut, or cut and never told");
    second.context.poll();
  }
  bool is_tied = false;
  bool was_tied = false;
};
const entry cut_or_end_entry("relation.disconnect_or_end", 2, 3, preemption::make<cut_or_end>);

// Two exit signals at once, one of which loses its meaning: the other ends the process all the same.
struct signals : couple {
  signals() : couple(fate::waits) {}
  void send(otpp::exit_reason why, intrusive_ptr<otpp::detail::relation> link) {
    auto from = otpp::detail::access::make<otpp::pid>(second.core);
    first.core->related()->send_exit_signal(
        *new otpp::detail::pending_exit_message(std::move(from), std::move(why), std::move(link)));
  }
};
struct two_signals final : signals {
  void run(int thread) override {
    switch (thread) {
      case 1: first.context.run(); break;
      case 2:
        send(otpp::exit_reason::killed(), bond);
        bond->disconnect();
        break;
      default: send(otpp::exit_reason::shutdown(), {}); break;
    }
  }
  void finish() override {
    expect(first.has_ended, "both signals were lost");
    expect(
        first.reason == otpp::exit_reason::shutdown() || first.reason == otpp::exit_reason::killed(),
        "another reason");
    second.context.poll();
  }
};
const entry two_signals_entry("exit.two_signals", 3, 2, preemption::make<two_signals>);

// The context is destroyed while they come.
struct signals_or_evict final : signals {
  void run(int thread) override {
    if (thread == 1) {
      first.context.close();
    } else {
      send(otpp::exit_reason::shutdown(), {});
    }
  }
  void finish() override { second.context.poll(); }
};
const entry signals_or_evict_entry("exit.signals_or_evict", 3, 2, preemption::make<signals_or_evict>);

} // namespace

// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/signal_router.hpp>

#include <otpp/dist.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/incoming_fragments.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/self.hpp>
#include <otpp/term.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/writer.hpp>

#include "support/agents.hpp"
#include "support/catch.hpp"
#include "support/pending.hpp"
#include "support/raw_peer.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>
#include <asio/ip/address_v4.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace signals {

using otpp::detail::control_message;
using otpp::detail::control_op;
using otpp::detail::pid_view;
using otpp::detail::reason_form;
using otpp::detail::ref_view;
using otpp::detail::term_writer;

// How many links a process has with the one of this id.
std::size_t count_links(const otpp::pid& one, std::uint64_t with) {
  std::size_t count = 0;
  otpp::detail::relation::visit_all(
      *otpp::detail::access::core(one)->related(),
      [&](std::uint64_t other, bool is_link, bool) { count += is_link && other == with ? 1U : 0U; });
  return count;
}

// A node with an agent, which traps exits, and a peer that does what the test says: its process 1 is `far`.
struct site {
  site(asio::any_io_executor executor, otpp::dist::node opened)
      : node(std::move(opened)), peer(std::move(executor), "c@127.0.0.1") {}

  otpp::dist::node node;
  node_table table;
  raw_peer peer;
  std::shared_ptr<agent::seen> seen = std::make_shared<agent::seen>();
  otpp::server_ref<agent> server;
  otpp::pid far;
  std::uint32_t creation = 0; // of the node

  pid_view ours() const { return local(server.id()); }
  pid_view local(std::uint64_t id) const {
    return {node.name(), static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32), creation, {}};
  }
  pid_view theirs() const { return peer.process(1); }

  asio::awaitable<void> send(const term_writer& frame) { return send(peer, frame); }
  static asio::awaitable<void> send(raw_peer& by, const term_writer& frame) {
    std::string bytes(frame.bytes());
    co_await by.send(std::move(bytes));
  }

  // Calls the agent by its name; returns when it has handled that, and all that was sent before.
  asio::awaitable<void> call(std::string request) {
    term_writer to;
    peer.begin_call(to, "agent", ++calls_);
    if (request == "hold") {
      to.tuple(2);
      to.atom("hold");
      otpp::detail::put_pid(to, theirs());
    } else {
      to.atom(request);
    }
    co_await send(to);
    std::string answer;
    co_await next(control_op::send, answer);
    control_message one = parsed(answer);
    otpp::detail::term_reader in(one.message);
    std::size_t size = 0;
    ref_view ref;
    pid_view process;
    CHECK((in.tuple(size) && size == 2 && otpp::detail::get_ref(in, ref) && ref.words[0] == calls_));
    if (request == "self") {
      CHECK(otpp::detail::get_pid(in, process));
      creation = process.creation;
    }
    co_await some_steps(); // signals have become messages
  }

  // Reads until a frame of this kind has come.
  asio::awaitable<void> next(control_op kind, std::string& frame) {
    do {
      frame = co_await peer.read();
    } while (parsed(frame).op != kind);
  }

  static control_message parsed(std::string_view frame) {
    control_message one;
    if (!otpp::detail::parse_control(frame, one)) {
      throw std::logic_error("no control message");
    }
    return one;
  }

  asio::awaitable<void> link() { return link(peer); }
  asio::awaitable<void> link(raw_peer& by) {
    term_writer to;
    otpp::detail::put_link(to, theirs(), ours());
    co_await send(by, to);
  }
  asio::awaitable<void> unlink(std::uint64_t id) {
    term_writer to;
    otpp::detail::put_unlink_id(to, id, theirs(), ours());
    co_await send(to);
  }
  asio::awaitable<void> acknowledge(std::uint64_t id) {
    term_writer to;
    otpp::detail::put_unlink_id_ack(to, id, theirs(), ours());
    co_await send(to);
  }
  // By its link.
  asio::awaitable<void> exit(const char* reason, reason_form form = reason_form::as_payload) {
    return exit(peer, reason, form);
  }
  asio::awaitable<void> exit(raw_peer& by, const char* reason, reason_form form = reason_form::as_payload) {
    term_writer to;
    otpp::detail::put_exit(to, theirs(), ours(), form);
    to.atom(reason);
    co_await send(by, to);
  }
  asio::awaitable<void> exit2(const char* reason, reason_form form = reason_form::as_payload) {
    term_writer to;
    otpp::detail::put_exit2(to, theirs(), ours(), form);
    to.atom(reason);
    co_await send(to);
  }

  asio::awaitable<void> tie() {
    agent::tie whom{far};
    co_await otpp::call(server, whom);
  }
  asio::awaitable<void> untie() {
    agent::untie whom{far};
    co_await otpp::call(server, whom);
  }

  // What stands for the peer's process waits from here on, as the peer reads nothing, and takes no messages meanwhile.
  asio::awaitable<void> crowd() {
    for (std::size_t size : {std::size_t(16) << 20, std::size_t(1)}) {
      otpp::try_send(far, otpp::term::of(std::string(size, 'x')));
      co_await some_steps();
    }
  }

  // The peer connects anew, and links its process with the agent, which has the link then.
  asio::awaitable<void> link_by(raw_peer& next) {
    co_await next.connect(node.local_endpoint(), node.name());
    co_await link(next);
    term_writer bump;
    otpp::detail::put_reg_send(bump, theirs(), "agent");
    otpp::detail::put_term(bump, std::pair(otpp::atom("bump"), 1));
    co_await send(next, bump);
    co_await until_later([&] { return seen->count == 100; });
  }

  // Reads all until "last" comes, which is sent now. Returns the kinds.
  asio::awaitable<std::set<control_op>> kinds_by(raw_peer& next) {
    otpp::try_send(far, otpp::term::of(otpp::atom("last")));
    std::set<control_op> kinds;
    std::string text;
    while (text != "last") {
      std::string frame = co_await next.read();
      control_message one = parsed(frame);
      kinds.insert(one.op);
      text = one.message.empty() ? text : otpp::detail::term_printer(one.message, 100).print();
    }
    co_return kinds;
  }

 private:
  std::uint32_t calls_ = 0;
};

// Links and unlinks, while a LINK of the peer's comes: in one handler, so that what stands for the peer's process does nothing
// meanwhile.
struct hasty {
  struct begin {
    otpp::pid far;
    using reply_type = otpp::pid;
  };
  struct race {
    otpp::pid far;
    otpp::detail::remote_identity theirs;
    otpp::detail::remote_identity ours;
    bool links_again;
    using reply_type = std::size_t; // how many links there are
  };

  // Links again, behind a message whose fragments the peer has not read.
  struct link_late {
    otpp::pid far;
    using reply_type = void;
  };

  // Links, and the connection cannot be made, which begins with that link.
  struct link_lost {
    otpp::pid far;
    using reply_type = void;
  };

  static int init() { return 0; }
  static void handle_call(const link_lost& what, int&) {
    otpp::link(what.far);
    otpp::detail::remote_process::tell(
        *what.far.as<otpp::detail::remote_process>(),
        otpp::detail::remote_process::connection_changed{nullptr, nullptr, true});
  }
  static void handle_call(const link_late& what, int&) {
    otpp::try_send(what.far, otpp::term::of(std::string(std::size_t(16) << 20, 'x')));
    otpp::unlink(what.far);
    otpp::link(what.far);
  }
  static otpp::pid handle_call(const begin& what, int&) {
    otpp::link(what.far);
    return otpp::self();
  }
  static std::size_t handle_call(const race& what, int&) {
    otpp::unlink(what.far);
    if (what.links_again) {
      otpp::link(what.far);
    }
    auto& core = *otpp::detail::access::core(what.far);
    control_message one;
    one.op = control_op::link;
    one.from = what.theirs.view();
    one.to = what.ours.view();
    auto& target = otpp::detail::gen_server<otpp::detail::remote_process>::state_of(core);
    otpp::detail::signal_router(*target->by()).begin_link(one);
    return count_links(what.far, otpp::self().id());
  }
};

// Says something, after which its end is told: in one handler, as above.
struct dying {
  struct talk {
    otpp::pid far;
    otpp::detail::remote_identity theirs;
  };

  static int init() { return 0; }
  static void handle_cast(const talk& what, int&) {
    for (int n = 0; n != 3; ++n) {
      otpp::try_send(what.far, otpp::term::of(otpp::atom("last_words")));
    }
    term_writer tie;
    otpp::detail::put_control_place(tie, std::string_view("dying"));
    otpp::detail::put_pid(tie, what.theirs.view());
    ref_view ref;
    ref.node = what.theirs.node;
    ref.count = 1;
    otpp::detail::put_ref(tie, ref);
    auto& core = *otpp::detail::access::core(what.far);
    auto& target = otpp::detail::gen_server<otpp::detail::remote_process>::state_of(core);
    target->by()->tell_end({tie.take(), {}}, otpp::exit_reason::normal());
  }
};

// Reads so many control messages, but for messages to a process, and monitors of one; long ones come in fragments.
asio::awaitable<std::vector<std::pair<control_op, std::uint32_t>>> signs_of(site& s, std::size_t count) {
  std::vector<std::pair<control_op, std::uint32_t>> signs; // each with its reference, if it has one
  otpp::detail::incoming_fragments fragments(std::size_t(32) << 20);
  while (signs.size() != count) {
    std::string frame = co_await s.peer.read();
    std::string_view whole = frame;
    if (fragments.take(whole) != otpp::detail::incoming_fragments::found::frame) {
      continue;
    }
    control_message one = s.parsed(whole);
    bool is_monitor = one.op == control_op::monitor_p && std::holds_alternative<pid_view>(one.to);
    if (one.op != control_op::send && !is_monitor) {
      signs.emplace_back(one.op, one.ref.words[0]);
    }
  }
  co_return signs;
}

template <class Body>
void with_a_peer(Body body, std::size_t high_watermark = std::size_t(1) << 20) {
  crash_log crashes;
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    auto executor = co_await asio::this_coro::executor;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    how.watermarks(high_watermark, high_watermark / 4);
    otpp::dist::node opened = co_await table.open(how);
    site s(executor, opened);
    s.table = table;
    s.server = co_await otpp::start<agent>(s.seen);
    s.node.publish(s.server, "agent");
    agent::trap on{true};
    co_await otpp::call(s.server, on);
    co_await s.peer.connect(s.node.local_endpoint(), s.node.name());
    co_await s.call("self"); // which gives its pid out
    co_await s.call("hold");
    s.far = s.seen->held;
    REQUIRE(s.far);
    co_await body(s);
    co_await s.node.close();
  });
}

} // namespace signals
} // namespace

TEST_CASE("signal_router: a link to one that cannot be reached is answered", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    otpp::server_ref<agent> hidden = co_await otpp::start<agent>(std::make_shared<agent::seen>());
    signals::pid_view old = s.ours();
    ++old.creation; // of another node of that name
    for (signals::pid_view whom : {s.local(hidden.id()), s.local(1'000'000), old}) {
      signals::term_writer to;
      otpp::detail::put_link(to, s.theirs(), whom);
      co_await s.send(to);
      std::string frame;
      co_await s.next(signals::control_op::exit, frame);
      signals::control_message answer = s.parsed(frame);
      CHECK(answer.from == whom);
      CHECK(std::get<signals::pid_view>(answer.to) == s.theirs());
      otpp::detail::term_reader reason(answer.reason);
      CHECK(reason.is_atom("noproc"));
    }
    co_await hidden.stop();
  });
}

TEST_CASE("signal_router: a link, and its end", "[dist]") {
  for (auto form : {signals::reason_form::as_payload, signals::reason_form::in_tuple}) {
    signals::with_a_peer([&](signals::site& s) -> asio::awaitable<void> {
      co_await s.exit("early", form); // there is no link
      co_await s.link();
      co_await s.link(); // nothing new
      co_await s.call("get");
      CHECK(s.seen->told.empty());
      co_await s.exit("boom", form);
      co_await s.exit("late", form);
      co_await s.call("get");
      REQUIRE(s.seen->told.size() == 1);
      CHECK(s.seen->told[0].text == "exit: boom");
      CHECK(s.seen->told[0].who == s.far);
    });
  }
}

TEST_CASE(
    "signal_router: who links again after the end of a link is linked, and nothing is left of it", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    for (std::size_t times = 1; times != 4; ++times) {
      co_await s.link();
      co_await s.call("get");
      CHECK(signals::count_links(s.far, s.server.id()) == 1);
      co_await s.exit("boom");
      co_await s.call("get");
      CHECK(s.seen->told.size() == times);
      CHECK(signals::count_links(s.far, s.server.id()) == 0);
    }
  });
}

TEST_CASE("signal_router: an unlink is acknowledged, and cuts the link", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    co_await s.link();
    co_await s.unlink(0x1234567890);
    std::string frame;
    co_await s.next(signals::control_op::unlink_id_ack, frame);
    signals::control_message answer = s.parsed(frame);
    CHECK(answer.id == 0x1234567890);
    CHECK(answer.from == s.ours());
    co_await s.exit("boom");
    co_await s.call("get");
    CHECK(s.seen->told.empty());
    co_await s.unlink(7); // nothing is to be cut, but it is acknowledged
    co_await s.next(signals::control_op::unlink_id_ack, frame);
    CHECK(s.parsed(frame).id == 7);
    co_await s.link();
    co_await s.call("get");
    co_await s.server.stop(otpp::exit_reason::shutdown());
    co_await s.next(signals::control_op::exit, frame);
    answer = s.parsed(frame);
    CHECK(answer.from == s.ours());
    otpp::detail::term_reader reason(answer.reason);
    CHECK(reason.is_atom("shutdown"));
  });
}

TEST_CASE(
    "signal_router: a link that comes before the peer knows of the unlink counts for nothing", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    co_await s.tie();
    std::string frame;
    co_await s.next(signals::control_op::link, frame);
    CHECK(s.parsed(frame).from == s.ours());
    co_await s.untie();
    co_await s.next(signals::control_op::unlink_id, frame);
    std::uint64_t id = s.parsed(frame).id;
    CHECK(id != 0);
    co_await s.link(); // sent before that came
    co_await s.exit("boom");
    co_await s.call("get");
    CHECK(s.seen->told.empty());
    co_await s.acknowledge(id + 1); // of another unlink
    co_await s.link();
    co_await s.exit("boom");
    co_await s.call("get");
    CHECK(s.seen->told.empty());
    co_await s.acknowledge(id);
    co_await s.link();
    co_await s.exit("bang");
    co_await s.call("get");
    REQUIRE(s.seen->told.size() == 1);
    CHECK(s.seen->told[0].text == "exit: bang");
  });
}

TEST_CASE("signal_router: who links again after an unlink is linked", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    co_await s.tie();
    co_await s.untie();
    co_await s.tie();
    std::string frame;
    co_await s.next(signals::control_op::link, frame);
    co_await s.next(signals::control_op::unlink_id, frame);
    std::uint64_t id = s.parsed(frame).id;
    co_await s.next(signals::control_op::link, frame);
    co_await s.acknowledge(id);
    co_await s.exit("boom");
    co_await s.call("get");
    REQUIRE(s.seen->told.size() == 1);
    CHECK(s.seen->told[0].text == "exit: boom");
  });
}

TEST_CASE("signal_router: a link that comes while the unlink is on its way", "[dist]") {
  for (bool links_again : {false, true}) {
    signals::with_a_peer([&](signals::site& s) -> asio::awaitable<void> {
      auto server = co_await otpp::start<signals::hasty>();
      signals::hasty::begin begin{s.far};
      otpp::pid who = co_await otpp::call(server, begin);
      std::string frame;
      co_await s.next(signals::control_op::link, frame);
      signals::hasty::race race{
          s.far, otpp::detail::remote_identity(s.theirs()), otpp::detail::remote_identity(s.local(who.id())),
          links_again};
      std::size_t links = co_await otpp::call(server, race);
      CHECK(links == (links_again ? 1 : 0)); // as the peer has it when it knows
      co_await s.next(signals::control_op::unlink_id, frame);
      co_await s.call("get");
      co_await server.stop();
    });
  }
}

TEST_CASE("signal_router: the answer to an unlink does not overtake a link", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    auto server = co_await otpp::start<signals::hasty>();
    signals::hasty::begin begin{s.far};
    otpp::pid who = co_await otpp::call(server, begin);
    std::string frame;
    co_await s.next(signals::control_op::link, frame);
    signals::hasty::link_late late{s.far};
    co_await otpp::call(server, late);
    co_await some_steps(); // it is to be written
    signals::term_writer to;
    otpp::detail::put_unlink_id(to, 9, s.theirs(), s.local(who.id()));
    co_await s.send(to); // to which the link is none, as it comes before the answer
    co_await some_steps();
    auto signs = co_await signals::signs_of(s, 3);
    REQUIRE(signs.size() == 3);
    CHECK(signs[0].first == signals::control_op::unlink_id);
    CHECK(signs[1].first == signals::control_op::link);
    CHECK(signs[2].first == signals::control_op::unlink_id_ack);
    co_await server.stop();
  });
}

TEST_CASE("signal_router: an end is told behind what was sent before", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    auto server = co_await otpp::start<signals::dying>();
    signals::dying::talk talk{s.far, otpp::detail::remote_identity(s.theirs())};
    co_await otpp::cast(server, talk);
    for (int n = 0; n != 3; ++n) {
      std::string message = co_await s.peer.read();
      CHECK(s.parsed(message).op == signals::control_op::send);
    }
    std::string last = co_await s.peer.read();
    CHECK(s.parsed(last).op == signals::control_op::monitor_p_exit);
    co_await server.stop();
  });
}

TEST_CASE("signal_router: what is said of one that has ended comes after its end", "[dist]") {
  for (std::uint32_t watcher : {1U, 2U}) { // something stands here for the first, and nothing for the second
    signals::with_a_peer([&](signals::site& s) -> asio::awaitable<void> {
      const signals::pid_view from = s.peer.process(watcher);
      signals::term_writer monitor;
      otpp::detail::put_monitor_p(monitor, from, s.ours(), s.peer.reference(101));
      co_await s.send(monitor);
      co_await s.call("get");
      co_await s.server.stop(otpp::dist::remote_reason(std::string(std::size_t(16) << 20, 'x')));
      co_await some_steps(); // it is to be written
      const std::uint64_t before = s.node.statistics().received;
      signals::term_writer again;
      otpp::detail::put_monitor_p(again, from, s.ours(), s.peer.reference(102));
      co_await s.send(again);
      signals::term_writer unlink;
      otpp::detail::put_unlink_id(unlink, 9, from, s.ours());
      co_await s.send(unlink);
      signals::term_writer link;
      otpp::detail::put_link(link, from, s.ours());
      co_await s.send(link);
      co_await until_later([&] { return s.node.statistics().received == before + 3; });
      co_await some_steps();
      auto signs = co_await signals::signs_of(s, 4);
      REQUIRE(signs.size() == 4);
      CHECK(signs[0] == std::pair(signals::control_op::monitor_p_exit, 101U));
      CHECK(signs[1] == std::pair(signals::control_op::monitor_p_exit, 102U));
      CHECK(signs[2].first == signals::control_op::unlink_id_ack);
      CHECK(signs[3].first == signals::control_op::exit);
    });
  }
}

TEST_CASE("signal_router: a monitor is taken back behind itself", "[dist]") {
  auto body = [](signals::site& s) -> asio::awaitable<void> {
    auto remote = s.node.remote("x", s.peer.name());
    asio::cancellation_signal cancel[2];
    pending<otpp::term> calls[2];
    for (std::size_t n : {0U, 1U}) { // the first in fragments
      otpp::dist::any_call what{otpp::term::of(std::string(n == 0 ? std::size_t(16) << 20 : 1, 'x'))};
      otpp::call(remote, what, 60s, asio::bind_cancellation_slot(cancel[n].slot(), calls[n].token()));
    }
    co_await some_steps();
    for (std::size_t n : {0U, 1U}) {
      cancel[n].emit(asio::cancellation_type::terminal);
      std::error_code code = co_await calls[n].code();
      CHECK(code == asio::error::operation_aborted);
    }
    auto& core = *otpp::detail::access::core(s.far);
    otpp::detail::gen_server<otpp::detail::remote_process>::state_of(core)->by()->forget_calls();
    auto signs = co_await signals::signs_of(s, 6);
    std::set<std::uint32_t> open;
    for (auto [kind, reference] : signs) {
      if (kind == signals::control_op::monitor_p) {
        open.insert(reference);
      } else if (kind == signals::control_op::demonitor_p) {
        CHECK(open.erase(reference) == 1);
      }
    }
    CHECK(open.empty());
  };
  signals::with_a_peer(body, std::size_t(24) << 20);
}

TEST_CASE("signal_router: what a new connection brings comes behind the loss of the last", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    agent::watch watch{s.far};
    co_await otpp::call(s.server, watch);
    co_await s.link();
    co_await s.call("get");
    co_await s.crowd();
    raw_peer next(co_await asio::this_coro::executor, s.peer.name());
    co_await s.link_by(next);
    CHECK(s.seen->told.size() == 2);
    for (const agent::news& each : s.seen->told) {
      CHECK(each.text.ends_with(": no connection"));
    }
    co_await s.peer.wait_for_end();
    co_await some_steps();
    co_await s.exit(next, "boom");
    co_await until_later([&] { return s.seen->told.size() >= 3; });
    CHECK(s.seen->told.size() == 3);
    CHECK(s.seen->told.back().text == "exit: boom"); // the new link
  });
}

TEST_CASE("signal_router: a link that was lost is not cut by the next connection", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    co_await s.tie();
    co_await s.crowd();
    co_await s.untie();
    raw_peer next(co_await asio::this_coro::executor, s.peer.name());
    co_await s.link_by(next);
    std::set<signals::control_op> kinds = co_await s.kinds_by(next);
    CHECK_FALSE(kinds.contains(signals::control_op::unlink_id));
    co_await s.exit(next, "boom");
    co_await until_later([&] { return !s.seen->told.empty(); });
    REQUIRE(s.seen->told.size() == 1);
    CHECK(s.seen->told.back().text == "exit: boom");
  });
}

TEST_CASE(
    "signal_router: a link that was lost before there is a connection is not made by the next", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor at(executor, {asio::ip::address_v4::loopback(), 0});
    s.table.add(s.peer.name(), at.local_endpoint());
    s.peer.socket().close();
    co_await until_later([&] { return s.node.peers().empty(); });
    auto server = co_await otpp::start<signals::hasty>();
    signals::hasty::link_lost lost{s.far};
    co_await otpp::call(server, lost);
    otpp::exit_reason why = co_await server.join();
    CHECK(why.message().find("no connection") != std::string::npos);
    raw_peer next(executor, s.peer.name());
    co_await next.accept(at);
    std::set<signals::control_op> kinds = co_await s.kinds_by(next);
    CHECK_FALSE(kinds.contains(signals::control_op::link));
  });
}

TEST_CASE("signal_router: exit signals without a link", "[dist]") {
  for (auto form : {signals::reason_form::as_payload, signals::reason_form::in_tuple}) {
    signals::with_a_peer([&](signals::site& s) -> asio::awaitable<void> {
      co_await s.exit2("normal", form);
      co_await s.exit2("boom", form);
      co_await s.call("get");
      REQUIRE(s.seen->told.size() == 2);
      CHECK(s.seen->told[0].text == "exit: normal");
      CHECK(s.seen->told[1].text == "exit: boom");
      CHECK(s.seen->told[1].who == s.far);
      co_await s.exit2("kill", form);
      otpp::exit_reason why = co_await s.server.join();
      CHECK(why == otpp::exit_reason::killed());
      co_await s.exit2("late", form); // there is nobody
    });
  }
}

TEST_CASE("signal_router: the peer goes, and its links and monitors are told", "[dist]") {
  signals::with_a_peer([](signals::site& s) -> asio::awaitable<void> {
    co_await s.link();
    co_await s.call("get");
    agent::watch whom{s.far};
    co_await otpp::call(s.server, whom);
    s.peer.socket().close();
    co_await until_later([&] { return s.seen->told.size() >= 2; });
    co_await some_steps();
    CHECK(s.seen->told.size() == 2);
    bool is_exit_first = s.seen->told[0].text == "exit: no connection";
    CHECK(s.seen->told[is_exit_first ? 0 : 1].text == "exit: no connection");
    CHECK(s.seen->told[is_exit_first ? 1 : 0].text == "down: no connection");
  });
}

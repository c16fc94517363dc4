// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/handshake_flags.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/known_messages.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/outbound_call.hpp>
#include <otpp/dist/detail/outbound_message.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_outbox.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/dist/detail/remote_links.hpp>
#include <otpp/dist/detail/remote_processes.hpp>
#include <otpp/dist/detail/start_with_node.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/self.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The callbacks of a process that stands here for one elsewhere: what `pid` refers to. Messages, exit signals, links and stops are
// written to the connection, in the order in which they come. It monitors the other, and ends when that does.
//
//   not monitoring -> monitoring   something is sent, or asked, and there is a connection
//   monitoring -> not monitoring   the connection is lost: all that depends on it is told, as by an end, and it goes on
//   either -> ended                the other has ended, or the node is closed
class remote_process {
 public:
  using stands_for_another_process = void;

  struct begin {};

  // The other has ended. The reason is a term.
  struct ended {
    std::string reason;
  };
  // A connection with its node is lost; or there is a new one, so that the old one is.
  struct connection_changed {
    std::shared_ptr<peer_link> lost;
    std::shared_ptr<peer_link> made;
    bool could_not_be_made = false;
    std::shared_ptr<const void> moves = nullptr; // is destroyed when it is handled, or cannot be
  };
  // What was done here with it.
  struct done_here {
    process::deed what;
    intrusive_ptr<process> by;
    std::optional<exit_reason> reason; // of a stop
    std::uint64_t cut = 0;             // of an unlink, or of that which a link follows
  };

  // What a connection has for the other, such as an answer: behind the messages that wait here, and not if that connection is lost
  // when their turn has come.
  struct passed_on {
    std::shared_ptr<peer_link> by;
    std::string frames;
  };

  template <class M>
  static constexpr bool is_for_itself = std::same_as<M, ended> || std::same_as<M, connection_changed> ||
                                        std::same_as<M, done_here> || std::same_as<M, passed_on>;

  // The line in peer_output of all that is sent to one process, whether by what stands for it here or by the connection. What
  // stands for a name has the id of its process.
  static std::uint64_t line_to(const pid_view& whom) noexcept {
    constexpr std::uint64_t is_pid = std::uint64_t(1) << 63;
    return is_pid | std::uint64_t(whom.serial) << 32 | whom.id;
  }

  class target {
   public:
    target(std::shared_ptr<node_core> core, known_process one)
        : outbox_(std::move(core), one.what->node, line_to(one.what->view())),
          what_(std::move(one.what)),
          links_(std::move(one.links)),
          text_(remote_identity::text_of(what_->view())),
          id_(otpp::self().id()) {
      outbox_.before = [this](const std::shared_ptr<peer_link>& link, std::string& frames) {
        monitor_by(link, frames);
      };
      outbox_.failed = [this] { failed(); };
    }

    target(const target&) = delete;
    target& operator=(const target&) = delete;
    ~target() { outbox_.core().processes_elsewhere().remove(describe(), id_); }

    peer_outbox& outbox() noexcept { return outbox_; }
    remote_links& links() const noexcept { return *links_; }
    pid_view identity() const noexcept { return what_->view(); }
    const std::string& describe() const noexcept { return text_; }
    void begin_call(peer_outbox::item&, const pid_view&) const {} // the monitor that there is will do
    void begin_message(term_writer& to, const pid_view&) const { put_send(to, identity()); }

    // The reason of the last stop that was asked for: who waits for that compares.
    std::optional<exit_reason> stopped;
    bool is_stopped_with(std::string_view reason_bytes) const {
      term_writer to;
      if (stopped) {
        put_reason(to, *stopped);
      }
      return stopped && to.bytes() == reason_bytes;
    }

    // The connection by which it is monitored, or null.
    const std::shared_ptr<peer_link>& by() const noexcept { return by_; }
    void forget_connection() noexcept { by_.reset(); }

    // Monitors it, unless it does already.
    void monitor() { outbox_.send({}); }

    // Whether something is left of another connection, which is lost, then.
    bool has_other_than(const std::shared_ptr<peer_link>& link) const noexcept {
      return (by_ && by_ != link) || links_->has_made_by_other(link ? link->process.id() : 0);
    }

    // If its connection is lost that is told now, and not behind what is done meanwhile.
    void follow_connection() {
      if (has_other_than(outbox_.core().link_with(outbox_.peer()))) {
        break_off(*this);
      }
    }

    // What is of links(), those of the outbox, is lost with them.
    void send(const term_writer& content, std::uint64_t links = 0) {
      peer_outbox::item one;
      outbox_.add_frame(one, content);
      one.links = links;
      outbox_.send(std::move(one));
    }

   private:
    // It cannot be reached: whoever has linked or monitored it is told, as of a connection that was lost.
    void failed() {
      if (!by_) {
        tell(otpp::self<remote_process>(), connection_changed{nullptr, nullptr, true});
      }
    }

    void monitor_by(const std::shared_ptr<peer_link>& link, std::string& frames) {
      if (by_ == link) {
        return;
      }
      if (has_other_than(link)) {
        break_off(*this); // the old connection is lost, and that is told before what comes by the new one
      }
      links_->has_moved_to(link->process.id());
      node_core& core = outbox_.core();
      ref_view ref = core.new_ref();
      term_writer to;
      put_monitor_p(to, core.identity_of(core.process.id()), identity(), ref);
      append_frame(frames, to.bytes());
      link->monitors_there.add(ref, self());
      by_ = link;
    }

    peer_outbox outbox_;
    std::shared_ptr<const remote_identity> what_;
    std::shared_ptr<remote_links> links_;
    const std::string text_;
    const std::uint64_t id_;        // of the process whose state it is
    std::shared_ptr<peer_link> by_; // the connection by which it is monitored
  };

  using state_type = std::unique_ptr<target>;

  // Those of the process that it stands for: any thread may use them, from the first.
  const std::shared_ptr<remote_links> links = std::make_shared<remote_links>();

  init_result<state_type> init(std::shared_ptr<node_core> core, known_process one) const {
    one.links = links;
    return init_result<state_type>(std::make_unique<target>(std::move(core), std::move(one))).then(begin());
  }

  // It monitors at once, unless that would take a connection: who sends us a pid must not make us connect.
  static void handle_continue(begin, state_type& to) {
    if (to->outbox().core().link_with(to->outbox().peer())) {
      to->monitor();
    }
  }

  static asio::awaitable<void> handle_continue(peer_outbox::wait_for_room, state_type& to) {
    return to->outbox().room();
  }

  // ---- what users send ----

  template <call_message M>
  static outcome<reply_t<M>> handle_call(const M& message, caller<reply_t<M>> from, state_type& to) {
    send_call_to<outbound_call_of<M>>(*to, std::move(from), "$gen_call", message);
    return after_sending<reply_t<M>>(*to, no_reply);
  }

  template <message M>
    requires(!is_for_itself<M>)
  static outcome<> handle_cast(const M& message, state_type& to) {
    send_cast_to(*to, message);
    return after_sending<void>(*to, {});
  }

  template <message M>
    requires(!is_news<M> && !std::same_as<M, timeout>)
  static outcome<> handle_info(const M& message, state_type& to) {
    send_message_to(*to, [&](term_writer& out) { put_term(out, message); });
    return after_sending<void>(*to, {});
  }

  // An exit signal from a process of ours: through its link, or by `exit` or `kill`.
  static void handle_info(const exit_signal& signal, state_type& to) {
    node_core& core = to->outbox().core();
    std::uint64_t from = signal.from ? signal.from.id() : core.process.id();
    bool is_kill = access::is_kill(signal);
    term_writer out;
    if (access::of(signal)) {
      put_exit(out, core.identity_of(from), to->identity(), reason_form::in_tuple);
      to->links().forget(from); // nothing is left of the link
    } else {
      put_exit2(out, core.identity_of(from), to->identity(), reason_form::in_tuple);
    }
    is_kill ? out.atom("kill") : put_reason(out, signal.reason);
    to->send(out);
  }

  // ---- what it is told by the connection, and by those who use it ----

  // Ends as the other has. By an exit signal of its own, because that is no crash: it was reported there.
  static void handle_cast(const ended& told, state_type& to) {
    if (to->by()) {
      to->by()->calls_there.end_those_to(self().id(), told.reason);
    }
    trap_exit(false);
    exit(
        self(), to->is_stopped_with(told.reason) ? *to->stopped : reason_of_end(told.reason, to->describe()));
  }

  static void handle_cast(const connection_changed& told, state_type& to) {
    remote_links& links = to->links();
    bool is_lost = told.lost && (to->by() == told.lost || links.has_made_by(told.lost->process.id()));
    bool is_replaced = told.made && to->outbox().core().link_with(to->outbox().peer()) == told.made &&
                       to->has_other_than(told.made);
    if (is_lost || is_replaced || (told.could_not_be_made && !to->by())) {
      break_off(*to);
    }
    if (told.made) {
      to->monitor(); // it may have ended meanwhile
    }
  }

  static void handle_cast(const done_here& told, state_type& to) {
    node_core& core = to->outbox().core();
    std::uint64_t by = told.by ? told.by->id() : core.process.id();
    term_writer out;
    out.reader = &core;
    to->follow_connection();
    std::uint64_t links = to->outbox().links();
    switch (told.what) {
      case process::deed::monitor: to->monitor(); return;
      case process::deed::link:
        if (!relation::find_link(*running_process("link"), by)) {
          return; // undone meanwhile, as by the loss of a connection
        }
        to->links().link_follows(by, told.cut);
        give_out_caller(core, told.by.get());
        put_link(out, core.identity_of(by), to->identity());
        break;
      case process::deed::unlink:
        if (to->links().last_cut(by) == 0) {
          return; // the link was lost with its connection; one that the other side has made since is to stay
        }
        put_unlink_id(out, told.cut, core.identity_of(by), to->identity());
        break;
      case process::deed::stop: // {system, {Pid, Ref}, {terminate, Reason}}; its end is the answer
        put_send(out, to->identity());
        out.tuple(3);
        out.atom("system");
        out.tuple(2);
        put_pid(out, core.identity_of(by));
        put_ref(out, core.new_ref());
        put_request(out, *told.reason);
        to->stopped = told.reason;
        links = 0;
        break;
    }
    to->send(out, links);
  }

  // If that connection is lost, so is this.
  static void handle_cast(passed_on told, state_type& to) {
    if (to->outbox().core().link_with(to->outbox().peer()) == told.by) {
      peer_outbox::item one;
      one.frames = std::move(told.frames);
      to->outbox().send(std::move(one));
    }
  }

  // Tells it something of its own, for which its mailbox always has room. Returns false if it has ended, or there is no memory.
  template <class M>
    requires is_for_itself<M>
  static bool tell(const server_ref<remote_process>& whom, M what) noexcept {
    constexpr auto open = opener_of<server_core::verb::cast, M, remote_process>();
    envelope_ptr message;
    try {
      message.reset(new plain_message<M>(open, std::move(what), source_location()));
    } catch (const std::bad_alloc&) {
      return false;
    }
    if (access::core(whom)->template send<&mailbox::push_library_message>(*message) !=
        mailbox::result::taken) {
      return false;
    }
    message.release();
    return true;
  }

  // ---- for gen_server ----

  // At once, and not when it is written: which comes first of a link or an unlink here and a LINK of the other.
  void tell_elsewhere(server_core& core, process::deed what, process* by, const exit_reason* reason) const {
    done_here told{what, intrusive_ptr<process>(by), reason ? std::optional(*reason) : std::nullopt};
    if (what == process::deed::link) {
      told.cut = links->last_cut(by->id());
    } else if (what == process::deed::unlink) {
      told.cut = links->cut(by->id(), [&] {
        if (intrusive_ptr<relation> made_meanwhile = relation::find_link(core, by->id())) {
          made_meanwhile->disconnect();
        }
      });
    }
    auto whom = access::make<server_ref<remote_process>>(intrusive_ptr<server_core>(&core));
    const std::uint64_t cut = what == process::deed::unlink ? told.cut : 0;
    if (!tell(whom, std::move(told)) && !core.has_ended()) {
      links->acknowledge(by ? by->id() : 0, cut); // nobody else will
      throw std::bad_alloc();
    }
  }

  static envelope::opener find_opener(server_core::verb kind, const std::type_info& message) noexcept {
    return known_messages::global().find(kind, message);
  }

 private:
  // All that depends on it hears of an end. What links it with its node is among that, and is made again.
  static void break_off(target& to) {
    to.forget_connection();
    to.links().clear();
    to.outbox().forget_links();
    intrusive_ptr<server_core> mine = running_process("break_off");
    mine->break_off(make_error(errc::no_connection, "connection", {}, to.describe()));
    // Not by link(), which looks for it among all that the node is linked with.
    const intrusive_ptr<server_core>& node = access::core(to.outbox().core().process);
    intrusive_ptr<link_relation> again(new link_relation(node, mine));
    if (!again->connect()) {
      again->notify(*node, node->end_reason());
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/message.hpp>
#include <otpp/registry/detail/membership.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

class pg;

/// Identifies a monitor of a group: returned by `pg::monitor`, and contained in `group_change`.
///
/// A default-constructed or moved-from one refers to no monitor: it converts to false, and is over
/// (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
class group_monitor {
 public:
  group_monitor() noexcept = default;

  /// False if it refers to no monitor.
  explicit operator bool() const noexcept { return static_cast<bool>(is_over_); }

  /// Returns true if it was removed, or the monitoring server has ended.
  bool is_over() const noexcept { return !is_over_ || is_over_->load(std::memory_order_acquire); }

  friend bool operator==(const group_monitor& a, const group_monitor& b) noexcept {
    return a.is_over_ == b.is_over_;
  }

 private:
  friend class pg;

  explicit group_monitor(std::shared_ptr<std::atomic<bool>> is_over) noexcept
      : is_over_(std::move(is_over)) {}

  void give_up() const noexcept { is_over_->store(true, std::memory_order_release); }

  std::shared_ptr<std::atomic<bool>> is_over_;
};

/// The message that reports that a process has joined or left a monitored group; a process that ends leaves.
/// It is passed to `handle_info(otpp::group_change, State&)`. What `pg:monitor/1` sends.
struct group_change {
  /// What has happened.
  enum class kind : bool { joined, left };

  group_monitor ref; ///< The monitor.
  std::string group; ///< The name of the group.
  kind what;         ///< Whether the process has joined or left.
  pid who;           ///< The process.

  /// Returns true if the monitor has been removed; the library then drops the message.
  bool is_void() const noexcept { return ref.is_over(); }
};

namespace detail {

template <>
inline constexpr bool is_news<group_change> = true;

} // namespace detail

/// What `pg::monitor` returns.
struct monitored_group {
  group_monitor ref;        ///< The monitor, for `pg::demonitor`.
  std::vector<pid> members; ///< The members at that moment; later changes come as messages.
};

/// Groups of processes, by name: a sender need not know the members. OTP's `pg`; one object is one scope.
///
/// A group exists while it has members. A process may join several groups, and one group several times: then
/// it is listed as often, and must leave as often. Members may be of different types. A membership ends with
/// its process, before the end is reported. Groups are local to the program.
///
/// @par Errors
/// - `errc::no_process`, from `join` and `monitor`: the process has ended.
/// - `errc::bad_message`, from `members<Callbacks>`: a member has other callbacks.
///
/// @par Thread safety
/// Shared objects: safe.
///
/// @par Lifetime
/// May be destroyed before or after the members and their contexts.
///
/// @par Complexity
/// `members`, `cast` and `send` are linear in the members of the group. `leave`, and the end of a process for
/// each of its groups, are linear in the members too. These and `join` are also linear in the scope's
/// monitors.
///
/// @par Example
/// @code
/// otpp::pg::global().join("readers", otpp::self<reader>());
/// std::size_t taken = otpp::pg::global().cast("readers", news{"rain"});
/// @endcode
class pg {
 public:
  pg() : scope_(new scope) {}
  pg(const pg&) = delete;
  pg& operator=(const pg&) = delete;
  ~pg() = default;

  /// Returns the global scope. It is never destroyed.
  static pg& global() {
    static pg* instance = new pg;
    return *instance;
  }

  /// Adds a process to a group, once more if it is a member already. `pg:join/2`.
  ///
  /// @param group  Any text, also an empty one; copied. The group exists from now on.
  /// @param who    The process, of any type, until it ends or has left.
  void join(std::string_view group, const pid& who) { scope_->add(group, who); }

  /// Ends one membership. Returns false if there is none. `pg:leave/2`.
  ///
  /// @param group  The group, which is gone with its last member.
  /// @param who    The process; if it has joined several times, it is still a member.
  bool leave(std::string_view group, const pid& who) { return scope_->remove(group, who); }

  /// Returns the members, in the order in which they joined. `pg:get_members/1`.
  ///
  /// @param group  The group; one that does not exist has no members.
  std::vector<pid> members(std::string_view group) const { return scope_->find(group); }

  /// Returns the members of a group as references to servers whose callbacks are known.
  ///
  /// @param group  The group, all of whose members must have these callbacks.
  template <class Callbacks>
  std::vector<server_ref<Callbacks>> members(std::string_view group) const {
    return scope_->find_as<Callbacks>(group);
  }

  /// Returns the groups that have members, sorted. `pg:which_groups/0`.
  std::vector<std::string> which_groups() const { return scope_->keys(); }

  /// Casts a message to each member, without waiting, and returns how many have taken it: a member whose
  /// mailbox is full gets none. As with any address other than a `server_ref`, the member's `messages` must
  /// list the message.
  ///
  /// @param group    The group; zero is returned if it does not exist.
  /// @param content  The message; each member gets a copy.
  template <message M>
    requires std::copy_constructible<M>
  std::size_t cast(std::string_view group, const M& content) const {
    std::size_t taken = 0;
    for (pid& one : scope_->find(group)) {
      taken += try_cast(std::move(one), content) ? 1u : 0u;
    }
    return taken;
  }

  /// Sends a message to each member's `handle_info`. All else as `cast`.
  ///
  /// @param group    As above.
  /// @param content  As above.
  template <message M>
    requires std::copy_constructible<M>
  std::size_t send(std::string_view group, const M& content) const {
    std::size_t taken = 0;
    for (pid& one : scope_->find(group)) {
      taken += try_send(std::move(one), content) ? 1u : 0u;
    }
    return taken;
  }

  /// Sends a server a `group_change` for each process that joins or leaves from now on, in order, and returns
  /// the present members. `pg:monitor/1`.
  ///
  /// It lasts until `demonitor` or the server's end. The messages need no room in a mailbox with a limit. If there
  /// is no memory for a message, that message is not sent.
  ///
  /// @param group  The group, which need not exist yet.
  /// @param by     The server, which has a `handle_info(otpp::group_change, State&)`.
  template <class Callbacks>
  monitored_group monitor(std::string_view group, const server_ref<Callbacks>& by) {
    static_assert(detail::check_sent<detail::server_core::verb::info, group_change, server_ref<Callbacks>>());
    return scope_->watch(
        std::string(group), false, detail::access::core(by), &scope::template opened<Callbacks>);
  }

  /// Monitors all groups; does not return the members. `pg:monitor_scope/0`.
  ///
  /// @param by  The server, which gets a `group_change` for each group.
  template <class Callbacks>
  group_monitor monitor_scope(const server_ref<Callbacks>& by) {
    static_assert(detail::check_sent<detail::server_core::verb::info, group_change, server_ref<Callbacks>>());
    return scope_->watch({}, true, detail::access::core(by), &scope::template opened<Callbacks>).ref;
  }

  /// Ends a monitor; its messages that are not handled yet are dropped. Returns false if it was over.
  /// `pg:demonitor/1`.
  ///
  /// @param ref  What `monitor` or `monitor_scope` returned, of this scope.
  bool demonitor(const group_monitor& ref) { return scope_->unwatch(ref); }

 private:
  friend struct detail::access;

  // Messages are created under the lock, so that all monitors see the same order, and sent without it, by one
  // thread at a time.
  class scope final : public detail::membership_table {
   public:
    monitored_group watch(
        std::string group, bool is_of_all, detail::intrusive_ptr<detail::server_core> by,
        detail::envelope::opener open) {
      if (!by) {
        std::rethrow_exception(detail::make_error(errc::no_process, "monitoring a group", {}, "nobody"));
      }
      monitored_group result;
      result.ref = group_monitor(std::make_shared<std::atomic<bool>>(false));
      auto mine = std::make_unique<held_watch>(detail::intrusive_ptr<scope>(this), result.ref);
      held_watch* const kept = mine.get();
      std::unique_ptr<detail::name_registration> holding = std::move(mine);
      bool is_held = false;
      {
        std::lock_guard lock(mutex());
        if (!is_of_all) {
          result.members = members_of(group);
        }
        watches_.push_back({std::move(group), is_of_all, by, open, result.ref, kept});
        is_held = by->hold_name(holding);
        if (!is_held) {
          watches_.pop_back();
        }
      }
      if (!is_held) {
        std::rethrow_exception(
            detail::make_error(errc::no_process, "monitoring a group", {}, by->describe()));
      }
      return result;
    }

    bool unwatch(const group_monitor& ref) noexcept {
      watch_entry ended;
      {
        std::lock_guard lock(mutex());
        auto at = std::find_if(
            watches_.begin(), watches_.end(), [&](const watch_entry& one) { return one.ref == ref; });
        if (at == watches_.end()) {
          return false;
        }
        ended = std::move(*at);
        watches_.erase(at);
        ref.give_up();
      }
      ended.by->release_name([&](const detail::name_registration& one) { return &one == ended.held; });
      return true;
    }

    template <class Callbacks>
    static void opened(detail::server_core& server, detail::envelope& item) {
      if (static_cast<detail::plain_message<group_change>&>(item).content().is_void()) {
        item.discard_message();
      } else {
        detail::opener_of<detail::server_core::verb::info, group_change, Callbacks>()(server, item);
      }
    }

   private:
    // Ends the monitor with its server.
    struct held_watch final : detail::name_registration {
      held_watch(detail::intrusive_ptr<scope> where, group_monitor which)
          : in(std::move(where)), ref(std::move(which)) {}
      ~held_watch() override { in->unwatch(ref); }
      detail::intrusive_ptr<scope> in;
      group_monitor ref;
    };

    struct watch_entry {
      std::string group;
      bool is_of_all = false;
      detail::intrusive_ptr<detail::server_core> by;
      detail::envelope::opener open = nullptr;
      group_monitor ref;
      const detail::name_registration* held = nullptr;
    };

    struct delivery {
      detail::intrusive_ptr<detail::server_core> to;
      detail::envelope_ptr item;
    };

    void changed(std::string_view group, change what, const pid& who) noexcept override {
      for (const watch_entry& one : watches_) {
        if (!one.is_of_all && one.group != group) {
          continue;
        }
        try {
          auto kind = what == change::joined ? group_change::kind::joined : group_change::kind::left;
          group_change said{one.ref, std::string(group), kind, who};
          detail::envelope_ptr item(
              new detail::plain_message<group_change>(one.open, std::move(said), source_location()));
          outbox_.push_back({one.by, std::move(item)});
        } catch (...) {
          // No memory: a server that ends cannot wait for it.
        }
      }
    }

    void tell() noexcept override {
      while (true) {
        std::vector<delivery> all;
        {
          std::lock_guard lock(mutex());
          if (is_telling_ || outbox_.empty()) {
            return; // the thread that is sending takes the rest, too
          }
          is_telling_ = true;
          all.swap(outbox_);
        }
        for (delivery& one : all) {
          if (one.to->send<&detail::mailbox::push_library_message>(*one.item) ==
              detail::mailbox::result::taken) {
            one.item.release();
          }
        }
        std::lock_guard lock(mutex());
        is_telling_ = false;
      }
    }

    std::vector<watch_entry> watches_;
    std::vector<delivery> outbox_;
    bool is_telling_ = false;
  };

  // The same scope, which lasts as long as one of the objects.
  explicit pg(detail::intrusive_ptr<scope> same) noexcept : scope_(std::move(same)) {}
  const detail::intrusive_ptr<scope>& core() const noexcept { return scope_; }

  detail::intrusive_ptr<scope> scope_;
};

} // namespace otpp

#pragma GCC visibility pop

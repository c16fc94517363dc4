// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/via.hpp>
#include <otpp/detail/runtime/home.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/gen_server/overflow.hpp>
#include <otpp/message.hpp>
#include <otpp/registry/registry.hpp>

#include <asio/any_io_executor.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// How a server is started: its name, its executor, and what its mailbox takes and in which order.
///
/// @par Example
/// @code
/// auto server = co_await otpp::start<counter>(otpp::named("counter").mailbox_limit(1000), 0);
/// @endcode
class options {
 public:
  options() {}

  /// Registers the server before `init` runs; the name is free again when it has ended.
  ///
  /// @param text  The name, of 1 to 255 bytes; with another one `start` fails with std::invalid_argument.
  options& name(std::string text) & {
    name_ = std::move(text);
    return *this;
  }
  options name(std::string text) && { return std::move(name(std::move(text))); }

  /// Runs the server on this executor, instead of the starter's.
  ///
  /// @param executor  Its context must exist now; once that has been destroyed, a start fails with
  ///                  `errc::no_process`, and touches neither. An empty one means the starter's.
  options& on(const asio::any_io_executor& executor) & {
    home_ = executor ? detail::home_of(executor) : detail::intrusive_ptr<detail::lane>();
    return *this;
  }
  options on(const asio::any_io_executor& executor) && { return std::move(on(executor)); }

  /// Limits how many messages the mailbox holds.
  ///
  /// While it is full, `call`, `send_request`, `multi_call`, `cast` and `send` wait for room, or do what
  /// `when_full` says; `try_cast`, `try_send`, `broadcast`, `pg::cast` and `pg::send` do not send, unless the
  /// oldest is dropped for them. What the library sends takes no room, and is always taken: timers, `stop`,
  /// exit signals, `down`, `group_change`, the functions of `sys`, and answers. But it is handled after what
  /// waits for room already.
  ///
  /// @param messages  How many at most; zero, the default, means any number.
  options& mailbox_limit(std::size_t messages) & {
    limit_ = messages;
    return *this;
  }
  options mailbox_limit(std::size_t messages) && { return std::move(mailbox_limit(messages)); }

  /// Sets what becomes of a message that finds no room. Without a `mailbox_limit` it has no effect.
  ///
  /// What the library sends takes no room, and is never dropped. A call that finds no room, or is dropped for
  /// another message, completes with `errc::mailbox_full`; with `overflow::refuse`, so do a cast and a send.
  /// With the other two these complete as if the message had been handled. `try_cast` and `try_send` return
  /// false where the message is not taken; with `drop_oldest` it always is. What is dropped is told to those
  /// who subscribe to `dropped_message`, and counted (`server_statistics::dropped`), except where `try_cast`
  /// or `try_send` has returned false.
  ///
  /// With `drop_oldest` each message locks a mutex when it is sent and when it is taken; a dropped message is
  /// destroyed by the thread that sends the other one.
  ///
  /// @param what  By default `overflow::wait`: the sender waits.
  ///
  /// @par Example
  /// @code
  /// auto server = co_await otpp::start<ticker>(
  ///     otpp::options().mailbox_limit(100).when_full(otpp::overflow::drop_oldest));
  /// @endcode
  options& when_full(overflow what) & {
    when_full_ = what;
    return *this;
  }
  options when_full(overflow what) && { return std::move(when_full(what)); }

  /// Has the server skip a call or a request whose caller no longer waits when its turn comes: the call has timed
  /// out or was cancelled, the request was abandoned, or the caller is gone with its context. Without this the handler
  /// runs, as in OTP, and its answer is dropped. `server_statistics::skipped` counts them.
  ///
  /// It is for requests of which only the answer matters; one that changes something would sometimes be carried out after
  /// its timeout, and sometimes not.
  options& skip_abandoned() & {
    skips_abandoned_ = true;
    return *this;
  }
  options skip_abandoned() && { return std::move(skip_abandoned()); }

  /// Has messages of these types handled before all others that are queued: calls, casts and infos, those of timers and
  /// `otpp::down` and `otpp::exit_signal` as well. EEP 76's priority messages; here the receiver says which they are.
  ///
  /// They are handled in order among themselves, and so are the others; between the two the order is not kept, not even for
  /// the messages of one sender. A handler that runs or waits is not interrupted. They take no room in a mailbox with a
  /// limit, so that they never wait and are never dropped. While there is one, no other message is handled: whoever sends
  /// them faster than they are handled starves the rest. `receive` finds them first. A second `priority` replaces the first.
  ///
  /// @par Example
  /// @code
  /// auto server = co_await otpp::start<crawler>(otpp::options().priority<crawler::pause, crawler::health>());
  /// @endcode
  template <message... M>
    requires(sizeof...(M) > 0)
  options& priority() & {
    has_priority_ = [](const std::type_info& type) noexcept { return ((type == typeid(M)) || ...); };
    return *this;
  }
  template <message... M>
    requires(sizeof...(M) > 0)
  options priority() && {
    return std::move(priority<M...>());
  }

  /// Says that the server's handlers block their thread: they compute for long, or make blocking calls.
  ///
  /// Whatever else is ready on its thread is handed to the executor before a callback runs, and what the callback wakes
  /// or answers is posted at once, so that other threads of the context run it; the timeouts of calls to the server
  /// begin before its handler. Of a handler that is a coroutine that is true up to its first `co_await`. Without this
  /// option it happens once a handler has stood still for 4 to 8 milliseconds, and a call costs one post less. On a
  /// context with one thread a handler that blocks holds up everything in either case.
  options& may_block() & {
    may_block_ = true;
    return *this;
  }
  options may_block() && { return std::move(may_block()); }

  /// Registers the name in another registry than the global one.
  ///
  /// @param names  Must exist until the start has completed.
  options& in(registry& names) & {
    registry_ = &names;
    add_ = nullptr;
    return *this;
  }
  options in(registry& names) && { return std::move(in(names)); }

  /// Registers the name in a registry of any class.
  ///
  /// @param names  Must outlive the server: after the server's end, `remove` is called if `find` still
  ///               returns the server.
  template <name_registry Names>
    requires(!std::same_as<Names, registry>)
  options& in(Names& names) & {
    other_names_ = &names;
    add_ = &add_to<Names>;
    return *this;
  }
  template <name_registry Names>
    requires(!std::same_as<Names, registry>)
  options in(Names& names) && {
    return std::move(in(names));
  }

  /// Returns the name; nothing if the server has none.
  const std::optional<std::string>& name() const noexcept { return name_; }

  /// Returns an empty executor if none was set, or if its context has been destroyed.
  asio::any_io_executor executor() const noexcept {
    return home_ ? detail::executor_of(*home_) : asio::any_io_executor();
  }

  /// Returns how many messages the mailbox holds; zero for any number.
  std::size_t mailbox_limit() const noexcept { return limit_; }
  /// Returns what becomes of a message that finds no room.
  overflow when_full() const noexcept { return when_full_; }
  /// Returns true if calls are skipped whose callers no longer wait.
  bool skips_abandoned() const noexcept { return skips_abandoned_; }
  /// Returns true if the handlers block their thread.
  bool blocks() const noexcept { return may_block_; }
  /// Returns the registry for the name: the global one, unless another `registry` was set.
  registry& names() const noexcept { return registry_ ? *registry_ : registry::global(); }

 private:
  friend struct detail::access;

  options link_to(pid parent) && {
    parent_ = std::move(parent);
    return std::move(*this);
  }
  const pid& linked_to() const noexcept { return parent_; }
  const detail::intrusive_ptr<detail::lane>& home() const noexcept { return home_; }

  // Registers the server's name in the registry that the options specify.
  void add_name_of(detail::server_core& server) const {
    if (add_) {
      add_(other_names_, *name_, server);
    } else {
      detail::access::add(names(), *name_, server);
    }
  }

  // A name in a registry of any class, which is not notified of a server's end.
  template <class Names>
  struct held_in final : detail::name_registration {
    held_in(Names& where, const std::string& text) : names(&where), name(text) {}
    ~held_in() override {
      try {
        if (server && detail::access::core(pid(names->find(name))).get() == server) {
          names->remove(name);
        }
      } catch (...) {
        // The registry threw; the server ends all the same.
      }
    }

    Names* names;
    std::string name;
    const detail::server_core* server = nullptr; // set once it has the name
  };

  template <class Names>
  static void add_to(void* where, const std::string& name, detail::server_core& server) {
    Names& names = *static_cast<Names*>(where);
    auto mine = std::make_unique<held_in<Names>>(names, name);
    held_in<Names>* const kept = mine.get();
    std::unique_ptr<detail::name_registration> holding = std::move(mine);
    names.add(name, detail::access::make<pid>(detail::intrusive_ptr<detail::server_core>(&server)));
    kept->server = &server;
    server.hold_name(holding); // if the context is being destroyed, `holding` removes the name
  }

  std::optional<std::string> name_;
  detail::intrusive_ptr<detail::lane> home_; // not the executor, which must not outlive its context
  std::size_t limit_ = 0;
  bool (*has_priority_)(const std::type_info&) noexcept = nullptr;
  overflow when_full_ = overflow::wait;
  bool skips_abandoned_ = false;
  bool may_block_ = false;
  registry* registry_ = nullptr;
  void* other_names_ = nullptr;
  void (*add_)(void*, const std::string&, detail::server_core&) = nullptr;
  pid parent_;
};

/// Returns options with a name. `start` with it is OTP's `start({local, Name}, ...)`.
///
/// @param name  As for `options::name`.
inline options named(std::string name) { return options().name(std::move(name)); }

} // namespace otpp

#pragma GCC visibility pop

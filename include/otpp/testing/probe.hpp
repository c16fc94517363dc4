// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/message.hpp>
#include <otpp/testing/detail/probe_core.hpp>
#include <otpp/testing/detail/probe_start.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::testing {

/// Thrown by a `probe` where something else has come than was expected. Its text says what was expected, what
/// came, and what the probe had got before.
class expectation_failed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The callbacks of a probe that stands for no server. It takes every message.
struct any_messages {
  using takes_any_message = void;

  int init() { return 0; }
  template <call_message M>
  void handle_call(M, caller<typename M::reply_type>, int&) {}
  template <message M>
  void handle_cast(M, int&) {}
  template <message M>
  void handle_info(M, int&) {}
};

/// A call that a probe has got: the message, and the right to answer it. If that is dropped, the caller gets
/// `errc::no_reply`.
template <class M>
struct received_call {
  M message;                       ///< What is asked.
  otpp::caller<reply_t<M>> caller; ///< Who is to be answered.
};

/// A process for tests, which expects messages, and can stand for a server.
///
/// `start_probe<Callbacks>` starts one in the place of a server: it has the server's type and, if wanted, its
/// name, so that whatever asks the server by a `server_ref`, a name or a `pid` asks the probe. No callback of
/// the class ever runs. `start_probe()` stands for no server, and takes every message that is sent to its
/// `server()`.
///
/// The messages stay in the probe, in order, until they are expected. `on` gives it a script: from then on it
/// handles the messages of one type by itself, as a fake of the server.
///
/// In a `testing::world`, the times are in virtual time.
///
/// @par Thread safety
/// Used by one coroutine at a time. The servers that talk to it may run anywhere.
///
/// @par Lifetime
/// The process ends by `server().stop()`, or as any other; it does not end with this. The idle process keeps
/// no context's `run()` from returning.
///
/// @par Example
/// @code
/// auto bank = co_await otpp::testing::start_probe<account>(otpp::named("bank"));
/// co_await otpp::cast<shop::buy>(shop_server, "apple");      // what is tested
///
/// auto paid = co_await bank.expect_call<account::pay>();
/// paid.caller.reply(true);
/// co_await bank.expect_nothing(1min);
/// @endcode
///
/// OTP has no such process; in Erlang the test itself is one, and receives.
template <class Callbacks = any_messages>
class probe {
 public:
  static constexpr duration patience = std::chrono::seconds(1); ///< How long it waits where no time is said.

  /// Refers to the process, as if it were the server.
  server_ref<Callbacks> server() const {
    return detail::core::access::make<server_ref<Callbacks>>(detail::core::access::core(core_->who));
  }

  /// Waits for a message, which must be an `M` that is no call, and returns it. The next message is expected:
  /// what several of these return has come in this order.
  ///
  /// @param within  How long to wait; zero takes only a message that has come.
  ///
  /// @par Errors
  /// `expectation_failed`: another message has come, which stays; none has come in time; or the process has
  /// ended.
  template <message M>
  asio::awaitable<M> expect(duration within = patience) {
    return expecting<M>::plain(core_, within);
  }

  /// Waits for a call, which must be an `M`, and returns it with its caller. All else as `expect`.
  ///
  /// @param within  How long to wait; zero takes only a call that has come.
  template <call_message M>
  asio::awaitable<received_call<M>> expect_call(duration within = patience) {
    return expecting<M>::call(core_, within);
  }

  /// Waits for whatever message, takes it out, and returns the name of its type. The caller of a call gets
  /// `errc::no_reply`.
  ///
  /// @param within  How long to wait; zero takes only a message that has come.
  asio::awaitable<std::string> expect_any(duration within = patience) {
    return expecting<Callbacks>::any(core_, within);
  }

  /// Waits, and throws `expectation_failed` if a message comes meanwhile, or has come before.
  ///
  /// @param during  How long; it always waits for all of it unless it fails.
  asio::awaitable<void> expect_nothing(duration during = patience) {
    return expecting<Callbacks>::nothing(core_, during);
  }

  /// From now on a function handles the messages of type M, so that the probe is a fake of the server.
  ///
  /// @param handle  `reply_type(M)` where M is a call, else `void(M)`. It is called on the process's
  ///                executor, for messages that come later. What it throws is the answer to a call, and ends
  ///                the probe otherwise.
  template <message M, class Handle>
  void on(Handle handle) {
    core_->add([core = core_.get(), handle = std::move(handle)](detail::core::envelope& item) mutable {
      return run<M>(*core, handle, item);
    });
  }

 private:
  template <class C>
  friend asio::awaitable<probe<C>> start_probe(options how);

  explicit probe(std::shared_ptr<detail::probe_core> core) noexcept : core_(std::move(core)) {}

  using core_ptr = std::shared_ptr<detail::probe_core>;

  // Class templates, so that a frame with a class of an unnamed namespace in it is in a class that has one,
  // too.
  template <class M>
  struct expecting {
    static asio::awaitable<M> plain(core_ptr core, duration within) {
      using content = detail::core::message_envelope<M>;
      co_await arrival(core, within, name(), false);
      content* wanted = find<content>(*core, within, name());
      M message(std::move(wanted->content()));
      take(*core);
      co_return message;
    }

    static asio::awaitable<received_call<M>> call(core_ptr core, duration within) {
      using request = detail::core::call_request<M>;
      co_await arrival(core, within, name(), false);
      request* wanted = find<request>(*core, within, name());
      core->seen.emplace_back(name());
      received_call<M> result{std::move(wanted->content()), open(*core, *wanted)};
      core->take_first().release(); // the otpp::caller has it
      co_return result;
    }

    static asio::awaitable<std::string> any(core_ptr core, duration within) {
      co_await arrival(core, within, "a message", false);
      co_return take(*core);
    }

    static asio::awaitable<void> nothing(core_ptr core, duration during) {
      co_await arrival(core, during, "nothing", true);
    }

   private:
    static std::string_view name() { return detail::core::type_name<M>(); }

    // Waits until there is a message, or the time is over; throws if that was not expected.
    static asio::awaitable<void> arrival(
        core_ptr core, duration within, std::string_view wanted, bool expects_none) {
      try {
        co_await detail::wait_in_probe(core, &detail::probe_core::waits, within);
      } catch (const error& failure) {
        if (failure.code() != errc::timeout) {
          throw;
        }
      }
      bool is_there = core->look_at_first([](detail::core::envelope* first) { return first != nullptr; });
      if (is_there == expects_none || (!is_there && core->has_ended())) {
        fail(*core, within, wanted);
      }
    }
  };

  // The first message, as what is wanted.
  template <class Wanted>
  static Wanted* find(detail::probe_core& core, duration within, std::string_view wanted) {
    auto* found =
        core.look_at_first([](detail::core::envelope* first) { return dynamic_cast<Wanted*>(first); });
    if (!found) {
      fail(core, within, wanted);
    }
    return found;
  }

  // Takes out the first message, and returns its type.
  static std::string take(detail::probe_core& core) {
    detail::core::envelope_ptr first = core.take_first();
    std::string type(first->message_type());
    core.seen.push_back(type);
    if (auto* call = dynamic_cast<detail::core::reply_slot*>(first.get())) {
      static_cast<void>(first.release()); // as if its otpp::caller were dropped
      call->fail(errc::no_reply);
    }
    return type;
  }

  // As the handler does that takes an otpp::caller.
  template <class Request>
  static auto open(detail::probe_core& core, Request& one) {
    detail::core::server_core& server = *detail::core::access::core(core.who);
    server.open(one);
    auto from = detail::core::access::make<caller<typename Request::reply_type>>(one);
    detail::core::reply_slot::claim none;
    server.take_back(one, false, none);
    return from;
  }

  template <class M, class Handle>
  static bool run(detail::probe_core& core, Handle& handle, detail::core::envelope& item) {
    if constexpr (call_message<M>) {
      if (auto* call = dynamic_cast<detail::core::call_request<M>*>(&item)) {
        try {
          if constexpr (std::is_void_v<reply_t<M>>) {
            handle(std::move(call->content()));
            call->answer();
          } else {
            reply_t<M> value = handle(std::move(call->content()));
            call->answer(std::move(value));
          }
        } catch (...) {
          call->fail(std::current_exception());
        }
        return true;
      }
    } else {
      if (auto* plain = dynamic_cast<detail::core::message_envelope<M>*>(&item)) {
        detail::core::envelope_ptr owned(&item);
        try {
          handle(std::move(plain->content()));
        } catch (...) {
          core.fail(std::current_exception());
        }
        return true;
      }
    }
    return false;
  }

  // Throws what was expected, and what came instead.
  [[noreturn]] static void fail(detail::probe_core& core, duration within, std::string_view wanted) {
    std::string text = core.who.describe() + " expected " + std::string(wanted) + ' ' +
                       (wanted == "nothing" ? "for " : "within ") + text_of(within) + ", and ";
    text += core.look_at_first([&](detail::core::envelope* first) {
      if (!first) {
        return std::string(core.has_ended_unlocked() ? "its process has ended" : "nothing came");
      }
      std::string said = "got " + std::string(first->is_lost_silently() ? "" : "the call ");
      said += first->message_type();
      return first->where().line() == 0 ? said
                                        : said + ", sent in line " + std::to_string(first->where().line());
    });
    constexpr std::size_t most = 5;
    std::size_t begin = core.seen.size() - (std::min)(most, core.seen.size());
    for (std::size_t i = begin; i != core.seen.size(); ++i) {
      text += (i == begin ? "; before it: " : ", ") + core.seen[i];
    }
    throw expectation_failed(text);
  }

  static std::string text_of(duration time) {
    auto count = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    return count % 1000 == 0 ? std::to_string(count / 1000) + " s" : std::to_string(count) + " ms";
  }

  core_ptr core_;
};

/// Starts a probe that stands for a server of these callbacks, on the executor of the coroutine that awaits
/// this.
///
/// @param how  Name, registry, and another executor, as for `start`.
///
/// @par Errors
/// `errc::name_taken` as `start`.
///
/// @par Lifetime
/// The process lives until it is stopped, or its context is destroyed.
template <class Callbacks = any_messages>
asio::awaitable<probe<Callbacks>> start_probe(options how = options()) {
  auto core = co_await detail::probe_start<Callbacks>::run(std::move(how));
  co_return probe<Callbacks>(std::move(core));
}

} // namespace otpp::testing

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// What the two kinds of supervisor share, and the functions that ask either of them.

namespace otpp {

/// What a supervisor has to say. OTP's supervisor report.
struct supervisor_report {
  enum class kind : std::uint8_t {
    child_terminated, ///< A child has failed.
    start_error,      ///< A child could not be started.
    shutdown_error,   ///< A child that was shut down has ended otherwise than it should.
    overdue,          ///< A child that was shut down took longer than it may, and was killed.
    gave_up,          ///< More restarts than the intensity allows: the supervisor ends.
  };

  kind what;
  std::string supervisor; ///< Its name, or `otpp::supervisor#7`.
  std::string child;      ///< The child's id.
  std::string process;    ///< The child's name and number; empty if it never ran.
  exit_reason reason;     ///< Why the child ended, or was not started.

  supervisor_report(kind w, std::string s, std::string c, std::string p, exit_reason r)
      : what(w), supervisor(std::move(s)), child(std::move(c)), process(std::move(p)), reason(std::move(r)) {}

  /// Returns the report as one line.
  std::string text() const {
    std::string line = "otpp: supervisor " + supervisor + ": child \"" + child + '"';
    if (!process.empty()) {
      line += " (" + process + ')';
    }
    switch (what) {
      case kind::child_terminated: return line + " ended: " + reason.message();
      case kind::start_error: return line + " was not started: " + reason.message();
      case kind::shutdown_error: return line + " was shut down, and ended: " + reason.message();
      case kind::overdue: return line + " did not shut down in time, and was killed";
      case kind::gave_up: return line + " ended too often; the supervisor ends: " + reason.message();
    }
    return line;
  }
};

/// A function that takes supervisor reports. It is called by the supervisor, in no lock; what it throws is
/// swallowed.
using supervisor_hook = std::function<void(const supervisor_report&)>;

namespace detail {

struct supervisor_hook_place {
  std::mutex mutex;
  std::shared_ptr<const supervisor_hook> hook; // null: the default

  static supervisor_hook_place& instance() { // never destroyed, as that of the crashes
    static supervisor_hook_place* place = new supervisor_hook_place;
    return *place;
  }
};

} // namespace detail

/// Sets who takes the reports of supervisors, and returns who did before. An empty hook means the default:
/// one line on stderr.
///
/// @par Thread safety
/// Safe from any thread.
inline supervisor_hook set_supervisor_hook(supervisor_hook hook) {
  auto next = hook ? std::make_shared<const supervisor_hook>(std::move(hook)) : nullptr;
  auto& place = detail::supervisor_hook_place::instance();
  {
    std::lock_guard lock(place.mutex);
    std::swap(place.hook, next);
  }
  return next ? *next : supervisor_hook();
}

/// A child, as `which_children` shows it.
struct child_info {
  std::string id;
  pid who;                    ///< Nobody, if it does not run.
  bool is_restarting = false; ///< Its start has failed, or is put off, and will be tried again.
  bool is_supervisor = false;
  std::string callbacks; ///< The callbacks type.
};

/// What `count_children` returns.
struct child_counts {
  std::size_t specs = 0;       ///< Children that the supervisor knows.
  std::size_t active = 0;      ///< Those that run.
  std::size_t supervisors = 0; ///< Those that are supervisors, whether they run or not.
  std::size_t workers = 0;     ///< The others.
};

namespace detail {

inline void report(
    supervisor_report::kind what, std::string child, const pid& who, const exit_reason& reason) noexcept {
  try {
    supervisor_report said(
        what, self().describe(), std::move(child), who ? who.describe() : std::string(), reason);
    std::shared_ptr<const supervisor_hook> hook;
    {
      auto& place = supervisor_hook_place::instance();
      std::lock_guard lock(place.mutex);
      hook = place.hook;
    }
    if (hook) {
      (*hook)(said);
    } else {
      std::fprintf(stderr, "%s\n", said.text().c_str());
    }
  } catch (...) {
    // As for a crash report: it must not make things worse.
  }
}

// The time where the running process is: a simulated one in a test.
inline deadline::time_point time_here() { return running_process("a supervisor")->context().now(); }

/// How many restarts there were of late.
class restart_budget {
 public:
  restart_budget(std::size_t intensity, duration period) noexcept : intensity_(intensity), period_(period) {}

  /// Counts one more. False if that is too many.
  bool take(deadline::time_point now) {
    while (!spent_.empty() && now - spent_.front() > period_) {
      spent_.pop_front();
    }
    spent_.push_back(now);
    return spent_.size() <= intensity_;
  }

 private:
  std::size_t intensity_;
  duration period_;
  std::deque<deadline::time_point> spent_;
};

// How long a child waits for its next start, after it has run for so long: zero if its start has failed.
inline duration next_delay(const child_spec& spec, duration last, duration has_run) noexcept {
  if (last == duration::zero() || (has_run > duration::zero() && has_run >= spec.longest_delay())) {
    return spec.first_delay();
  }
  return last > spec.longest_delay() / 2 ? spec.longest_delay() : last * 2;
}

/// Waits for the end of a process. Empty if it did not end in time.
inline asio::awaitable<std::optional<exit_reason>> join_within(pid who, duration patience) {
  std::optional<exit_reason> result;
  try {
    exit_reason why =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, exit_reason)>(
            initiate_join(), asio::use_awaitable, access::core(who), patience);
    result = std::move(why);
  } catch (const error& e) {
    if (e.code() != errc::timeout) {
      throw;
    }
  }
  co_return result;
}

inline bool is_killed_at_once(const child_spec& spec) noexcept { return spec.shutdown() < duration::zero(); }

inline void signal_shutdown(const child_spec& spec, const pid& who) {
  if (is_killed_at_once(spec)) {
    kill(who);
  } else {
    exit(who, exit_reason::shutdown());
  }
}

/// Waits for a child that has been told to end, and kills it when its time is over.
inline asio::awaitable<void> await_end(const child_spec& spec, pid who, duration patience) {
  std::optional<exit_reason> why = co_await join_within(who, patience);
  if (!why) {
    report(supervisor_report::kind::overdue, spec.id(), who, exit_reason::killed());
    kill(who);
    co_await join_within(who, infinite);
    co_return;
  }
  bool is_expected = is_killed_at_once(spec)
                         ? *why == exit_reason::killed() || why->is_clean()
                         : *why == exit_reason::shutdown() ||
                               (*why == exit_reason::normal() && spec.restart() != restart_type::permanent);
  if (!is_expected) {
    report(supervisor_report::kind::shutdown_error, spec.id(), who, *why);
  }
}

/// Shuts one child down, and waits for its end: then its names are free.
inline asio::awaitable<void> end_child(const child_spec& spec, pid who) {
  signal_shutdown(spec, who);
  co_await await_end(spec, who, is_killed_at_once(spec) ? infinite : spec.shutdown());
}

// What supervisors are asked. Constructors, so that they are no aggregates (GCC PR 101976).
struct start_child_request {
  using reply_type = pid;
  explicit start_child_request(child_spec what) : spec(std::move(what)) {}
  child_spec spec;
};
struct restart_child_request {
  using reply_type = pid;
  explicit restart_child_request(std::string which) : id(std::move(which)) {}
  std::string id;
};
struct terminate_child_request {
  using reply_type = void;
  explicit terminate_child_request(std::string which) : id(std::move(which)) {}
  std::string id;
};
struct terminate_process_request {
  using reply_type = void;
  explicit terminate_process_request(pid which) : who(std::move(which)) {}
  pid who;
};
struct delete_child_request {
  using reply_type = void;
  explicit delete_child_request(std::string which) : id(std::move(which)) {}
  std::string id;
};
struct which_children_request {
  using reply_type = std::vector<child_info>;
};
struct count_children_request {
  using reply_type = child_counts;
};

inline failure refuse(errc code, const char* operation, const std::string& child) {
  return fail(make_error(code, operation, {}, '"' + child + '"'));
}

} // namespace detail

/// Starts a child of a supervisor, which keeps its specification. OTP's `supervisor:start_child/2`.
///
/// @param supervisor  A `supervisor`, or a `dynamic_supervisor`.
/// @param spec        What `otpp::child` returns.
/// @param token       A completion token.
/// @returns           The child; nobody if its `init` returned `otpp::ignore`.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::pid)`
///
/// @par Errors
/// - what the child's `init` threw; nothing is kept then.
/// - `errc::already_started`, `errc::already_present`: there is a child of that id. A dynamic supervisor
///   does not mind.
/// - `errc::max_children`: a dynamic supervisor is full.
/// - as `call`. It waits for as long as it takes, as all that is asked of a supervisor: a supervisor that is
///   starting or ending another child answers when it has done.
///
/// @par Cancellation
/// As `call`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// As `call`. The child ends with its supervisor.
///
/// @par Example
/// @code
/// auto spec = otpp::temporary_child<session>("session", std::move(socket));
/// otpp::pid who = co_await otpp::start_child(sessions, spec);
/// @endcode
template <address Address, class Token = asio::use_awaitable_t<>>
auto start_child(Address supervisor, child_spec spec, Token&& token = {}) {
  return otpp::call_for<detail::start_child_request>(
      std::move(supervisor), infinite, std::move(spec), std::forward<Token>(token));
}

/// Starts a child again that has been terminated, or has ended and was not restarted. OTP's
/// `supervisor:restart_child/2`. Fails with `errc::running` and `errc::not_found`; all else as `start_child`.
template <address Address, class Token = asio::use_awaitable_t<>>
auto restart_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::restart_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Shuts a child down, and completes when it has ended. Its specification is kept, unless it is temporary.
/// OTP's `supervisor:terminate_child/2`. Fails with `errc::not_found`; all else as `start_child`.
///
/// A child that does not run is left as it is, and one that is to be restarted is not.
template <address Address, class Token = asio::use_awaitable_t<>>
auto terminate_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::terminate_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// The same, for a child of a `dynamic_supervisor`, which forgets it.
template <address Address, class Token = asio::use_awaitable_t<>>
auto terminate_child(Address supervisor, pid who, Token&& token = {}) {
  return otpp::call_for<detail::terminate_process_request>(
      std::move(supervisor), infinite, std::move(who), std::forward<Token>(token));
}

/// Forgets the specification of a child that does not run. OTP's `supervisor:delete_child/2`. Fails with
/// `errc::running` and `errc::not_found`; all else as `start_child`.
template <address Address, class Token = asio::use_awaitable_t<>>
auto delete_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::delete_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Returns a supervisor's children: `std::vector<otpp::child_info>`, in start order, but for a dynamic
/// supervisor's. OTP's `supervisor:which_children/1`. All else as `start_child`. Linear in the children.
template <address Address, class Token = asio::use_awaitable_t<>>
auto which_children(Address supervisor, Token&& token = {}) {
  return otpp::call_for<detail::which_children_request>(
      std::move(supervisor), infinite, std::forward<Token>(token));
}

/// Returns how many children there are: `otpp::child_counts`. OTP's `supervisor:count_children/1`. All else
/// as `start_child`.
template <address Address, class Token = asio::use_awaitable_t<>>
auto count_children(Address supervisor, Token&& token = {}) {
  return otpp::call_for<detail::count_children_request>(
      std::move(supervisor), infinite, std::forward<Token>(token));
}

} // namespace otpp

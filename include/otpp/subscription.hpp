// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/topic.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// True for what a program can subscribe to.
template <class Report>
inline constexpr bool is_report = false;

} // namespace detail

/// Calls a function for each report of a type, for as long as this object lives (`subscribe`).
///
/// Once it is destroyed, or `end` has returned, the function is not called any more, and no other thread is in a call of
/// it: what it refers to may go next. So the destruction waits for calls that run on other threads; do not destroy it
/// while you hold a lock that the function takes. The function itself may end its own subscription.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe.
class [[nodiscard]] subscription {
 public:
  /// Makes a subscription to nothing.
  subscription() noexcept = default;
  subscription(subscription&& other) noexcept : listener_(std::move(other.listener_)) {}
  subscription& operator=(subscription&& other) noexcept {
    subscription old(std::move(*this));
    listener_ = std::move(other.listener_);
    return *this;
  }
  ~subscription() { end(); }

  /// Ends it now. Has no effect on one that has ended.
  void end() noexcept {
    if (detail::intrusive_ptr<detail::listener> ended = std::move(listener_)) {
      ended->end();
    }
  }

  /// False if it has ended, was moved from, or is of nothing.
  explicit operator bool() const noexcept { return static_cast<bool>(listener_); }

 private:
  friend struct detail::access;
  explicit subscription(detail::intrusive_ptr<detail::listener> one) noexcept : listener_(std::move(one)) {}

  detail::intrusive_ptr<detail::listener> listener_;
};

namespace detail {

template <class Function, class Report>
concept hears = std::copy_constructible<Function> && std::invocable<Function&, const Report&>;

template <class Report, class Function>
consteval bool check_subscriber() {
  static_assert(
      is_report<Report>,
      "otpp: subscribe takes the type of a report: otpp::crash_report, supervisor_report, mailbox_report, "
      "process_started, process_ended, dropped_message, failed_call, trace_event or trace_capture");
  static_assert(
      !is_report<Report> || hears<std::decay_t<Function>, Report>,
      "otpp: the subscriber of a report is called with `const Report&`, and can be copied");
  return is_report<Report> && hears<std::decay_t<Function>, Report>;
}

} // namespace detail

/// Calls a function for each report of a type until the returned subscription is destroyed. OTP's
/// `logger:add_handler/3`.
///
/// Any number of functions may hear of the same reports; they are called in the order in which they subscribed. While
/// anybody does, the library does not print the report on stderr, as it does otherwise with the first three.
///
/// @tparam Report  `crash_report`, `supervisor_report`, `mailbox_report`, `process_started`, `process_ended`,
///                 `dropped_message`, `failed_call`, `trace_event` or `trace_capture`. The last two are in sys.hpp.
/// @param what     `void(const Report&)`. It is called on the thread on which the report is made, between two steps of the
///                 server, without a lock held, and should be quick. Its exceptions are swallowed.
///
/// @par Errors
/// Throws std::bad_alloc, or what copying the function throws; then nothing is subscribed.
///
/// @par Thread safety
/// Safe from any thread, and from inside any subscriber. The function must be as well: two servers may make
/// a report at the same time.
///
/// @par Lifetime
/// The function is copied; what it refers to must outlive the subscription.
///
/// @par Example
/// @code
/// otpp::subscription log = otpp::subscribe<otpp::crash_report>(
///     [](const otpp::crash_report& report) { std::cerr << report.text() << '\n'; });
/// @endcode
template <class Report, class Function>
subscription subscribe(Function&& what) {
  if constexpr (detail::check_subscriber<Report, Function>()) {
    return detail::access::make<subscription>(detail::topic<Report>::subscribe(std::forward<Function>(what)));
  }
}

} // namespace otpp

#pragma GCC visibility pop

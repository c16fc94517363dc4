// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// The text of an exception. A class of the user's may return null.
inline const char* what_of(const std::exception& error) noexcept {
  const char* text = error.what();
  return text ? text : "an exception without a text";
}

template <class T>
concept text = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

} // namespace detail

/// Why a server ended: normally, on shutdown, killed, or with an error.
///
/// Converts implicitly from an exception object, a `std::exception_ptr`, or a text. Cheap to copy. Corresponds to
/// Erlang's `normal`, `shutdown`, `killed` and any other term.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
class exit_reason {
 public:
  /// As normal().
  exit_reason() noexcept = default;

  /// The server had done its work, or was asked to stop.
  static exit_reason normal() noexcept { return exit_reason(kind::normal); }

  /// The program, or a supervisor, is shutting down.
  static exit_reason shutdown() noexcept { return exit_reason(kind::shutdown); }

  /// As shutdown(), with a detail, which exception() returns; still no failure. OTP's `{shutdown, Term}`.
  ///
  /// @param detail  An exception that says what the shutdown is about; kept and shared. An empty pointer is
  ///                no detail.
  static exit_reason shutdown(std::exception_ptr detail) noexcept {
    exit_reason result = shutdown();
    result.exception_ = std::move(detail);
    return result;
  }

  /// As shutdown(), with a detail.
  ///
  /// @param detail  An exception object, copied or moved.
  template <class Exception>
    requires std::derived_from<std::remove_cvref_t<Exception>, std::exception>
  static exit_reason shutdown(Exception&& detail) {
    return shutdown(std::make_exception_ptr(std::forward<Exception>(detail)));
  }

  /// As shutdown(), with a detail.
  ///
  /// @param detail  A text, of which a std::runtime_error is made; copied.
  static exit_reason shutdown(std::string_view detail) {
    return shutdown(std::runtime_error(std::string(detail)));
  }

  /// The server was ended by force: its context was destroyed, or it was sent a kill.
  static exit_reason killed() noexcept { return exit_reason(kind::killed); }

  /// An error, from an exception that was caught.
  ///
  /// @param error  Kept and shared, not copied. An empty pointer means `normal()`.
  exit_reason(std::exception_ptr error) noexcept
      : kind_(error ? kind::error : kind::normal), exception_(std::move(error)) {}

  /// An error, from an exception object.
  ///
  /// @param error  Copied or moved, with the type that it has here: of a reference to a base class, only that
  ///               part.
  template <class Exception>
    requires std::derived_from<std::remove_cvref_t<Exception>, std::exception>
  exit_reason(Exception&& error)
      : kind_(kind::error), exception_(std::make_exception_ptr(std::forward<Exception>(error))) {}

  /// An error of this text: a `std::runtime_error`.
  ///
  /// @param text  Any string, also a literal; copied.
  template <detail::text Text>
  exit_reason(const Text& text) : exit_reason(std::runtime_error(std::string(std::string_view(text)))) {}

  /// Returns true for `normal()` and `shutdown()`, also with a detail: such an end is not a failure, and is not
  /// reported.
  bool is_clean() const noexcept { return kind_ == kind::normal || is_shutdown(); }

  /// Returns true for `shutdown()`, with a detail or without.
  bool is_shutdown() const noexcept { return kind_ == kind::shutdown; }

  /// Returns the exception, or the detail of a shutdown; an empty pointer for the other named reasons. It is the
  /// same object for all who hear of this end, on any thread, and must not be changed.
  std::exception_ptr exception() const noexcept { return exception_; }

  /// If `terminate` itself failed, and so replaced the reason for which it was called, returns that reason;
  /// otherwise null.
  const exit_reason* previous() const noexcept;

  /// Returns the reason as text: "normal", the text of the exception, or "shutdown: " and that of the detail.
  std::string message() const {
    std::string text = own_message();
    if (previous()) {
      text += " (while terminating: " + previous()->message() + ")";
    }
    return text;
  }

  /// Equal if both are the same named reason, or hold the same exception object; of shutdowns with a detail both.
  friend bool operator==(const exit_reason& a, const exit_reason& b) noexcept {
    return a.kind_ == b.kind_ && a.exception_ == b.exception_;
  }

  /// Compare `message()` with a text: a reason that is made of one equals no other.
  template <detail::text Text>
  friend bool operator==(const exit_reason&, const Text&) = delete;

  /// Prints `message()`.
  template <class Stream>
    requires requires(Stream& out, const std::string& text) { out.write(text.data(), 1) << text; }
  friend Stream& operator<<(Stream& out, const exit_reason& reason) {
    out << reason.message();
    return out;
  }

 private:
  friend struct detail::access;
  struct replaced_reason;
  enum class kind : std::uint8_t { normal, shutdown, killed, error };

  explicit exit_reason(kind which) noexcept : kind_(which) {}

  // Returns this reason, with the reason that it replaced stored inside.
  exit_reason after(const exit_reason& replaced) const noexcept;

  std::string own_message() const {
    switch (kind_) {
      case kind::normal: return "normal";
      case kind::shutdown: return exception_ ? "shutdown: " + text_of_exception() : "shutdown";
      case kind::killed: return "killed";
      case kind::error: break;
    }
    return text_of_exception();
  }

  std::string text_of_exception() const {
    try {
      std::rethrow_exception(exception_);
    } catch (const std::exception& error) {
      return detail::what_of(error);
    } catch (...) {
      return "an exception of an unknown type";
    }
  }

  kind kind_ = kind::normal;
  std::exception_ptr exception_;
  detail::intrusive_ptr<const replaced_reason> previous_; // one word: every server has an exit_reason
};

struct exit_reason::replaced_reason : detail::counted<replaced_reason> {
  explicit replaced_reason(const exit_reason& from) noexcept : reason(from) {}
  exit_reason reason;
};

inline const exit_reason* exit_reason::previous() const noexcept {
  return previous_ ? &previous_->reason : nullptr;
}

inline exit_reason exit_reason::after(const exit_reason& replaced) const noexcept {
  exit_reason result = *this;
  try {
    result.previous_ = detail::intrusive_ptr<const replaced_reason>(new replaced_reason(replaced));
  } catch (const std::bad_alloc&) {
    // Without memory the replaced reason is lost.
  }
  return result;
}

} // namespace otpp

#pragma GCC visibility pop

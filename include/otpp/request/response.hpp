// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/access.hpp>
#include <otpp/outcome.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The result of a request: a value, or the error in its place. Moving it never throws.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Example
/// @code
/// if (answer.has_value()) {
///   use(answer.value());
/// } else {
///   log(answer.error());
/// }
/// @endcode
template <class R>
class response {
  using stored = detail::stored_t<R>;
  static constexpr bool is_boxed = !std::is_nothrow_move_constructible_v<stored>;
  using place = std::conditional_t<is_boxed, std::unique_ptr<stored>, std::optional<stored>>;

 public:
  /// The type of the value.
  using value_type = R;

  /// Has neither a value nor an error: there was no request.
  response() noexcept = default;

  /// Returns true if there is a value.
  bool has_value() const noexcept { return static_cast<bool>(value_); }
  /// True if there is a value.
  explicit operator bool() const noexcept { return has_value(); }

  /// Returns the value; throws the error if there is none, and `std::logic_error` if there was no request.
  std::add_lvalue_reference_t<R> value() & {
    throw_unless_there();
    if constexpr (!std::is_void_v<R>) {
      return *value_;
    }
  }
  /// As above.
  std::add_lvalue_reference_t<std::add_const_t<R>> value() const& {
    throw_unless_there();
    if constexpr (!std::is_void_v<R>) {
      return *value_;
    }
  }
  /// As above; the value may be moved from.
  std::add_rvalue_reference_t<R> value() && {
    throw_unless_there();
    if constexpr (!std::is_void_v<R>) {
      return std::move(*value_);
    }
  }

  /// Returns what the caller's `co_await` would have thrown; null if there is a value.
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  friend struct detail::access;

  response(detail::no_value, std::exception_ptr error) noexcept : error_(std::move(error)) {}
  explicit response(stored&& value) noexcept {
    try {
      if constexpr (is_boxed) {
        value_ = std::make_unique<stored>(std::move(value));
      } else {
        value_.emplace(std::move(value));
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  void throw_unless_there() const {
    if (error_) {
      std::rethrow_exception(error_);
    }
    if (!has_value()) {
      throw std::logic_error("otpp: there was no request, and so there is no response");
    }
  }

  place value_{};
  std::exception_ptr error_;
};

} // namespace otpp

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/value.hpp>

#include <exception>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// The reason of a process on another node, as Erlang's term; and a reason that other nodes get as a term.
///
/// A server that ends with it, because a handler threw it or returned `otpp::stop(remote_reason(...))`, ends for an Erlang
/// caller with `exit(Reason)`, and for Erlang's monitors and links with the same. Here it is an exception like any other.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe if const.
///
/// @par Example
/// @code
/// throw otpp::dist::remote_reason(std::pair(otpp::atom("disk_full"), path));   // exit({disk_full, <<"/data">>})
/// @endcode
class remote_reason : public std::exception {
 public:
  /// The reason as a term of a value.
  ///
  /// @param value  Of a type that has an Erlang form. Throws as `term::of`.
  template <class T>
  explicit remote_reason(const T& value) : remote_reason(term::of(value)) {}

  /// The reason as any term.
  ///
  /// @param reason  The term; moved.
  explicit remote_reason(otpp::term reason) : term_(std::move(reason)), text_(term_.view().text(200)) {}

  /// Returns the reason.
  const otpp::term& term() const noexcept { return term_; }

  /// Prints it as Erlang does, cut at 200 bytes.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  otpp::term term_;
  std::string text_;
};

/// The answer `{error, Term}` of a call, as an exception: what a handler fails with by `otpp::fail(remote_error(...))`.
///
/// Every other exception with which a handler fails is `{error, {exception, <<"what()">>}}` for an Erlang caller, and an
/// `otpp::error` is `{error, Code}`, with the atom of its code.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe if const.
///
/// @par Example
/// @code
/// otpp::outcome<user> handle_call(find request, state& s) {
///   return otpp::fail(otpp::dist::remote_error(otpp::atom("not_found")));   // {error, not_found}
/// }
/// @endcode
class remote_error : public std::exception {
 public:
  /// The error as a term of a value.
  ///
  /// @param value  Of a type that has an Erlang form. Throws as `term::of`.
  template <class T>
  explicit remote_error(const T& value) : remote_error(term::of(value)) {}

  /// The error as any term.
  ///
  /// @param what  What stands beside `error`; moved.
  explicit remote_error(otpp::term what) : term_(std::move(what)), text_(term_.view().text(200)) {}

  /// Returns what stands beside `error`.
  const otpp::term& term() const noexcept { return term_; }

  /// Prints it as Erlang does, cut at 200 bytes.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  otpp::term term_;
  std::string text_;
};

} // namespace otpp::dist

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/outcome.hpp>

#include <concepts>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The right to answer a call that waits for a `Reply`. OTP's `From`.
///
/// A handler that takes one may answer later, from any coroutine and any thread. Move-only. If it is
/// destroyed unanswered, the call fails at once with `errc::no_reply`. When the server ends, the call fails
/// with `errc::exited`, and a later answer is dropped, as in OTP.
///
/// One that is default-constructed, has answered, or is moved from refers to nobody: it converts to false,
/// and an answer is dropped (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe.
///
/// @par Lifetime
/// May outlive the server, the caller, and both their contexts.
template <class Reply>
class caller {
 public:
  /// The type of the answer.
  using reply_type = Reply;

  /// Refers to nobody.
  caller() noexcept = default;

  caller(caller&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  caller& operator=(caller&& other) noexcept {
    if (this != &other) {
      drop();
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  ~caller() { drop(); }

  /// False if it refers to nobody.
  explicit operator bool() const noexcept { return slot_ != nullptr; }

  /// Answers. Returns true if the call was still waiting.
  ///
  /// The caller is resumed on its own executor, never inside this call.
  ///
  /// @param value  The answer, converted to `Reply`; moved if it is a temporary. If that throws, the caller
  ///               gets the exception.
  template <class Value>
    requires(!std::is_void_v<Reply> && std::convertible_to<Value, detail::stored_t<Reply>>)
  bool reply(Value&& value) noexcept {
    static_assert(detail::check_answer<Value, Reply>());
    return finish([&](detail::answer_slot<Reply>& slot) { return slot.answer(std::forward<Value>(value)); });
  }

  /// Answers a call whose `reply_type` is void. Returns true if the call was still waiting.
  bool reply() noexcept
    requires std::is_void_v<Reply>
  {
    return finish([](detail::answer_slot<Reply>& slot) { return slot.answer(); });
  }

  /// Answers with an exception, which the caller's `co_await` throws. Returns true if the call was still
  /// waiting.
  ///
  /// @param error  Copied or moved, with the type that it has here: of a reference to a base class, only that
  ///               part.
  template <class Exception>
    requires std::derived_from<std::remove_cvref_t<Exception>, std::exception>
  bool fail(Exception&& error) noexcept {
    return fail(std::make_exception_ptr(std::forward<Exception>(error)));
  }

  /// Answers with a `std::runtime_error`. Returns true if the call was still waiting.
  ///
  /// @param text  What its `what()` says; copied.
  bool fail(const std::string& text) { return fail(std::runtime_error(text)); }

  /// Answers with an exception that was caught earlier. Returns true if the call was still waiting.
  ///
  /// @param error  Passed on as it is; must not be empty.
  bool fail(std::exception_ptr error) noexcept {
    return finish([&](detail::answer_slot<Reply>& slot) { return slot.fail(std::move(error)); });
  }

  /// Returns true if the call is still waiting. If it is not, the work for its answer can be skipped.
  bool is_waiting() const noexcept { return slot_ && !slot_->decided(); }

 private:
  friend struct detail::access;

  // Takes over the server half of the slot.
  explicit caller(detail::answer_slot<Reply>& slot) noexcept : slot_(&slot) {}

  // The process that has called, or null if none has: then nobody, or a coroutine that belongs to no process.
  detail::process* process() const noexcept { return slot_ ? slot_->caller() : nullptr; }

  template <class Answer>
  bool finish(Answer answer) noexcept {
    detail::answer_slot<Reply>* slot = std::exchange(slot_, nullptr);
    if (!slot) {
      return false;
    }
    server_of(*slot).close(*slot);
    return answer(*slot);
  }

  void drop() noexcept {
    detail::answer_slot<Reply>* slot = std::exchange(slot_, nullptr);
    if (slot && server_of(*slot).close_unanswered(*slot)) {
      slot->fail(errc::no_reply);
    }
  }

  static detail::server_core& server_of(detail::answer_slot<Reply>& slot) noexcept {
    return static_cast<detail::server_core&>(*slot.server);
  }

  detail::answer_slot<Reply>* slot_ = nullptr;
};

} // namespace otpp

#pragma GCC visibility pop

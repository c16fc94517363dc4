// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/outcome.hpp>

#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

namespace otpp {

/// Somebody who called and waits for an answer of type `Reply`. OTP's `From`.
///
/// A handler that takes one may answer later, from any coroutine and any thread. Move-only: dropped
/// unanswered, it tells the caller so at once, with `errc::no_reply`. When the server ends, whoever
/// waits is told that, and a later answer reaches nobody, as in OTP.
///
/// One that is made without anything, has answered, or is moved from, refers to nobody: it converts to false, and an
/// answer reaches nobody (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe.
///
/// @par Lifetime
/// May outlive the server, the caller, and both their contexts.
template <class Reply>
class caller {
 public:
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

  /// Answers. Returns true if somebody still waited.
  ///
  /// The caller is resumed on its own executor, never inside this call.
  template <class Value>
    requires(!std::is_void_v<Reply> && std::convertible_to<Value, detail::stored_t<Reply>>)
  bool reply(Value&& value) noexcept {
    return finish([&](detail::answer_slot<Reply>& slot) { return slot.answer(std::forward<Value>(value)); });
  }

  /// Answers a call whose `reply_type` is void. Returns true if somebody still waited.
  bool reply() noexcept
    requires std::is_void_v<Reply>
  {
    return finish([](detail::answer_slot<Reply>& slot) { return slot.answer(); });
  }

  /// Answers with an exception, which the caller's `co_await` throws. Returns true if somebody still
  /// waited.
  template <class Exception>
    requires std::derived_from<std::remove_cvref_t<Exception>, std::exception>
  bool fail(Exception&& error) noexcept {
    return fail(std::make_exception_ptr(std::forward<Exception>(error)));
  }

  /// As above, with an exception that was caught.
  bool fail(std::exception_ptr error) noexcept {
    return finish([&](detail::answer_slot<Reply>& slot) { return slot.fail(std::move(error)); });
  }

  /// Returns true if an answer would reach somebody: work for one who has given up can be left.
  bool is_waiting() const noexcept { return slot_ && !slot_->decided(); }

 private:
  friend struct detail::access;

  // Gets the server half of the slot.
  explicit caller(detail::answer_slot<Reply>& slot) noexcept : slot_(&slot) {}

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

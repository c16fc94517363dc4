// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/message.hpp>
#include <otpp/timeout.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A message that a handler leaves for its own server. The outcome that carries it does not know the callbacks
// type.
class erased_message {
 public:
  virtual ~erased_message() = default;
  virtual const std::type_info& type() const noexcept = 0;
  virtual std::string_view name() const noexcept = 0;
  virtual void* get() noexcept = 0;
};

template <message M>
class erased final : public erased_message {
 public:
  explicit erased(M&& message) : message_(std::move(message)) {}
  const std::type_info& type() const noexcept override { return typeid(M); }
  std::string_view name() const noexcept override { return type_name<M>(); }
  void* get() noexcept override { return std::addressof(message_); }

 private:
  M message_;
};

enum class action_kind : std::uint8_t {
  none,
  proceed,       // run handle_continue(message) now
  idle_timeout,  // handle_info(otpp::timeout) unless a message comes first
  event_timeout, // handle_info(message) unless a message comes first
};

// What a handler wants to happen next.
struct next_action {
  action_kind kind = action_kind::none;
  bool is_absolute = false;
  duration after{}; // from now, or since the epoch of the clock
  std::unique_ptr<erased_message> message;

  detail::moment moment() const noexcept { return {after, is_absolute}; }

  template <class M>
  static next_action proceed(M&& m) {
    next_action result;
    result.kind = action_kind::proceed;
    result.message = std::make_unique<erased<std::decay_t<M>>>(std::decay_t<M>(std::forward<M>(m)));
    return result;
  }

  static next_action timeout(detail::moment when) {
    next_action result;
    result.kind = action_kind::idle_timeout;
    result.after = when.count;
    result.is_absolute = when.is_absolute;
    return result;
  }

  template <class M>
  static next_action timeout(detail::moment when, M&& m) {
    next_action result = proceed(std::forward<M>(m));
    result.kind = action_kind::event_timeout;
    result.after = when.count;
    result.is_absolute = when.is_absolute;
    return result;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop

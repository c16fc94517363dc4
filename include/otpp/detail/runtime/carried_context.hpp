// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The trace context that a coroutine of otpp::co_spawn has from the message whose handler has started it. Its
// executor carries it, and has it set in the turn whenever the coroutine runs: a handler may be waiting
// meanwhile that handles another message.
class carried_context : public counted<carried_context> {
 public:
  explicit carried_context(std::shared_ptr<const void> value) noexcept : value_(std::move(value)) {}

  const std::shared_ptr<const void>& value() const noexcept { return value_; }

  // While this lives, what runs on this thread has the context; with null nothing is changed.
  class scope {
   public:
    scope() noexcept = default;
    explicit scope(intrusive_ptr<carried_context> one) noexcept {
      if (one) [[unlikely]] {
        begin(std::move(one));
      }
    }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() {
      if (turn_) [[unlikely]] {
        end();
      }
    }

    OTPP_NOINLINE void begin(intrusive_ptr<carried_context> one) noexcept {
      turn_ = one ? turn::current() : nullptr;
      if (turn_) {
        kept_ = one.detach();
        outer_ = turn_->carry(kept_);
      }
    }

   private:
    OTPP_NOINLINE void end() noexcept {
      turn_->carry(outer_);
      kept_->release();
    }

    turn* turn_ = nullptr;
    const carried_context* outer_ = nullptr;
    carried_context* kept_ = nullptr; // a counted reference, where there is a turn
  };

 private:
  std::shared_ptr<const void> value_;
};

} // namespace otpp::detail

#pragma GCC visibility pop

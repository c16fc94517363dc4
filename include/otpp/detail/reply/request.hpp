// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/message.hpp>

#include <string_view>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A call in transit: the message, and the slot for its answer, in one allocation that is made before anything
// is sent. The message is not moved after it has been sent.
template <call_message M>
class call_request : public envelope, public answer_slot<reply_t<M>> {
 public:
  using reply_type = reply_t<M>;
  using content_type = M;

  call_request(envelope::opener how, M&& content, source_location where)
      : envelope(how), content_(std::move(content)), where_(where) {}

  M& content() noexcept { return content_; }

  void fail_unhandled(server_core&, const exit_reason& reason) noexcept override {
    this->fail(errc::exited, reason);
  }
  void make_room() noexcept override { this->fail(errc::mailbox_full); }
  void discard_message() noexcept override { this->release_unanswered(); }
  bool expired() const noexcept override { return this->decided(); }
  std::string_view message_type() const noexcept override { return type_name<M>(); }
  const std::type_info* message_info() const noexcept override { return &typeid(M); }
  source_location where() const noexcept override { return where_; }

 protected:
  ~call_request() override = default;
  std::string_view operation() const noexcept override { return "call"; }
  std::string_view message() const noexcept override { return type_name<M>(); }

 private:
  M content_;
  source_location where_;
};

// True for what the library tells a process. Its is_void(), if it has one, says whether it was taken back.
template <class M>
inline constexpr bool is_news = false;

// An envelope with a message that gets no answer.
template <message M>
class message_envelope : public envelope {
 public:
  M& content() noexcept { return content_; }
  const M& content() const noexcept { return content_; }

  const std::type_info* news() const noexcept final { return is_news<M> ? &typeid(M) : nullptr; }
  bool is_void() const noexcept final {
    if constexpr (is_news<M> && requires(const M& news) { news.is_void(); }) {
      return content_.is_void();
    } else {
      return false;
    }
  }
  std::string_view message_type() const noexcept final { return type_name<M>(); }
  const std::type_info* message_info() const noexcept final { return &typeid(M); }
  source_location where() const noexcept final { return where_; }

 protected:
  message_envelope(envelope::opener how, M&& content, source_location where)
      : envelope(how), content_(std::move(content)), where_(where) {}
  ~message_envelope() override = default;

 private:
  M content_;
  source_location where_;
};

// A cast or an info in transit.
template <message M>
class plain_message final : public message_envelope<M>, public cached_memory {
 public:
  plain_message(envelope::opener how, M&& content, source_location where)
      : message_envelope<M>(how, std::move(content), where) {}

  void fail_unhandled(server_core&, const exit_reason& reason) noexcept override {
    if (sender_) {
      sender_->fail(errc::exited, reason);
    }
    delete this;
  }
  void discard_message() noexcept override {
    if (sender_) {
      sender_->release_server_half();
    }
    delete this;
  }
  bool is_lost_silently() const noexcept override { return !sender_; }

  bool put_in_line() noexcept override {
    bool may = !may_wait_ || may_wait_->may_wait_for_room();
    sender_ = may ? may_wait_ : nullptr;
    return may;
  }
  void admitted() noexcept override {
    if (auto* waiting = std::exchange(sender_, nullptr)) {
      waiting->answer();
    }
  }
  bool expired() const noexcept override { return sender_ && sender_->decided(); }
  const void* sender() const noexcept override { return static_cast<const reply_slot*>(sender_); }

  // Hands over the sender's server half, for the case that it has to wait for room.
  void may_wait(answer_slot<void>& waiting) noexcept { may_wait_ = &waiting; }

 private:
  ~plain_message() override = default;

  answer_slot<void>* may_wait_ = nullptr;
  answer_slot<void>* sender_ = nullptr; // set while it waits for room
};

} // namespace otpp::detail

#pragma GCC visibility pop

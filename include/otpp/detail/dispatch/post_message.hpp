// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/queue/admission.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/deadlock.hpp>
#include <otpp/detail/reply/failure.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/overflow.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// The implementation shared by cast and send, which differ only in the handler that they reach.

namespace otpp::detail {

// A sender that waits until the mailbox has taken its message.
template <message M>
class sending : public answer_slot<void> {
 public:
  explicit sending(std::string_view verb) noexcept : verb_(verb) {}

  // Where the cycle is described that a wait would close; until the message is sent.
  void tells(wait_cycle& where) noexcept { cycle_ = &where; }

  // A spawned coroutine may receive in another one of its own, and so make room, while its body waits.
  bool visit_awaited(awaited_visitor& visit) const noexcept override {
    return visit.one(this->server, this->is_sure() && !this->server->opens_at_once());
  }

  // Sets the edge only now: up to here there might have been room. Elsewhere than in a step of the process, its
  // context may go meanwhile, and the edge would stay.
  bool may_wait_for_room() noexcept override {
    process* from = this->waiting_handler();
    if (!from || !from->is_running_here()) {
      return true;
    }
    this->set_edge(*from);
    if (!this->server->edge().slot() || !cycle_->is_closed_by(*from, *this->server)) {
      return true;
    }
    this->forget_edge();
    return false;
  }

  // Only a message that still waits for room can be withdrawn.
  void cancel() override {
    if (!this->server) {
      return; // no server was found, and that error is being delivered
    }
    envelope* item = static_cast<server_core&>(*this->server).withdraw(static_cast<reply_slot*>(this));
    if (item) {
      reply_slot::cancel();
      item->discard_message(); // it owns the server half
    }
  }

 protected:
  ~sending() override = default;
  std::string_view operation() const noexcept override { return verb_; }
  std::string_view message() const noexcept override { return type_name<M>(); }

 private:
  std::string_view verb_;
  wait_cycle* cycle_ = nullptr;
};

template <message M>
using plain_message_ptr = std::unique_ptr<plain_message<M>, envelope_discarder>;

template <message M, class Content>
plain_message_ptr<M> make_plain_message(const destination& target, Content&& content) {
  return plain_message_ptr<M>(
      new plain_message<M>(target.open, std::forward<Content>(content), target.where));
}

template <server_core::verb Verb, message M>
struct initiate_post : initiation {
  template <class Handler>
  void operator()(Handler&& handler, destination target, plain_message_ptr<M> item) {
    using request = operation<sending<M>, void, std::decay_t<Handler>>;
    unregistered<request> made =
        make_operation<request>(std::forward<Handler>(handler), target.server.get(), verb_name(Verb));
    if (!made) {
      return;
    }
    if (target.error) {
      refuse(std::move(made), std::move(target.error));
      return;
    }
    server_core& server = *target.server;
    bool is_inside = made->is_inside(server);
    made->server = target.server;
    sending<M>& waiting = *made;
    server_half<answer_slot<void>> sender = register_wait(std::move(made));
    if (!sender) {
      return;
    }
    mailbox::result result = mailbox::result::full;
    wait_cycle cycle; // destroyed outside of the lock of the mailbox
    waiting.tells(cycle);
    if (is_inside) {
      result = server.send<&mailbox::try_push>(*item); // waiting here would never end
    } else {
      item->may_wait(*sender);
      result = server.send<&mailbox::push>(*item);
    }
    if (result == mailbox::result::full) {
      server.find_room(*item, result);
    }
    switch (result) {
      case mailbox::result::waiting:
        item.release();
        sender.release(); // the message owns it
        return;
      case mailbox::result::full:
        if (is_inside || server.queue().when_full() == overflow::refuse) {
          sender.release()->fail(errc::mailbox_full);
        } else {
          std::exception_ptr why = refusal_of(*sender, cycle);
          if (sender.release()->fail(std::move(why))) {
            tell_failure(errc::deadlock, verb_name(Verb), type_name<M>(), &server);
          }
        }
        return;
      case mailbox::result::dropped: sender.release()->answer(); return;
      case mailbox::result::draining:
      case mailbox::result::closed: sender.release()->fail(admission::error_of(result)); return;
      case mailbox::result::taken:
      case mailbox::result::woke:
        item.release();
        sender.release()->answer();
        return;
    }
  }
};

// With the default token nothing is posted and the coroutine is not suspended, unless the mailbox is full.
template <server_core::verb Verb, message M>
asio::awaitable<void> post_or_wait(destination target, plain_message_ptr<M> item) {
  if (target.error) {
    std::rethrow_exception(std::move(target.error));
  }
  mailbox::result result = target.server->template send<&mailbox::try_push>(*item);
  if (result == mailbox::result::taken) {
    item.release();
    co_return;
  }
  if (target.server->find_room(*item, result)) {
    item.release();
    co_return;
  }
  if (result == mailbox::result::dropped) {
    co_return;
  }
  if (admission::is_refusal(result) || target.server->queue().when_full() == overflow::refuse) {
    errc why = admission::error_of(result);
    tell_failure(why, verb_name(Verb), type_name<M>(), target.server.get());
    std::rethrow_exception(make_error(why, verb_name(Verb), type_name<M>(), target.server->describe()));
  }
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      initiate_post<Verb, M>(), asio::use_awaitable, std::move(target), std::move(item));
}

// Precondition: the message has been checked.
template <server_core::verb Verb, message M, class Token>
auto post(destination target, plain_message_ptr<M> item, Token&& token) {
  if constexpr (std::is_same_v<std::decay_t<Token>, asio::use_awaitable_t<>>) {
    return post_or_wait<Verb, M>(std::move(target), std::move(item));
  } else {
    return initiate<void>(
        initiate_post<Verb, M>(), std::forward<Token>(token), std::move(target), std::move(item));
  }
}

template <server_core::verb Verb, class M, class Given, class... Args>
auto post_in_place(Given&& to, Args&&... args) {
  using kept = std::decay_t<Given>;
  if constexpr (check_sent<Verb, M, kept>()) {
    destination target = resolve_for<Verb, M>(keep_address(std::forward<Given>(to)));
    return make_and_send<M>(
        [&]<class Token>(M&& content, Token&& token) {
          auto item = make_plain_message<M>(target, std::move(content));
          return post<Verb, M>(std::move(target), std::move(item), std::forward<Token>(token));
        },
        std::forward<Args>(args)...);
  } else {
    return refused<void>();
  }
}

template <server_core::verb Verb, class Address, class Message, class Token>
auto post_message(Address&& to, Message&& content, Token&& token) {
  using M = std::decay_t<Message>;
  static_assert(check_temporary<Message, Token>());
  if constexpr (check_sent<Verb, M, Address>()) {
    destination target = resolve_for<Verb, M>(std::move(to));
    auto item = make_plain_message<M>(target, M(std::forward<Message>(content)));
    return post<Verb, M>(std::move(target), std::move(item), std::forward<Token>(token));
  } else {
    return refused<void>();
  }
}

// Sends the result of make_plain_message() if there is room now. Throws if there is no memory, or if the message
// could not be made.
template <class MakeLetter>
bool try_send_to(server_core& server, MakeLetter make) noexcept {
  try {
    auto item = make();
    mailbox::result result = server.send<&mailbox::try_push>(*item);
    if (result != mailbox::result::taken &&
        (server.queue().when_full() != overflow::drop_oldest || !server.find_room(*item, result))) {
      return false;
    }
    item.release();
    return true;
  } catch (...) {
    return false;
  }
}

// With a server_ref no look-up is needed and nothing outlives this call, so that no reference is counted.
template <server_core::verb Verb, class M, class Callbacks, class... Args>
bool try_post_to(const borrowed_ref<Callbacks>& to, Args&&... args) noexcept {
  if constexpr (check_sent<Verb, M, server_ref<Callbacks>>()) {
    server_core* server = to.borrowed_core();
    return server && try_send_to(*server, [&] {
             return plain_message_ptr<M>(new plain_message<M>(
                 opener_of<Verb, M, Callbacks>(), make_message<M>(std::forward<Args>(args)...), to.where()));
           });
  } else {
    return false;
  }
}

template <server_core::verb Verb, class M, class Address, class... Args>
bool try_post(Address&& to, Args&&... args) noexcept {
  if constexpr (check_sent<Verb, M, Address>()) {
    destination target = resolve_for<Verb, M>(std::move(to), purpose());
    return target.server && try_send_to(*target.server, [&] {
             return make_plain_message<M>(target, make_message<M>(std::forward<Args>(args)...));
           });
  } else {
    return false;
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop

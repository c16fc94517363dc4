// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/dist/any_call.hpp>
#include <otpp/dist/detail/inbound.hpp>
#include <otpp/dist/detail/inbound_call.hpp>
#include <otpp/dist/detail/read_message.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/message.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/value.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>

#include <exception>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A call whose answer goes to a peer. It does not wait for room in the mailbox, because who reads from the connection does not.
template <call_message M, class Callbacks>
struct initiate_inbound_call : initiation {
  template <class Handler>
  void operator()(Handler&& handler, intrusive_ptr<server_core> server, M&& content) {
    using request = operation<call_request<M>, reply_t<M>, std::decay_t<Handler>>;
    unregistered<request> call = make_operation<request>(
        std::forward<Handler>(handler), server.get(), opener_of<server_core::verb::call, M, Callbacks>(),
        std::move(content), source_location());
    if (!call) {
      return;
    }
    server_core& to = *server;
    call->timeout = infinite;
    call->server = std::move(server);
    if (to.queue().limit() == 0) {
      to.send_call(std::move(call));
    } else {
      to.send_registered<&mailbox::try_push>(std::move(call));
    }
  }
};

class inbound_answer {
 public:
  explicit inbound_answer(std::shared_ptr<inbound_call> from) noexcept : from_(std::move(from)) {}

  template <class... Reply>
  void operator()(const std::exception_ptr& error, const Reply&... value) const {
    if (error) {
      from_->fail(error);
    } else {
      from_->answer([&](term_writer& to) {
        if constexpr (sizeof...(Reply) == 0) {
          to.atom("ok");
        } else {
          (put_term(to, value), ...);
        }
      });
    }
  }

 private:
  std::shared_ptr<inbound_call> from_;
};

// An answer must have a form, and a default, as it stands beside an error.
template <class Reply>
consteval bool check_reply() {
  if constexpr (std::is_void_v<Reply>) {
    return true;
  } else {
    static_assert(
        std::is_default_constructible_v<Reply>,
        "otpp: a published server's answers need a default constructor, because an answer stands beside an "
        "error");
    return check_form<Reply>() && std::is_default_constructible_v<Reply>;
  }
}

template <class Callbacks>
struct inbound_to {
  using ref = server_ref<Callbacks>;

  static inbound_result cast(const pid& to, term_reader message) {
    return plain<server_core::verb::cast>(to, message);
  }
  static inbound_result info(const pid& to, term_reader message) {
    return plain<server_core::verb::info>(to, message);
  }
  static inbound_result call(const pid& to, term_reader message, const std::shared_ptr<inbound_call>& from) {
    bool is_taken = false;
    each_listed_by<Callbacks>([&]<class M>(std::type_identity<M>) {
      if constexpr (handles_call<Callbacks, M>) {
        is_taken = is_taken || read_call<M>(to, message, from);
      }
    });
    if constexpr (handles_call<Callbacks, dist::any_call>) {
      dist::any_call any;
      if (!is_taken && read_message(message, any.request)) {
        is_taken = true;
        send_call(to, std::move(any), from);
      }
    }
    return is_taken ? inbound_result::taken : inbound_result::unknown;
  }

 private:
  template <class M>
  static bool read_call(const pid& to, const term_reader& bytes, const std::shared_ptr<inbound_call>& from) {
    static_assert(check_reply<reply_t<M>>());
    M message{};
    if (!read_message(bytes, message)) {
      return false;
    }
    send_call(to, std::move(message), from);
    return true;
  }

  template <class M>
  static void send_call(const pid& to, M&& message, const std::shared_ptr<inbound_call>& from) {
    initiate_inbound_call<M, Callbacks>()(
        asio::bind_executor(
            from->executor(), asio::bind_cancellation_slot(from->slot(), inbound_answer(from))),
        access::core(to), std::move(message));
  }

  template <server_core::verb Verb, class M>
  static constexpr bool takes =
      Verb == server_core::verb::cast ? handles_cast<Callbacks, M> : handles_info<Callbacks, M>;

  template <server_core::verb Verb>
  static inbound_result plain(const pid& to, const term_reader& bytes) {
    inbound_result result = inbound_result::unknown;
    each_listed_by<Callbacks>([&]<class M>(std::type_identity<M>) {
      if constexpr (takes<Verb, M>) {
        M message{};
        if (result == inbound_result::unknown && read_message(bytes, message)) {
          result = send<Verb>(to, std::move(message));
        }
      }
    });
    if constexpr (takes<Verb, term>) {
      term any;
      if (result == inbound_result::unknown && read_message(bytes, any)) {
        result = send<Verb>(to, std::move(any));
      }
    }
    return result;
  }

  template <server_core::verb Verb, class M>
  static inbound_result send(const pid& to, M&& message) {
    ref server = access::make<ref>(access::core(to));
    bool is_sent = false;
    if constexpr (Verb == server_core::verb::cast) {
      is_sent = try_cast(server, std::move(message));
    } else {
      is_sent = try_send(server, std::move(message));
    }
    return is_sent ? inbound_result::taken : inbound_result::refused;
  }
};

template <class Callbacks>
inline constexpr inbound inbound_of{
    &typeid(Callbacks), &inbound_to<Callbacks>::cast, &inbound_to<Callbacks>::info,
    &inbound_to<Callbacks>::call};

} // namespace otpp::detail

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/process/detail/inbox.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/system_executor.hpp>

#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class... M>
using received_t =
    std::conditional_t<sizeof...(M) == 1, std::tuple_element_t<0, std::tuple<M...>>, std::variant<M...>>;

// A wait for a message of one of these types. The inbox owns the server half.
template <class... M>
class receive_request : public answer_slot<received_t<M...>>, public inbox::waiting {
 public:
  using opinion = inbox::waiting::opinion;

  opinion fits(const envelope& item) const noexcept override {
    opinion result = opinion::no;
    ((result = result == opinion::no ? fits_as<M>(item) : result), ...);
    return result;
  }

  bool take(envelope& item) noexcept override {
    bool is_answered = this->answer_with([&]() noexcept { write(item); });
    if (is_answered) {
      item.discard_message();
    }
    return is_answered;
  }

  // Writes the answer. Precondition: the slot was claimed.
  void write(envelope& item) noexcept { (write_as<M>(item) || ...); }

  void end_waiting() noexcept override { this->fail(reply_slot::aborted()); }
  bool is_over() const noexcept override { return this->decided(); }

 protected:
  ~receive_request() = default;
  std::string_view operation() const noexcept override { return "receive"; }
  std::string_view message() const noexcept override {
    return type_name<std::tuple_element_t<0, std::tuple<M...>>>();
  }

 private:
  template <class One>
  static opinion fits_as(const envelope& item) noexcept {
    auto* plain = dynamic_cast<const message_envelope<One>*>(&item);
    if (!plain) {
      return opinion::no;
    }
    return item.is_void() ? opinion::stale : opinion::yes;
  }

  template <class One>
  bool write_as(envelope& item) noexcept {
    auto* plain = dynamic_cast<message_envelope<One>*>(&item);
    if (plain) {
      this->emplace(std::move(plain->content()));
    }
    return plain != nullptr;
  }
};

template <class... M>
struct initiate_receive : initiation {
  template <class Handler>
  void operator()(Handler&& handler, duration patience) {
    using request = operation<receive_request<M...>, received_t<M...>, std::decay_t<Handler>>;
    turn* here = turn::current();
    intrusive_ptr<server_core> process(here ? dynamic_cast<server_core*>(here->running()) : nullptr);
    relations* its = process ? process->related() : nullptr;
    inbox* box = its ? static_cast<inbox*>(its->body) : nullptr;
    unregistered<request> wait = make_operation<request>(
        std::forward<Handler>(handler), asio::any_io_executor(asio::system_executor()));
    if (!wait) {
      return;
    }
    if (!box) {
      refuse(
          std::move(wait), make_error(
                               errc::no_process,
                               "receive outside the body of a process that otpp::spawn has started", {}, {}));
      return;
    }
    wait->timeout = patience;
    wait->is_work = patience != infinite; // without a timeout the process is idle, which is no work
    envelope_ptr found;                   // destroyed after the guard, as its content is the user's
    context_guard inside(wait->context());
    if (!inside) {
      return; // the message stays in the mailbox
    }
    found.reset(box->take_first_for(*wait));
    if (found) {
      complete(wait, inside, [&](request& one) noexcept { one.write(*found); });
    } else if (patience <= duration::zero()) {
      refuse(wait, inside, wait->say(errc::timeout));
    } else if (server_half<request> one = register_wait(wait, inside)) {
      box->wait(*one.release());
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/home.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/narrowing.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/overflow.hpp>
#include <otpp/process/link.hpp>
#include <otpp/registry/registry.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/system_executor.hpp>

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class Callbacks>
struct inits {
  template <class... Args>
  struct with {
    static constexpr bool value =
        requires(Callbacks& callbacks, std::decay_t<Args>&&... args) { callbacks.init(std::move(args)...); };
  };
};

// Does init keep these arguments, of which the last may be a token?
template <class Callbacks, class... Args>
consteval bool check_init_arguments() {
  if constexpr (inits<Callbacks>::template with<Args...>::value) {
    static_assert(
        !loses_arguments<inits<Callbacks>::template with, Args...>(),
        "otpp: init cannot keep an argument: a fraction is given for an integer, or a number for one of "
        "smaller range "
        "or other sign; where that is meant, static_cast it");
  }
  return true;
}

// A server that is being started: the arguments of init, and the slot for the starter, who gets a Ref.
template <class Callbacks, class Ref, class... Args>
class start_request : public envelope, public answer_slot<Ref> {
 public:
  using ref_type = Ref;

  start_request(envelope::opener how, std::tuple<Args...>&& args) : envelope(how), args_(std::move(args)) {}

  decltype(auto) init(Callbacks& callbacks) {
    return std::apply(
        [&](Args&... args) -> decltype(auto) { return callbacks.init(std::move(args)...); }, args_);
  }

  void fail_unhandled(server_core&, const exit_reason& reason) noexcept override {
    this->fail(errc::exited, reason);
  }
  void discard_message() noexcept override { this->release_server_half(); }

  // The starter gets the error of a failed init once the name is free again.
  void write_end(const exit_reason& reason) noexcept override {
    if (!failure && !reason.is_clean()) {
      failure = reason.exception(); // there was no memory to run init
    }
    this->write_error(failure ? std::move(failure) : this->say(errc::exited, reason));
  }

  // Cancelling a start cancels init, which then decides; see start(). If there is no memory this throws, and
  // has no effect.
  void cancel() override {
    if (this->server) {
      (new cancel_init(intrusive_ptr<process>(this->server)))->submit();
    }
  }

  std::exception_ptr failure;

 protected:
  ~start_request() override = default;
  std::string_view operation() const noexcept override { return "start"; }

 private:
  class cancel_init final : public task {
   public:
    explicit cancel_init(intrusive_ptr<process> who) noexcept : who_(std::move(who)) {}
    void submit() noexcept { who_->submit(*this); }
    void run() override {
      intrusive_ptr<process> who = std::move(who_);
      delete this;
      auto& core = static_cast<server_core&>(*who);
      if (core.is_starting()) {
        core.cancel_job();
      }
    }
    void discard() noexcept override { delete this; }

   private:
    intrusive_ptr<process> who_;
  };

  std::tuple<Args...> args_;
};

// Returns the program, if any, to which a server belongs that is started from here: that of the server whose
// executor the starter runs on, or else that of the starter's context.
inline context_state* program_of(const asio::any_io_executor& starters, context_state& context) noexcept {
  if (const auto* serial = executor_target<serial_executor>(starters)) {
    relations* its = static_cast<const server_core&>(*serial->owner()).related();
    if (its && its->program) {
      return its->program.get();
    }
  }
  return context.is_program() ? &context : nullptr;
}

template <class Callbacks, class Ref, class... Args>
struct initiate_start : initiation {
  template <class Handler>
  void operator()(Handler&& handler, options&& how, std::tuple<Args...>&& args) {
    using handler_type = std::decay_t<Handler>;
    using request_base = start_request<Callbacks, Ref, Args...>;
    using request = operation<request_base, Ref, handler_type>;
    using server_type = gen_server<Callbacks>;

    const intrusive_ptr<lane>& given = access::home(how);
    asio::any_io_executor otherwise; // for a handler without an executor of its own
    if constexpr (!has_own_executor<handler_type>) {
      otherwise = given ? executor_of(*given) : asio::any_io_executor();
      otherwise = otherwise ? otherwise : asio::any_io_executor(asio::system_executor());
      otherwise = fallback(otherwise, turn::current()).executor();
    }
    asio::any_io_executor starters = executor_for(handler, otherwise);
    unregistered<request> start = make_operation<request>(
        std::forward<Handler>(handler), otherwise, &server_type::template open_start<request_base>,
        std::move(args));
    if (!start) {
      return;
    }
    request* admitted = nullptr;
    std::exception_ptr why;
    try {
      turn* here = turn::current();
      intrusive_ptr<lane> home = given ? given : home_of(starters);
      context_guard inside(home->context());
      if (!inside) {
        throw error(errc::no_process, "otpp: start in a context that has been destroyed");
      }
      std::unique_ptr<std::string> name;
      if (how.name()) {
        registry::check_name(*how.name());
        name = std::make_unique<std::string>(*how.name());
      }
      intrusive_ptr<server_core> server(
          new server_type(std::move(home), how.mailbox_limit(), std::move(name)));
      context_state* program = program_of(starters, start->context());
      if (program && program != &server->context()) {
        relations::of(*server).program = intrusive_ptr<context_state>(program);
      }
      if (how.blocks()) {
        server->expect_blocking();
      }
      const bool may_drop = how.mailbox_limit() != 0 && how.when_full() != overflow::wait;
      if (may_drop || how.skips_abandoned() || access::priority(how)) {
        server->arrange_mailbox(
            may_drop ? how.when_full() : overflow::wait, how.skips_abandoned(), access::priority(how));
      }
      intrusive_ptr<link_relation> link;
      if (access::linked_to(how)) {
        relations::of(*access::core(access::linked_to(how)));
        relations::of(*server).parent = access::core(access::linked_to(how))->id();
        link = intrusive_ptr<link_relation>(new link_relation(access::core(access::linked_to(how)), server));
      }
      process* starter = start->waiting_handler();
      start->server = server;
      admitted = server->admit(start);
      if (!admitted) {
        return;
      }
      if (how.name()) {
        access::add_name_of(how, *server); // the last step that can fail
      }
      if (link && !link->connect()) {
        link->notify(
            *access::core(access::linked_to(how)),
            access::core(access::linked_to(how))->end_reason()); // the starter has ended
      }
      if (starter) {
        admitted->set_edge(*starter); // its init must not call the starter (deadlock.hpp)
      }
      server->launch(*admitted, here);
    } catch (...) {
      why = std::current_exception();
    }
    if (why) { // outside of the catch, which would share the exception with the starter's thread
      if (admitted) {
        admitted->server = {}; // the server never ran, so there is no init to cancel
        admitted->fail(std::move(why));
      } else {
        start->server = {};
        refuse(std::move(start), std::move(why));
      }
    }
  }
};

template <class Callbacks, class Ref, class Token, class... Args>
auto start_server(options&& how, Token&& token, Args&&... args) {
  return initiate<Ref>(
      initiate_start<Callbacks, Ref, std::decay_t<Args>...>(), std::forward<Token>(token), std::move(how),
      std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...));
}

} // namespace otpp::detail

#pragma GCC visibility pop

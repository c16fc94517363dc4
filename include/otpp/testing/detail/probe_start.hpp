// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/start_request.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/process/self.hpp>
#include <otpp/testing/detail/probe_core.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

// Stands for the arguments of init where a probe is started.
struct probe_init {
  std::shared_ptr<probe_core> core;
};

// The init of a probe's process: waits until the process is to end, and makes no state.
template <class State>
struct probe_process {
  class presence {
   public:
    explicit presence(std::shared_ptr<probe_core> one) : core_(std::move(one)) {
      core_->begin(*otpp::detail::running_process("start_probe"));
    }
    presence(const presence&) = delete;
    presence& operator=(const presence&) = delete;
    ~presence() { core_->end(nullptr); }

   private:
    std::shared_ptr<probe_core> core_;
  };

  static asio::awaitable<State> run(std::shared_ptr<probe_core> core) {
    presence here(core);
    co_await wait_in_probe(core, &probe_core::lives, infinite);
    throw std::logic_error("otpp: the process of a probe has nothing to return");
  }
};

} // namespace otpp::testing::detail

namespace otpp::detail {

// Starts a process with the callbacks' type, so that every address finds it, but with the init of a probe.
// Idle, it keeps no context from returning.
template <class Callbacks, class Ref>
class start_request<Callbacks, Ref, testing::detail::probe_init>
    : public start_request<Callbacks, Ref, testing::detail::probe_init, int> {
  using base = start_request<Callbacks, Ref, testing::detail::probe_init, int>;

 public:
  start_request(envelope::opener how, std::tuple<testing::detail::probe_init>&& args)
      : base(how, std::tuple<testing::detail::probe_init, int>()), core_(std::move(std::get<0>(args).core)) {
    this->is_work = false;
  }

  asio::awaitable<state_t<Callbacks>> init(Callbacks&) {
    return testing::detail::probe_process<state_t<Callbacks>>::run(core_);
  }

 protected:
  ~start_request() override = default;

 private:
  std::shared_ptr<testing::detail::probe_core> core_;
};

} // namespace otpp::detail

namespace otpp::testing::detail {

template <class Callbacks>
struct probe_start {
  static asio::awaitable<std::shared_ptr<probe_core>> run(options how) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto made = std::make_shared<probe_core>();
    otpp::detail::start_server<Callbacks, server_ref<Callbacks>>(
        std::move(how),
        asio::bind_executor(
            executor,
            [made](std::exception_ptr error, server_ref<Callbacks>) { made->end(std::move(error)); }),
        probe_init{made});
    co_await wait_in_probe(made, &probe_core::waits, default_timeout);
    made->is_starting = false;
    if (!made->who) {
      std::rethrow_exception(made->error);
    }
    co_return made;
  }
};

} // namespace otpp::testing::detail

#pragma GCC visibility pop

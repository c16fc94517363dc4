// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/node_core.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A call of node_options::resolver, which is the user's. Who waits is let go at once when that is cancelled. So is the call; but if it
// does not heed that it goes on, and what it finds is dropped. It keeps what the options have, and ends with its context at last.
class asked_resolver {
 public:
  using endpoint = asio::ip::tcp::endpoint;

  explicit asked_resolver(const asio::any_io_executor& executor)
      : done_(executor, asio::steady_timer::time_point::max()) {}

  // Where the peer listens. Throws what the function does.
  static asio::awaitable<endpoint> find(std::shared_ptr<node_core> core, std::string peer) {
    asio::any_io_executor here = co_await asio::this_coro::executor;
    auto asked = std::make_shared<asked_resolver>(here);
    asio::co_spawn(
        here, run(std::move(core), std::move(peer)),
        asio::bind_cancellation_slot(
            asked->cancel_.slot(), [asked](std::exception_ptr error, const endpoint& found) {
              asked->is_done_ = true;
              asked->error_ = std::move(error);
              asked->found_ = found;
              asked->done_.cancel();
            }));
    std::error_code woken;
    co_await asked->done_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (!asked->is_done_) {
      asked->cancel_.emit(asio::cancellation_type::terminal);
      throw std::system_error(asio::error::operation_aborted);
    }
    if (asked->error_) {
      std::rethrow_exception(asked->error_);
    }
    co_return asked->found_;
  }

 private:
  static asio::awaitable<endpoint> run(std::shared_ptr<node_core> core, std::string peer) {
    asio::awaitable<endpoint> asked = core->how().resolver()(std::move(peer));
    endpoint where = co_await std::move(asked);
    co_return where;
  }

  asio::steady_timer done_; // is cancelled when there is a result
  asio::cancellation_signal cancel_;
  bool is_done_ = false;
  std::exception_ptr error_;
  endpoint found_;
};

} // namespace otpp::detail

#pragma GCC visibility pop

// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <memory>
#include <string>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A look-up of a host. Asio's runs in a thread of its own, and cannot be cancelled once it has begun: who waits is let go at once
// nevertheless, and what is found later is dropped. The operation ends with the resolver's context.
template <class Resolver = asio::ip::tcp::resolver>
class host_lookup : public std::enable_shared_from_this<host_lookup<Resolver>> {
 public:
  explicit host_lookup(const asio::any_io_executor& executor)
      : names_(executor), done_(executor, asio::steady_timer::time_point::max()) {}

  // The first address of the host. Throws what the look-up has failed with.
  static asio::awaitable<asio::ip::address> find(std::string host) {
    asio::any_io_executor here = co_await asio::this_coro::executor;
    auto looking = std::make_shared<host_lookup>(here);
    looking->begin(host);
    std::error_code woken;
    co_await looking->done_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (looking->error_) {
      throw std::system_error(looking->error_);
    }
    co_return looking->found_;
  }

 private:
  void begin(const std::string& host) {
    auto self = this->shared_from_this();
    names_.async_resolve(host, "", [self](const std::error_code& error, const auto& found) {
      self->error_ = error;
      if (!error) {
        self->found_ = found.begin()->endpoint().address();
      }
      self->done_.cancel();
    });
  }

  Resolver names_;
  asio::steady_timer done_; // is cancelled when there is a result
  std::error_code error_ = asio::error::operation_aborted;
  asio::ip::address found_;
};

} // namespace otpp::detail

#pragma GCC visibility pop

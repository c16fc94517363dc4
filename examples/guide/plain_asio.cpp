// SPDX-License-Identifier: BSL-1.0

// What docs/coming-from-asio.md compares with: three things as one writes them on Asio alone.

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/concurrent_channel.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

// [strand]
class counter {
 public:
  explicit counter(asio::any_io_executor executor) : strand_(asio::make_strand(std::move(executor))) {}

  asio::awaitable<int> add(int n) { return asio::co_spawn(strand_, add_there(n), asio::use_awaitable); }

 private:
  asio::awaitable<int> add_there(int n) { co_return count_ += n; }

  asio::strand<asio::any_io_executor> strand_;
  int count_ = 0; // touched in the strand only; the counter must outlive whatever runs there
};
// [strand]

// [channel]
template <class T>
using channel = asio::experimental::concurrent_channel<void(std::error_code, T)>;

struct slow_request {
  std::shared_ptr<channel<std::string>> answer;
};
using mailbox = channel<slow_request>;

asio::awaitable<void> serve(std::shared_ptr<mailbox> requests) {
  auto executor = co_await asio::this_coro::executor;
  for (;;) { // until the mailbox is closed, which throws
    slow_request request = co_await requests->async_receive(asio::use_awaitable);
    asio::steady_timer timer(executor, 30ms);
    co_await timer.async_wait(asio::use_awaitable);
    request.answer->try_send(std::error_code(), "done");
  }
}

asio::awaitable<std::string> ask(std::shared_ptr<mailbox> to, std::chrono::milliseconds timeout) {
  auto executor = co_await asio::this_coro::executor;
  slow_request request{std::make_shared<channel<std::string>>(executor, 1)};
  asio::steady_timer timer(executor, timeout);
  co_await to->async_send(std::error_code(), request, asio::use_awaitable);
  auto first =
      co_await (request.answer->async_receive(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
  if (first.index() == 1) throw std::system_error(std::make_error_code(std::errc::timed_out));
  co_return std::get<0>(first);
}
// [channel]

// [cancel]
class sampler {
 public:
  explicit sampler(asio::any_io_executor executor) // one that runs one handler at a time
      : executor_(executor), over_(executor, asio::steady_timer::time_point::max()) {
    auto told = [this](std::exception_ptr) {
      is_over_ = true;
      over_.cancel();
    };
    asio::co_spawn(executor_, sample(), asio::bind_cancellation_slot(cancel_.slot(), told));
  }

  asio::awaitable<void> stop() { // before it is destroyed
    cancel_.emit(asio::cancellation_type::terminal);
    while (!is_over_) {
      std::error_code ignored;
      co_await over_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

 private:
  asio::awaitable<void> sample() {
    for (asio::steady_timer timer(executor_);; ++samples_) {
      timer.expires_after(1ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }

  asio::any_io_executor executor_;
  asio::cancellation_signal cancel_;
  asio::steady_timer over_; // nobody waits for its time: its cancellation says that the coroutine is over
  bool is_over_ = false;
  int samples_ = 0;
};
// [cancel]

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

asio::awaitable<void> client() {
  auto executor = co_await asio::this_coro::executor;

  counter visitors(executor);
  int count = co_await visitors.add(5);
  std::cout << "count: " << count << '\n';

  auto requests = std::make_shared<mailbox>(executor, 16);
  asio::co_spawn(executor, serve(requests), [](std::exception_ptr) {});
  try {
    co_await ask(requests, 10ms);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::timed_out) throw;
    std::cout << "timed out\n";
  }
  std::string answer = co_await ask(requests, 5s);
  std::cout << answer << '\n';
  requests->close();

  sampler samples(executor);
  co_await samples.stop();
  std::cout << "over\n";
}

int main() {
  asio::io_context context;
  asio::co_spawn(context, client(), rethrow);
  context.run();
}

// Output:
// count: 5
// timed out
// done
// over

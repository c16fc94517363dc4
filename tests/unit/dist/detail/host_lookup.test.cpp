// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/host_lookup.hpp>

#include "support/catch.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {
namespace looking {

using results = asio::ip::tcp::resolver::results_type;

// Has an answer when the test says so.
class slow_resolver {
 public:
  explicit slow_resolver(const asio::any_io_executor&) {}

  template <class Handler>
  void async_resolve(const std::string&, std::string_view, Handler handler) {
    answer = [handler](const std::error_code& error, const results& found) { handler(error, found); };
  }

  static inline std::function<void(const std::error_code&, const results&)> answer;
};

struct outcome {
  bool is_done = false;
  std::exception_ptr error;
  asio::ip::address found;

  std::error_code code() const {
    try {
      if (error) {
        std::rethrow_exception(error);
      }
    } catch (const std::system_error& failed) {
      return failed.code();
    }
    return {};
  }
};

template <class Resolver>
void begin(asio::io_context& context, std::string host, outcome& result, asio::cancellation_signal& cancel) {
  asio::co_spawn(
      context, otpp::detail::host_lookup<Resolver>::find(std::move(host)),
      asio::bind_cancellation_slot(
          cancel.slot(), [&result](std::exception_ptr error, asio::ip::address found) {
            result = {true, std::move(error), found};
          }));
}

results result_of(const char* address) {
  return results::create(asio::ip::tcp::endpoint(asio::ip::make_address(address), 0), "host", "");
}

} // namespace looking
} // namespace

TEST_CASE("host_lookup: an address, and a host that has none", "[dist]") {
  asio::io_context context;
  asio::cancellation_signal cancel;
  asio::cancellation_signal other;
  looking::outcome found;
  looking::outcome none;
  looking::begin<asio::ip::tcp::resolver>(context, "127.0.0.1", found, cancel);
  looking::begin<asio::ip::tcp::resolver>(context, "no host", none, other);
  context.run();
  CHECK(found.found == asio::ip::address_v4::loopback());
  CHECK(none.code());
}

TEST_CASE("host_lookup: who waits gets what the resolver says", "[dist]") {
  for (bool is_found : {true, false}) {
    asio::io_context context;
    asio::cancellation_signal cancel;
    looking::outcome result;
    looking::begin<looking::slow_resolver>(context, "host", result, cancel);
    context.poll();
    CHECK_FALSE(result.is_done);
    is_found ? looking::slow_resolver::answer({}, looking::result_of("10.0.0.7"))
             : looking::slow_resolver::answer(asio::error::host_not_found, {});
    context.poll();
    REQUIRE(result.is_done);
    CHECK(result.code() == (is_found ? std::error_code() : std::error_code(asio::error::host_not_found)));
    CHECK((result.found == asio::ip::make_address("10.0.0.7")) == is_found);
    looking::slow_resolver::answer = nullptr;
  }
}

TEST_CASE("host_lookup: who is cancelled does not wait for a resolver that goes on", "[dist]") {
  asio::io_context context;
  asio::cancellation_signal cancel;
  looking::outcome result;
  looking::begin<looking::slow_resolver>(context, "host", result, cancel);
  context.poll();
  cancel.emit(asio::cancellation_type::terminal);
  context.restart();
  context.poll();
  REQUIRE(result.is_done);
  CHECK(result.code() == asio::error::operation_aborted);
  looking::slow_resolver::answer({}, looking::result_of("10.0.0.7")); // too late
  looking::slow_resolver::answer = nullptr;
  context.poll();
  CHECK(result.code() == asio::error::operation_aborted);
}

// SPDX-License-Identifier: BSL-1.0

// No other header of the library, and none is compiled with it: see CMakeLists.txt.
#include <otpp/address/pid.hpp>

#include "support/catch.hpp"

#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <system_error>
#include <utility>

namespace {

std::error_code code_of_pid(std::exception_ptr error) {
  try {
    std::rethrow_exception(std::move(error));
  } catch (const std::system_error& why) {
    return why.code();
  }
}

} // namespace

TEST_CASE("pid: stop and join need no other header", "[pid]") {
  otpp::pid nobody;
  std::promise<std::exception_ptr> stopped;
  nobody.stop([&](std::exception_ptr error) { stopped.set_value(std::move(error)); });
  CHECK(code_of_pid(stopped.get_future().get()) == otpp::errc::no_process);
  std::future<void> with_reason = nobody.stop(otpp::exit_reason::shutdown(), asio::use_future);
  CHECK_THROWS_AS(with_reason.get(), otpp::error);
  std::future<void> in_time =
      nobody.stop(otpp::exit_reason::shutdown(), std::chrono::seconds(1), asio::use_future);
  CHECK_THROWS_AS(in_time.get(), otpp::error);
  std::future<otpp::exit_reason> joined = nobody.join(asio::use_future);
  CHECK_THROWS_AS(joined.get(), otpp::error);
}

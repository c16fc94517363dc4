// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/address.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"

#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

static_assert(otpp::address<otpp::server_ref<counter>>);
static_assert(otpp::address<otpp::server_name<counter>>);
static_assert(otpp::address<const char*>);
static_assert(otpp::address<std::string>);
static_assert(otpp::address<std::string_view>);
static_assert(!otpp::address<int>);
static_assert(!otpp::address<counter>);
static_assert(!otpp::address<std::unique_ptr<std::string>>);

namespace {

struct with_text {
  std::string text;
};
struct with_constructor {
  explicit with_constructor(int, int) {}
};

using verb = otpp::detail::server_core::verb;
template <verb Verb, class M, class Address>
constexpr bool can_be_sent = otpp::detail::can_be_sent<Verb, M, Address>();

} // namespace

// A typed address knows its messages; a string takes whatever is a message.
static_assert(can_be_sent<verb::call, counter::get, otpp::server_ref<counter>>);
static_assert(can_be_sent<verb::call, counter::get, otpp::server_name<counter>>);
static_assert(can_be_sent<verb::call, counter::get, const char*>);
static_assert(!can_be_sent<verb::call, counter::set, otpp::server_ref<counter>>);
static_assert(!can_be_sent<verb::call, counter::set, const char*>); // it names no answer
static_assert(can_be_sent<verb::cast, counter::set, otpp::server_ref<counter>>);
static_assert(!can_be_sent<verb::cast, counter::reset, otpp::server_ref<counter>>);
static_assert(can_be_sent<verb::cast, counter::reset, const char*>);
static_assert(can_be_sent<verb::info, counter::reset, otpp::server_ref<counter>>);
static_assert(!can_be_sent<verb::cast, std::string_view, const char*>); // it would dangle

static_assert(otpp::detail::makes<with_text>);
static_assert(otpp::detail::makes<with_text, const char*>);
static_assert(!otpp::detail::makes<with_text, int>);
static_assert(otpp::detail::makes<with_constructor, int, int>);
static_assert(!otpp::detail::makes<with_constructor, int>);
static_assert(otpp::detail::makes_without_last<with_text, const char*, asio::use_future_t<>>());
static_assert(!otpp::detail::makes_without_last<with_text>());

TEST_CASE("address: a message is made in place, by a constructor or member by member", "[address]") {
  CHECK(otpp::detail::make_message<with_text>("abc").text == "abc");
  CHECK(otpp::detail::make_message<counter::add>(3).n == 3);
  CHECK(otpp::detail::make_message<std::string>(std::size_t{3}, 'x') == "xxx");
}

TEST_CASE("address: a name that nobody has is no_process, and says whose it was", "[address]") {
  auto found = otpp::detail::find<verb::cast, counter::set>(std::string_view("address-nobody"));
  CHECK_FALSE(found.server);
  REQUIRE(found.error);
  try {
    std::rethrow_exception(found.error);
  } catch (const otpp::error& error) {
    CHECK(error.code() == otpp::errc::no_process);
    CHECK(std::string(error.what()).find("address-nobody") != std::string::npos);
    CHECK(std::string(error.what()).find("counter::set") != std::string::npos);
  }
}

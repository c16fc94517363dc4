// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/otpp.hpp>
#include <otpp/sys/inspect.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"

#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

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
constexpr bool can_be_sent = otpp::detail::why_not<Verb, M, Address>() == otpp::detail::misfit::none;

// Addresses of one's own.
class chosen_by_pid {
 public:
  explicit chosen_by_pid(otpp::pid who) : who_(std::move(who)) {}
  otpp::pid resolve() const { return who_; }

 private:
  otpp::pid who_;
};
class chosen_by_ref {
 public:
  explicit chosen_by_ref(otpp::server_ref<counter> who) : who_(std::move(who)) {}
  otpp::server_ref<counter> resolve() const { return who_; }

 private:
  otpp::server_ref<counter> who_;
};
class never_chosen {
 public:
  otpp::pid resolve() const { throw std::runtime_error("no leader"); }
};

// The server is elsewhere: here is one that has none of its handlers, and opens all messages in one way.
struct connection {
  int init() { return 0; }
};
struct elsewhere {
  using callbacks_type = counter;
  using stands_for_another = void;

  explicit elsewhere(otpp::server_ref<connection> by) : connected_by(std::move(by)) {}
  otpp::pid resolve() const { return connected_by; }
  template <verb Verb, class M>
  static otpp::detail::envelope::opener opener() {
    return [](otpp::detail::server_core& server, otpp::detail::envelope& item) {
      ++otpp::detail::gen_server<connection>::state_of(server);
      item.discard_message();
    };
  }

  otpp::server_ref<connection> connected_by;
};

struct nothing_like_it {
  otpp::errc resolve() const { return {}; }
};

} // namespace

static_assert(otpp::address<chosen_by_pid>);
static_assert(otpp::address<chosen_by_ref>);
static_assert(otpp::address<elsewhere>);
static_assert(!otpp::address<nothing_like_it>);
static_assert(!otpp::detail::is_typed_address<chosen_by_pid>);
static_assert(std::is_same_v<otpp::detail::callbacks_of<chosen_by_ref>, counter>);
static_assert(std::is_same_v<otpp::detail::callbacks_of<elsewhere>, counter>);
static_assert(std::is_same_v<otpp::detail::kept_address<const char*>, std::string>);
static_assert(std::is_same_v<otpp::detail::kept_address<otpp::pid>, otpp::pid>);

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
static_assert(can_be_sent<verb::cast, counter::set, chosen_by_ref>);
static_assert(!can_be_sent<verb::cast, counter::reset, chosen_by_ref>);
static_assert(can_be_sent<verb::cast, counter::reset, chosen_by_pid>);
static_assert(!can_be_sent<verb::cast, counter::set, int>);
static_assert(!can_be_sent<verb::cast, std::string_view, const char*>); // it would dangle

static_assert(otpp::detail::makes<with_text>);
static_assert(otpp::detail::makes<with_text, const char*>);
static_assert(!otpp::detail::makes<with_text, int>);
static_assert(otpp::detail::makes<with_constructor, int, int>);
static_assert(!otpp::detail::makes<with_constructor, int>);
template <class M, class... Args>
constexpr bool makes_without_last =
    otpp::detail::fits_without_last<otpp::detail::is_made_of<M>::template these, Args...>();
static_assert(makes_without_last<with_text, const char*, asio::use_future_t<>>);
static_assert(!makes_without_last<with_text>);

TEST_CASE("address: a message is made in place, by a constructor or member by member", "[address]") {
  CHECK(otpp::detail::make_message<with_text>("abc").text == "abc");
  CHECK(otpp::detail::make_message<counter::add>(3).n == 3);
  CHECK(otpp::detail::make_message<std::string>(std::size_t{3}, 'x') == "xxx");
}

TEST_CASE("address: a name that nobody has is no_process, and says whose it was", "[address]") {
  auto found = otpp::detail::resolve_for<verb::cast, counter::set>(std::string_view("address-nobody"));
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

TEST_CASE("address: a class of one's own says at each use who is meant", "[address]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    chosen_by_pid by_pid(server);
    chosen_by_ref by_ref(server);
    int one = co_await otpp::call<counter::get>(by_pid);
    CHECK(one == 1);
    co_await otpp::cast<counter::set>(by_ref, 2);
    int two = co_await otpp::call<counter::get>(by_ref);
    CHECK(two == 2);

    std::error_code nobody = co_await code_of(otpp::call<counter::get>(chosen_by_pid(otpp::pid())));
    CHECK(nobody == otpp::errc::no_process);
    CHECK_FALSE(otpp::try_cast<counter::set>(never_chosen(), 3));
    std::exception_ptr thrown = co_await failure_of(otpp::call<counter::get>(never_chosen()));
    CHECK(text_of(thrown) == "no leader");
    co_await server.stop();
  });
}

TEST_CASE("address: a process that stands for another opens messages in a way of its own", "[address]") {
  run([]() -> asio::awaitable<void> {
    auto by = co_await otpp::start<connection>();
    elsewhere to(by);
    co_await otpp::cast<counter::set>(to, 1);
    CHECK(otpp::try_send<counter::reset>(to));
    int opened = co_await otpp::inspect(by, [](const int& count) { return count; });
    CHECK(opened == 2);
    co_await by.stop();
  });
}

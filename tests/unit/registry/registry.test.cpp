// SPDX-License-Identifier: BSL-1.0

#include <otpp/registry/registry.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

// What a plain function throws, as a code.
template <class Function>
std::error_code code_of_call(Function function) {
  try {
    function();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

} // namespace

TEST_CASE("registry: a server is found by its name, from before init until its end", "[registry]") {
  run([]() -> asio::awaitable<void> {
    CHECK_FALSE(otpp::whereis<counter>("reg-a"));
    auto server = co_await otpp::start<counter>(otpp::named("reg-a"), 0);
    std::optional<otpp::server_ref<counter>> found = otpp::whereis<counter>("reg-a");
    REQUIRE(found.has_value());
    CHECK(*found == server);
    co_await server.stop();
    CHECK_FALSE(otpp::whereis<counter>("reg-a"));
  });
}

TEST_CASE("registry: a server may have several names, and takes all with it", "[registry]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    auto server = co_await otpp::start<counter>(otpp::named("c").in(names), 0);
    otpp::register_name("a", server, names);
    otpp::register_name("b", server, names);
    otpp::register_name("reg-elsewhere", server);
    CHECK(otpp::registered(names) == std::vector<std::string>{"a", "b", "c"});
    CHECK(*otpp::whereis<counter>("b", names) == server);
    CHECK(*otpp::whereis<counter>("reg-elsewhere") == server);
    CHECK_FALSE(otpp::whereis<counter>("reg-elsewhere", names));
    CHECK(otpp::unregister_name("b", names));
    CHECK_FALSE(otpp::unregister_name("b", names));
    CHECK(otpp::registered(names) == std::vector<std::string>{"a", "c"});
    names.add("d", otpp::pid(server)); // as a names service, see via.hpp
    CHECK(*otpp::whereis<counter>("d", names) == server);
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
    CHECK(otpp::registered(names).empty());
    CHECK_FALSE(otpp::whereis<counter>("reg-elsewhere"));
  });
}

TEST_CASE("registry: a name that is taken stays with its server", "[registry]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    auto first = co_await otpp::start<counter>(otpp::named("a").in(names), 1);
    auto second = co_await otpp::start<counter>(2);
    std::error_code error = code_of_call([&] { otpp::register_name("a", second, names); });
    CHECK(error == otpp::errc::name_taken);
    error = code_of_call([&] { otpp::register_name("a", first, names); });
    CHECK(error == otpp::errc::name_taken);
    CHECK(*otpp::whereis<counter>("a", names) == first);
    co_await second.stop();
    CHECK(*otpp::whereis<counter>("a", names) == first);
    error = code_of_call([&] { otpp::register_name("b", second, names); });
    CHECK(error == otpp::errc::no_process);
    CHECK_FALSE(otpp::whereis<counter>("b", names));
    co_await first.stop();
  });
}

TEST_CASE("registry: the end of the old server leaves the name to the new one", "[registry]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    auto first = co_await otpp::start<counter>(otpp::named("a").in(names), 1);
    CHECK(otpp::unregister_name("a", names));
    auto second = co_await otpp::start<counter>(otpp::named("a").in(names), 2);
    co_await first.stop();
    REQUIRE(otpp::whereis<counter>("a", names).has_value());
    CHECK(*otpp::whereis<counter>("a", names) == second);

    // And the other way round: the new one ends first, while the old one has the name again.
    auto third = co_await otpp::start<counter>(3);
    CHECK(otpp::unregister_name("a", names));
    otpp::register_name("a", third, names);
    co_await second.stop();
    CHECK(*otpp::whereis<counter>("a", names) == third);
    co_await third.stop();
    CHECK(otpp::registered(names).empty());
  });
}

TEST_CASE("registry: a server's number is never used again", "[registry]") {
  run([]() -> asio::awaitable<void> {
    std::vector<std::uint64_t> ids;
    for (int n = 0; n != 50; ++n) {
      auto server = co_await otpp::start<counter>(n);
      ids.push_back(server.id());
      co_await server.stop();
    }
    CHECK(ids.front() != 0);
    CHECK(std::is_sorted(ids.begin(), ids.end()));
    CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  });
}

TEST_CASE("registry: a name of a server with other callbacks is an error that names both", "[registry]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("reg-type"), 0);
    std::string text;
    try {
      otpp::whereis<scribe>("reg-type");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::bad_message);
      text = error.what();
    }
    CHECK(text.find("reg-type") != std::string::npos);
    CHECK(text.find("counter") != std::string::npos);
    co_await server.stop();
    CHECK_FALSE(otpp::whereis<scribe>("reg-type"));
  });
}

TEST_CASE("registry: which names there can be", "[registry]") {
  using namespace std::string_literals;
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    auto server = co_await otpp::start<counter>(0);
    CHECK_THROWS_AS(otpp::register_name("", server, names), std::invalid_argument);
    CHECK_THROWS_AS(otpp::register_name(std::string(256, 'x'), server, names), std::invalid_argument);
    CHECK_THROWS_AS(otpp::register_name(std::string(1000000, 'x'), server, names), std::invalid_argument);
    CHECK_FALSE(otpp::whereis<counter>("", names));
    CHECK_FALSE(otpp::whereis<counter>(std::string(1000000, 'x'), names));
    CHECK_FALSE(otpp::unregister_name("", names));

    std::vector<std::string> odd = {"a\0b"s, "\0"s, "\xff\xfe\x80"s, " ", std::string(255, 'x'), "\n"};
    for (const std::string& name : odd) {
      otpp::register_name(std::string(name), server, names); // a temporary: it is copied
      CHECK(*otpp::whereis<counter>(name, names) == server);
    }
    CHECK_FALSE(otpp::whereis<counter>("a", names)); // no part of "a\0b"
    std::sort(odd.begin(), odd.end());
    CHECK(otpp::registered(names) == odd);
    CHECK(otpp::unregister_name("a\0b"s, names));
    co_await server.stop();
    CHECK(otpp::registered(names).empty());
  });
}

TEST_CASE("registry: an old reference never reaches the server's successor", "[registry]") {
  run([]() -> asio::awaitable<void> {
    constexpr otpp::server_name<counter> name{"reg-again"};
    auto first = co_await otpp::start<counter>(otpp::named("reg-again"), 1);
    auto found = otpp::whereis<counter>("reg-again");
    REQUIRE(found.has_value());
    int answer = co_await otpp::call<counter::get>(*found);
    CHECK(answer == 1);
    co_await first.stop();
    auto second = co_await otpp::start<counter>(otpp::named("reg-again"), 2);
    CHECK_FALSE(*found == second);
    CHECK(found->id() != second.id());
    std::error_code error = co_await code_of(otpp::call<counter::get>(*found));
    CHECK(error == otpp::errc::no_process);
    answer = co_await otpp::call<counter::get>(name);
    CHECK(answer == 2);
    answer = co_await otpp::call<counter::get>("reg-again");
    CHECK(answer == 2);
    co_await second.stop();
  });
}

namespace {

// A message whose destructor uses the library.
struct busybody {
  struct letter {
    otpp::server_ref<busybody> to;
    bool is_original = true;

    explicit letter(otpp::server_ref<busybody> server) : to(std::move(server)) {}
    letter(letter&& other) noexcept : to(other.to), is_original(std::exchange(other.is_original, false)) {}
    letter& operator=(letter&&) = delete;
    ~letter() {
      if (is_original) {
        otpp::whereis<busybody>("reg-busybody");
        otpp::registered();
        otpp::unregister_name("reg-nobody");
        otpp::try_cast<knock>(to);
        otpp::try_cast<knock>("reg-busybody");
      }
    }
  };
  struct knock {};
  struct count {
    using reply_type = int;
  };
  using messages = otpp::message_list<letter, knock, count>;
  int init() { return 0; }
  void handle_cast(letter, int&) {}
  void handle_cast(knock, int& knocks) { ++knocks; }
  int handle_call(count, int& knocks) { return knocks; }
};

} // namespace

TEST_CASE("registry: what is destroyed may use the library", "[registry]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<busybody>(otpp::named("reg-busybody"));
    for (int n = 0; n != 10; ++n) {
      co_await otpp::cast<busybody::letter>(server, server);
    }
    co_await some_steps();
    int knocks = co_await otpp::call<busybody::count>(server);
    CHECK(knocks == 20);
    // Those that are left when the server ends go back to it in vain.
    pending<> stopped;
    server.stop(stopped.token());
    bool taken = otpp::try_cast<busybody::letter>(server, server);
    CHECK(taken);
    co_await stopped.get();
    taken = otpp::try_cast<busybody::letter>(server, server);
    CHECK_FALSE(taken);
  });
}

TEST_CASE("registry: a name in one registry is another than the same in another", "[registry]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry here;
    otpp::registry there;
    auto server = co_await otpp::start<counter>(otpp::named("a").in(here), 0);
    otpp::register_name("a", server, there);
    CHECK(otpp::unregister_name("a", there));
    CHECK(otpp::whereis<counter>("a", here) == server);
    co_await server.stop();
    CHECK(here.names().empty()); // it was still the server's to free
  });
}

TEST_CASE("registry: may be destroyed before and after its servers", "[registry]") {
  asio::io_context context;
  auto names = std::make_unique<otpp::registry>();
  auto body = [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("a").in(*names), 1);
    otpp::register_name("b", server, *names);
    names.reset();
    int answer = co_await otpp::call<counter::get>(server);
    CHECK(answer == 1);
    co_await server.stop();
  };
  pending<> done = in_background(context.get_executor(), body());
  context.run();
  CHECK(done.is_done());

  otpp::registry later;
  {
    asio::io_context shorter;
    auto start =
        otpp::start<counter>(otpp::named("a").in(later).on(shorter.get_executor()), 1, asio::use_future);
    shorter.run();
    otpp::server_ref<counter> server = start.get();
    CHECK(otpp::whereis<counter>("a", later).has_value());
    CHECK_FALSE(server.has_ended());
  }
  CHECK(otpp::registered(later).empty());
}

TEST_CASE("registry: who waits for a name that has come meanwhile is told at once", "[registry]") {
  struct waiter final : otpp::detail::name_waiter {
    explicit waiter(const otpp::registry& in) : name_waiter("a", otpp::detail::access::table(in)) {}
    void name_found(otpp::detail::intrusive_ptr<otpp::detail::server_core> server) noexcept override {
      found = std::move(server);
      meanwhile();
    }
    std::function<void()> meanwhile = [] {};
    void name_lost() noexcept override { is_lost = true; }
    bool is_over() const noexcept override { return false; }
    otpp::detail::intrusive_ptr<otpp::detail::server_core> found;
    bool is_lost = false;
  };
  auto names_of_both = std::make_unique<otpp::registry>();
  waiter early(*names_of_both);
  waiter late(*names_of_both);
  run([&]() -> asio::awaitable<void> {
    otpp::registry& names = *names_of_both;
    early.begin();
    CHECK_FALSE(early.found);
    auto server = co_await otpp::start<counter>(otpp::named("a").in(names), 0);
    CHECK(early.found == otpp::detail::access::core(server));
    late.begin(); // between the look-up of wait_for_name and this it may have come
    CHECK(late.found == otpp::detail::access::core(server));
    co_await server.stop();
  });
  names_of_both.reset();
  CHECK_FALSE(early.is_lost);
  CHECK_FALSE(late.is_lost);

  // Whoever begins to wait when the server has lost its name again waits for the next one.
  names_of_both = std::make_unique<otpp::registry>();
  waiter first(*names_of_both);
  waiter next(*names_of_both);
  first.meanwhile = [&] {
    names_of_both->remove("a");
    next.begin();
  };
  run([&]() -> asio::awaitable<void> {
    first.begin();
    auto server = co_await otpp::start<counter>(otpp::named("a").in(*names_of_both), 0);
    CHECK(first.found == otpp::detail::access::core(server));
    CHECK_FALSE(next.found);
    auto other = co_await otpp::start<counter>(otpp::named("a").in(*names_of_both), 0);
    CHECK(next.found == otpp::detail::access::core(other));
    co_await server.stop();
    co_await other.stop();
  });
}

TEST_CASE("registry: a wait for a name that is over before it begins is let go", "[registry]") {
  // The time of wait_for_name may be over on another thread between its look-up and this.
  struct waiter final : otpp::detail::name_waiter {
    explicit waiter(const otpp::registry& in) : name_waiter("a", otpp::detail::access::table(in)) {}
    void name_found(otpp::detail::intrusive_ptr<otpp::detail::server_core>) noexcept override {}
    void name_lost() noexcept override { ++times_lost; }
    bool is_over() const noexcept override { return true; }
    int times_lost = 0;
  };
  otpp::registry names;
  waiter late(names);
  late.begin();
  CHECK(late.times_lost == 1); // else nobody would release it
  CHECK_FALSE(late.take_back());
}

TEST_CASE("registry: the global one is one", "[registry]") {
  CHECK(&otpp::registry::global() == &otpp::registry::global());
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("reg-global"), 0);
    std::vector<std::string> all = otpp::registered();
    CHECK(std::count(all.begin(), all.end(), "reg-global") == 1);
    CHECK(*otpp::whereis<counter>("reg-global", otpp::registry::global()) == server);
    co_await server.stop();
  });
}

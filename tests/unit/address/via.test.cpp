// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/via.hpp>

#include <otpp/otpp.hpp>
#include <otpp/request/multi_call.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

// A registry that is no more than a map: it knows nothing of a server's end.
class plain_names {
 public:
  void add(std::string_view name, const otpp::pid& who) {
    if (!names_.emplace(name, who).second) {
      throw std::runtime_error("taken");
    }
  }
  otpp::pid find(std::string_view name) const {
    auto found = names_.find(std::string(name));
    return found == names_.end() ? otpp::pid() : found->second;
  }
  bool remove(std::string_view name) { return names_.erase(std::string(name)) != 0; }
  std::size_t size() const { return names_.size(); }

 private:
  std::map<std::string, otpp::pid> names_;
};

static_assert(otpp::name_registry<plain_names>);
static_assert(otpp::name_registry<otpp::registry>);
static_assert(!otpp::name_registry<std::map<std::string, int>>);
static_assert(otpp::address<otpp::via<plain_names>>);
static_assert(otpp::address<otpp::via<plain_names, counter>>);

} // namespace

TEST_CASE("via: a registry of any class names servers, and is asked at each use") {
  run([&]() -> asio::awaitable<void> {
    plain_names names;
    auto ann = co_await otpp::start<counter>(otpp::named("ann").in(names), 1);
    CHECK(names.find("ann") == otpp::pid(ann));
    CHECK_FALSE(otpp::whereis<counter>("ann"));
    otpp::via to(names, "ann");
    int one = co_await otpp::call<counter::get>(to);
    CHECK(one == 1);
    co_await otpp::cast<counter::set>(to, 2);
    int two = co_await otpp::call<counter::get>(to.as<counter>());
    CHECK(two == 2);
    CHECK(otpp::try_send<counter::reset>(to));
    int none = co_await otpp::call<counter::get>(ann);
    CHECK(none == 0);

    // The name is free before anybody hears of the end, and a successor has it.
    co_await ann.stop();
    CHECK(names.size() == 0);
    std::error_code gone = co_await code_of(otpp::call<counter::get>(to));
    CHECK(gone == otpp::errc::no_process);
    auto next = co_await otpp::start<counter>(otpp::named("ann").in(names), 5);
    int five = co_await otpp::call<counter::get>(to);
    CHECK(five == 5);

    // What the registry throws is what start throws; one that was given away is not taken back.
    std::exception_ptr taken = co_await failure_of(otpp::start<counter>(otpp::named("ann").in(names), 6));
    CHECK(text_of(taken) == "taken");
    auto other = co_await otpp::start<counter>(7);
    names.remove("ann");
    names.add("ann", other);
    co_await next.stop();
    CHECK(names.find("ann") == otpp::pid(other));
    co_await other.stop();
  });
}

TEST_CASE("via: the library's registry is one, too") {
  run([&]() -> asio::awaitable<void> {
    otpp::registry names;
    auto ann = co_await otpp::start<counter>(otpp::named("ann").in(names), 1);
    names.add("also ann", ann);
    int one = co_await otpp::call<counter::get>(otpp::via(names, "also ann"));
    CHECK(one == 1);
    co_await ann.stop();
    CHECK(names.names().empty());
  });
}

TEST_CASE("via: with the callbacks known, a name of another type is an error") {
  struct other {
    int init() { return 0; }
  };
  run([&]() -> asio::awaitable<void> {
    plain_names names;
    auto server = co_await otpp::start<other>(otpp::named("x").in(names));
    otpp::via to(names, "x");
    std::error_code typed = co_await code_of(otpp::call<counter::get>(to.as<counter>()));
    CHECK(typed == otpp::errc::bad_message);
    std::error_code untyped = co_await code_of(otpp::call<counter::get>(to));
    CHECK(untyped == otpp::errc::bad_message);
    co_await server.stop();
  });
}

TEST_CASE("via: the system's verbs take one, and a name of another type is an error for them, too") {
  struct other {
    int init() { return 0; }
  };
  run([&]() -> asio::awaitable<void> {
    plain_names names;
    auto ann = co_await otpp::start<counter>(otpp::named("ann").in(names), 1);
    auto bob = co_await otpp::start<other>(otpp::named("bob").in(names));
    otpp::via to(names, "ann");
    co_await otpp::suspend(to);
    otpp::server_status status = co_await otpp::get_status(to);
    CHECK(status.is_suspended);
    CHECK(status.who == otpp::pid(ann));
    co_await otpp::resume(to.as<counter>());
    co_await otpp::statistics(to, true);
    co_await otpp::trace(to, nullptr);
    std::optional<otpp::server_statistics> seen = co_await otpp::statistics(to);
    CHECK(seen);
    int one = co_await otpp::inspect(to.as<counter>(), [](const int& count) { return count; });
    CHECK(one == 1);
    co_await otpp::replace_state(to.as<counter>(), [](const int& count) { return count + 1; });
    int two = co_await otpp::call<counter::get>(to);
    CHECK(two == 2);

    otpp::via another(names, "bob");
    std::error_code typed = co_await code_of(otpp::get_status(another.as<counter>()));
    CHECK(typed == otpp::errc::bad_message);
    std::error_code nobody = co_await code_of(otpp::get_status(otpp::via(names, "eve")));
    CHECK(nobody == otpp::errc::no_process);
    co_await ann.stop();
    co_await bob.stop();
  });
}

TEST_CASE("via: a timer asks the registry when the time has come") {
  run([&]() -> asio::awaitable<void> {
    plain_names names;
    auto first = co_await otpp::start<counter>(1);
    auto second = co_await otpp::start<counter>(otpp::named("ann").in(names), 2);
    names.remove("ann");
    names.add("ann", first);
    otpp::timer_ref timer =
        otpp::send_after<counter::reset>(std::chrono::seconds(5), otpp::via(names, "ann"));
    CHECK(timer.cancel());
    otpp::send_after<counter::reset>(std::chrono::seconds(0), otpp::via(names, "ann").as<counter>());
    names.remove("ann");
    names.add("ann", second);
    otpp::timer_ref ticks =
        otpp::send_interval<counter::reset>(std::chrono::milliseconds(1), otpp::via(names, "ann"));
    int left = 2;
    while (left != 0) {
      left = co_await otpp::call<counter::get>(second);
    }
    CHECK(ticks.cancel());
    int kept = co_await otpp::call<counter::get>(first);
    CHECK(kept == 1);
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("via: a supervisor gives its children names in a registry of any class") {
  run([&]() -> asio::awaitable<void> {
    plain_names names;
    otpp::subscription quiet =
        otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
    otpp::child_spec ann = otpp::child<counter>("c", 3).named("ann").in(names);
    otpp::supervisor_spec tree = otpp::supervisor_spec().add(ann);
    auto top = co_await otpp::start_supervisor(tree);
    CHECK_FALSE(otpp::whereis<counter>("ann"));
    int three = co_await otpp::call<counter::get>(otpp::via(names, "ann"));
    CHECK(three == 3);
    otpp::pid first = names.find("ann");
    otpp::kill(first);
    co_await first.join();
    co_await otpp::which_children(top);
    three = co_await otpp::call<counter::get>(otpp::via(names, "ann"));
    CHECK(three == 3);
    co_await top.stop();
    CHECK(names.size() == 0);
  });
}

TEST_CASE("via: several of them are asked at once") {
  run([&]() -> asio::awaitable<void> {
    plain_names names;
    auto ann = co_await otpp::start<counter>(otpp::named("ann").in(names), 1);
    std::vector<otpp::via<plain_names>> both{{names, "ann"}, {names, "eve"}};
    std::vector<otpp::response<int>> answers =
        co_await otpp::multi_call<counter::get>(both, std::chrono::seconds(1));
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].value() == 1);
    CHECK(answers[1].error());
    std::size_t told = otpp::broadcast<counter::set>(both, 5);
    CHECK(told == 1);
    int five = co_await otpp::call<counter::get>(ann);
    CHECK(five == 5);
    co_await ann.stop();
  });
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/groups.hpp>

#include <otpp/dist.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/pg.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/subscription.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/writer.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/raw_peer.hpp"
#include "support/until.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace shared {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

struct news {
  std::string text;
  static constexpr auto term = otpp::as::tagged("news");
};

struct reader {
  using messages = otpp::message_list<news>;
  using state = std::shared_ptr<std::vector<std::string>>;

  static state init(state s) { return s; }
  static void handle_info(const news& one, state& s) { s->push_back(one.text); }
};

asio::awaitable<otpp::server_ref<reader>> start_reader() {
  return otpp::start<reader>(std::make_shared<std::vector<std::string>>());
}

// Two nodes with a scope each. The first names the second, which only answers.
struct two_scopes {
  explicit two_scopes(two_nodes& both) : nodes(both) {}

  two_nodes& nodes;
  otpp::pg at_a;
  otpp::pg at_b;
  otpp::pid share_a;
  otpp::pid share_b;

  void share(const otpp::dist::groups_options& how = {}) {
    share_b = otpp::dist::share_groups(nodes.b, at_b, {}, how);
    share_a = otpp::dist::share_groups(nodes.a, at_a, {b}, how);
  }
};

asio::awaitable<void> wait_for(const otpp::pg& scope, std::string group, std::size_t count) {
  co_await until_later([&] { return scope.members(group).size() == count; });
}

// A node whose scope is what the test says.
struct raw_scope {
  raw_scope(otpp::dist::node& of, asio::any_io_executor executor)
      : node(of), peer(std::move(executor), "raw@127.0.0.1") {}

  otpp::dist::node& node;
  raw_peer peer;
  std::uint32_t creation = 0;                    // the node's, once it has monitored
  std::map<std::uint32_t, std::string> monitors; // how the ends of processes are told, by their ids

  asio::awaitable<void> connect() { return peer.connect(node.local_endpoint(), node.name()); }

  // {Word, From, ...}, of which all after From are terms.
  template <class... Terms>
  std::string frame(const char* word, const Terms&... terms) const {
    return frame_of(1, word, terms...);
  }
  template <class... Terms>
  std::string frame_of(std::uint32_t from, const char* word, const Terms&... terms) const {
    otpp::detail::term_writer to;
    otpp::detail::put_reg_send(to, peer.process(from), "pg");
    put(to, from, word, terms...);
    return to.take();
  }
  std::string sync(const std::string& groups) const {
    otpp::detail::term_writer to;
    otpp::detail::put_reg_send(to, peer.process(), "pg");
    to.tuple(2);
    to.atom("$gen_cast");
    put(to, 1, "sync", groups);
    return to.take();
  }

  std::string one(std::uint32_t id) const { return pid_of(peer.process(id)); }
  static std::string pid_of(const otpp::detail::pid_view& who) {
    otpp::detail::term_writer to;
    otpp::detail::put_pid(to, who);
    return to.take();
  }
  template <class... Terms>
  static std::string list(const Terms&... terms) {
    otpp::detail::term_writer to;
    to.list(sizeof...(terms));
    (to.raw(terms), ...);
    to.nil();
    return to.take();
  }
  static std::string pair(const std::string& first, const std::string& second) {
    otpp::detail::term_writer to;
    to.tuple(2);
    to.raw(first);
    to.raw(second);
    return to.take();
  }
  static std::string text(const std::string& name) { return otpp::term::of(name).bytes(); }
  static std::string word(const std::string& name) { return otpp::term::of(otpp::atom(name)).bytes(); }

  // Reads until a message has these words, and returns it.
  asio::awaitable<std::string> read_until(std::string words) {
    std::string found;
    while (found.find(words) == std::string::npos) {
      std::string bytes = co_await peer.read();
      otpp::detail::control_message message;
      bool is_message = otpp::detail::parse_control(bytes, message) && !message.message.empty();
      if (message.op == otpp::detail::control_op::monitor_p) {
        note_monitor(message);
      }
      if (is_message) {
        found = otpp::detail::term_printer(message.message, 1000).print();
      }
    }
    co_return found;
  }

  // Says that a process has ended, once it is monitored.
  asio::awaitable<void> end(std::uint32_t id) {
    while (!monitors.contains(id)) {
      std::string bytes = co_await peer.read();
      otpp::detail::control_message message;
      if (otpp::detail::parse_control(bytes, message) && message.op == otpp::detail::control_op::monitor_p) {
        note_monitor(message);
      }
    }
    std::string told = monitors.at(id);
    co_await peer.send(told);
  }

 private:
  void note_monitor(const otpp::detail::control_message& asked) {
    const auto* whom = std::get_if<otpp::detail::pid_view>(&asked.to);
    creation = asked.from.creation;
    if (whom) {
      otpp::detail::term_writer to;
      otpp::detail::begin_control(
          to, 5, static_cast<std::uint64_t>(otpp::detail::control_op::monitor_p_exit));
      otpp::detail::put_pid(to, *whom);
      otpp::detail::put_pid(to, asked.from);
      otpp::detail::put_ref(to, asked.ref);
      to.atom("normal");
      monitors[whom->id] = to.take();
    }
  }

  template <class... Terms>
  void put(otpp::detail::term_writer& to, std::uint32_t from, const char* word, const Terms&... terms) const {
    to.tuple(2 + sizeof...(terms));
    to.atom(word);
    otpp::detail::put_pid(to, peer.process(from));
    (to.raw(terms), ...);
  }
};

std::size_t times(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

} // namespace shared
} // namespace

TEST_CASE("groups: members of each node are those of the other, until they leave or end", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    shared::two_scopes s(nodes);
    auto early = co_await shared::start_reader();
    auto late = co_await shared::start_reader();
    auto other = co_await shared::start_reader();
    s.at_a.join("readers", early);
    s.at_b.join("readers", other);
    s.share();
    co_await shared::wait_for(s.at_a, "readers", 2);
    co_await shared::wait_for(s.at_b, "readers", 2);
    CHECK(nodes.a.node_of(s.at_a.members("readers").at(0)) == shared::a);
    CHECK(nodes.a.node_of(s.at_a.members("readers").at(1)) == shared::b);
    CHECK(nodes.b.node_of(s.at_b.members("readers").at(1)) == shared::a);

    s.at_a.join("readers", late);
    s.at_a.join("writers", late);
    co_await shared::wait_for(s.at_b, "readers", 3);
    co_await shared::wait_for(s.at_b, "writers", 1);
    CHECK(s.at_a.members("readers").size() == 3); // nothing comes back

    CHECK(s.at_a.leave("readers", late));
    co_await shared::wait_for(s.at_b, "readers", 2);
    CHECK(s.at_b.members("writers").size() == 1);
    co_await late.stop();
    co_await shared::wait_for(s.at_b, "writers", 0);
    co_await early.stop();
    co_await shared::wait_for(s.at_b, "readers", 1);
    CHECK(s.at_b.members("readers").at(0) == otpp::pid(other));
    co_await other.stop();
    co_await shared::wait_for(s.at_a, "readers", 0);
  });
}

TEST_CASE("groups: what is sent to a group reaches its members elsewhere", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    shared::two_scopes s(nodes);
    auto here = std::make_shared<std::vector<std::string>>();
    auto there = std::make_shared<std::vector<std::string>>();
    auto first = co_await otpp::start<shared::reader>(here);
    auto second = co_await otpp::start<shared::reader>(there);
    nodes.b.publish(second, "reader"); // which makes its messages known
    s.at_a.join("readers", first);
    s.at_b.join("readers", second);
    s.share();
    co_await shared::wait_for(s.at_a, "readers", 2);
    CHECK(s.at_a.send("readers", shared::news{"rain"}) == 2);
    co_await until_later([&] { return !here->empty() && !there->empty(); });
    CHECK(there->at(0) == "rain");
    try {
      s.at_a.members<shared::reader>("readers");
      FAIL("one of them is of no class of ours");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::bad_message);
    }
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("groups: who has joined several times is a member as often", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    shared::two_scopes s(nodes);
    auto one = co_await shared::start_reader();
    auto two = co_await shared::start_reader();
    s.at_a.join("readers", one);
    s.at_a.join("readers", one);
    s.share();
    co_await shared::wait_for(s.at_b, "readers", 2);
    s.at_a.join("readers", two);
    s.at_a.join("readers", one);
    co_await shared::wait_for(s.at_b, "readers", 4);
    CHECK(s.at_a.leave("readers", one));
    CHECK(s.at_a.leave("readers", one));
    co_await shared::wait_for(s.at_b, "readers", 2);
    auto left = s.at_b.members("readers");
    CHECK(left.at(0) != left.at(1));
    co_await one.stop();
    co_await shared::wait_for(s.at_b, "readers", 1);
    co_await two.stop();
    co_await shared::wait_for(s.at_b, "readers", 0);
  });
}

TEST_CASE("groups: without a connection the members of the other node leave, and come again", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    shared::two_scopes s(nodes);
    auto at_a = co_await shared::start_reader();
    auto at_b = co_await shared::start_reader();
    s.at_a.join("readers", at_a);
    s.at_b.join("readers", at_b);
    s.share(otpp::dist::groups_options().ask_every(1h)); // it is not that which finds them again
    for (int round = 0; round != 3; ++round) {
      co_await shared::wait_for(s.at_a, "readers", 2);
      co_await shared::wait_for(s.at_b, "readers", 2);
      nodes.a.disconnect(shared::b);
      co_await shared::wait_for(s.at_a, "readers", 1);
      co_await shared::wait_for(s.at_b, "readers", 1);
      CHECK(s.at_a.members("readers").at(0) == otpp::pid(at_a));
      CHECK(s.at_b.members("readers").at(0) == otpp::pid(at_b));
      if (round == 0) {
        co_await nodes.b.connect(shared::a);
      } else {
        co_await nodes.a.connect(shared::b);
      }
    }
    co_await at_a.stop();
    co_await at_b.stop();
  });
}

TEST_CASE("groups: a sharing ends, and another begins", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    shared::two_scopes s(nodes);
    auto at_a = co_await shared::start_reader();
    auto at_b = co_await shared::start_reader();
    s.at_a.join("readers", at_a);
    s.at_b.join("readers", at_b);
    s.share();
    for (int round = 0; round != 2; ++round) {
      co_await shared::wait_for(s.at_a, "readers", 2);
      co_await shared::wait_for(s.at_b, "readers", 2);
      co_await s.share_a.stop();
      CHECK(s.at_a.members("readers").size() == 1); // at once
      co_await shared::wait_for(s.at_b, "readers", 1);
      s.share_a = otpp::dist::share_groups(nodes.a, s.at_a, {shared::b});
    }
    // However it ends.
    co_await shared::wait_for(s.at_a, "readers", 2);
    otpp::kill(s.share_b);
    co_await shared::wait_for(s.at_a, "readers", 1);
    co_await shared::wait_for(s.at_b, "readers", 1);
    co_await at_a.stop();
    co_await at_b.stop();
  });
}

TEST_CASE("groups: a scope may be gone before its node, and a node before the scope", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg at_a;
    auto one = co_await shared::start_reader();
    auto other = co_await shared::start_reader();
    otpp::pid sharing = otpp::dist::share_groups(nodes.a, at_a, {shared::b});
    {
      otpp::pg at_b;
      at_b.join("readers", other);
      otpp::dist::share_groups(nodes.b, at_b);
      co_await shared::wait_for(at_a, "readers", 1);
    }
    co_await some_steps();
    at_a.join("readers", one);
    co_await some_steps();
    co_await nodes.b.close();
    co_await shared::wait_for(at_a, "readers", 1);
    co_await nodes.a.close();
    co_await failure_of(sharing.join());
    CHECK(sharing.has_ended());
    CHECK(at_a.members("readers").size() == 1);
    co_await one.stop();
    co_await other.stop();
  });
}

TEST_CASE("groups: a scope that is started later is found", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg at_a;
    otpp::pg at_b;
    auto other = co_await shared::start_reader();
    at_b.join("readers", other);
    otpp::dist::groups_options often;
    often.ask_every(5ms);
    auto sharing = otpp::dist::share_groups(nodes.a, at_a, {shared::a, shared::b}, often);
    co_await until_later([&] { return nodes.b.statistics().dropped >= 3; }); // it was asked in vain
    otpp::dist::share_groups(nodes.b, at_b);
    co_await shared::wait_for(at_a, "readers", 1);
    auto asked = nodes.b.statistics().received; // and then not any more, but for what is on the way
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer pause(executor, 200ms);
    co_await pause.async_wait(asio::use_awaitable);
    CHECK(nodes.b.statistics().received <= asked + 5);
    co_await other.stop();
    co_await sharing.stop();
  });
}

TEST_CASE("groups: scopes of other names are others", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    shared::two_scopes s(nodes);
    otpp::pg mine;
    auto one = co_await shared::start_reader();
    s.share();
    auto named = otpp::dist::groups_options().scope("my_app").names(otpp::dist::group_names::atoms);
    otpp::dist::share_groups(nodes.a, mine, {}, named);
    otpp::pg there;
    otpp::dist::share_groups(nodes.b, there, {shared::a}, named);
    mine.join("readers", one);
    co_await shared::wait_for(there, "readers", 1);
    CHECK(s.at_b.members("readers").empty());
    co_await one.stop();
  });
}

TEST_CASE("groups: what cannot be shared", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg scope;
    try {
      otpp::dist::share_groups({}, scope);
      FAIL("there is no node");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::no_process);
    }
    CHECK_THROWS_AS(otpp::dist::share_groups(nodes.a, scope, {"nonsense"}), std::invalid_argument);
    otpp::dist::groups_options how;
    how.scope(std::string(256, 'x'));
    CHECK_THROWS_AS(otpp::dist::share_groups(nodes.a, scope, {}, how), std::invalid_argument);
    how.scope("pg").ask_every(0s);
    CHECK_THROWS_AS(otpp::dist::share_groups(nodes.a, scope, {}, how), std::invalid_argument);

    otpp::pid sharing = otpp::dist::share_groups(nodes.a, scope);
    try {
      otpp::dist::share_groups(nodes.a, scope);
      FAIL("it is shared already");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::name_taken);
    }
    co_await some_steps();
    CHECK_FALSE(sharing.has_ended());
    auto one = co_await shared::start_reader();
    otpp::pg there;
    otpp::dist::share_groups(nodes.b, there, {shared::a}); // the first still has the name
    scope.join("readers", one);
    co_await shared::wait_for(there, "readers", 1);

    co_await nodes.a.close();
    try {
      otpp::dist::share_groups(nodes.a, scope);
      FAIL("it is closed");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::no_process);
    }
    co_await one.stop();
  });
}

TEST_CASE("groups: the words of OTP's pg", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg scope;
    std::vector<std::string> unknown;
    otpp::subscription told = otpp::subscribe<otpp::dist::unknown_message>(
        [&](const otpp::dist::unknown_message& one) { unknown.push_back(one.text()); });
    auto one = co_await shared::start_reader();
    scope.join("readers", one);
    otpp::dist::share_groups(nodes.a, scope);
    auto executor = co_await asio::this_coro::executor;
    shared::raw_scope s(nodes.a, executor);
    co_await s.connect();

    // Whoever is not known is not believed.
    const std::string readers = s.text("readers");
    co_await s.peer.send(s.frame("join", readers, s.one(7)));
    // It is answered, also if it has a version, and asked itself, once.
    co_await s.peer.send(s.frame("discover", s.word("v2")));
    std::string text = co_await s.read_until("sync");
    CHECK(shared::times(text, "#Pid<a@127.0.0.1") == 2);
    CHECK(text.find("{<<\"readers\">>,[#Pid<a@127.0.0.1") != std::string::npos);
    CHECK(scope.members("readers").size() == 1);
    co_await s.read_until("{discover,");
    co_await s.peer.send(s.frame("discover"));
    co_await s.read_until("sync");

    // One, several, and one twice; of several groups.
    const std::string writers = s.text("writers");
    co_await s.peer.send(s.frame("join", readers, s.one(7)));
    std::string both = s.list(s.one(8), s.one(9), s.one(8));
    co_await s.peer.send(s.frame("join", readers, both));
    co_await s.peer.send(s.frame("join", writers, both));
    co_await shared::wait_for(scope, "writers", 3);
    CHECK(scope.members("readers").size() == 5);
    std::string groups = s.list(readers, writers, s.text("nobody"));
    co_await s.peer.send(s.frame("leave", s.one(8), groups));
    co_await shared::wait_for(scope, "writers", 2);
    CHECK(scope.members("readers").size() == 4);
    co_await s.peer.send(s.frame("leave", s.list(s.one(8), s.one(9)), groups));
    co_await shared::wait_for(scope, "writers", 0);
    CHECK(scope.members("readers").size() == 2);

    // What is told is of ours only.
    scope.join("readers", one);
    text = co_await s.read_until("{join,");
    CHECK(shared::times(text, "#Pid<a@127.0.0.1") == 2); // its own, and one
    CHECK(shared::times(text, "#Pid<raw@127.0.0.1") == 0);
    scope.leave("readers", one);
    text = co_await s.read_until("{leave,");
    CHECK(shared::times(text, "#Pid<a@127.0.0.1") == 2);

    // All at once: who is not named any more has left.
    std::string now =
        s.list(s.pair(writers, s.list(s.one(7), s.one(8), s.one(8))), s.pair(readers, s.list(s.one(9))));
    co_await s.peer.send(s.sync(now));
    co_await shared::wait_for(scope, "writers", 3);
    CHECK(scope.members("readers").size() == 2);
    CHECK(scope.members("readers").at(0) == otpp::pid(one));

    // Others' processes are not its own to announce: one of ours, and one of a third node.
    otpp::detail::pid_view elsewhere{"third@127.0.0.1", 5, 0, 1, {}};
    std::string third = s.pid_of(elsewhere);
    otpp::detail::pid_view mine{"a@127.0.0.1", static_cast<std::uint32_t>(one.id()), 0, s.creation, {}};
    co_await s.peer.send(s.frame("join", writers, s.list(third, s.pid_of(mine), s.one(6))));
    co_await shared::wait_for(scope, "writers", 4);

    // A group of another name is skipped, and the others are not.
    CHECK(nodes.a.statistics().unknown == 0);
    co_await s.peer.send(s.frame("join", s.word("readers"), s.one(10)));
    now = s.list(s.pair(s.list(s.word("x")), s.list(s.one(1))), s.pair(readers, s.list(s.one(10))));
    co_await s.peer.send(s.sync(now));
    co_await shared::wait_for(scope, "writers", 0);
    CHECK(scope.members("readers").size() == 2);
    CHECK(nodes.a.statistics().unknown == 2);
    REQUIRE(unknown.size() == 2);
    CHECK(unknown[0] == "otpp: pg of a@127.0.0.1 does not take this group from raw@127.0.0.1: readers");

    // Its end, and a new one.
    s.peer.socket().close();
    co_await shared::wait_for(scope, "readers", 1);
    co_await one.stop();
  });
}

// As where a connection is lost and made again, and the scope there had kept us: it has no reason to ask.
TEST_CASE("groups: a scope that says who its members are is told ours, though it has not asked", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg scope;
    auto one = co_await shared::start_reader();
    scope.join("readers", one);
    otpp::dist::share_groups(nodes.a, scope);
    shared::raw_scope s(nodes.a, co_await asio::this_coro::executor);
    co_await s.connect();
    co_await s.peer.send(s.sync(s.list(s.pair(s.text("writers"), s.list(s.one(7))))));
    std::string text = co_await s.read_until("sync");
    CHECK(text.find("{<<\"readers\">>,[#Pid<a@127.0.0.1") != std::string::npos);
    co_await shared::wait_for(scope, "writers", 1);

    // Once: the next message is of what changes.
    co_await s.peer.send(s.sync(s.list(s.pair(s.text("writers"), s.list(s.one(8), s.one(9))))));
    co_await shared::wait_for(scope, "writers", 2);
    scope.join("readers", one);
    text = co_await s.read_until("{");
    CHECK(text.find("{join,") == 0);
    s.peer.socket().close();
    co_await shared::wait_for(scope, "writers", 0);
    co_await one.stop();
  });
}

TEST_CASE("groups: a scope for which too much waits is told and asked later", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg scope;
    auto one = co_await shared::start_reader();
    scope.join("readers", one);
    otpp::dist::share_groups(nodes.a, scope, {}, otpp::dist::groups_options().ask_every(10ms));
    shared::raw_scope s(nodes.a, co_await asio::this_coro::executor);
    co_await s.connect();
    co_await s.peer.send(s.frame("discover"));
    co_await s.read_until("{discover,");
    co_await s.peer.send(s.frame("join", s.text("writers"), s.one(2)));
    co_await shared::wait_for(scope, "writers", 1);
    otpp::pid crowded = scope.members("writers").at(0);
    otpp::try_send(crowded, otpp::term::of(std::string(std::size_t(16) << 20, 'x')));
    co_await some_steps(); // it waits from here on
    while (otpp::try_send(crowded, otpp::term::of(otpp::atom("x")))) {
    }

    // That process is a scope, too.
    co_await s.peer.send(s.frame_of(2, "discover"));
    co_await some_steps();
    CHECK_FALSE(otpp::try_send(crowded, otpp::term::of(otpp::atom("x")))); // nor could the scope
    std::set<std::string> told;
    while (told.size() != 2) {
      std::string text = co_await s.read_until("#Pid<a@127.0.0.1");
      bool is_sync = text.find("sync") != std::string::npos;
      told.insert(is_sync ? "sync" : text.substr(0, text.find(',')));
    }
    CHECK(told == std::set<std::string>{"sync", "{discover"});
    s.peer.socket().close();
    co_await shared::wait_for(scope, "writers", 0);
    co_await one.stop();
  });
}

TEST_CASE("groups: a member that ends elsewhere leaves, whoever says so first", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::pg scope;
    otpp::dist::share_groups(nodes.a, scope);
    auto executor = co_await asio::this_coro::executor;
    shared::raw_scope s(nodes.a, executor);
    co_await s.connect();
    const std::string readers = s.text("readers");
    std::string now = s.list(s.pair(readers, s.list(s.one(7), s.one(8))));
    co_await s.peer.send(s.sync(now));
    co_await shared::wait_for(scope, "readers", 2);
    otpp::pid seven = scope.members("readers").at(0);

    co_await s.end(7);
    co_await shared::wait_for(scope, "readers", 1);
    CHECK(seven.has_ended());
    co_await s.peer.send(s.frame("leave", s.one(7), s.list(readers))); // late
    co_await s.peer.send(s.frame("join", readers, s.one(9)));
    co_await shared::wait_for(scope, "readers", 2);

    // The scope itself ends; as there is a connection, it is asked for again.
    co_await s.end(1);
    co_await s.read_until("{discover,");
    CHECK(scope.members("readers").empty());
    co_await s.peer.send(s.frame("join", readers, s.one(7))); // is late
    co_await s.peer.send(s.frame("join", s.word("x"), s.one(7)));
    co_await some_steps();
    CHECK(scope.members("readers").empty());
    s.peer.socket().close();
  });
}

TEST_CASE("groups: names that are atoms", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    connection_log log;
    shared::two_scopes s(nodes);
    auto one = co_await shared::start_reader();
    s.share(otpp::dist::groups_options().names(otpp::dist::group_names::atoms));
    s.at_a.join(std::string(256, 'x'), one);
    s.at_a.join("readers", one);
    co_await shared::wait_for(s.at_b, "readers", 1);
    CHECK(s.at_b.which_groups() == std::vector<std::string>{"readers"});
    CHECK(log.has("is not shared: otpp: an atom has at most 255 characters"));
    co_await one.stop();
    co_await shared::wait_for(s.at_b, "readers", 0);
  });
}

TEST_CASE("groups: both nodes agree in the end, whatever many threads do meanwhile", "[dist]") {
  connection_log log;
  asio::thread_pool pool(4);
  two_nodes nodes;
  auto on_pool = [&](std::string name) {
    otpp::dist::node_options how = nodes.table.options(std::move(name));
    how.on(pool.get_executor());
    return asio::co_spawn(pool, nodes.table.open(how), asio::use_future).get();
  };
  nodes.a = on_pool(shared::a);
  nodes.b = on_pool(shared::b);
  shared::two_scopes s(nodes);
  s.share(otpp::dist::groups_options().ask_every(10ms));
  std::vector<std::thread> all;
  std::vector<otpp::pid> servers(16);
  for (std::size_t n = 0; n != 4; ++n) {
    all.emplace_back([&, n] {
      otpp::pg& scope = n % 2 == 0 ? s.at_a : s.at_b;
      for (std::size_t at = 4 * n; at != 4 * n + 4; ++at) {
        servers[at] = otpp::start<shared::reader>(
                          otpp::options().on(pool.get_executor()),
                          std::make_shared<std::vector<std::string>>(), asio::use_future)
                          .get();
        for (int round = 0; round != 20; ++round) {
          scope.join("x", servers[at]);
          scope.join("y", servers[at]);
          scope.leave("x", servers[at]);
        }
        if (at % 4 == 1) {
          nodes.a.disconnect(shared::b);
          asio::co_spawn(pool, failure_of(nodes.b.connect(shared::a)), asio::use_future).get();
        }
        if (at % 4 == 3) {
          servers[at].stop(asio::use_future).get();
        }
      }
    });
  }
  for (std::thread& each : all) {
    each.join();
  }
  asio::co_spawn(pool, failure_of(nodes.a.connect(shared::b)), asio::use_future).get();
  auto end = std::chrono::steady_clock::now() + 30s;
  auto agree = [&] {
    return s.at_a.members("x").empty() && s.at_b.members("x").empty() &&
           s.at_a.members("y").size() == 12 * 20 && s.at_b.members("y").size() == 12 * 20;
  };
  while (!agree() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(5ms);
  }
  CHECK(agree());
  nodes.a.close(asio::use_future).get();
  nodes.b.close(asio::use_future).get();
  for (const otpp::pid& each : servers) {
    asio::co_spawn(pool, failure_of(each.stop()), asio::use_future).get();
  }
  pool.join();
}

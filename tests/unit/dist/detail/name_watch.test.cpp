// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/name_watch.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>

#include "support/catch.hpp"
#include "support/nodes.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace watched_names {

using far_name = otpp::dist::remote_name<>;
using log = std::shared_ptr<std::vector<std::string>>;

// Monitors names elsewhere.
struct watcher {
  struct watch {
    far_name whom;
    using reply_type = void;
  };
  struct unwatch { // the last one
    using reply_type = bool;
  };
  struct state {
    log told;
    otpp::monitor_ref last;
  };
  static state init(log told) { return {std::move(told), {}}; }
  static void handle_call(const watch& what, state& s) { s.last = otpp::monitor(what.whom); }
  static bool handle_call(unwatch, state& s) { return otpp::demonitor(s.last); }
  static void handle_info(const otpp::down& lost, state& s) {
    s.told->push_back(lost.who.describe() + " " + lost.reason.message());
  }
};

struct served {
  using messages = otpp::message_list<>;
  static int init() { return 0; }
  static void handle_info(otpp::timeout, int&) {}
};

asio::awaitable<void> watch(otpp::server_ref<watcher> who, far_name whom) {
  watcher::watch what{std::move(whom)};
  co_await otpp::call(who, what);
}

asio::awaitable<std::string> told(log all, std::size_t count) {
  co_await until_later([&] { return all->size() == count; });
  co_return all->back();
}

bool has(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

} // namespace watched_names
} // namespace

TEST_CASE("name_watch: who has a name elsewhere ends, and its monitors are told why, once", "[dist]") {
  using otpp::dist::remote_reason;
  const std::pair<otpp::exit_reason, const char*> ends[] = {
      {otpp::exit_reason::normal(), "normal"},
      {otpp::exit_reason::shutdown(), "shutdown"},
      {otpp::exit_reason::shutdown(remote_reason(otpp::atom("night"))), "shutdown: night"},
      {remote_reason(otpp::atom("disk_full")), "disk_full"},
      {otpp::exit_reason::killed(), "killed"}};
  with_two_nodes([&](two_nodes& nodes) -> asio::awaitable<void> {
    auto all = std::make_shared<std::vector<std::string>>();
    auto who = co_await otpp::start<watched_names::watcher>(all);
    std::size_t count = 0;
    for (const auto& [reason, text] : ends) {
      auto server = co_await otpp::start<watched_names::served>();
      nodes.b.publish(server, "served");
      co_await watched_names::watch(who, nodes.a.remote("served", "b@127.0.0.1")); // connects
      co_await watched_names::watch(who, nodes.a.remote("served", "b@127.0.0.1"));
      // Behind the monitors, which are sent when the connection is there.
      co_await nodes.a.connect("b@127.0.0.1");
      co_await until_later([&] { return nodes.b.statistics().received >= count + 2; });
      count += 2;
      if (reason == otpp::exit_reason::killed()) {
        otpp::kill(server);
      } else {
        co_await server.stop(reason);
      }
      std::string last = co_await watched_names::told(all, count);
      CHECK(last == std::string("\"{served,'b@127.0.0.1'}\" ") + text);
      nodes.b.unpublish("served");
    }
    co_await watched_names::watch(who, nodes.a.remote("served", "b@127.0.0.1"));
    std::string nobody = co_await watched_names::told(all, ++count);
    CHECK(watched_names::has(nobody, "no such server"));
    co_await watched_names::watch(who, nodes.a.remote("served", "nowhere@127.0.0.1"));
    std::string nowhere = co_await watched_names::told(all, ++count);
    CHECK(watched_names::has(nowhere, "the table has no nowhere@127.0.0.1"));
    co_await who.stop();
  });
}

TEST_CASE("name_watch: what goes over the wire, and a lost connection", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    using otpp::detail::control_op;
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.tick(1200ms));
    raw_peer peer(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await peer.connect(a.local_endpoint(), "a@127.0.0.1");
    co_await until_later([&] { return !a.peers().empty(); });
    auto all = std::make_shared<std::vector<std::string>>();
    auto who = co_await otpp::start<watched_names::watcher>(all);
    std::string refs[2];
    for (std::string& ref : refs) {
      co_await watched_names::watch(who, a.remote("far", "raw@127.0.0.1"));
      std::string frame = co_await peer.read();
      otpp::detail::control_message one;
      bool is_read = parse_control(frame, one);
      REQUIRE(is_read);
      CHECK(one.op == control_op::monitor_p);
      CHECK(std::get<std::string_view>(one.to) == "far");
      otpp::detail::term_writer bytes;
      put_ref(bytes, one.ref);
      ref = bytes.take();
    }
    // A monitor that was removed is taken back.
    bool was_set = co_await otpp::call<watched_names::watcher::unwatch>(who);
    CHECK(was_set);
    std::string frame = co_await peer.read();
    otpp::detail::control_message one;
    bool is_read = parse_control(frame, one);
    REQUIRE(is_read);
    CHECK(one.op == control_op::demonitor_p);
    otpp::detail::term_writer bytes;
    put_ref(bytes, one.ref);
    CHECK(bytes.bytes() == refs[1]);
    CHECK(all->empty());
    peer.socket().close();
    std::string lost = co_await watched_names::told(all, 1);
    CHECK(watched_names::has(lost, "connection with raw@127.0.0.1"));
    co_await who.stop();
    CHECK_THROWS_AS(otpp::monitor(a.remote("far", "raw@127.0.0.1")), otpp::error); // outside of a process
    co_await a.close();
  });
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/process_elsewhere.hpp>

#include <otpp/dist.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/incoming_fragments.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/outcome.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/writer.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {
namespace in_order {

struct news {
  int n;
  static constexpr auto term = otpp::as::tagged("news");
};
struct burst {
  otpp::pid who;
  int n;
  bool ends;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("burst");
};

struct archive {
  using reply_type = std::string;
  static constexpr auto term = otpp::as::tagged("archive");
};
struct tell {
  otpp::pid who;
  static constexpr auto term = otpp::as::tagged("tell");
};

// Sends, and then answers; or ends, without an answer.
struct reporter {
  using messages = otpp::message_list<burst, archive, tell>;
  static int init() { return 0; }
  static otpp::outcome<int> handle_call(const burst& m, int&) {
    for (int n = 1; n <= m.n; ++n) {
      otpp::try_send(m.who, news{n});
    }
    if (m.ends) {
      return otpp::stop();
    }
    return m.n;
  }
  static std::string handle_call(const archive&, int&) { return std::string(std::size_t(16) << 20, 'x'); }
  static void handle_info(const tell& m, int&) { otpp::try_send(m.who, news{1}); }
};

struct see {
  otpp::pid who;
  static constexpr auto term = otpp::as::tagged("see");
};
struct viewer {
  using messages = otpp::message_list<see>;
  static int init() { return 0; }
  static void handle_info(const see&, int&) {}
};

std::string call_of(const raw_peer& peer, std::uint32_t number, int n, bool ends) {
  otpp::detail::term_writer out;
  peer.begin_call(out, "reporter", number);
  out.tuple(4);
  out.atom("burst");
  otpp::detail::put_pid(out, peer.process());
  otpp::detail::put_term(out, n);
  otpp::detail::put_term(out, ends);
  return out.take();
}

std::string call_for_archive(const raw_peer& peer) {
  otpp::detail::term_writer out;
  peer.begin_call(out, "reporter", 1);
  out.atom("archive");
  return out.take();
}

// What comes, but for monitors, until it is no news: how many of them in order, and the rest as a text.
struct seen {
  int news = 0;
  std::string last;
};
asio::awaitable<seen> read_all(raw_peer& peer) {
  seen all;
  while (all.last.empty()) {
    std::string frame = co_await peer.read();
    otpp::detail::control_message one;
    REQUIRE(otpp::detail::parse_control(frame, one));
    std::string text(one.message.empty() ? one.reason : one.message);
    text = text.empty() ? text : otpp::detail::term_printer(text, 200).print();
    if (one.op == otpp::detail::control_op::monitor_p) {
      continue;
    }
    if (text == "{news," + std::to_string(all.news + 1) + "}") {
      ++all.news;
    } else {
      all.last = text;
    }
  }
  co_return all;
}

// {Tag, Pid}
std::string pid_for(const char* server, const char* tag, const raw_peer& from, std::uint32_t id) {
  otpp::detail::term_writer out;
  otpp::detail::put_reg_send(out, from.process(), server);
  out.tuple(2);
  out.atom(tag);
  otpp::detail::put_pid(out, from.process(id));
  return out.take();
}

// Those that stand here for processes of the peer.
std::size_t known_of(const raw_peer& peer) {
  std::size_t count = 0;
  for (const otpp::process_info& one : otpp::processes()) {
    count += one.who.describe().find(peer.name() + '.') != std::string::npos ? 1U : 0U;
  }
  return count;
}

} // namespace in_order
} // namespace

TEST_CASE("process_elsewhere: the limit is that of each node", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node_limits limits;
    limits.processes = 5;
    otpp::dist::node a = co_await table.open(how.limits(limits));
    auto server = co_await otpp::start<in_order::viewer>();
    a.publish(server, "viewer");
    auto executor = co_await asio::this_coro::executor;
    std::uint64_t count = 0;
    for (const char* name : {"greedy@127.0.0.1", "modest@127.0.0.1"}) {
      raw_peer peer(executor, name);
      co_await peer.connect(a.local_endpoint(), "a@127.0.0.1");
      for (std::uint32_t id = 1; id != 8; ++id) {
        co_await peer.send(in_order::pid_for("viewer", "see", peer, id));
      }
      count += 7;
      co_await until_later([&] { return a.statistics().received == count; });
      CHECK(in_order::known_of(peer) == 5);
    }
    CHECK(a.statistics().unknown == 4);
    co_await a.close();
  });
}

TEST_CASE("process_elsewhere: an answer, and the news of an end, come after what was sent before", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    how.knows<in_order::news>();
    otpp::dist::node a = co_await table.open(how);
    auto server = co_await otpp::start<in_order::reporter>();
    a.publish(server, "reporter");
    raw_peer peer(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await peer.connect(a.local_endpoint(), "a@127.0.0.1");
    for (std::uint32_t n = 1; n != 50; ++n) {
      co_await peer.send(in_order::call_of(peer, n, 20, false));
      in_order::seen all = co_await in_order::read_all(peer);
      CHECK(all.news == 20);
      CHECK(all.last.ends_with(",20}"));
    }
    otpp::detail::term_writer out;
    otpp::detail::put_monitor_p(out, peer.process(), std::string_view("reporter"), peer.reference(1000));
    co_await peer.send(out.take());
    co_await peer.send(in_order::call_of(peer, 1001, 20, true));
    in_order::seen all = co_await in_order::read_all(peer);
    CHECK(all.news == 20);
    CHECK(all.last == "normal");
    co_await a.close();
  });
}

TEST_CASE("process_elsewhere: a long answer is not overtaken by what is sent to its caller later", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    how.knows<in_order::news>().watermarks(std::size_t(24) << 20, std::size_t(8) << 20);
    otpp::dist::node a = co_await table.open(how);
    auto server = co_await otpp::start<in_order::reporter>();
    a.publish(server, "reporter");
    raw_peer peer(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await peer.connect(a.local_endpoint(), "a@127.0.0.1");
    co_await peer.send(in_order::call_for_archive(peer));
    co_await until_later([&] { return a.statistics().sent == 1; });
    co_await peer.send(
        in_order::pid_for("reporter", "tell", peer, 1)); // what stands for the caller is made now
    co_await until_later([&] { return a.statistics().sent >= 2; });
    otpp::detail::incoming_fragments fragments(std::size_t(32) << 20);
    std::vector<std::size_t> sizes; // of messages
    while (sizes.size() != 2) {
      std::string frame = co_await peer.read();
      std::string_view whole = frame;
      otpp::detail::control_message one;
      if (fragments.take(whole) == otpp::detail::incoming_fragments::found::frame &&
          otpp::detail::parse_control(whole, one) && one.op != otpp::detail::control_op::monitor_p) {
        sizes.push_back(one.message.size());
      }
    }
    CHECK(sizes[0] > std::size_t(16) << 20);
    CHECK(sizes[1] < 100);
    co_await a.close();
  });
}

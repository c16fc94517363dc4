// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_link.hpp>

#include <otpp/dist.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/writer.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/raw_peer.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace limited {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

struct size {
  std::string text;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("size");
};
struct text {
  int size;
  using reply_type = std::string;
  static constexpr auto term = otpp::as::tagged("text");
};
struct keep {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("keep");
};
struct note {
  std::string text;
  static constexpr auto term = otpp::as::tagged("note");
};

struct store {
  using messages = otpp::message_list<size, text, keep, note>;

  struct seen {
    std::vector<otpp::caller<int>> kept;
    int notes = 0;
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) { return s; }
  static int handle_call(const size& m, state&) { return static_cast<int>(m.text.size()); }
  static std::string handle_call(text m, state&) {
    return std::string(static_cast<std::size_t>(m.size), 'x');
  }
  static void handle_call(keep, otpp::caller<int> from, state& s) { s->kept.push_back(std::move(from)); }
  static void handle_cast(const note&, state& s) { ++s->notes; }
};

// Two nodes with limits, and a store at b.
struct site {
  node_table table;
  otpp::dist::node a;
  otpp::dist::node b;
  std::shared_ptr<store::seen> seen = std::make_shared<store::seen>();
  connection_log log;

  otpp::dist::remote_name<> address() const { return a.remote("store", limited::b); }
};

template <class Body>
void with_limits(otpp::dist::node_limits at_a, otpp::dist::node_limits at_b, Body body) {
  run_long([&]() -> asio::awaitable<void> {
    site s;
    otpp::dist::node_options how_a = s.table.options(limited::a);
    how_a.limits(at_a);
    otpp::dist::node_options how_b = s.table.options(limited::b);
    how_b.limits(at_b);
    s.a = co_await s.table.open(how_a);
    s.b = co_await s.table.open(how_b);
    auto server = co_await otpp::start<store>(s.seen);
    s.b.publish(server, "store");
    co_await body(s);
    co_await s.a.close();
    co_await s.b.close();
  });
}

otpp::dist::node_limits short_frames() {
  otpp::dist::node_limits all;
  all.frame = 10'000;
  return all;
}

bool has_words(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

} // namespace limited
} // namespace

TEST_CASE("peer_link: a message that is too long is refused before it is sent", "[dist]") {
  limited::with_limits(limited::short_frames(), {}, [](limited::site& s) -> asio::awaitable<void> {
    int all = co_await otpp::call<limited::size>(s.address(), std::string(9'000, 'x'));
    CHECK(all == 9'000);
    otpp::error failed = co_await error_of(otpp::call<limited::size>(s.address(), std::string(10'001, 'x')));
    CHECK(failed.code() == otpp::errc::bad_message);
    CHECK(limited::has_words(failed.what(), "node_limits::frame"));
    co_await otpp::cast<limited::note>(s.address(), std::string(10'001, 'x'));
    all = co_await otpp::call<limited::size>(s.address(), "still there");
    CHECK(all == 11);
    CHECK(s.seen->notes == 0);
    CHECK(s.a.statistics().dropped == 1);
    CHECK(s.log.has("node_limits::frame"));
  });
}

TEST_CASE("peer_link: a peer that sends a frame that is too long is disconnected", "[dist]") {
  limited::with_limits({}, limited::short_frames(), [](limited::site& s) -> asio::awaitable<void> {
    otpp::error failed = co_await error_of(otpp::call<limited::size>(s.address(), std::string(20'000, 'x')));
    CHECK(failed.code() == otpp::errc::no_connection);
    co_await until_later([&] { return s.a.peers().empty() && s.b.peers().empty(); });
    co_await until_later([&] { return s.log.has("longer than node_limits::frame"); });
    int all = co_await otpp::call<limited::size>(s.address(), "again"); // connects
    CHECK(all == 5);
  });
}

TEST_CASE("peer_link: an answer that is too long is an error of its call alone", "[dist]") {
  limited::with_limits({}, limited::short_frames(), [](limited::site& s) -> asio::awaitable<void> {
    std::exception_ptr failed = co_await failure_of(otpp::call<limited::text>(s.address(), 20'000));
    CHECK(text_of(failed).find("more than node_limits::frame") != std::string::npos);
    CHECK(s.log.texts().empty());
    std::string answer = co_await otpp::call<limited::text>(s.address(), 5'000);
    CHECK(answer.size() == 5'000);
  });
}

TEST_CASE("peer_link: a peer that has too many calls open is disconnected", "[dist]") {
  otpp::dist::node_limits few;
  few.open = 20; // a call by a name has a monitor, too
  limited::with_limits({}, few, [](limited::site& s) -> asio::awaitable<void> {
    std::vector<pending<int>> calls(12);
    for (pending<int>& each : calls) {
      each = pending<int>();
      otpp::call_for<limited::keep>(s.address(), 60s, each.token());
    }
    for (pending<int>& each : calls) {
      std::error_code code = co_await each.code();
      CHECK(code == otpp::errc::no_connection);
      CHECK(each.times() == 1);
    }
    co_await until_later([&] { return s.log.has("node_limits::open"); });
    // One after the other is no matter.
    for (int n = 0; n != 100; ++n) {
      int all = co_await otpp::call<limited::size>(s.address(), "x");
      CHECK(all == 1);
    }
    CHECK(s.a.peers().size() == 1);
  });
}

TEST_CASE("peer_link: a peer that asks for more than it reads is disconnected", "[dist]") {
  otpp::dist::node_limits little;
  little.unsent = 1'000'000;
  limited::with_limits({}, little, [](limited::site& s) -> asio::awaitable<void> {
    raw_peer deaf(co_await asio::this_coro::executor, "deaf@127.0.0.1");
    co_await deaf.connect(s.b.local_endpoint(), limited::b);
    co_await until_later([&] { return !s.b.peers().empty(); });
    for (std::uint32_t n = 1; n != 1'000 && !s.b.peers().empty(); ++n) {
      otpp::detail::term_writer out;
      deaf.begin_call(out, "store", n);
      otpp::detail::put_term(out, limited::text{100'000});
      std::exception_ptr lost = co_await failure_of(deaf.send(out.take()));
      co_await some_steps();
      if (lost) {
        break;
      }
    }
    co_await until_later([&] { return s.b.peers().empty(); });
    co_await until_later([&] { return s.log.has("node_limits::unsent"); });
  });
}

TEST_CASE("peer_link: while there is no connection, calls wait when much is kept", "[dist]") {
  otpp::dist::node_limits little;
  little.unsent = 10'000;
  limited::with_limits(little, {}, [](limited::site& s) -> asio::awaitable<void> {
    std::vector<pending<int>> calls(5);
    for (pending<int>& each : calls) {
      each = pending<int>();
      otpp::call_for<limited::size>(s.address(), 60s, std::string(3'000, 'x'), each.token());
    }
    for (pending<int>& each : calls) {
      int size = co_await each.get();
      CHECK(size == 3'000);
    }
  });
}

TEST_CASE("peer_link: what is sent is counted", "[dist]") {
  limited::with_limits({}, {}, [](limited::site& s) -> asio::awaitable<void> {
    co_await otpp::cast<limited::note>(s.address(), "one");
    co_await otpp::call<limited::size>(s.address(), "two");
    otpp::dist::node_statistics at_a = s.a.statistics();
    CHECK(at_a.peers == 1);
    CHECK(at_a.sent >= 2);
    CHECK(at_a.received >= 1);
    CHECK(s.b.statistics().received >= 3); // a call has a monitor
    CHECK(s.b.statistics().sent >= 1);
    CHECK(at_a.unknown + at_a.dropped + at_a.refused == 0);
  });
}

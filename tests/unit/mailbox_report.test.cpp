// SPDX-License-Identifier: BSL-1.0

#include <otpp/mailbox_report.hpp>

#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/spawn.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace {

// Reports mailboxes from so many messages on, and keeps what is reported.
class mailbox_log {
 public:
  explicit mailbox_log(std::size_t longest)
      : longest_(otpp::set_long_mailbox(longest)),
        reports_(otpp::subscribe<otpp::mailbox_report>(
            [this](const otpp::mailbox_report& one) { all.push_back(one); })) {}
  mailbox_log(const mailbox_log&) = delete;
  mailbox_log& operator=(const mailbox_log&) = delete;
  ~mailbox_log() { otpp::set_long_mailbox(longest_); }

  void stop_listening() { reports_.end(); }

  std::vector<otpp::mailbox_report> all;

 private:
  std::size_t longest_;
  otpp::subscription reports_;
};

using scribe_ref = otpp::server_ref<scribe>;

asio::awaitable<scribe_ref> flood(otpp::options how, int messages) {
  auto server = co_await otpp::start<scribe>(std::move(how), journal());
  for (int n = 0; n != messages; ++n) {
    otpp::try_cast<scribe::note>(server, "");
  }
  co_return server;
}

} // namespace

TEST_CASE("mailbox_report: a mailbox that becomes long is reported, once", "[mailbox_report]") {
  mailbox_log reports(100);
  run([&]() -> asio::awaitable<void> {
    scribe_ref server = co_await flood(otpp::named("long"), 400);
    co_await server.stop();
    REQUIRE(reports.all.size() == 1);
    CHECK(reports.all[0].server == "\"long\"");
    CHECK(reports.all[0].id == server.id());
    CHECK(reports.all[0].messages > 100); // those that the first turns have left
    CHECK(reports.all[0].text().find("mailbox_limit") != std::string::npos);
  });
}

TEST_CASE(
    "mailbox_report: a short mailbox, one with a limit, and zero are not reported", "[mailbox_report]") {
  mailbox_log reports(100);
  run([&]() -> asio::awaitable<void> {
    scribe_ref limited = co_await flood(otpp::options().mailbox_limit(300), 300);
    co_await limited.stop();
    for (int round = 0; round != 10; ++round) {
      scribe_ref served = co_await flood({}, 90);
      co_await served.stop();
    }
    otpp::set_long_mailbox(0);
    scribe_ref ignored = co_await flood({}, 400);
    co_await ignored.stop();
    CHECK(reports.all.empty());
  });
}

TEST_CASE("mailbox_report: messages that come while a handler waits are noticed", "[mailbox_report]") {
  mailbox_log reports(100);
  run([&]() -> asio::awaitable<void> {
    event go_on;
    auto server = co_await otpp::start<scribe>(journal());
    co_await otpp::cast<scribe::hold>(server, go_on);
    for (int n = 0; n != 300 && reports.all.empty(); ++n) {
      otpp::try_cast<scribe::note>(server, "");
      co_await asio::post(asio::use_awaitable); // each is taken on its own
    }
    REQUIRE(reports.all.size() == 1);
    CHECK(reports.all[0].messages > 100);
    go_on.happen();
    co_await server.stop();
  });
}

TEST_CASE("mailbox_report: so are those that a spawned process does not receive", "[mailbox_report]") {
  mailbox_log reports(100);
  run([&]() -> asio::awaitable<void> {
    event go_on;
    auto body = [](event until) { return until.wait(); };
    auto process = co_await otpp::spawn(body(go_on));
    for (int n = 0; n != 400; ++n) {
      otpp::try_send<scribe::note>(process, "");
    }
    co_await until([&] { return !reports.all.empty(); });
    CHECK(reports.all[0].messages > 100);
    go_on.happen();
    co_await process.join();
  });
}

TEST_CASE("mailbox_report: by default one line is printed", "[mailbox_report]") {
  mailbox_log reports(100);
  reports.stop_listening();
  captured_stderr written;
  run([&]() -> asio::awaitable<void> {
    scribe_ref server = co_await flood(otpp::named("long"), 400);
    co_await server.stop();
  });
  std::string line = written.text();
  CHECK(line.find("otpp: server \"long\" has 1") == 0);
  CHECK(line.find(" messages in its mailbox: it is sent more than it handles") != std::string::npos);
  CHECK(line.find('\n') == line.size() - 1);
}

// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/epmd_client.hpp>

#include <otpp/dist.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::detail::epmd_client;

namespace {
namespace mapping {

using tcp = asio::ip::tcp;

// One that answers each request with what the test says, piece by piece.
class fake_epmd {
 public:
  explicit fake_epmd(asio::any_io_executor executor)
      : acceptor_(std::move(executor), tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  tcp::endpoint where() const { return acceptor_.local_endpoint(); }
  const std::vector<std::string>& requests() const { return requests_; }

  // Takes the next connection, reads its request, writes the answer and keeps the connection.
  asio::awaitable<std::shared_ptr<tcp::socket>> serve(std::vector<std::string> answer) {
    auto socket = std::make_shared<tcp::socket>(acceptor_.get_executor());
    co_await acceptor_.async_accept(*socket, asio::use_awaitable);
    unsigned char length[2] = {};
    co_await asio::async_read(*socket, asio::buffer(length), asio::use_awaitable);
    std::size_t size_of_request = (static_cast<std::size_t>(length[0]) << 8) | length[1];
    std::string request(size_of_request, '\0');
    co_await asio::async_read(*socket, asio::buffer(request), asio::use_awaitable);
    requests_.push_back(request);
    for (const std::string& piece : answer) {
      co_await asio::async_write(*socket, asio::buffer(piece), asio::use_awaitable);
      co_await some_steps();
    }
    co_return socket;
  }

  // As serve, and closes it then.
  asio::awaitable<void> serve_and_close(std::vector<std::string> answer) {
    auto socket = co_await serve(std::move(answer));
    socket->close();
  }

 private:
  static asio::awaitable<void> some_steps() {
    for (int step = 0; step != 20; ++step) {
      co_await asio::post(asio::use_awaitable);
    }
  }

  tcp::acceptor acceptor_;
  std::vector<std::string> requests_;
};

template <class Body>
void with_epmd(Body body) {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    fake_epmd fake(executor);
    co_await body(fake, executor);
  });
}

bool has_words(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

const std::string registered = bytes_of(118, 0, 0, 0, 1, 2);
const std::string looked_up = bytes_of(119, 0, 0x1F, 0x90, 77, 0, 0, 6, 0, 5, 0, 1, "b", 0, 0);

} // namespace mapping
} // namespace

TEST_CASE("epmd_client: registers, in one piece and in many", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        std::vector<std::string> pieces;
        for (char each : mapping::registered) {
          pieces.emplace_back(1, each);
        }
        for (const auto& answer : {std::vector<std::string>{mapping::registered}, pieces}) {
          auto served = in_background(executor, fake.serve(answer));
          epmd_client client(executor, fake.where(), 5s);
          std::uint32_t creation = co_await client.enter("a", 8080);
          CHECK(creation == 0x102);
          co_await served.get();
          CHECK(fake.requests().back() == bytes_of(120, 0x1F, 0x90, 72, 0, 0, 6, 0, 6, 0, 1, "a", 0, 0));
        }
        auto served = in_background(executor, fake.serve({bytes_of(121, 0, 0, 3)})); // before OTP 23
        epmd_client client(executor, fake.where(), 5s);
        std::uint32_t creation = co_await client.enter("a", 8080);
        CHECK(creation == 3);
        co_await served.get();
      });
}

TEST_CASE("epmd_client: stays registered until epmd ends", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        auto served = in_background(executor, fake.serve({mapping::registered}));
        auto client = std::make_unique<epmd_client>(executor, fake.where(), 50ms);
        co_await client->enter("a", 8080);
        auto socket = co_await served.get();
        auto end = in_background(executor, client->wait_for_end());
        asio::steady_timer longer(executor, 100ms); // than the patience, which is for answers
        co_await longer.async_wait(asio::use_awaitable);
        CHECK_FALSE(end.is_done());
        socket->close();
        co_await end.get();

        // And it goes when the client does.
        served = in_background(executor, fake.serve({mapping::registered}));
        client = std::make_unique<epmd_client>(executor, fake.where(), 5s);
        co_await client->enter("a", 8080);
        socket = co_await served.get();
        client.reset();
        char byte = 0;
        std::error_code error;
        co_await socket->async_read_some(
            asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, error));
        CHECK(error == asio::error::eof);
      });
}

TEST_CASE("epmd_client: a name that is taken", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        for (const std::string& answer :
             {bytes_of(118, 1, 0, 0, 0, 0), bytes_of(121, 1, 0, 0), bytes_of(118, 1)}) {
          auto served = in_background(executor, fake.serve_and_close({answer}));
          epmd_client client(executor, fake.where(), 5s);
          otpp::error error = co_await error_of(client.enter("taken", 8080));
          CHECK(error.code() == otpp::errc::name_taken);
          CHECK(mapping::has_words(error.what(), "epmd has a node 'taken' already"));
          co_await served.get();
        }
      });
}

TEST_CASE("epmd_client: closes in the middle, or gives no answer of epmd's", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        for (std::size_t size = 0; size != mapping::registered.size(); ++size) {
          auto served = in_background(executor, fake.serve_and_close({mapping::registered.substr(0, size)}));
          epmd_client client(executor, fake.where(), 5s);
          otpp::error error = co_await error_of(client.enter("a", 8080));
          CHECK(error.code() == otpp::errc::no_connection);
          CHECK(mapping::has_words(error.what(), "epmd closed the connection before it had answered"));
          co_await served.get();
        }
        for (std::size_t size = 0; size != 10; ++size) { // what follows the versions is of no use
          auto served = in_background(executor, fake.serve_and_close({mapping::looked_up.substr(0, size)}));
          epmd_client client(executor, fake.where(), 5s);
          otpp::error error = co_await error_of(client.look_up("b@127.0.0.1"));
          CHECK(error.code() == otpp::errc::no_connection);
          CHECK(mapping::has_words(error.what(), "connection with b@127.0.0.1: epmd at its host closed"));
          co_await served.get();
        }
        for (const char* garbage : {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x01"}) {
          auto served = in_background(executor, fake.serve({garbage}));
          epmd_client client(executor, fake.where(), 5s);
          otpp::error error = co_await error_of(client.enter("a", 8080));
          CHECK(error.code() == otpp::errc::no_connection);
          CHECK(mapping::has_words(error.what(), "gives no answer of epmd's"));
          co_await served.get();
        }
      });
}

TEST_CASE("epmd_client: says nothing until the patience ends", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        for (const std::string& begin : {std::string(), bytes_of(118, 0, 0)}) {
          auto served = in_background(executor, fake.serve({begin}));
          epmd_client client(executor, fake.where(), 50ms);
          auto before = std::chrono::steady_clock::now();
          otpp::error error = co_await error_of(client.enter("a", 8080));
          CHECK(std::chrono::steady_clock::now() - before >= 45ms);
          CHECK(error.code() == otpp::errc::no_connection);
          CHECK(mapping::has_words(error.what(), "has not answered in 50 ms"));
          CHECK(mapping::has_words(error.what(), "epmd, Erlang's port mapper, at 127.0.0.1 port"));
          co_await served.get();
        }
      });
}

TEST_CASE("epmd_client: nobody is there", "[dist]") {
  mapping::with_epmd([](mapping::fake_epmd&, const asio::any_io_executor& executor) -> asio::awaitable<void> {
    mapping::tcp::endpoint nowhere;
    {
      mapping::fake_epmd gone(executor);
      nowhere = gone.where();
    }
    epmd_client client(executor, nowhere, 5s);
    otpp::error error = co_await error_of(client.enter("a", 8080));
    CHECK(error.code() == otpp::errc::no_connection);
    CHECK(mapping::has_words(error.what(), "cannot be reached"));
    CHECK(mapping::has_words(error.what(), "epmd -daemon"));
  });
}

TEST_CASE("epmd_client: looks up a node", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        auto served = in_background(executor, fake.serve_and_close({mapping::looked_up}));
        epmd_client client(executor, fake.where(), 5s);
        std::uint16_t port = co_await client.look_up("b@127.0.0.1");
        CHECK(port == 8080);
        co_await served.get();
        CHECK(fake.requests().back() == bytes_of(122, "b"));

        auto unknown = in_background(executor, fake.serve_and_close({bytes_of(119, 1)}));
        epmd_client again(executor, fake.where(), 5s);
        otpp::error error = co_await error_of(again.look_up("b@127.0.0.1"));
        CHECK(error.code() == otpp::errc::no_connection);
        CHECK(mapping::has_words(error.what(), "epmd at its host knows no node 'b'"));
        co_await unknown.get();

        // A node of another time, which does not speak our handshake.
        auto old = in_background(
            executor,
            fake.serve_and_close({bytes_of(119, 0, 0x1F, 0x90, 77, 0, 0, 5, 0, 5, 0, 1, "b", 0, 0)}));
        epmd_client third(executor, fake.where(), 5s);
        error = co_await error_of(third.look_up("b@127.0.0.1"));
        CHECK(error.code() == otpp::errc::no_connection);
        co_await old.get();
      });
}

TEST_CASE("epmd_client: a node registers, finds others by epmd, and registers again", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        auto first = in_background(executor, fake.serve({mapping::registered}));
        otpp::dist::node_options how("a@127.0.0.1");
        how.cookie("secret").epmd(fake.where());
        otpp::dist::node a = co_await otpp::dist::open(how);
        auto socket = co_await first.get();

        otpp::dist::node_options other("b@127.0.0.1");
        auto refused = in_background(executor, fake.serve_and_close({bytes_of(118, 1, 0, 0, 0, 0)}));
        otpp::error taken = co_await error_of(otpp::dist::open(other.cookie("secret").epmd(fake.where())));
        CHECK(taken.code() == otpp::errc::name_taken);
        co_await refused.get();

        auto second = in_background(executor, fake.serve({mapping::registered}));
        otpp::dist::node b = co_await otpp::dist::open(other);
        auto of_b = co_await second.get();
        std::uint16_t port = b.local_endpoint().port();
        auto asked = in_background(
            executor, fake.serve_and_close(
                          {bytes_of(119, 0, port >> 8, port & 0xFF, 77, 0, 0, 6, 0, 5, 0, 1, "b", 0, 0)}));
        co_await a.connect("b@127.0.0.1");
        co_await asked.get();
        CHECK(a.peers() == std::vector<std::string>{"b@127.0.0.1"});

        // epmd ends, and is there again.
        auto again = in_background(executor, fake.serve({mapping::registered}));
        socket->close();
        co_await again.get();
        CHECK(fake.requests().back() == fake.requests().front());
        CHECK(a.peers() == std::vector<std::string>{"b@127.0.0.1"}); // connections live
        co_await a.close();
        co_await b.close();
      });
}

TEST_CASE("epmd_client: a node is closed while it registers again", "[dist]") {
  mapping::with_epmd(
      [](mapping::fake_epmd& fake, const asio::any_io_executor& executor) -> asio::awaitable<void> {
        auto first = in_background(executor, fake.serve({mapping::registered}));
        otpp::dist::node_options how("a@127.0.0.1");
        otpp::dist::node a = co_await otpp::dist::open(how.cookie("secret").epmd(fake.where()));
        auto socket = co_await first.get();
        auto silent = in_background(executor, fake.serve({""}));
        socket->close();
        auto asked = co_await silent.get(); // it waits for the answer
        co_await a.close();
        char byte = 0;
        std::error_code error;
        co_await asked->async_read_some(
            asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, error));
        CHECK(error);
      });
}

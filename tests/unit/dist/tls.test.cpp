// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/tls.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/ssl/stream_base.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::dist::tls_names;
using otpp::dist::tls_options;

namespace {

struct text {
  std::string words;
  using reply_type = std::string;
  static constexpr auto term = otpp::as::tagged("text");
};
struct load {
  std::string words;
  static constexpr auto term = otpp::as::tagged("load");
};
struct loaded {
  using reply_type = std::size_t;
  static constexpr auto term = otpp::as::tagged("loaded");
};

struct echo {
  using messages = otpp::message_list<text, load, loaded>;
  static std::size_t init() { return 0; }
  static std::string handle_call(text m, std::size_t&) { return m.words; }
  static std::size_t handle_call(loaded, std::size_t& sum) { return sum; }
  static void handle_cast(const load& m, std::size_t& sum) { sum += m.words.size(); }
};

bool has_words(const std::string& in, std::string_view words) { return in.find(words) != std::string::npos; }

// Certificates of all kinds, which take a while to make.
class files {
 public:
  files() {
    ours_.issue("good", "IP:127.0.0.1,DNS:localhost");
    ours_.issue("expired", "IP:127.0.0.1", {-7200, -3600});
    ours_.issue("early", "IP:127.0.0.1", {3600, 7200});
    ours_.issue("elsewhere", "DNS:db1.example.org,IP:10.0.0.5");
    ours_.issue("nameless", "");
    ours_.issue("otp", "DNS:127.0.0.1"); // as OTP wants it
    others_.issue("stranger", "IP:127.0.0.1");
  }

  static const files& all() {
    static const files made;
    return made;
  }

  std::string path(const std::string& name) const { return in_.file(name); }

  tls_options options(const std::string& name) const {
    tls_options how;
    how.certificate_file(in_.file(name + ".pem")).key_file(in_.file(name + ".key"));
    return how.ca_file(ours_.ca_file());
  }

 private:
  certificates::folder in_;
  certificates::authority ours_{in_, "ours"};
  certificates::authority others_{in_, "others"};
};

otpp::dist::node_options over_tls(const node_table& table, std::string name, const tls_options& how) {
  otpp::dist::node_options options = table.options(std::move(name));
  options.transport(otpp::dist::tls(how));
  return options;
}

// A context of one's own, which a test may change.
asio::ssl::context context_of(const std::string& name) {
  asio::ssl::context made(asio::ssl::context::tls);
  made.load_verify_file(files::all().path("ours.pem"));
  if (!name.empty()) {
    made.use_certificate_chain_file(files::all().path(name + ".pem"));
    made.use_private_key_file(files::all().path(name + ".key"), asio::ssl::context::pem);
  }
  made.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  return made;
}

// Lets `b` connect with `a`, which is to fail, and checks what both say.
void refuse(
    otpp::dist::transport of_a, otpp::dist::transport of_b, std::string_view a_says,
    std::string_view b_says) {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.transport(std::move(of_a)));
    how = table.options("b@127.0.0.1");
    otpp::dist::node b = co_await table.open(how.transport(std::move(of_b)));
    auto begin = std::chrono::steady_clock::now();
    otpp::error error = co_await error_of(b.connect("a@127.0.0.1"));
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
    CHECK(error.code() == otpp::errc::no_connection);
    INFO(error.what());
    CHECK(has_words(error.what(), "otpp: could not connect to 'a@127.0.0.1': "));
    CHECK(has_words(error.what(), b_says));
    co_await until_later([&] { return a.statistics().refused == 1; });
    if (a_says.empty()) {
      CHECK(log.texts().empty());
    } else {
      REQUIRE(log.texts().size() == 1);
      INFO(log.texts().front());
      CHECK(has_words(log.texts().front(), "refused a connection from "));
      CHECK(has_words(log.texts().front(), a_says));
    }
    CHECK(a.peers().empty());
    CHECK(b.peers().empty());
    co_await a.close();
    co_await b.close();
  });
}

otpp::dist::transport with(const std::string& name, tls_names names = tls_names::connecting) {
  return otpp::dist::tls(files::all().options(name).check_names(names));
}

otpp::dist::transport of_version(asio::ssl::context context, int version) {
  SSL_CTX_set_min_proto_version(context.native_handle(), version);
  SSL_CTX_set_max_proto_version(context.native_handle(), version);
  return otpp::dist::tls(std::move(context));
}

} // namespace

TEST_CASE("tls: two nodes call each other, with messages of all sizes", "[dist]") {
  int version = GENERATE(0, TLS1_2_VERSION, TLS1_3_VERSION);
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = over_tls(table, "a@127.0.0.1", files::all().options("good"));
    otpp::dist::node a = co_await table.open(how);
    how = table.options("b@127.0.0.1");
    how.transport(version == 0 ? with("good") : of_version(context_of("good"), version));
    otpp::dist::node b = co_await table.open(how);
    auto server = co_await otpp::start<echo>();
    a.publish(server, "echo");
    b.publish(server, "echo");
    auto at_b = a.remote<echo>("echo", "b@127.0.0.1");
    auto at_a = b.remote<echo>("echo", "a@127.0.0.1");
    for (std::size_t size : {0U, 1U, 16'384U, 65'536U, 1'000'000U, 4'000'000U}) {
      std::string words(size, 'x');
      std::string back = co_await otpp::call_for<text>(at_b, 60s, words);
      CHECK(back == words);
      back = co_await otpp::call_for<text>(at_a, 60s, words);
      CHECK(back == words);
    }
    CHECK(a.peers().size() == 1);
    CHECK(log.texts().empty());
    co_await a.close();
    co_await b.close();
  });
}

TEST_CASE("tls: what is on its way when a node is closed is no damaged TLS for the other", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node b = co_await table.open(over_tls(table, "b@127.0.0.1", files::all().options("good")));
    auto server = co_await otpp::start<echo>();
    b.publish(server, "echo");
    for (int round = 0; round != 4; ++round) {
      otpp::dist::node a = co_await table.open(over_tls(table, "a@127.0.0.1", files::all().options("good")));
      auto there = a.remote<echo>("echo", "b@127.0.0.1");
      co_await a.connect("b@127.0.0.1");
      std::string words(8'000'000, 'x'); // more than sockets keep
      co_await otpp::cast<load>(there, words);
      for (int step = 0; step != 100 + 60 * round; ++step) {
        co_await asio::post(asio::use_awaitable);
      }
      co_await a
          .close(); // while some of it is being written: it has a second for the rest, which is enough mostly
      co_await until_later([&] { return b.peers().empty(); });
    }
    std::size_t arrived = co_await otpp::call<loaded>(server);
    CHECK(arrived != 0);
    CHECK_FALSE(log.has("TLS"));
    co_await b.close();
  });
}

TEST_CASE("tls: who is disconnected is told that nothing was cut off", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open(over_tls(table, "a@127.0.0.1", files::all().options("good")));
    asio::ssl::context ours = context_of("good");
    asio::ssl::stream<asio::ip::tcp::socket> peer(co_await asio::this_coro::executor, ours);
    co_await peer.lowest_layer().async_connect(a.local_endpoint(), asio::use_awaitable);
    co_await peer.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    co_await a.close();
    char byte = 0;
    std::error_code end;
    co_await peer.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, end));
    CHECK(end == asio::error::eof); // and not asio::ssl::error::stream_truncated
  });
}

TEST_CASE("tls: who has no certificate is refused", "[dist]") {
  int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  refuse(
      with("good"), of_version(context_of(""), version),
      "from somebody at 127.0.0.1: it has sent no certificate",
      version == TLS1_3_VERSION ? "it wants a certificate, and this node has sent none"
                                : "it ended the handshake of TLS and did not say why");
}

TEST_CASE("tls: a certificate that somebody else has signed is refused", "[dist]") {
  const std::string known = "(CN=stranger) is signed by nobody that this node knows, but by CN=others";
  refuse(
      with("good"), with("stranger"), known,
      "it refused the certificate of this node: it does not know by whom");
  refuse(
      with("stranger"), with("good"), "it refused the certificate of this node: it does not know by whom",
      known);
}

TEST_CASE("tls: a certificate that is not valid now is refused", "[dist]") {
  refuse(
      with("good"), with("expired"), "its certificate (CN=expired) has expired, at ",
      "it refused the certificate of this node: it has expired");
  refuse(
      with("expired"), with("good"), "it refused the certificate of this node: it has expired",
      "its certificate (CN=expired) has expired, at ");
  refuse(
      with("early"), with("good"), "it refused the certificate of this node",
      "its certificate (CN=early) is not valid before ");
}

TEST_CASE("tls: a certificate of another host is refused", "[dist]") {
  // By the one who connects.
  const std::string why = "(CN=elsewhere) is not for the host in the name of the node";
  const std::string told = "it refused the certificate of this node: it is not for the host in the name";
  refuse(with("elsewhere"), with("good"), told, why);
  refuse(with("nameless"), with("good"), told, "(CN=nameless) is not for the host");
  // By the one who accepts.
  refuse(
      with("good", tls_names::always), with("elsewhere"),
      "refused a connection from 'b@127.0.0.1': its certificate " + why, "it refused this node");
}

TEST_CASE("tls: names that are not to be checked are not, and those that fit", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    const files& all = files::all();
    otpp::dist::node a = co_await table.open(over_tls(table, "a@127.0.0.1", all.options("good")));
    otpp::dist::node b = co_await table.open(
        over_tls(table, "b@127.0.0.1", all.options("elsewhere").check_names(tls_names::unchecked)));
    otpp::dist::node c = co_await table.open(
        over_tls(table, "c@127.0.0.1", all.options("good").check_names(tls_names::always)));
    co_await b.connect("a@127.0.0.1"); // whose certificate a does not compare
    co_await c.connect("a@127.0.0.1");
    otpp::dist::node d = co_await table.open(over_tls(table, "d@127.0.0.1", all.options("otp")));
    co_await c.connect("d@127.0.0.1");
    c.disconnect("d@127.0.0.1");
    co_await until_later([&] { return d.peers().empty() && c.peers().size() == 1; });
    co_await d.connect("c@127.0.0.1");
    co_await d.close();
    a.disconnect("c@127.0.0.1");
    co_await until_later([&] { return a.peers().size() == 1 && c.peers().empty(); });
    co_await a.connect("c@127.0.0.1");
    co_await a.close();
    a = co_await table.open(over_tls(table, "a@127.0.0.1", all.options("nameless")));
    co_await b.connect("a@127.0.0.1");
    CHECK(b.peers() == std::vector<std::string>{"a@127.0.0.1"});
    co_await a.close();
    co_await b.close();
    co_await c.close();
  });
}

TEST_CASE("tls: a host by its name", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = over_tls(table, "a@localhost", files::all().options("good"));
    otpp::dist::node a = co_await table.open(how);
    how = over_tls(table, "b@localhost", files::all().options("elsewhere"));
    otpp::dist::node b = co_await table.open(how);
    co_await b.connect("a@localhost");
    b.disconnect("a@localhost");
    co_await until_later([&] { return a.peers().empty(); });
    otpp::error error = co_await error_of(a.connect("b@localhost"));
    CHECK(has_words(error.what(), "(CN=elsewhere) is not for the host in the name of the node"));
    co_await a.close();
    co_await b.close();
  });
}

TEST_CASE("tls: one has it and the other has not", "[dist]") {
  refuse(with("good"), {}, "it does not speak TLS", "it closed the connection when it saw our name");
  refuse({}, with("good"), "is it another program?", "does it use TLS");
}

TEST_CASE("tls: no version in common", "[dist]") {
  refuse(
      of_version(context_of("good"), TLS1_3_VERSION), of_version(context_of("good"), TLS1_2_VERSION),
      "it has no version of TLS that this node takes", "it takes other versions of TLS than this node");
}

TEST_CASE("tls: who says nothing is disconnected in time, and who only looks is not reported", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = over_tls(table, "a@127.0.0.1", files::all().options("good"));
    otpp::dist::node a = co_await table.open(how.setup(200ms));
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    {
      raw_peer scan(executor, "scan@127.0.0.1");
      co_await scan.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    }
    co_await until_later([&] { return a.statistics().refused == 1; });
    CHECK(log.texts().empty());
    raw_peer silent(executor, "silent@127.0.0.1");
    co_await silent.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    co_await silent.wait_for_end();
    co_await until_later([&] { return a.statistics().refused == 2; });
    CHECK(log.has("refused a connection from somebody at 127.0.0.1: the handshake of TLS took longer than"));

    // What is no TLS, and stays connected when it is told so.
    raw_peer stubborn(executor, "stubborn@127.0.0.1");
    co_await stubborn.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    co_await stubborn.send_bytes("GET / HTTP/1.1\r\n\r\n");
    co_await stubborn.wait_for_end();
    asio::steady_timer pause(executor, 100ms);
    co_await pause.async_wait(asio::use_awaitable);
    co_await until_later([&] { return a.statistics().refused == 3; });
    CHECK(log.has("it does not speak TLS"));
    co_await a.close();
  });
}

TEST_CASE("tls: who shakes hands and goes before it has said its name is reported", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open(over_tls(table, "a@127.0.0.1", files::all().options("good")));
    asio::ssl::context ours = context_of("good");
    SSL_CTX_set_max_proto_version(ours.native_handle(), TLS1_2_VERSION); // the last word is the node's
    asio::ssl::stream<asio::ip::tcp::socket> shy(co_await asio::this_coro::executor, ours);
    co_await shy.lowest_layer().async_connect(a.local_endpoint(), asio::use_awaitable);
    co_await shy.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    shy.lowest_layer().close();
    co_await until_later([&] { return a.statistics().refused == 1; });
    CHECK(log.has("it closed the connection before it said its name"));
    co_await a.close();
  });
}

TEST_CASE("tls: files that are missing, or are not what they should be", "[dist]") {
  const files& all = files::all();
  auto says = [](const tls_options& how) {
    try {
      otpp::dist::tls(how);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(says(all.options("good")).empty());
  CHECK(
      says(tls_options()) ==
      "otpp: TLS without certificate of this node: say by tls_options::certificate_file where it is");
  CHECK(
      says(all.options("good").certificate_file("/nowhere/node.pem")) ==
      "otpp: TLS takes no certificate of this node from /nowhere/node.pem: No such file or directory");
  CHECK(
      has_words(says(all.options("good").certificate_file(all.path("good.key"))), "good.key: no start line"));
  CHECK(has_words(
      says(all.options("good").key_file(all.path("expired.key"))), "expired.key: key values mismatch"));
  CHECK(has_words(says(all.options("good").key_file("")), "tls_options::key_file"));
  CHECK(has_words(says(all.options("good").ca_file("")), "tls_options::ca_file"));
  CHECK(has_words(says(all.options("good").ca_file("/nowhere/ca.pem")), "/nowhere/ca.pem: No such file"));
}

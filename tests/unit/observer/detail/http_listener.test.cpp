// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/http_listener.hpp>

#include "support/catch.hpp"

#include <asio/connect.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using asio::ip::tcp;
using otpp::detail::http_limits;
using otpp::detail::http_listener;
using otpp::detail::http_request;
using otpp::detail::http_response;

namespace {

constexpr std::size_t big = std::size_t{8} << 20; // more than the system's buffers have room for

const tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);

asio::awaitable<http_response> site(http_request request) {
  http_response response;
  if (request.path == "/") {
    response.type = "text/html; charset=utf-8";
    response.body = "<p>page</p>";
  } else if (request.path == "/big") {
    response.body.assign(big, 'x');
  } else if (request.path == "/long") {
    response.body.assign(std::size_t{1} << 20, 'x');
  } else if (request.path == "/throws") {
    throw std::runtime_error("a \"bad\" \n day");
  } else if (request.path == "/waits") {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
  } else if (request.path == "/echo") {
    const std::string* text = request.find("text");
    response.body = text ? *text : "";
  } else {
    response = otpp::detail::http_error(404, "there is no such page");
  }
  co_return response;
}

// A listener and a thread that runs its io_context.
class served {
 public:
  // Runs a function on the thread.
  template <class Function>
  auto there(Function function) {
    auto task = std::make_shared<std::packaged_task<decltype(function())()>>(std::move(function));
    auto result = task->get_future();
    asio::post(context_, [task] { (*task)(); });
    return result.get();
  }

  explicit served(const http_limits& limits = {}, std::string token = "")
      : listener_(std::in_place, context_, any_port, std::move(token), site, limits),
        port_(listener_->local_endpoint().port()),
        thread_([this] { context_.run(); }) {}
  ~served() {
    there([this] { listener_->stop(); });
    work_.reset();
    thread_.join(); // stop() leaves no work
  }

  unsigned short port() const { return port_; }

  std::size_t streams() {
    return there([this] { return listener_->streams(); });
  }
  void send_event(std::string_view name, std::string_view json) {
    there([&, this] { listener_->send_event(name, json); });
  }

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::optional<http_listener> listener_;
  unsigned short port_;
  std::thread thread_;
};

class client {
 public:
  explicit client(unsigned short port) : port_(port), socket_(context_) {
    socket_.open(tcp::v4());
    socket_.set_option(tcp::socket::receive_buffer_size(65536)); // so that not reading is soon felt
    socket_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  }

  void say(std::string_view bytes) {
    std::error_code ignored; // it may have been closed
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  void get(std::string_view target, std::string_view fields = "") {
    std::string text = "GET ";
    text.append(target).append(" HTTP/1.1\r\nHost: localhost:").append(std::to_string(port_)).append("\r\n");
    say(text.append(fields).append("\r\n"));
  }
  // All that comes until the connection is closed.
  std::string rest() {
    asio::read(socket_, asio::dynamic_buffer(input_), ended_with_);
    return std::exchange(input_, {});
  }
  // What rest() ended with.
  std::error_code ended_with() const { return ended_with_; }
  std::string until(std::string_view end) {
    std::error_code ignored;
    std::size_t size = asio::read_until(socket_, asio::dynamic_buffer(input_), end, ignored);
    std::string text = input_.substr(0, size);
    input_.erase(0, size);
    return text;
  }
  tcp::socket& socket() { return socket_; }

 private:
  unsigned short port_;
  asio::io_context context_;
  tcp::socket socket_;
  std::string input_;
  std::error_code ended_with_;
};

std::string ask(unsigned short port, std::string_view target, std::string_view fields = "") {
  client one(port);
  one.get(target, fields);
  return one.rest();
}
std::string say(unsigned short port, std::string_view bytes) {
  client one(port);
  one.say(bytes);
  return one.rest();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
bool has_status(const std::string& response, unsigned status) {
  return response.starts_with("HTTP/1.1 " + std::to_string(status) + ' ');
}

template <class Predicate>
bool comes_true(Predicate predicate) {
  for (int i = 0; i != 2000; ++i) {
    if (predicate()) {
      return true;
    }
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

} // namespace

TEST_CASE("http_listener: a handler answers", "[observer]") {
  served here;
  std::string json = ask(here.port(), "/echo?text=%7B%7D+");
  CHECK(has_status(json, 200));
  CHECK(json.ends_with("\r\n\r\n{} "));
  for (std::string_view field :
       {"Content-Type: application/json\r\n", "Content-Length: 3\r\n", "Connection: close\r\n",
        "Cache-Control: no-store\r\n", "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n", "Cross-Origin-Resource-Policy: same-origin\r\n",
        "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'\r\n"}) {
    CHECK(has(json, field));
  }
  std::string page = ask(here.port(), "/");
  CHECK(has(
      page, "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"));
  CHECK(has_status(ask(here.port(), "/../etc/passwd"), 404));
}

TEST_CASE("http_listener: a head may come byte by byte", "[observer]") {
  served here;
  client slow(here.port());
  slow.socket().set_option(tcp::no_delay(true));
  std::string text =
      "GET /echo?text=ok HTTP/1.1\r\nHost: localhost:" + std::to_string(here.port()) + "\r\n\r\n";
  for (char c : text) {
    slow.say(std::string_view(&c, 1));
  }
  CHECK(slow.rest().ends_with("ok"));
}

TEST_CASE("http_listener: what is refused hears why", "[observer]") {
  served here;
  std::string host = "\r\nHost: localhost:" + std::to_string(here.port()) + "\r\n";
  CHECK(has_status(say(here.port(), "NONSENSE\r\n\r\n"), 400));
  CHECK(has_status(say(here.port(), "\x16\x03\x01"), 400));
  CHECK(has_status(ask(here.port(), "/%00"), 400));
  CHECK(has_status(ask(here.port(), "/", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400));
  CHECK(has_status(say(here.port(), "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403));
  CHECK(has_status(ask(here.port(), "/", "Sec-Fetch-Site: cross-site\r\n"), 403));
  client talkative(here.port());
  talkative.get("/", "X: " + std::string(60000, 'a') + "\r\n");
  CHECK(has_status(talkative.rest(), 431));
  CHECK(talkative.ended_with() == asio::error::eof); // and not reset, for which others lose the response
  std::string posted = say(here.port(), "POST / HTTP/1.1" + host + "Content-Length: 3\r\n\r\nabc");
  CHECK(has_status(posted, 405));
  CHECK(has(posted, "Allow: GET\r\n"));
  CHECK(posted.ends_with("{\"error\": \"only GET is allowed\"}\n"));
  CHECK(say(here.port(), "HEAD / HTTP/1.1" + host + "\r\n").ends_with("\r\n\r\n"));
}

TEST_CASE("http_listener: a token lets in, from any host", "[observer]") {
  served here({}, "s3cret");
  std::string without = say(here.port(), "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  CHECK(has_status(without, 401));
  CHECK(has(without, "WWW-Authenticate: Bearer\r\n"));
  CHECK(!has(without, "s3cret"));
  CHECK(has_status(say(here.port(), "GET /?token=s3cret HTTP/1.1\r\nHost: a.example\r\n\r\n"), 200));
}

TEST_CASE("http_listener: it wants a token where others can reach it", "[observer]") {
  asio::io_context context;
  tcp::endpoint everywhere(asio::ip::address_v4::any(), 0);
  CHECK_THROWS_AS(http_listener(context, everywhere, "", site), std::invalid_argument);
  CHECK_NOTHROW(http_listener(context, everywhere, "s3cret", site));
}

TEST_CASE("http_listener: a taken port is named", "[observer]") {
  asio::io_context context;
  http_listener first(context, any_port, "", site);
  std::string named = "otpp: observe: 127.0.0.1:" + std::to_string(first.local_endpoint().port());
  std::string said;
  try {
    http_listener second(context, first.local_endpoint(), "", site);
  } catch (const std::system_error& error) {
    CHECK(error.code() == asio::error::address_in_use);
    said = error.what();
  }
  CHECK(said.starts_with(named + ": "));
}

TEST_CASE("http_listener: an exception of the handler is an answer", "[observer]") {
  served here;
  std::string failed = ask(here.port(), "/throws");
  CHECK(has_status(failed, 500));
  CHECK(failed.ends_with("\r\n\r\n{\"error\": \"a \\\"bad\\\" ? day\"}\n"));
  CHECK(has_status(ask(here.port(), "/"), 200));
}

TEST_CASE("http_listener: a slow head is given up", "[observer]") {
  http_limits limits;
  limits.head_time = 30ms;
  limits.rest_time = 10ms;
  served here(limits);

  CHECK(has_status(client(here.port()).rest(), 408)); // says nothing

  client dribbling(here.port());
  std::string text = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
  text.append(1000, 'a');
  std::size_t said = 0;
  while (said != text.size() && dribbling.socket().available() == 0) {
    dribbling.say(text.substr(said++, 1));
    std::this_thread::sleep_for(2ms);
  }
  CHECK(said < text.size());
  CHECK(has_status(dribbling.rest(), 408));
}

TEST_CASE("http_listener: a client that does not read its response is dropped", "[observer]") {
  http_limits limits;
  limits.connections = 1;
  limits.write_time = 20ms;
  served here(limits);
  client idle(here.port());
  idle.get("/big");
  CHECK(comes_true([&] { return has_status(ask(here.port(), "/"), 200); })); // in its place
  CHECK(idle.rest().size() < big);
}

TEST_CASE("http_listener: a response may be long", "[observer]") {
  served here;
  CHECK(ask(here.port(), "/long").size() > std::size_t{1} << 20);
}

TEST_CASE("http_listener: too many connections are told to come again", "[observer]") {
  http_limits limits;
  limits.connections = 2;
  served here(limits);
  client first(here.port());
  {
    client second(here.port());
    std::string third = ask(here.port(), "/");
    CHECK(has_status(third, 503));
    CHECK(has(third, "Retry-After: "));
  }
  CHECK(comes_true([&] { return has_status(ask(here.port(), "/"), 200); }));
  first.get("/");
  CHECK(has_status(first.rest(), 200));
}

TEST_CASE("http_listener: a thousand connections do no harm", "[observer]") {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit more = before;
  more.rlim_cur = before.rlim_max;
  setrlimit(RLIMIT_NOFILE, &more);
  bool has_room = more.rlim_cur == RLIM_INFINITY || more.rlim_cur > 1400;
  {
    http_limits limits;
    limits.head_time = 1h; // nobody leaves meanwhile
    limits.rest_time = 1h;
    served here(limits);
    std::vector<std::unique_ptr<client>> all;
    for (int i = 0; i != (has_room ? 1000 : 300); ++i) {
      all.push_back(std::make_unique<client>(here.port()));
    }
    std::size_t refused = 0; // with an answer, as all but 64 of them
    for (std::size_t i = 64; i != 128; ++i) {
      refused += has_status(all[i]->rest(), 503);
    }
    CHECK(refused == 64);
    CHECK(all.back()->rest().empty()); // just closed
    all.front()->get("/");
    CHECK(has_status(all.front()->rest(), 200));
    all.clear();
    CHECK(comes_true([&] { return has_status(ask(here.port(), "/"), 200); }));
  }
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("http_listener: without file descriptors it goes on later", "[observer]") {
  http_limits limits;
  limits.accept_retry = 5ms;
  asio::io_context context;
  http_listener listener(context, any_port, "", site, limits);
  tcp::socket waiting(context, tcp::v4());

  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  int next = dup(0);
  close(next);
  rlimit none_left = before;
  none_left.rlim_cur = static_cast<rlim_t>(next);
  setrlimit(RLIMIT_NOFILE, &none_left);
  waiting.connect(listener.local_endpoint());
  std::size_t handlers = context.run_for(25ms);
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(handlers < 20); // it does not spin

  std::string text =
      "GET /echo?text=ok HTTP/1.0\r\nHost: localhost:" + std::to_string(listener.local_endpoint().port()) +
      "\r\n\r\n";
  asio::write(waiting, asio::buffer(text));
  std::string response;
  asio::async_read(waiting, asio::dynamic_buffer(response), [&](std::error_code, std::size_t) {
    waiting.close();
    listener.stop();
  });
  context.run();
  CHECK(response.ends_with("ok"));
}

TEST_CASE("http_listener: events reach all streams", "[observer]") {
  served here;
  client first(here.port());
  client second(here.port());
  for (client* one : {&first, &second}) {
    one->get("/api/v1/events");
    std::string head = one->until("\r\n\r\n");
    CHECK(has_status(head, 200));
    CHECK(has(head, "Content-Type: text/event-stream\r\n"));
    CHECK(!has(head, "Connection: close"));
    CHECK(one->until("\n\n") == "retry: 2000\n\n");
  }
  CHECK(here.streams() == 2);
  here.send_event("tick", "{\"a\": 1}");
  here.send_event("tick", "1\n2");
  for (client* one : {&first, &second}) {
    CHECK(one->until("\n\n") == "event: tick\ndata: {\"a\": 1}\n\n");
    CHECK(one->until("\n\n") == "event: tick\ndata: 1\ndata: 2\n\n");
  }
  CHECK(has_status(ask(here.port(), "/"), 200)); // others are served meanwhile
  first.socket().close();
  CHECK(comes_true([&] { return here.streams() == 1; })); // without an event
}

TEST_CASE("http_listener: a quiet stream has a heartbeat", "[observer]") {
  http_limits limits;
  limits.heartbeat = 5ms;
  served here(limits);
  client one(here.port());
  one.get("/api/v1/events");
  one.until("retry: 2000\n\n");
  CHECK(one.until("\n\n") == ":\n\n");
  CHECK(one.until("\n\n") == ":\n\n");
}

TEST_CASE("http_listener: too many streams are told to come again", "[observer]") {
  http_limits limits;
  limits.streams = 1;
  served here(limits);
  client one(here.port());
  one.get("/api/v1/events");
  one.until("\n\n");
  CHECK(has_status(ask(here.port(), "/api/v1/events"), 503));
  one.socket().close();
  CHECK(comes_true([&] { return here.streams() == 0; }));
}

TEST_CASE("http_listener: a stream that does not read is dropped", "[observer]") {
  http_limits limits;
  limits.stream_backlog = 200000;
  limits.write_time = 1h; // what is dropped is dropped for its backlog
  served here(limits);
  client idle(here.port());
  client reading(here.port());
  for (client* one : {&idle, &reading}) {
    one->get("/api/v1/events");
    one->until("retry: 2000\n\n");
  }
  std::string json(100000, '1');
  int sent = 0;
  for (; sent != 1000 && here.streams() == 2; ++sent) {
    here.send_event("tick", json);
    CHECK(reading.until("\n\n").size() > json.size());
  }
  CHECK(here.streams() == 1); // the system's buffers have a few megabytes
  CHECK(sent < 1000);
}

TEST_CASE("http_listener: a stream's event that is not read in time ends it", "[observer]") {
  http_limits limits;
  limits.write_time = 20ms;
  limits.stream_backlog = big;
  served here(limits);
  client idle(here.port());
  idle.get("/api/v1/events");
  idle.until("retry: 2000\n\n");
  here.send_event("tick", std::string(big / 8, '1'));
  CHECK(comes_true([&] { return here.streams() == 0; }));
}

TEST_CASE("http_listener: stop leaves nothing, whatever is open", "[observer]") {
  auto here = std::make_unique<served>();
  client stream(here->port());
  stream.get("/api/v1/events");
  stream.until("retry: 2000\n\n");
  client half(here->port());
  half.say("GET / HT");
  client waiting(here->port());
  waiting.get("/waits"); // its handler would wait for an hour
  client reading(here->port());
  reading.get("/big");
  reading.until("\r\n\r\n");
  CHECK(has_status(ask(here->port(), "/"), 200));
  auto begin = std::chrono::steady_clock::now();
  here.reset(); // stops it, and runs until there is no work
  CHECK(std::chrono::steady_clock::now() - begin < 1s);
  CHECK(stream.rest().empty());
  CHECK(half.rest().empty());
  CHECK(waiting.rest().empty());
  reading.rest();
}

TEST_CASE("http_listener: an io_context may end with all open", "[observer]") {
  for (int rounds = 0; rounds != 25; ++rounds) {
    std::vector<std::unique_ptr<client>> all;
    asio::io_context context;
    http_listener listener(context, any_port, "", site);
    for (std::string_view target : {"/api/v1/events", "/waits", "/long", "/", "/throws"}) {
      all.push_back(std::make_unique<client>(listener.local_endpoint().port()));
      all.back()->get(target);
    }
    all.push_back(std::make_unique<client>(listener.local_endpoint().port()));
    for (int steps = 0; steps != rounds; ++steps) {
      context.run_one_for(1ms);
    }
    listener.send_event("tick", "{}");
    if (rounds % 2 == 0) {
      listener.stop();
      listener.stop();
    }
  }
}

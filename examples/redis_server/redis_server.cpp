// SPDX-License-Identifier: BSL-1.0

// A small Redis: enough of it for redis-cli, redis-benchmark and most client libraries.
//
//   redis_server --port 6380 --threads 2 &
//   redis-cli -p 6380 set greeting hello px 5000
//
// Three kinds of server, spread over any number of threads, under supervisors:
//
//   supervisor            ends the program when its children fail too often
//     shard               holds a part of the keys, and is found by its name, "shard-0" and so on
//     dynamic_supervisor  "connections"
//       connection        one for each client; reads commands, asks the shards, writes replies
//     listener            accepts clients, and has their connections started
//
// What a client sends in one go is answered in one go: each shard gets all of its operations in
// one call, however many they are, and all shards work at the same time. resp.hpp has the protocol
// and redis.hpp the commands; here is what runs where, who waits for whom, and how all of it ends.
//
// A shard that fails is started again, under its name and without its keys: its clients get errors
// for what it had in hand, and keep their connections.

#include "redis.hpp"
#include "resp.hpp"

#include <otpp/otpp.hpp>
#include <otpp/supervisor/dynamic_supervisor.hpp>
#include <otpp/supervisor/supervisor.hpp>

#include <asio.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

// ---- shards ----

struct shard {
  struct apply { std::vector<redis::operation> operations; using reply_type = redis::answers; };

  redis::database init() { return {}; }

  otpp::outcome<redis::answers> handle_call(apply request, redis::database& keys) {
    keys.advance(redis::database::clock());
    redis::answers result;
    result.reserve(request.operations.size());
    for (redis::operation& op : request.operations) {
      result.push_back(keys.apply(op));
    }
    return until_next_expiry(otpp::outcome<redis::answers>(std::move(result)), keys);
  }

  // Nobody has asked for anything since. What has expired must not stay in memory for that.
  otpp::outcome<> handle_info(otpp::timeout, redis::database& keys) {
    keys.advance(redis::database::clock());
    return until_next_expiry(otpp::outcome<>(), keys);
  }

  template <class Outcome>
  static Outcome until_next_expiry(Outcome result, const redis::database& keys) {
    auto wait = keys.next_expiry();
    return wait ? std::move(result).timeout(*wait) : std::move(result);
  }
};

/// The names of the shards. Where a key is, is a matter of its hash and their number.
using shard_names = std::shared_ptr<const std::vector<std::string>>;

// ---- connections ----

/// A client, as long as it is there.
class session {
 public:
  session(tcp::socket socket, shard_names shards)
      : socket_(std::move(socket)), shards_(std::move(shards)), commands_(shards_->size()) {
    socket_.set_option(tcp::no_delay(true));
    socket_.non_blocking(true);
  }

  /// Answers the client's commands until it is to be left. Throws when it leaves by itself.
  asio::awaitable<void> converse() {
    while (!commands_.is_last()) {
      std::span<char> room = input_.prepare();
      std::size_t size = co_await socket_.async_read_some(
          asio::mutable_buffer(room.data(), room.size()), asio::use_awaitable);
      input_.commit(size);
      read_commands();
      if (commands_.has_operations()) {
        co_await ask_shards();
      }
      std::string replies = commands_.take_replies();
      // Nearly always the system takes all of it at once, and there is nothing to wait for.
      std::error_code error;
      std::size_t sent = socket_.write_some(asio::buffer(replies), error);
      if (sent < replies.size()) {
        co_await asio::async_write(socket_, asio::buffer(replies) + sent, asio::use_awaitable);
      }
    }
  }

  /// Lets the client see the end, and waits until it leaves: throws then.
  ///
  /// What it has sent meanwhile is read and dropped. If we closed the socket before, the system
  /// would reset the connection, and the last reply might never arrive.
  asio::awaitable<void> see_off() {
    socket_.shutdown(tcp::socket::shutdown_send);
    while (true) {
      std::span<char> room = input_.prepare();
      co_await socket_.async_read_some(
          asio::mutable_buffer(room.data(), room.size()), asio::use_awaitable);
    }
  }

  /// Ends whatever is waited for.
  void close() {
    std::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void read_commands() {
    try {
      while (!commands_.is_last() && input_.next(words_)) {
        commands_.add(words_);
      }
    } catch (const resp::protocol_error& error) {
      commands_.refuse(error.what());
    }
  }

  /// Completes when all shards that have something to do have done it.
  asio::awaitable<void> ask_shards() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) { call_shards(std::move(handler)); }, asio::use_awaitable);
  }

  // Every call is on its way before the first answer comes: none is delivered inside of a call. The
  // callbacks run where the coroutine does that waits for them, so that nothing need be locked.
  template <class Handler>
  void call_shards(Handler handler) {
    auto executor = asio::get_associated_executor(handler);
    auto all_done = std::make_shared<Handler>(std::move(handler));
    for (std::size_t i = 0; i < shards_->size(); ++i) {
      if (!commands_.has_operations(i)) {
        continue;
      }
      ++awaited_;
      otpp::call<shard::apply>(
          otpp::server_name<shard>((*shards_)[i]), commands_.take_operations(i),
          asio::bind_executor(
              executor, [this, i, all_done](std::exception_ptr error, redis::answers answers) {
                if (error) { // this shard is not there, or too slow; the others are none the worse
                  commands_.put_failure(i, otpp::exit_reason(error).message());
                } else {
                  commands_.put_answers(i, std::move(answers));
                }
                if (--awaited_ == 0) {
                  std::move(*all_done)();
                }
              }));
    }
  }

  tcp::socket socket_;
  shard_names shards_;
  resp::parser input_;
  std::vector<std::string_view> words_;
  redis::pipeline commands_;
  std::size_t awaited_ = 0; // shards that have not answered yet
};

struct connection {
  asio::awaitable<std::shared_ptr<session>> init(tcp::socket socket, shard_names shards) {
    otpp::trap_exit(); // so that terminate is called when the supervisor ends it
    auto client = std::make_shared<session>(std::move(socket), std::move(shards));
    auto executor = co_await asio::this_coro::executor;
    auto self = otpp::self<connection>();
    asio::co_spawn(executor, serve(client), [self, executor](std::exception_ptr) {
      // Whatever the error is: it is this client's alone. And if the server has ended meanwhile, that is what was asked for.
      self.stop(
          otpp::exit_reason::normal(), otpp::infinite, asio::bind_executor(executor, [](std::exception_ptr) {}));
    });
    co_return client;
  }

  // Runs beside the handlers, on the server's own executor: never at the same time as one of them;
  // but while it waits, for a slow client perhaps, the server can be stopped. It shares the
  // session, because it has still to wake up and return when the server's state is gone.
  static asio::awaitable<void> serve(std::shared_ptr<session> client) {
    co_await client->converse();
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer patience(executor, 1s);
    patience.async_wait([client](std::error_code cancelled) {
      if (!cancelled) {
        client->close(); // it does not leave
      }
    });
    co_await client->see_off();
  }

  void terminate(const otpp::exit_reason&, std::shared_ptr<session>& client) { client->close(); }
};

// ---- the listener ----

using executors = std::vector<asio::any_io_executor>;

struct listener {
  struct accept {};

  struct state {
    tcp::acceptor acceptor;
    executors threads;
    shard_names shards;
    std::size_t next_thread = 0;
  };

  otpp::init_result<state> init(tcp::endpoint where, executors threads, shard_names shards) {
    tcp::acceptor acceptor(threads.front(), where);
    std::cout << "redis_server: listening on " << acceptor.local_endpoint() << std::endl;
    state begin{std::move(acceptor), std::move(threads), std::move(shards)};
    return otpp::init_result<state>(std::move(begin)).then(accept());
  }

  // It ends with the listener: clients can come only while that runs.
  void handle_continue(accept, state& s) { otpp::co_spawn(accept_clients(s)); }

  static asio::awaitable<void> accept_clients(state& s) {
    while (true) {
      tcp::socket socket(s.threads[s.next_thread++ % s.threads.size()]);
      std::error_code error;
      co_await s.acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (error) { // too many open files, most likely: wait until somebody has left
        asio::steady_timer pause(s.acceptor.get_executor(), 100ms);
        co_await pause.async_wait(asio::use_awaitable);
      } else {
        co_await welcome(std::move(socket), s);
      }
    }
  }

  static asio::awaitable<void> welcome(tcp::socket socket, state& s) {
    auto thread = socket.get_executor();
    otpp::child_spec client =
        otpp::temporary_child<connection>("client", std::move(socket), s.shards).on(thread);
    try {
      co_await otpp::start_child("connections", client);
    } catch (const otpp::error& error) {
      std::cerr << "redis_server: a client is turned away: " << error.what() << '\n';
    }
  }
};

// ---- the program ----

struct settings {
  asio::ip::address address = asio::ip::address_v4::loopback();
  std::uint16_t port = 6380;
  std::size_t threads = 1;
  std::size_t shards = 0; // one for each thread
};

constexpr std::string_view usage = R"(usage: redis_server [option...]
  --port N       TCP port to listen on; 0 takes any that is free (6380)
  --bind ADDR    IP address to listen on (127.0.0.1)
  --threads N    threads that serve clients and keys (1)
  --shards N     servers among which the keys are divided (as many as threads)
  --help         this text
)";

// Keys first, and clients last; the end is the other way round: no more clients are let in, those
// that are there are left, and only then, when nobody can ask for them any more, the keys go.
otpp::supervisor_spec plan(const settings& how, const executors& threads) {
  otpp::supervisor_spec result = otpp::supervisor_spec(otpp::one_for_one).intensity(10, 5s);
  auto names = std::make_shared<std::vector<std::string>>();
  for (std::size_t i = 0; i < how.shards; ++i) {
    std::string name = "shard-" + std::to_string(i);
    result.add(otpp::child<shard>(name).named(name).on(threads[i % threads.size()]));
    names->push_back(name);
  }
  result.add(otpp::child<otpp::dynamic_supervisor>("connections").named("connections"));
  tcp::endpoint where(how.address, how.port);
  result.add(otpp::child<listener>("listener", where, threads, names).on(threads.front()));
  return result;
}

std::size_t read_number(
    std::string_view option, std::string_view text, std::int64_t least, std::int64_t most) {
  std::optional<std::int64_t> number = resp::to_integer(text);
  if (!number || *number < least || *number > most) {
    throw std::invalid_argument(
        std::string(option) + " takes a number from " + std::to_string(least) + " to " +
        std::to_string(most) + ", not " + std::string(text));
  }
  return static_cast<std::size_t>(*number);
}

/// Returns nothing if help is wanted.
std::optional<settings> read_arguments(std::span<char*> arguments) {
  settings result;
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    std::string_view option = arguments[i];
    if (option == "--help") {
      return std::nullopt;
    }
    if (i + 1 == arguments.size()) {
      throw std::invalid_argument(std::string(option) + " is unknown, or needs a value");
    }
    std::string_view value = arguments[i + 1];
    if (option == "--port") {
      result.port = static_cast<std::uint16_t>(read_number(option, value, 0, 65535));
    } else if (option == "--bind") {
      std::error_code error;
      result.address = asio::ip::make_address(value, error);
      if (error) {
        throw std::invalid_argument("--bind takes an IP address, not " + std::string(value));
      }
    } else if (option == "--threads") {
      result.threads = read_number(option, value, 1, 1024);
    } else if (option == "--shards") {
      result.shards = read_number(option, value, 1, 1024);
    } else {
      throw std::invalid_argument(std::string(option) + " is unknown");
    }
  }
  result.shards = result.shards == 0 ? result.threads : result.shards;
  return result;
}

} // namespace

int main(int argc, char** argv) {
  try {
    auto how = read_arguments(std::span(argv, static_cast<std::size_t>(argc)));
    if (!how) {
      std::cout << usage;
      return EXIT_SUCCESS;
    }
    // A context for each thread, so that what talks to each other on one thread needs no lock.
    std::list<asio::thread_pool> pools;
    executors threads;
    for (std::size_t i = 0; i < how->threads; ++i) {
      threads.push_back(pools.emplace_back(1).get_executor());
    }
    int status = otpp::run(plan(*how, threads));
    if (status == EXIT_SUCCESS) {
      for (asio::thread_pool& pool : pools) {
        pool.join(); // all has ended, and what that has woken returns
      }
    }
    return status; // otherwise whatever is still running is destroyed with its thread
  } catch (const std::exception& error) {
    std::cerr << "redis_server: " << error.what() << '\n' << usage;
    return 2;
  }
}

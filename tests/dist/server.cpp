// SPDX-License-Identifier: BSL-1.0

// The servers that erlang.escript calls, as a node:
//
//   server <node> <cookie> <port of epmd> [<option> <value>]...
//
// The options are `tick` and `setup`, in milliseconds, `open`, a number of calls, monitors and links, `refuse`, the name of a
// node that may not connect, `epmd no`, `listen no` or an address, `resolve`, a port of 127.0.0.1 where all others listen, and
// `events on`, which prints what happens to connections. It prints `ready`, and then what is reported: a line begins with its kind.
// From its standard input it takes
//
//   connect <node>            prints `connected`, or `failed: <why>`
//   ask <name> <node> <key>   calls, and prints `answer: <what>`
//   port                      prints `port: <number>`, where it listens
//   peers                     prints `peers: <node>...`
//   close                     closes the node, and ends

#include "asker.hpp"
#include "board.hpp"
#include "grouper.hpp"
#include "racer.hpp"
#include "streams.hpp"
#include "tls.hpp"

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <algorithm>
#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

void print(std::string_view kind, std::string_view text) { std::cout << kind << text << std::endl; }

// ---- a server of all three kinds of messages ----

struct counter {
  struct get {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("get");
  };
  struct add {
    int n;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("add");
  };
  struct self {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("self");
  };
  struct bump {
    int n;
    static constexpr auto term = otpp::as::tagged("bump");
  }; // a cast and an info
  struct note {
    int n;
    static constexpr auto term = otpp::as::tagged("note");
  };
  // How many notes have come, and whether each was one more than the last.
  struct noted {
    using reply_type = std::pair<int, bool>;
    static constexpr auto term = otpp::as::tagged("noted");
  };
  using messages = otpp::message_list<get, add, self, bump, note, noted>;

  struct state {
    int count = 0;
    int notes = 0;
    bool in_order = true;
  };

  state init() { return {}; }
  int handle_call(get, state& s) { return s.count; }
  int handle_call(add request, state& s) { return s.count += request.n; }
  otpp::pid handle_call(self, state&) { return otpp::self(); }
  std::pair<int, bool> handle_call(noted, state& s) { return {s.notes, s.in_order}; }
  void handle_cast(bump request, state& s) { s.count += request.n; }
  void handle_info(bump request, state& s) { s.count += 100 * request.n; } // told from a cast by that
  void handle_cast(note one, state& s) { s.in_order = one.n == ++s.notes && s.in_order; }
};

// ---- values ----

struct address {
  std::string street;
  std::optional<std::int64_t> number;
  static constexpr auto term = otpp::as::tagged("address").absent("nil");
};

struct person {
  std::string name;
  std::optional<std::string> mail;
  std::vector<address> addresses;
  std::map<std::string, double> weights;
  static constexpr auto term = otpp::as::map(
                                   "name", &person::name, "mail", &person::mail, "addresses",
                                   &person::addresses, "weights", &person::weights)
                                   .absent("nil");
};

struct echo {
  struct of_person {
    person one;
    using reply_type = person;
    static constexpr auto term = otpp::as::tagged("person");
  };
  struct of_map {
    std::map<std::string, std::int64_t> all;
    using reply_type = std::map<std::string, std::int64_t>;
    static constexpr auto term = otpp::as::tagged("map");
  };
  struct of_text {
    std::string text;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("text");
  };
  struct of_maybe {
    std::optional<int> n;
    using reply_type = std::optional<int>;
    static constexpr auto term = otpp::as::tagged("maybe");
  };
  struct of_nothing {
    static constexpr auto term = otpp::as::tagged("nothing");
    using reply_type = void;
  };
  using messages = otpp::message_list<of_person, of_map, of_text, of_maybe, of_nothing>;

  int init() { return 0; }
  person handle_call(of_person request, int&) { return request.one; }
  std::map<std::string, std::int64_t> handle_call(of_map request, int&) { return request.all; }
  std::string handle_call(of_text request, int&) { return request.text; }
  std::optional<int> handle_call(of_maybe request, int&) { return request.n; }
  void handle_call(of_nothing, int&) {}
};

// ---- a server that ends, in all ways, and one that does not answer ----

struct faulty {
  struct alive {
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("alive");
  };
  struct self {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("self");
  };
  struct crash {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("crash");
  };
  struct reason {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("reason");
  };
  struct stop {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("stop");
  };
  struct shut_down {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("shut_down");
  };
  struct kill {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("kill");
  };
  struct drop {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("drop");
  };
  struct fail {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("fail");
  };
  struct fail_in_words {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("fail_in_words");
  };
  using messages =
      otpp::message_list<alive, self, crash, reason, stop, shut_down, kill, drop, fail, fail_in_words>;

  struct state {
    otpp::caller<int> killing;
  };

  state init() { return {}; }
  bool handle_call(alive, state&) { return true; }
  otpp::pid handle_call(self, state&) { return otpp::self(); }
  int handle_call(crash, state&) { throw std::runtime_error("boom"); }
  int handle_call(reason, state&) { throw otpp::dist::remote_reason(std::pair(otpp::atom("disk_full"), 7)); }
  otpp::outcome<int> handle_call(stop, state&) { return otpp::stop(); }
  otpp::outcome<int> handle_call(shut_down, state&) { return otpp::stop(otpp::exit_reason::shutdown()); }
  void handle_call(kill, otpp::caller<int> caller, state& s) {
    s.killing = std::move(caller);
    otpp::kill(otpp::self());
  }
  void handle_call(drop, otpp::caller<int>, state&) {}
  otpp::outcome<int> handle_call(fail, state&) {
    return otpp::fail(otpp::dist::remote_error(otpp::atom("not_found")));
  }
  otpp::outcome<int> handle_call(fail_in_words, state&) { return otpp::fail("no such thing"); }
  void handle_cast(crash, state&) { throw std::runtime_error("boom"); }
  otpp::outcome<> handle_cast(stop, state&) { return otpp::stop(); }
  void handle_cast(kill, state&) { otpp::kill(otpp::self()); }
};

struct slow {
  struct later {
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("later");
  };
  struct is_waiting {
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("is_waiting");
  };
  struct answer {
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("answer");
  }; // later's
  using messages = otpp::message_list<later, is_waiting, answer>;

  using state = otpp::caller<std::string>;

  state init() { return {}; }
  void handle_call(later, otpp::caller<std::string> caller, state& waiting) { waiting = std::move(caller); }
  bool handle_call(is_waiting, state& waiting) { return waiting.is_waiting(); }
  bool handle_call(answer, state& waiting) { return waiting.reply("at last"); }
};

// ---- one whose mailbox is full as long as it is held ----

struct gate {
  asio::steady_timer released;
  bool is_held = false;
};

struct limited {
  struct hold {
    static constexpr auto term = otpp::as::tagged("hold");
  };
  struct fill {
    static constexpr auto term = otpp::as::tagged("fill");
  };
  struct filled {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("filled");
  };
  using messages = otpp::message_list<hold, fill, filled>;

  struct state {
    gate* held_by;
    int count = 0;
  };

  state init(gate* held_by) { return {held_by}; }
  asio::awaitable<void> handle_cast(hold, state& s) {
    std::error_code ignored;
    auto until_released = asio::redirect_error(asio::use_awaitable, ignored);
    s.held_by->is_held = true;
    co_await s.held_by->released.async_wait(until_released);
    s.held_by->is_held = false;
  }
  void handle_cast(fill, state& s) { ++s.count; }
  int handle_call(filled, state& s) { return s.count; }
};

// ---- one that takes any term ----

struct anything {
  struct seen {
    using reply_type = std::vector<otpp::term>;
    static constexpr auto term = otpp::as::tagged("seen");
  };
  using messages = otpp::message_list<seen>;
  using state = std::vector<otpp::term>;

  state init() { return {}; }
  state handle_call(seen, state& s) { return s; }
  otpp::term handle_call(otpp::dist::any_call call, state&) { return call.request; }
  void handle_cast(otpp::term what, state& s) { s.push_back(std::move(what)); }
  void handle_info(otpp::term what, state& s) { s.push_back(std::move(what)); }
};

// ---- what the test asks of the node ----

struct figures {
  std::uint64_t unknown;
  std::uint64_t dropped;
  std::uint64_t refused;
  static constexpr auto term =
      otpp::as::map("unknown", &figures::unknown, "dropped", &figures::dropped, "refused", &figures::refused);
};

struct control {
  struct peers {
    using reply_type = std::vector<std::string>;
    static constexpr auto term = otpp::as::tagged("peers");
  };
  struct statistics {
    using reply_type = figures;
    static constexpr auto term = otpp::as::tagged("statistics");
  };
  struct start_faulty {
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("start_faulty");
  };
  struct start_board {
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("start_board");
  };
  struct is_held { // the limited one
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("is_held");
  };
  struct release {
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("release");
  };
  struct start_racer {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("start_racer");
  };
  struct unpublish {
    std::string name;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("unpublish");
  };
  using messages = otpp::message_list<
      peers, statistics, start_faulty, start_board, start_racer, is_held, release, unpublish>;

  struct state {
    otpp::dist::node* node;
    gate* hold;
    asio::any_io_executor elsewhere; // has threads of its own, so that more happens at the same time
  };

  state init(otpp::dist::node* node, gate* hold, asio::any_io_executor elsewhere) {
    return {node, hold, std::move(elsewhere)};
  }
  std::vector<std::string> handle_call(peers, state& s) { return s.node->peers(); }
  figures handle_call(statistics, state& s) {
    otpp::dist::node_statistics all = s.node->statistics();
    return {all.unknown, all.dropped, all.refused};
  }
  asio::awaitable<void> handle_call(start_faulty, state&) {
    co_await otpp::start<faulty>(otpp::named("faulty"));
  }
  asio::awaitable<void> handle_call(start_board, state& s) {
    co_await otpp::start<board>(otpp::named("board"), s.node);
  }
  asio::awaitable<otpp::pid> handle_call(start_racer, state& s) {
    otpp::pid made = co_await otpp::start<racer>(otpp::options().on(s.elsewhere));
    co_return made;
  }
  bool handle_call(is_held, state& s) { return s.hold->is_held; }
  void handle_call(release, state& s) { s.hold->released.cancel(); }
  void handle_call(unpublish which, state& s) { s.node->unpublish(which.name); }
};

// Prints what happens to connections.
struct watcher {
  int init() { return 0; }
  void handle_info(const otpp::dist::node_event& one, int&) {
    print("event: ", (one.what == otpp::dist::node_event::kind::up ? "up " : "down ") + one.name);
  }
};

// ---- the program ----

asio::awaitable<asio::ip::tcp::endpoint> at_port(asio::ip::port_type port) {
  co_return asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port);
}

void say_where(otpp::dist::node_options& how, const std::string& option, const std::string& value) {
  if (option == "epmd") {
    how.no_epmd();
  } else if (option == "listen" && value == "no") {
    how.no_listen();
  } else if (option == "listen") {
    how.listen({asio::ip::make_address(value), 0});
  } else if (option == "resolve") {
    auto port = static_cast<asio::ip::port_type>(std::stoi(value));
    how.resolver([port](const std::string&) { return at_port(port); });
  }
}

otpp::dist::node_options options_of(const std::vector<std::string>& arguments) {
  auto loopback = asio::ip::address_v4::loopback();
  auto port = static_cast<asio::ip::port_type>(std::stoi(arguments.at(2)));
  otpp::dist::node_options how(arguments[0]);
  how.cookie(arguments[1]).epmd(asio::ip::tcp::endpoint(loopback, port));
  how.knows<news, asker::lookup, number, did>();
  for (std::size_t at = 3; at + 1 < arguments.size(); at += 2) {
    const std::string& value = arguments[at + 1];
    if (arguments[at] == "tick") {
      how.tick(std::chrono::milliseconds(std::stoi(value)));
    } else if (arguments[at] == "setup") {
      how.setup(std::chrono::milliseconds(std::stoi(value)));
    } else if (arguments[at] == "open") {
      otpp::dist::node_limits limits;
      limits.open = static_cast<std::size_t>(std::stoi(value));
      how.limits(limits);
    } else if (arguments[at] == "tls") {
      use_tls(how, value);
    } else if (arguments[at] == "refuse") {
      how.allow([value](std::string_view node, const asio::ip::tcp::endpoint&) { return node != value; });
    } else {
      say_where(how, arguments[at], value);
    }
  }
  return how;
}

asio::awaitable<void> start_all(otpp::dist::node& node, gate& hold, asio::any_io_executor elsewhere) {
  co_await otpp::start<control>(otpp::named("control"), &node, &hold, elsewhere);
  co_await otpp::start<counter>(otpp::named("counter"));
  co_await otpp::start<echo>(otpp::named("echo"));
  co_await otpp::start<faulty>(otpp::named("faulty"));
  co_await otpp::start<slow>(otpp::named("slow"));
  co_await otpp::start<limited>(otpp::named("limited").mailbox_limit(2), &hold);
  co_await otpp::start<anything>(otpp::named("anything"));
  co_await otpp::start<asker>(otpp::named("asker"), &node);
  co_await otpp::start<board>(otpp::named("board"), &node);
  co_await otpp::start<grouper>(otpp::named("grouper"), &node);
  co_await otpp::start<registrar>(otpp::named("registrar"), &node);
  co_await otpp::start<sink>(otpp::named("sink"));
  co_await otpp::start<source>(otpp::named("source"), &node);
  node.publish(otpp::server_name<control>("control"));
  node.publish(otpp::server_name<sink>("sink"));
  node.publish(otpp::server_name<source>("source"));
  node.publish(otpp::server_name<racer>("racer")); // there is none: it is for those of start_racer
  node.publish(otpp::server_name<asker>("asker"));
  node.publish(otpp::server_name<board>("board"));
  node.publish(otpp::server_name<counter>("counter"));
  node.publish(otpp::server_name<counter>("counter"), "Elixir.Counter");
  node.publish(otpp::server_name<echo>("echo"));
  node.publish(otpp::server_name<faulty>("faulty"));
  node.publish(otpp::server_name<slow>("slow"));
  node.publish(otpp::server_name<limited>("limited"));
  node.publish(otpp::server_name<anything>("anything"));
  node.publish(otpp::server_name<grouper>("grouper"));
  node.publish(otpp::server_name<registrar>("registrar"));
  node.publish(
      otpp::server_name<member>("member")); // nobody has the name, but its messages are known by that
}

asio::awaitable<void> connect(otpp::dist::node& node, std::string peer) {
  try {
    co_await node.connect(peer);
    print("connected", "");
  } catch (const std::exception& error) {
    print("failed: ", error.what());
  }
}

// A process of its own, as others are to be obeyed meanwhile.
asio::awaitable<void> ask(otpp::dist::node node, std::string name, std::string peer, std::string key) {
  auto whom = node.remote(std::move(name), std::move(peer));
  try {
    int value = co_await otpp::call_for<asker::lookup>(whom, std::chrono::seconds(20), std::move(key));
    print("answer: ", std::to_string(value));
  } catch (const std::exception& error) {
    print("answer: ", error.what());
  }
}

asio::awaitable<void> obey(asio::posix::stream_descriptor& input, otpp::dist::node& node) {
  std::string text;
  std::error_code error;
  while (!error) {
    auto buffer = asio::dynamic_buffer(text);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    std::size_t length = co_await asio::async_read_until(input, buffer, '\n', token);
    std::string line = text.substr(0, length == 0 ? 0 : length - 1);
    text.erase(0, length);
    if (line == "close") {
      co_return;
    }
    std::istringstream words(line);
    std::string command;
    std::string first;
    std::string second;
    std::string third;
    words >> command >> first >> second >> third;
    if (command == "connect") {
      co_await connect(node, first);
    } else if (command == "ask") {
      asio::awaitable<void> asking = ask(node, first, second, third);
      co_await otpp::spawn(std::move(asking));
    } else if (command == "port") {
      print("port: ", std::to_string(node.local_endpoint().port()));
    } else if (command == "peers") {
      std::string all;
      for (const std::string& each : node.peers()) {
        all += ' ' + each;
      }
      print("peers:", all);
    }
  }
}

asio::awaitable<int> serve(std::vector<std::string> arguments, asio::any_io_executor elsewhere) {
  try {
    auto executor = co_await asio::this_coro::executor;
    gate hold{asio::steady_timer(executor, asio::steady_timer::time_point::max())};
    otpp::dist::node_options how = options_of(arguments);
    otpp::dist::node node = co_await otpp::dist::open(std::move(how));
    co_await start_all(node, hold, elsewhere);
    if (std::find(arguments.begin(), arguments.end(), "events") != arguments.end()) {
      auto watching = co_await otpp::start<watcher>();
      node.events(watching);
    }
    asio::posix::stream_descriptor input(executor, ::dup(STDIN_FILENO)); // before its files are counted
    print("ready", "");
    co_await obey(input, node);
    co_await node.close();
    co_return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    print("failed: ", error.what());
    co_return EXIT_FAILURE;
  }
}

} // namespace

int main(int count, char** arguments) {
  otpp::subscription unknown = otpp::subscribe<otpp::dist::unknown_message>(
      [](const otpp::dist::unknown_message& one) { print("unknown: ", one.text()); });
  otpp::subscription reports = otpp::subscribe<otpp::dist::connection_report>(
      [](const otpp::dist::connection_report& one) { print("report: ", one.text()); });
  otpp::subscription crashes = otpp::subscribe<otpp::crash_report>(
      [](const otpp::crash_report& one) { print("crash: ", one.text()); });
  asio::thread_pool elsewhere(2);
  return otpp::run(
      serve(std::vector<std::string>(arguments + 1, arguments + count), elsewhere.get_executor()));
}

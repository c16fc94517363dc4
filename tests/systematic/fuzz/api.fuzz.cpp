// SPDX-License-Identifier: BSL-1.0

// Bytes to a sequence of operations of clients on servers, and to the order in which all that comes of them is
// done. Whatever they are: each operation ends once, and as it may; a server handles one message at a time, in
// each client's order; a name is a living server's; nothing is left.

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace otpp::testing;

namespace {

int alive = 0;

// What is counted for as long as it lives.
struct counted {
  counted() noexcept { ++alive; }
  counted(const counted&) noexcept { ++alive; }
  counted& operator=(const counted&) = default;
  ~counted() { --alive; }
};

const char* violated = nullptr; // the first: what a handler throws only ends its server

void require(bool holds, const char* what) {
  if (!holds) {
    violated = violated ? violated : what;
    throw std::logic_error(what);
  }
}

struct stamp {
  int client = 0;
  int number = 0;
  counted life{};
};

// What all servers of a run write down.
struct book {
  std::map<std::pair<std::uint64_t, int>, int> last; // of a server and a client
  std::map<std::string, int> living;                 // by name
};

struct state {
  std::shared_ptr<book> kept; // of a run that has failed too
  std::string name;
  std::uint64_t number = 0;
  bool is_busy = false;
  std::vector<otpp::caller<int>> parked;
  counted life{};

  state() = default;
  state(state&&) = default;
  ~state() {
    if (kept && !name.empty()) {
      --kept->living[name];
    }
  }

  void take(const stamp& from) {
    require(!is_busy, "two handlers at once");
    int& last = kept->last[{number, from.client}];
    require(last < from.number, "overtaken, or handled twice");
    last = from.number;
  }
};

struct shop {
  struct ask {
    stamp from;
    using reply_type = int;
  };
  struct ask_slowly {
    stamp from;
    using reply_type = int;
  };
  struct park {
    stamp from;
    using reply_type = int;
  };
  struct crash {
    stamp from;
    using reply_type = int;
  };
  struct quit {
    stamp from;
    using reply_type = int;
  };
  struct tell {
    stamp from;
  };
  struct tell_slowly {
    stamp from;
  };
  struct answer {
    stamp from;
  };
  struct drop {
    stamp from;
  };

  using messages = otpp::message_list<ask, ask_slowly, park, crash, quit, tell, tell_slowly, answer, drop>;

  asio::awaitable<state> init(std::shared_ptr<book> kept, std::string name, std::uint64_t number, int how) {
    if (how & 1) {
      co_await asio::post(asio::use_awaitable);
    }
    if (how == 7) {
      throw std::runtime_error("no shop today");
    }
    state made;
    made.number = number;
    if (!name.empty()) {
      require(++kept->living[name] == 1, "two servers with one name");
    }
    made.kept = std::move(kept);
    made.name = std::move(name);
    co_return made;
  }

  int handle_call(ask m, state& s) {
    s.take(m.from);
    return m.from.number;
  }
  asio::awaitable<int> handle_call(ask_slowly m, state& s) {
    s.take(m.from);
    s.is_busy = true;
    co_await asio::post(asio::use_awaitable);
    s.is_busy = false;
    co_return m.from.number;
  }
  void handle_call(park m, otpp::caller<int> from, state& s) {
    s.take(m.from);
    s.parked.push_back(std::move(from));
  }
  int handle_call(crash m, state& s) {
    s.take(m.from);
    throw std::runtime_error("crash");
  }
  otpp::outcome<int> handle_call(quit m, state& s) {
    s.take(m.from);
    return otpp::stop(otpp::exit_reason::normal(), m.from.number);
  }
  void handle_cast(tell m, state& s) { s.take(m.from); }
  asio::awaitable<void> handle_cast(tell_slowly m, state& s) {
    s.take(m.from);
    s.is_busy = true;
    co_await asio::post(asio::use_awaitable);
    s.is_busy = false;
  }
  void handle_info(tell m, state& s) { s.take(m.from); }
  void handle_cast(answer m, state& s) {
    s.take(m.from);
    for (otpp::caller<int>& from : std::exchange(s.parked, {})) {
      from.reply(0);
    }
  }
  void handle_cast(drop m, state& s) {
    s.take(m.from);
    s.parked.clear();
  }
};

class bytes {
 public:
  bytes(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  bool empty() const { return at_ == end_; }
  unsigned next() { return at_ == end_ ? 0 : *at_++; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

struct command {
  unsigned what;
  unsigned whom;
  unsigned how;
};

// One run: what its clients know and do.
struct town {
  world& one;
  std::shared_ptr<book> kept = std::make_shared<book>();
  otpp::registry names;
  std::vector<otpp::server_ref<shop>> servers;
  std::vector<bool> waits_for_name; // by client
  std::uint64_t started = 0;
  int number = 0;

  town(world& here, std::size_t clients) : one(here), waits_for_name(clients) {}

  static constexpr const char* name_of[] = {"", "one", "two"};

  otpp::duration patience(unsigned how) const {
    return how % 3 == 0 ? otpp::duration(0) : how % 3 == 1 ? otpp::duration(1ms) : otpp::infinite;
  }

  bool has_name(const otpp::server_ref<shop>& server) const {
    for (const char* name : {"one", "two"}) {
      auto found = otpp::whereis<shop>(name, names);
      if (found && *found == server) {
        return true;
      }
    }
    return false;
  }

  void stop_all() {
    for (const char* name : {"one", "two"}) {
      if (auto found = otpp::whereis<shop>(name, names)) {
        servers.push_back(*found); // whoever started it has given up
      }
    }
    for (std::size_t i = 0; i < servers.size(); ++i) {
      servers[i].stop(otpp::exit_reason::shutdown(), [](std::exception_ptr) {});
    }
    one.run_in_order();
  }

  // When nothing is left to be done.
  void check_names() {
    for (const char* name : {"one", "two"}) {
      bool is_found = otpp::whereis<shop>(name, names).has_value();
      require(is_found == (kept->living[name] == 1), "a name without a server, or a server without its name");
    }
  }

  template <class Message>
  asio::awaitable<void> call(int client, const command& c) {
    Message message{stamp{client, ++number}};
    int wanted = number;
    int got = 0;
    if (c.how & 16) {
      got = co_await otpp::call(
          otpp::server_name<shop>(name_of[1 + c.whom % 2], names), message, patience(c.how));
    } else if (!servers.empty()) {
      got = co_await otpp::call(servers[c.whom % servers.size()], message, patience(c.how));
    } else {
      co_return;
    }
    require(got == wanted || got == 0, "the answer of another call");
  }

  template <class Message>
  asio::awaitable<void> cast(int client, const command& c) {
    if (servers.empty()) {
      co_return;
    }
    Message message{stamp{client, ++number}};
    otpp::server_ref<shop> to = servers[c.whom % servers.size()];
    if (c.how & 1) {
      otpp::try_cast(to, message);
    } else {
      co_await otpp::cast(to, message);
    }
  }

  asio::awaitable<void> run(int client, command c) {
    switch (c.what % 14) {
      case 0: {
        otpp::options how;
        std::string name = name_of[c.whom % 3];
        if (!name.empty()) {
          how = otpp::named(name).in(names);
        }
        how.mailbox_limit(c.how & 8 ? 1 : 0);
        auto made = co_await otpp::start<shop>(how, kept, name, ++started, static_cast<int>(c.how & 7));
        servers.push_back(made);
        break;
      }
      case 1: co_await call<shop::ask>(client, c); break;
      case 2: co_await call<shop::ask_slowly>(client, c); break;
      case 3: co_await call<shop::park>(client, c); break;
      case 4: co_await call<shop::crash>(client, c); break;
      case 5: co_await call<shop::quit>(client, c); break;
      case 6: co_await cast<shop::tell>(client, c); break;
      case 7: co_await cast<shop::tell_slowly>(client, c); break;
      case 8: co_await cast<shop::answer>(client, c); break;
      case 9: co_await cast<shop::drop>(client, c); break;
      case 10:
        if (!servers.empty()) {
          otpp::server_ref<shop> to = servers[c.whom % servers.size()];
          co_await to.stop(otpp::exit_reason::normal(), patience(c.how));
          require(!has_name(to), "ended, and has its name");
        }
        break;
      case 11:
        if (!servers.empty()) {
          otpp::server_ref<shop> to = servers[c.whom % servers.size()];
          co_await to.join();
          require(!has_name(to), "ended, and has its name");
        }
        break;
      case 12:
        waits_for_name[static_cast<std::size_t>(client)] = true;
        co_await otpp::wait_for_name<shop>(name_of[1 + c.whom % 2], patience(c.how), names);
        break;
      default: {
        const char* name = name_of[1 + c.whom % 2];
        if (auto found = otpp::whereis<shop>(name, names)) {
          servers.push_back(*found);
        }
        break;
      }
    }
  }

  asio::awaitable<void> live(int client, std::vector<command> all) {
    for (const command& c : all) {
      waits_for_name[static_cast<std::size_t>(client)] = false;
      try {
        co_await run(client, c);
      } catch (const otpp::error&) { // one of the closed list
      } catch (const std::system_error& error) {
        require(error.code() == asio::error::operation_aborted, "an error of another kind");
      } catch (const std::runtime_error& error) {
        require(std::string(error.what()) == "no shop today", "an exception of another kind");
      }
    }
  }
};

void run_town(world& one, bytes input) {
  one.set_turn_limit(input.next() % 2 == 0 ? 1 : otpp::detail::turn::limit);
  unsigned ends = input.next();
  std::vector<std::vector<command>> plans(1 + input.next() % 3);
  for (std::size_t i = 0; !input.empty() && i < 60; ++i) {
    unsigned what = input.next();
    unsigned whom = input.next();
    unsigned how = input.next();
    plans[i % plans.size()].push_back({what, whom, how});
  }
  town here(one, plans.size());
  std::vector<client*> clients;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    std::string name(1, static_cast<char>('a' + i));
    clients.push_back(
        &one.spawn(name, [&here, i, plan = plans[i]] { return here.live(static_cast<int>(i), plan); }));
  }
  if (ends & 1) {
    one.may("a gives up", [&] { clients[0]->has_ended() ? void() : clients[0]->cancel(); });
  }
  if (ends & 2) {
    one.may_destroy_main_context();
  }
  one.run();
  if (one.has_main_context()) {
    here.check_names();
    // Whoever still waits, waits for a server or for a name: when the servers are gone, for a name.
    std::size_t known = 0;
    do { // whoever goes on may start another
      known = here.servers.size();
      here.stop_all();
    } while (here.servers.size() != known);
    for (std::size_t i = 0; i < clients.size(); ++i) {
      require(clients[i]->has_ended() || here.waits_for_name[i], "waits forever");
      if (!clients[i]->has_ended()) {
        clients[i]->cancel();
      }
    }
    here.stop_all(); // whoever was cancelled went on, and may have started one
    for (client* who : clients) {
      require(who->has_ended(), "a client waits forever");
    }
    require(!otpp::whereis<shop>("one", here.names), "a name without a server");
    require(!otpp::whereis<shop>("two", here.names), "a name without a server");
  }
  if (violated) {
    throw std::logic_error(violated);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const otpp::subscription quiet =
      otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  if (!quiet || size < 4 || size > 400) {
    return 0;
  }
  // The first half is what is done, the second in which order.
  std::size_t half = size / 2;
  violated = nullptr;
  std::string choices(reinterpret_cast<const char*>(data) + half, size - half);
  try {
    explore(orders::from_bytes(choices), [&](world& one) { run_town(one, bytes(data, half)); });
    require(alive == 0, "something is left");
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    std::abort();
  }
  return 0;
}

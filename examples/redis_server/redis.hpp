// SPDX-License-Identifier: BSL-1.0

// What Redis means by its commands, without anything that waits: the keys of one shard, and the
// way from commands to operations on shards and back to replies.

#pragma once

#include "resp.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace redis {

using std::chrono::milliseconds;

// ---- a shard ----

enum class verb { get, set, del, exists, incr, expire, ttl, size, clear, panic };
enum class condition { none, if_absent, if_present };

/// What a shard is asked to do with one key; with all of its keys, for size and clear.
struct operation {
  verb what;
  std::string key = {};
  std::string value = {};
  std::optional<milliseconds> lifetime = {};
  condition only = condition::none;
  bool keeps_ttl = false;
};

struct ok {};
struct nil {};
struct failure { std::string text; };
using answer = std::variant<ok, nil, std::int64_t, std::string, failure>;
using answers = std::vector<answer>;

/// The keys of one shard. Plain and single-threaded: the server around it sees to that.
class database {
 public:
  using instant = std::chrono::time_point<std::chrono::steady_clock, milliseconds>;

  static instant clock() {
    return std::chrono::floor<milliseconds>(std::chrono::steady_clock::now());
  }

  /// Sets the time, and forgets what has expired by then. To be called before anything else, so
  /// that nothing below ever sees an expired key.
  void advance(instant now) {
    now_ = now;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now_) {
      entries_.erase(deadlines_.begin()->second);
      deadlines_.erase(deadlines_.begin());
    }
  }

  /// Returns how long it is until the next key expires.
  std::optional<milliseconds> next_expiry() const {
    if (deadlines_.empty()) {
      return std::nullopt;
    }
    return deadlines_.begin()->first - now_;
  }

  answer apply(operation& op) {
    auto at = entries_.find(op.key);
    bool found = at != entries_.end();
    switch (op.what) {
      case verb::get: return found ? answer(at->second.value) : answer(nil());
      case verb::set: return set(at, op);
      case verb::del: return found ? erase(at) : 0;
      case verb::exists: return found ? 1 : 0;
      case verb::incr: return increment(at, op);
      case verb::expire: return found ? expire(at, *op.lifetime) : 0;
      case verb::ttl: return found ? time_to_live(at) : -2;
      case verb::size: return static_cast<std::int64_t>(entries_.size());
      case verb::panic: throw std::runtime_error("panic"); // as it was told to
      case verb::clear: break;
    }
    entries_.clear();
    deadlines_.clear();
    return ok();
  }

 private:
  struct entry {
    std::string value;
    std::optional<instant> expires;
  };
  using position = std::unordered_map<std::string, entry>::iterator;

  answer set(position at, operation& op) {
    bool found = at != entries_.end();
    if (op.only == (found ? condition::if_absent : condition::if_present)) {
      return nil();
    }
    if (!found) {
      at = entries_.try_emplace(std::move(op.key)).first;
    }
    at->second.value = std::move(op.value);
    if (!op.keeps_ttl) {
      expire_at(at, op.lifetime ? std::optional(now_ + *op.lifetime) : std::nullopt);
    }
    return ok();
  }

  answer increment(position at, operation& op) {
    if (at == entries_.end()) {
      at = entries_.try_emplace(std::move(op.key), entry{"0", {}}).first;
    }
    std::optional<std::int64_t> number = resp::to_integer(at->second.value);
    if (!number) {
      return failure{"ERR value is not an integer or out of range"};
    }
    if (*number == std::numeric_limits<std::int64_t>::max()) {
      return failure{"ERR increment or decrement would overflow"};
    }
    at->second.value = std::to_string(++*number);
    return *number;
  }

  std::int64_t expire(position at, milliseconds lifetime) {
    if (lifetime <= milliseconds::zero()) {
      return erase(at);
    }
    expire_at(at, now_ + lifetime);
    return 1;
  }

  std::int64_t time_to_live(position at) const {
    if (!at->second.expires) {
      return -1;
    }
    return (*at->second.expires - now_ + milliseconds(500)) / std::chrono::seconds(1); // rounds
  }

  std::int64_t erase(position at) {
    expire_at(at, std::nullopt);
    entries_.erase(at);
    return 1;
  }

  void expire_at(position at, std::optional<instant> when) {
    if (at->second.expires) {
      deadlines_.erase({*at->second.expires, at->first});
    }
    if (when) {
      deadlines_.emplace(*when, at->first);
    }
    at->second.expires = when;
  }

  instant now_;
  std::unordered_map<std::string, entry> entries_;
  std::set<std::pair<instant, std::string>> deadlines_; // of those that have one
};

// ---- a client ----

using words = std::span<const std::string_view>;

/// The commands that a client has sent in one go, and the replies to them in the same order.
///
/// A command becomes operations of one shard, of several (DEL a b), or of all (DBSIZE); or it is
/// answered here. Each shard does its operations in their order, so that for this client all is as
/// if its commands were done one by one.
///
/// Used in this order, again and again: add() each command; take the operations of each shard that
/// has some, and give back its answers; take_replies().
class pipeline {
 public:
  explicit pipeline(std::size_t shards) : shards_(shards) {}

  void add(words w);

  /// Ends with an error reply to what is no command.
  void refuse(std::string_view what) {
    replies_.emplace_back();
    fail("ERR Protocol error: " + std::string(what));
    is_last_ = true;
  }

  /// Returns true if the client is to be left when it has got its replies.
  bool is_last() const { return is_last_; }

  std::size_t shards() const { return shards_.size(); }
  bool has_operations() const { return !order_.empty(); }
  bool has_operations(std::size_t shard) const { return shards_[shard].count > 0; }

  std::vector<operation> take_operations(std::size_t shard) {
    return std::exchange(shards_[shard].operations, {});
  }
  void put_answers(std::size_t shard, answers all) { shards_[shard].got = std::move(all); }

  /// Answers all operations of a shard with an error.
  void put_failure(std::size_t shard, const std::string& why) {
    shards_[shard].got.assign(shards_[shard].count, failure{"ERR " + why});
  }

  /// Returns the replies, and is empty again.
  std::string take_replies();

 private:
  struct reply {
    std::string text;      // what is written, unless
    std::size_t parts = 0; // it is made of so many answers
  };
  struct share {
    std::vector<operation> operations;
    std::size_t count = 0; // of the operations, also when they are taken
    answers got;
    std::size_t next = 0;
  };

  void ask(operation op) {
    std::size_t shard = std::hash<std::string_view>()(op.key) % shards_.size();
    ask(shard, std::move(op));
  }
  void ask(std::size_t shard, operation op) {
    shards_[shard].operations.push_back(std::move(op));
    ++shards_[shard].count;
    order_.push_back(shard);
    ++replies_.back().parts;
  }
  void ask(verb what, std::string_view key) { ask(operation{what, std::string(key)}); }
  void ask_each(verb what, words keys) {
    for (std::string_view key : keys) {
      ask(what, key);
    }
  }
  void ask_all_shards(verb what) {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      ask(i, operation{what});
    }
  }
  answer take_answer(std::size_t shard) {
    share& from = shards_[shard];
    return std::move(from.got[from.next++]);
  }

  std::string& text() { return replies_.back().text; }
  void fail(std::string_view what) { resp::write_error(text(), what); }

  // ---- the commands; w[0] is the name ----

  void get(words w) { ask(verb::get, w[1]); }
  void set(words w);
  void incr(words w) { ask(verb::incr, w[1]); }
  void ttl(words w) { ask(verb::ttl, w[1]); }
  void expire(words w);
  void del(words w) { ask_each(verb::del, w.subspan(1)); }
  void exists(words w) { ask_each(verb::exists, w.subspan(1)); }
  void dbsize(words) { ask_all_shards(verb::size); }
  void flushall(words) { ask_all_shards(verb::clear); }
  void debug(words w);
  void echo(words w) { resp::write_bulk(text(), w[1]); }
  void ping(words w) {
    w.size() == 1 ? resp::write_status(text(), "PONG") : resp::write_bulk(text(), w[1]);
  }
  void quit(words) {
    resp::write_status(text(), "OK");
    is_last_ = true;
  }

  // What clients ask before they begin. They are content with little.
  void client(words) { resp::write_status(text(), "OK"); }
  void command(words) { resp::write_array(text(), 0); }
  void config(words w);
  void hello(words) { fail("NOPROTO unsupported protocol version"); }
  void info(words) { resp::write_bulk(text(), "# Server\r\nserver_name:otpp\r\n"); }
  void select(words w) {
    w[1] == "0" ? resp::write_status(text(), "OK") : fail("ERR DB index is out of range");
  }

  std::optional<milliseconds> read_lifetime(
      std::string_view number, std::int64_t unit, std::string_view command);

  std::vector<share> shards_;
  std::vector<reply> replies_;
  std::vector<std::size_t> order_; // of the answers: the shard of each part of each reply
  bool is_last_ = false;
};

inline bool equal_ignoring_case(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y;
  });
}

inline void pipeline::add(words w) {
  struct known {
    std::string_view name;
    int arity; // as Redis counts: with the name; negative where it is the least number
    void (pipeline::*run)(words);
  };
  static constexpr known commands[] = {
      {"get", 2, &pipeline::get},         {"set", -3, &pipeline::set},
      {"incr", 2, &pipeline::incr},       {"ttl", 2, &pipeline::ttl},
      {"expire", 3, &pipeline::expire},   {"del", -2, &pipeline::del},
      {"exists", -2, &pipeline::exists},  {"dbsize", 1, &pipeline::dbsize},
      {"echo", 2, &pipeline::echo},       {"flushall", -1, &pipeline::flushall},
      {"ping", -1, &pipeline::ping},      {"quit", -1, &pipeline::quit},
      {"client", -2, &pipeline::client},  {"command", -1, &pipeline::command},
      {"config", -2, &pipeline::config},  {"hello", -1, &pipeline::hello},
      {"info", -1, &pipeline::info},      {"select", 2, &pipeline::select},
      {"debug", 3, &pipeline::debug},
  };

  replies_.emplace_back();
  for (const known& one : commands) {
    if (equal_ignoring_case(w[0], one.name)) {
      auto size = static_cast<int>(w.size());
      if (one.arity >= 0 ? size != one.arity : size < -one.arity) {
        fail("ERR wrong number of arguments for '" + std::string(one.name) + "' command");
      } else {
        (this->*one.run)(w);
      }
      return;
    }
  }
  std::string arguments;
  for (std::string_view word : w.subspan(1)) {
    if (arguments.size() >= 128) {
      break;
    }
    arguments += "'" + std::string(word.substr(0, 128 - arguments.size())) + "' ";
  }
  fail(
      "ERR unknown command '" + std::string(w[0].substr(0, 128)) +
      "', with args beginning with: " + arguments);
}

// DEBUG PANIC key: the shard that has the key fails. For tests; in Redis it is the whole server.
inline void pipeline::debug(words w) {
  equal_ignoring_case(w[1], "panic") ? ask(verb::panic, w[2]) : fail("ERR syntax error");
}

inline void pipeline::set(words w) {
  operation op{verb::set, std::string(w[1]), std::string(w[2])};
  for (std::size_t i = 3; i < w.size(); ++i) {
    bool in_seconds = equal_ignoring_case(w[i], "ex");
    bool has_expiry = op.lifetime || op.keeps_ttl;
    if ((in_seconds || equal_ignoring_case(w[i], "px")) && i + 1 < w.size() && !has_expiry) {
      op.lifetime = read_lifetime(w[++i], in_seconds ? 1000 : 1, "set");
      if (!op.lifetime) {
        return;
      }
      if (*op.lifetime <= milliseconds::zero()) {
        return fail("ERR invalid expire time in 'set' command");
      }
    } else if (equal_ignoring_case(w[i], "keepttl") && !has_expiry) {
      op.keeps_ttl = true;
    } else if (equal_ignoring_case(w[i], "nx") && op.only == condition::none) {
      op.only = condition::if_absent;
    } else if (equal_ignoring_case(w[i], "xx") && op.only == condition::none) {
      op.only = condition::if_present;
    } else {
      return fail("ERR syntax error");
    }
  }
  ask(std::move(op));
}

inline void pipeline::expire(words w) {
  operation op{verb::expire, std::string(w[1])};
  op.lifetime = read_lifetime(w[2], 1000, "expire");
  if (op.lifetime) {
    ask(std::move(op));
  }
}

/// Returns nothing, and has replied with an error, if that is no time.
inline std::optional<milliseconds> pipeline::read_lifetime(
    std::string_view number, std::int64_t unit, std::string_view command) {
  // Half of what fits, so that no sum with the clock runs over.
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / 2 / unit;
  std::optional<std::int64_t> read = resp::to_integer(number);
  if (!read) {
    fail("ERR value is not an integer or out of range");
    return std::nullopt;
  }
  if (*read > most || *read < -most) {
    fail("ERR invalid expire time in '" + std::string(command) + "' command");
    return std::nullopt;
  }
  return milliseconds(*read * unit);
}

inline void pipeline::config(words w) {
  if (!equal_ignoring_case(w[1], "get")) {
    return fail("ERR CONFIG " + std::string(w[1]) + " is not supported");
  }
  bool is_ours = w.size() == 3 && (w[2] == "save" || w[2] == "appendonly");
  resp::write_array(text(), is_ours ? 2 : 0);
  if (is_ours) { // redis-benchmark wants to know both
    resp::write_bulk(text(), w[2]);
    resp::write_bulk(text(), w[2] == "save" ? "" : "no");
  }
}

inline void write(std::string& out, ok) { resp::write_status(out, "OK"); }
inline void write(std::string& out, nil) { resp::write_nil(out); }
inline void write(std::string& out, std::int64_t number) { resp::write_integer(out, number); }
inline void write(std::string& out, const std::string& text) { resp::write_bulk(out, text); }
inline void write(std::string& out, const failure& why) { resp::write_error(out, why.text); }

inline std::string pipeline::take_replies() {
  std::string out;
  auto from = order_.begin();
  for (const reply& one : replies_) {
    if (one.parts == 0) {
      out += one.text;
      continue;
    }
    answer all = take_answer(*from++);
    for (std::size_t i = 1; i < one.parts; ++i) {
      answer more = take_answer(*from++);
      if (std::holds_alternative<failure>(more)) {
        all = std::move(more);
      } else if (auto* sum = std::get_if<std::int64_t>(&all)) {
        *sum += std::get<std::int64_t>(more);
      }
    }
    std::visit([&](const auto& it) { write(out, it); }, all);
  }
  replies_.clear();
  order_.clear();
  for (share& one : shards_) {
    one = share();
  }
  return out;
}

} // namespace redis

// SPDX-License-Identifier: BSL-1.0

#include "redis.hpp" // what redis_server does with commands

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;

// Databases and a client, without the servers in between.
class redis_world {
 public:
  explicit redis_world(std::size_t shards) : client(shards), databases_(shards) {}

  redis::pipeline client;

  void pass(std::chrono::milliseconds time) { now_ += time; }

  // Does commands, separated by "; ", in one go. In the replies "|" stands for the end of a line.
  std::string run(std::string_view commands) {
    while (!commands.empty()) {
      std::vector<std::string_view> words;
      std::string_view command = commands.substr(0, commands.find("; "));
      commands.remove_prefix(std::min(command.size() + 2, commands.size()));
      while (!command.empty()) {
        words.push_back(command.substr(0, command.find(' ')));
        command.remove_prefix(std::min(words.back().size() + 1, command.size()));
      }
      client.add(words);
    }
    for (std::size_t i = 0; i < client.shards(); ++i) {
      if (client.has_operations(i)) {
        client.put_answers(i, answers_of(i));
      }
    }
    return lines(client.take_replies());
  }

  static std::string lines(const std::string& replies) {
    std::string result;
    for (char c : replies) {
      if (c != '\r') {
        result += c == '\n' ? '|' : c;
      }
    }
    return result;
  }

 private:
  redis::answers answers_of(std::size_t shard) {
    redis::answers result;
    databases_[shard].advance(now_);
    for (redis::operation& op : client.take_operations(shard)) {
      result.push_back(databases_[shard].apply(op));
    }
    return result;
  }

  redis::database::instant now_{};
  std::vector<redis::database> databases_;
};

} // namespace

TEST_CASE("redis: replies come in order, whatever the number of shards", "[redis]") {
  for (std::size_t shards : {1U, 2U, 7U}) {
    redis_world world(shards);

    CHECK(
        world.run("set a 1; set b 2; set c 3; dbsize; del a b nothing; dbsize; get a; get c") ==
        "+OK|+OK|+OK|:3|:2|:1|$-1|$1|3|");
    CHECK(world.run("exists c c a; flushall; dbsize; ping; get c") == ":2|+OK|:0|+PONG|$-1|");
    CHECK(world.run("") == "");
  }
}

TEST_CASE("redis: a shard that fails fails its own commands", "[redis]") {
  redis::pipeline client(2);
  std::vector<std::string_view> dbsize = {"dbsize"}, ping = {"ping"};
  client.add(dbsize);
  client.add(ping);
  client.put_answers(0, redis::answers(1, redis::answer(5)));
  client.put_failure(1, "gone");

  CHECK(redis_world::lines(client.take_replies()) == "-ERR gone|+PONG|");
}

TEST_CASE("redis: debug panic fails the shard of its key", "[redis]") {
  redis_world failing(2);
  CHECK_THROWS(failing.run("debug panic k"));

  redis_world world(2);
  CHECK(
      world.run("debug segfault k; debug panic") ==
      "-ERR syntax error|-ERR wrong number of arguments for 'debug' command|");
}

TEST_CASE("redis: incr counts, within limits, and keeps the lifetime", "[redis]") {
  redis_world world(1);

  CHECK(world.run("incr n; incr n; get n; expire n 10; incr n; ttl n") == ":1|:2|$1|2|:1|:3|:10|");
  CHECK(world.run("set n -9223372036854775808; incr n") == "+OK|:-9223372036854775807|");
  CHECK(world.run("set n 9223372036854775807; incr n") == "+OK|-ERR increment or decrement would overflow|");
  CHECK(world.run("set n 1x; incr n; get n") == "+OK|-ERR value is not an integer or out of range|$2|1x|");
}

TEST_CASE("redis: set does as its options say", "[redis]") {
  redis_world world(1);

  CHECK(
      world.run("set k 1 xx; get k; set k 1 nx; set k 2 NX; get k; set k 3 xx; get k") ==
      "$-1|$-1|+OK|$-1|$1|1|+OK|$1|3|");
  CHECK(
      world.run("set k 4 ex 10; ttl k; set k 5 keepttl; ttl k; set k 6; ttl k") ==
      "+OK|:10|+OK|:10|+OK|:-1|");
  for (const char* wrong :
       {"set k v ex", "set k v no", "set k v ex 1 px 1", "set k v px 1 keepttl", "set k v nx xx"}) {
    CHECK(world.run(wrong) == "-ERR syntax error|");
  }
  for (const char* wrong : {"set k v ex 0", "set k v px -1", "set k v ex 9223372036854775807"}) {
    CHECK(world.run(wrong) == "-ERR invalid expire time in 'set' command|");
  }
  CHECK(world.run("get k") == "$1|6|");
}

TEST_CASE("redis: a key is gone when its time has come, and not before", "[redis]") {
  redis_world world(3);
  CHECK(
      world.run("set a 1 px 1500; set b 1 ex 2; set c 1; ttl a; ttl b; ttl c; ttl d") ==
      "+OK|+OK|+OK|:2|:2|:-1|:-2|");

  world.pass(1000ms);
  CHECK(world.run("ttl a") == ":1|"); // 0.5 s
  world.pass(499ms);
  CHECK(world.run("get a; ttl a; dbsize") == "$1|1|:0|:3|");
  world.pass(1ms);
  CHECK(world.run("get a; ttl a; dbsize; set b 2") == "$-1|:-2|:2|+OK|");
  world.pass(1h);
  CHECK(world.run("get b; expire b 5; expire d 5; ttl b") == "$1|2|:1|:0|:5|");
  CHECK(
      world.run("expire b -1; exists b; expire c 9223372036854775807; expire c x") ==
      ":1|:0|-ERR invalid expire time in 'expire' command|"
      "-ERR value is not an integer or out of range|");
  CHECK(world.run("set b 1 px 5; flushall; set b 1") == "+OK|+OK|+OK|");
  world.pass(1h);
  CHECK(world.run("dbsize") == ":1|");
}

TEST_CASE("redis: a database says when it has to be looked at again", "[redis]") {
  redis::database keys;
  redis::operation op{redis::verb::set, "k", "v"};
  redis::database::instant now{};
  keys.advance(now);
  CHECK(!keys.next_expiry());

  op.lifetime = 30ms;
  (void)keys.apply(op);
  CHECK(keys.next_expiry() == 30ms);
  keys.advance(now + 10ms);
  CHECK(keys.next_expiry() == 20ms);
  keys.advance(now + 30ms);
  CHECK(!keys.next_expiry());
}

TEST_CASE("redis: mistakes are told in Redis's own words", "[redis]") {
  redis_world world(1);

  CHECK(world.run("GET") == "-ERR wrong number of arguments for 'get' command|");
  CHECK(world.run("Dbsize now") == "-ERR wrong number of arguments for 'dbsize' command|");
  CHECK(world.run("foo a b") == "-ERR unknown command 'foo', with args beginning with: 'a' 'b' |");
  CHECK(
      world.run(std::string(1000, 'x') + " " + std::string(1000, 'y') + " z") ==
      "-ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: '" +
          std::string(128, 'y') + "' |");
}

TEST_CASE("redis: after quit, or what is no command, a client is left", "[redis]") {
  redis_world polite(1), rude(1);
  CHECK(!polite.client.is_last());
  CHECK(polite.run("quit") == "+OK|");
  CHECK(polite.client.is_last());

  rude.client.refuse("nonsense");
  CHECK(rude.run("") == "-ERR Protocol error: nonsense|");
  CHECK(rude.client.is_last());
}

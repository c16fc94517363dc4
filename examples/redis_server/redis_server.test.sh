#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# redis_server.test.sh <redis_server>
#
# Drives redis_server.cpp with the real redis-cli and redis-benchmark, and with bytes that
# neither of them would send. Loopback only, on ports that the system chooses. Exits with 77, for
# "skipped", where Redis's tools are not installed.
set -u

program=$1
for tool in redis-cli redis-benchmark; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: $tool is not installed (Debian: redis-tools)"
    exit 77
  fi
done

work=$(mktemp -d)
pid=
trap '[[ $pid ]] && kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT
failures=0
where= # what is being tested, for messages

fail() {
  echo "FAILED [$where] $*"
  failures=$((failures + 1))
  ((failures < 20)) || exit 1
}

same() { # <what> <expected> <got>
  [[ $3 == "$2" ]] || fail "${1:0:60}: expected '${2:0:200}', got '${3:0:200}'"
}

# Waits, 10 s at most, until a command succeeds.
eventually() {
  local i
  for ((i = 0; i < 200; ++i)); do
    "$@" && return 0
    sleep 0.05
  done
  return 1
}

start() { # <option>...
  rm -f "$work/out" # or the line of the one before would do
  "$program" --port 0 "$@" >"$work/out" 2>"$work/err" &
  pid=$!
  if ! eventually grep -qs '^redis_server: listening on 127\.0\.0\.1:[0-9]*$' "$work/out"; then
    fail "did not start: $(cat "$work/out" "$work/err")"
    exit 1
  fi
  port=$(sed 's/.*://' "$work/out")
}

has_ended() { ! kill -0 "$pid" 2>/dev/null; }

stop() { # <signal>
  local status began=$EPOCHREALTIME
  kill "-$1" "$pid"
  eventually has_ended || kill -KILL "$pid"
  wait "$pid"
  status=$?
  pid=
  same "exit status after SIG$1" 0 "$status"
  (((${EPOCHREALTIME/./} - ${began/./}) < 5000000)) || fail "took longer than 5 s to end"
  same "what it says on stderr" "" "$(cat "$work/err")"
}

cli() { timeout 20 redis-cli -p "$port" --no-raw "$@" 2>&1; }

# Notes a command and its reply; `answers` asks all of them of one redis-cli, which takes as long as
# one command alone.
asked=
expected=
expect() { # <expected> <command>...
  expected+=$1$'\n'
  shift
  local word
  for word; do
    word=${word//$'\r'/\\r}
    asked+="\"${word//$'\n'/\\n}\" "
  done
  asked+=$'\n'
}

answers() {
  local got
  got=$(cli <<<"$asked" | sed '/^([0-9.]*s)$/d') # how long it took, if that was long
  [[ $got == "${expected%$'\n'}" ]] ||
    fail "replies to"$'\n'"$asked$(diff <(printf '%s' "$expected") <(echo "$got"))"
  asked=
  expected=
}

check() { # <expected> <command>...
  expect "$@"
  answers
}

# Sends bytes, all at once, and prints what comes until the server closes: a line ends with "|".
raw() {
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf "$1" >&3
  timeout 20 cat <&3 | tr -d '\r' | tr '\n' '|'
  exec 3>&-
}

check_raw() { # <expected> <bytes>
  same "raw $2" "$1" "$(raw "$2")"
}

ask() { # <descriptor> <line>: one inline command, one line of reply
  printf '%s\r\n' "$2" >&"$1"
  local reply=
  IFS= read -r -t 20 -u "$1" reply
  printf '%s' "${reply%$'\r'}"
}

commands() {
  expect 'OK' flushall
  expect 'PONG' ping
  expect '"hello"' ping hello
  expect '"a b"' echo 'a b'

  expect 'OK' set k v
  expect '"v"' get k
  expect '(nil)' get nothing
  expect '"v"' GeT k
  expect 'OK' set k $'line\r\nbreak'
  expect '"line\r\nbreak"' get k
  expect 'OK' set '' ''
  expect '""' get ''

  expect '(nil)' set k other nx
  expect '(nil)' set new other xx
  expect 'OK' set k other xx
  expect 'OK' set new other nx
  expect '"other"' get k

  expect 'OK' set n 41
  expect '(integer) 42' incr n
  expect '(integer) 1' incr fresh
  expect '"1"' get fresh
  expect '(error) ERR value is not an integer or out of range' incr k
  expect 'OK' set n 9223372036854775806
  expect '(integer) 9223372036854775807' incr n
  expect '(error) ERR increment or decrement would overflow' incr n
  expect '"9223372036854775807"' get n
  expect 'OK' set n 9223372036854775808
  expect '(error) ERR value is not an integer or out of range' incr n

  expect '(integer) 5' dbsize
  expect '(integer) 4' exists k n nothing k fresh
  expect '(integer) 3' del k n nothing k fresh
  expect '(integer) 2' dbsize
  expect 'OK' flushall
  expect '(integer) 0' dbsize

  expect '(error) ERR wrong number of arguments for '\''get'\'' command' get
  expect '(error) ERR wrong number of arguments for '\''set'\'' command' SET k
  expect '(error) ERR unknown command '\''foo'\'', with args beginning with: '\''a'\'' '\''b'\'' ' foo a b
  expect '(error) ERR syntax error' set k v nonsense
  expect '(error) ERR syntax error' set k v ex
  expect '(error) ERR syntax error' set k v nx xx
  expect '(error) ERR syntax error' set k v ex 1 px 1
  expect '(error) ERR invalid expire time in '\''set'\'' command' set k v ex 0
  expect '(error) ERR invalid expire time in '\''set'\'' command' set k v px -1
  expect '(error) ERR invalid expire time in '\''set'\'' command' set k v ex 9223372036854775807
  expect '(error) ERR value is not an integer or out of range' set k v ex soon
  expect '(integer) 0' dbsize

  expect 'OK' select 0
  expect '(error) ERR DB index is out of range' select 1
  expect $'1) "save"\n2) ""' config get save
  expect '(empty array)' command docs
  answers
}

is_expired() { [[ $(cli get "$1") == '(nil)' ]]; }
is_empty() { [[ $(cli dbsize) == '(integer) 0' ]]; }

expiry() {
  check 'OK' flushall
  check '(integer) -2' ttl nothing
  check '(integer) 0' expire nothing 10
  # In one go, so that no time passes in between.
  check_raw '+OK|:100|+OK|:-1|:1|:50|+OK|:50|:3|:50|+OK|' \
    'set x 1 ex 100\nttl x\nset x 1\nttl x\nexpire x 50\nttl x\nset x 2 keepttl\nttl x\nincr x\nttl x\nquit\n'
  check_raw '+OK|:100|+OK|:-1|+OK|' 'set t 1 px 100000\nttl t\nset t 2\nttl t\nquit\n'
  check_raw ':1|:0|$-1|+OK|' 'expire t -1\nexists t\nget t\nquit\n'
  for i in 1 2 3 4 5 6 7 8; do
    echo "set key$i 1 px 200"
  done | cli >/dev/null
  check_raw '+OK|$1|1|:1|+OK|' 'set soon 1 px 300\nget soon\ndel x\nquit\n'
  eventually is_expired soon || fail "SET soon PX 300 never expired"
  eventually is_empty || fail "DBSIZE goes on counting what has expired"
}

lines=20000
many_increments() {
  local i
  for ((i = 0; i < lines; ++i)); do
    printf '*2\r\n$4\r\nINCR\r\n$%d\r\nkey:%d\r\n' $((4 + ${#i})) "$i"
    printf '*2\r\n$4\r\nINCR\r\n$3\r\nsum\r\n'
  done
}

pipelining() {
  check 'OK' flushall
  # Replies in order, and each command sees what those before it have done, on whatever shard.
  check_raw '+OK|+OK|+OK|:3|:2|:1|$-1|$1|3|+OK|:0|$-1|+PONG|+OK|' \
    'set a 1\nset b 2\nset c 3\ndbsize\ndel a b\ndbsize\nget a\nget c\nflushall\ndbsize\nget c\nping\nquit\n'
  check_raw '$3|foo|$0||+OK|' '*2\r\n$4\r\nECHO\r\n$3\r\nfoo\r\n\r\n\n*0\r\n*2\r\n$4\r\necho\r\n$0\r\n\r\nQUIT\r\nset k never\r\n'
  check '(nil)' get k

  timeout 60 redis-cli -p "$port" --pipe <"$work/increments" >"$work/pipe" 2>&1
  grep -q "errors: 0, replies: $((2 * lines))" "$work/pipe" || fail "--pipe: $(cat "$work/pipe")"
  check "\"$lines\"" get sum
  check "(integer) $((lines + 1))" dbsize
}

is_closed() { ! (printf 'x' >&"$1") 2>/dev/null; } # in a shell of its own, which may die of it

# Whoever sends nonsense hears of it and is left. Nobody else notices.
nonsense() {
  local half
  check 'OK' set k v
  exec 4<>"/dev/tcp/127.0.0.1/$port" 5<>"/dev/tcp/127.0.0.1/$port"
  same "another client, before" '+PONG' "$(ask 4 ping)"
  printf '*2\r\n$3\r\nGET\r\n$1' >&5 # and one that has not finished
  # One that goes on talking is not listened to, and not kept: it has a second to leave, see below.
  exec 7<>"/dev/tcp/127.0.0.1/$port"
  printf '*x\r\nset k never\r\n' >&7

  check_raw '-ERR Protocol error: invalid multibulk length|' '*x\r\n'
  check_raw '-ERR Protocol error: invalid multibulk length|' '*99999999\r\n'
  check_raw "-ERR Protocol error: expected '\$', got '+'|" '*1\r\n+PING\r\n'
  check_raw '-ERR Protocol error: invalid bulk length|' '*1\r\n$-1\r\n'
  check_raw '-ERR Protocol error: invalid bulk length|' '*1\r\n$4x\r\nPING\r\n'
  check_raw '-ERR Protocol error: invalid bulk length|' '*1\r\n$9223372036854775807\r\n'
  check_raw '-ERR Protocol error: expected CRLF after a bulk string|' '*1\r\n$4\r\nPINGPONG\r\n'
  check_raw '+PONG|+OK|-ERR Protocol error: invalid multibulk length|' 'ping\nset k w\n*-\r\nping\n'
  check_raw '-ERR Protocol error: too big inline request|' "$(printf '%070000d' 0)"

  timeout 20 cat <&7 >/dev/null
  eventually is_closed 7 || fail "a client that does not leave is kept"
  exec 7>&-

  same "another client, after" '$1' "$(ask 4 'get k')"
  printf '\r\nk\r\n' >&5
  IFS= read -r -t 20 -u 5 half
  same "one that had not finished" $'$1\r' "$half"
  exec 4>&- 5>&-
  check '"w"' get k
}

benchmark() {
  check 'OK' flushall
  local report
  report=$(timeout 120 redis-benchmark -p "$port" -t ping,set,get,incr -P 16 -n 20000 -q 2>&1)
  same "redis-benchmark's exit status" 0 $?
  same "redis-benchmark's lines" 5 "$(tr '\r' '\n' <<<"$report" | grep -c 'requests per second')"
  [[ $report != *WARNING* && $report != *rror* ]] || fail "redis-benchmark: $report"
  check '"20000"' get 'counter:__rand_int__'
  # A new connection for each request.
  timeout 120 redis-benchmark -p "$port" -t set -k 0 -n 500 -q >/dev/null 2>&1
  same "redis-benchmark -k 0, exit status" 0 $?
}

options() {
  where=options
  [[ $("$program" --help) == *--shards* ]] || fail "--help does not help"
  local bad
  for bad in '--port x' '--port 65536' '--threads 0' '--bind nowhere' '--nonsense 1' '--port'; do
    "$program" $bad >/dev/null 2>"$work/err"
    same "exit status of $bad" 2 $?
    [[ -s $work/err ]] || fail "$bad: no message"
  done
  start
  timeout 10 "$program" --port "$port" >/dev/null 2>"$work/busy"
  same "exit status where the port is taken" 1 $?
  grep -q 'bind' "$work/busy" || fail "no message about a port that is taken"
  stop INT
}

takes() { [[ $(ask "$1" "$2") == '+OK' ]]; }

# A shard fails: it is started again, and nobody is disconnected.
failing_shard() {
  where="a shard that fails"
  start --threads 2 --shards 3
  exec 4<>"/dev/tcp/127.0.0.1/$port"
  same "before" '+PONG' "$(ask 4 ping)"
  local i reply
  for ((i = 0; i < 5; ++i)); do
    reply=$(ask 4 "debug panic k")
    [[ $reply == '-ERR '*panic* ]] || fail "DEBUG PANIC said '$reply'"
    eventually takes 4 "set k v$i" || fail "the same client is refused after failure $i"
  done
  check '"v4"' get k
  exec 4>&-
  grep -q 'server "shard-' "$work/err" || fail "no report: $(cat "$work/err")"
  : >"$work/err"
  stop TERM
}

# In the middle of everything: clients at work, and one that asks for much and reads nothing.
interrupted() {
  where="SIGTERM under load"
  start --threads 2 --shards 3
  check 'OK' set big "$(printf '%0100000d' 0)"
  exec 6<>"/dev/tcp/127.0.0.1/$port"
  for i in {1..200}; do echo 'get big'; done >&6
  redis-benchmark -p "$port" -t set,get -P 16 -n 100000000 -q >/dev/null 2>&1 &
  local load=$!
  sleep 1
  check 'PONG' ping
  stop TERM
  wait "$load"
  exec 6>&-
}

# Those who come while it ends are left, without a word.
while_clients_come() {
  where="SIGTERM while clients come"
  start --threads 2 --shards 3
  timeout 20 redis-benchmark -p "$port" -t set -k 0 -n 1000000 -q >/dev/null 2>&1 &
  local load=$!
  sleep 0.5
  stop TERM
  kill "$load" 2>/dev/null
  wait "$load"
}

options
many_increments >"$work/increments"
for threads in 1 2; do
  for shards in 1 4; do
    where="--threads $threads --shards $shards"
    start --threads "$threads" --shards "$shards"
    commands
    expiry
    pipelining
    nonsense
    benchmark
    stop TERM
  done
done
failing_shard
interrupted
while_clients_come

if ((failures > 0)); then
  echo "$failures failures"
  exit 1
fi
echo "redis_server: all passed"

#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# cluster.test.sh <counter> <client> <cache> <readers> [<secure_counter>]
#
# Runs the programs of this folder as README.md says, and compares what they print. The port mapper is one of their own, so
# that other nodes of this machine are left alone. Exits with 77, for "skipped", where Erlang is not installed.
set -euo pipefail
counter=$1 client=$2 cache=$3 readers=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for tool in escript epmd; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: $tool is not installed (Debian: erlang-base)"
    exit 77
  fi
done

work=$(mktemp -d)
started=()
end() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap end EXIT
export HOME=$work # where Erlang writes a cookie

# Waits, 20 s at most, until a file has a line.
await() { # <file> <line>
  local i
  for ((i = 0; i < 400; ++i)); do
    if grep -qxF "$2" "$1"; then
      return
    fi
    sleep 0.05
  done
  echo "FAILED: '$2' was not printed, but:"
  cat "$1"
  exit 1
}

same() { # <file>; the expected text comes from stdin
  if ! diff - "$1"; then
    echo "FAILED: $(basename "$1"): '<' is expected, '>' was printed"
    exit 1
  fi
}

# Ours must not meet that of another test: no two tests at a time have the same number of a process.
ERL_EPMD_PORT=$((10000 + $$ % 20000))
for _ in {1..20}; do
  export ERL_EPMD_PORT=$((ERL_EPMD_PORT + 1))
  epmd >"$work/epmd" 2>&1 &
  epmd=$!
  for _ in {1..100}; do
    if ! kill -0 "$epmd" 2>/dev/null || epmd -names >/dev/null 2>&1; then
      break
    fi
    sleep 0.02
  done
  if kill -0 "$epmd" 2>/dev/null; then
    started+=("$epmd")
    break
  fi # else the port is somebody else's
done

"$counter" >"$work/counter" 2>&1 &
program=$!
started+=("$program")
await "$work/counter" "counter@127.0.0.1 is open"

timeout 30 "$client" >"$work/client" 2>&1
same "$work/client" <<'END'
add 2: 2
otpp: call of counter::get at {nobody,'counter@127.0.0.1'}: no such server: it was never started, or it has ended
otpp: connection with nowhere@127.0.0.1: epmd at its host knows no node 'nowhere': start it with a name (erl -name or -sname), or see whether it has ended: no connection
END

if command -v elixir >/dev/null; then
  timeout 30 elixir --name ex@127.0.0.1 --cookie secret "$here/call.exs" >"$work/call.exs" 2>&1
  same "$work/call.exs" <<'END'
ping: pong
add 5: 5
get: 5
nobody: :noproc
END
fi

timeout 30 escript "$here/call.escript" >"$work/call.escript" 2>&1
same "$work/call.escript" <<'END'
ping: pong
add 5: 5
get: 5
add five: bad_message
nobody: noproc
down: normal
END
wait "$program"
same "$work/counter" <<'END'
counter@127.0.0.1 is open
the counter was stopped: normal
END

escript "$here/cache.escript" >"$work/cache.escript" 2>&1 &
program=$!
started+=("$program")
await "$work/cache.escript" "'cache@127.0.0.1' is open"
timeout 30 "$cache" >"$work/cache" 2>&1
same "$work/cache" <<'END'
ann: Ann, 36
bob: not there
forget bob: not_found
bad_reply: otpp: call of age at {cache,'cache@127.0.0.1'}, which answered "thirty-six",: this is no answer of the call's type
exited: {disk_full,"/data"}
END
wait "$program"

escript "$here/press.escript" >"$work/press.escript" 2>&1 &
program=$!
started+=("$program")
await "$work/press.escript" "'press@127.0.0.1' is open"
timeout 30 "$readers" >"$work/readers" 2>&1
same "$work/readers" <<'END'
reader: rain
the reader was stopped: normal
END
wait "$program"
same "$work/press.escript" <<'END'
'press@127.0.0.1' is open
a reader at 'readers@127.0.0.1'
readers: []
END

# As docs/between-machines.md says. Without OpenSSL, or Erlang's TLS, the rest has been enough.
secure=${5:-}
if [ -z "$secure" ] || ! command -v openssl >/dev/null ||
  ! erl -noinput -eval 'halt(case code:which(inet_tls_dist) of non_existing -> 1; _ -> 0 end)'; then
  exit 0
fi
cd "$work"
{
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=cluster \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem
  openssl req -x509 -CA ca.pem -CAkey ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1,DNS:127.0.0.1 \
    -addext basicConstraints=critical,CA:FALSE -keyout node.key -out node.pem
} 2>openssl.log
sed -n '/^\[{server, /,/\]}\]\.$/p' "$here/../../docs/between-machines.md" >tls.conf
"$secure" >secure_counter 2>&1 &
program=$!
started+=("$program")
await secure_counter "counter@127.0.0.1 is open"
timeout 30 erl -name erl@127.0.0.1 -setcookie secret -proto_dist inet_tls -ssl_dist_optfile "$work/tls.conf" -noinput -eval '
  Counter = {counter, '"'counter@127.0.0.1'"'},
  io:format("add 5: ~p~nstop: ~p~n", [gen_server:call(Counter, {add, 5}), gen_server:stop(Counter)]),
  halt().' >secure_call 2>&1
same secure_call <<'END'
add 5: 5
stop: ok
END
wait "$program"

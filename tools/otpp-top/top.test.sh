#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# top.test.sh <otpp-top>
#
# Drives otpp-top in tmux, against mock_observer.py: what is on the screen, and what is asked of the server. Loopback
# only, on a port that the system chooses. Exits with 77, for "skipped", where tmux or python3 is not installed.
set -u

program=$(realpath "$1")
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for tool in tmux python3; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: $tool is not installed (Debian: $tool)"
    exit 77
  fi
done

export LC_ALL=C.UTF-8
unset TMUX OTPP_TOKEN NO_COLOR COLUMNS
work=$(mktemp -d)
log=$work/log
: >"$log"
server=
port=0
failures=0
where= # what is being tested, for messages
mkfifo "$work/never"
exec 9<>"$work/never" # a read of it with a timeout is a sleep that starts no process
trap 'mux kill-server 2>/dev/null; stop_server; rm -rf "$work"' EXIT

mux() { tmux -u -f /dev/null -S "$work/tmux" "$@"; }
keys() { mux send-keys -t top "$@"; }

fail() {
  echo "FAILED [$where] $*"
  failures=$((failures + 1))
}

start_server() { # start_server [<token>]
  rm -f "$work/port"
  python3 -I -S "$folder/mock_observer.py" "$port" "$log" "$@" >"$work/port" 2>"$work/server.err" &
  server=$!
  if ! wait_until test -s "$work/port"; then
    echo "FAILED: the mock server does not start: $(cat "$work/server.err")"
    exit 1
  fi
  port=$(<"$work/port")
}

stop_server() {
  [[ $server ]] || return 0
  kill -KILL "$server" 2>/dev/null
  wait "$server" 2>/dev/null
  server=
}

# wait_until <command>: it is tried until it succeeds, for ten seconds at most.
wait_until() {
  local end=$((SECONDS + 10))
  until "$@"; do
    ((SECONDS < end)) || return 1
    read -rt 0.02 -u 9
  done
  return 0
}

has_line() { # has_line <regular expression>: one of the array lines matches
  local line
  for line in "${lines[@]}"; do
    [[ $line =~ $1 ]] && return
  done
  return 1
}
on_screen() {
  mapfile -t lines < <(mux capture-pane -p -t top)
  has_line "$1"
}
not_on_screen() { ! on_screen "$1"; }
in_log() {
  mapfile -t -s "$forgotten" lines <"$log"
  has_line "$1"
}

shows() { # the screen has a line that matches
  wait_until on_screen "$1" && return
  fail "no line matches '$1':"
  printf '%s\n' "${lines[@]}"
}
shows_no() {
  wait_until not_on_screen "$1" && return
  fail "a line matches '$1':"
  printf '%s\n' "${lines[@]}"
}
asks() { # the server has been asked for a target that matches, since the last `forget`
  wait_until in_log "$1" && return
  fail "nothing asked matches '$1':"
  tail -n 5 "$log"
}
forget() { forgotten=$(wc -l <"$log"); }
forgotten=0

begin() { # begin <columns> <rows> <argument>...
  mux kill-session -t top 2>/dev/null
  mux new-session -d -s top -x "$1" -y "$2" "$program ${*:3}; echo ended with \$?; exec cat"
}

start_server
url=http://127.0.0.1:$port

where=table
begin 100 30 "$url"
shows '^127.0.0.1:[0-9]+  processes 312  msg/s 120.5  busy 80%  queue 5  crashes 17$'
shows '^! stuck: stuck_one handles shop::pay since 12.3 s$'
shows ' ID NAME .* TYPE .* QUEUE v .* HANDLING .* WAITS FOR'
shows '^ > +299 worker#299 +shop::worker +299 '
shows '^1-26 of 312  by queue, descending '
asks '/api/v1/processes\?sort=queue&order=desc&n=26&offset=0$'

where=sorting
keys s
shows 'by rate, descending|by longest, descending'
keys N
shows 'NAME \^'
asks 'sort=name&order=asc&'
keys r
shows 'by name, descending'
asks 'sort=name&order=desc&'
keys 1
shows '^ > +1 worker#1 '
shows '^! +7 stuck_one .* shop::pay +12.3s 8 cycle$'
shows '^x +9 worker#9 .* ended: shutdown +3.2s$'

where=paging
keys Down Down
shows '^ > +3 worker#3 '
keys NPage
shows '^ > +29 worker#29 '
shows '^27-52 of 312 '
asks '&offset=26$'
keys End
shows '^ > +312 worker#312 '
keys NPage Down
shows '^287-312 of 312 '
keys Up PPage
shows '^ > +285 worker#285 '
keys Home
shows '^ > +1 worker#1 '

where=search
forget
keys / 'cart 310'
shows '^search: cart 310  '
shows '^ > +310 worker#310 +shop::cart'
asks '&q=cart%20310$'
keys BSpace C-u
keys zzz Enter
shows 'None has all of these words'
shows '^0-0 of 0 \(312 in all\) .* search: zzz'
keys /
keys a Escape
shows 'of 0 .* search: zzz  '
keys Escape
shows '^1-26 of 312 .*ascending  / search'

where=detail
keys Down Down Down Down Down Down
shows '^!> +7 stuck_one '
keys Enter
shows '^7 stuck_one \(shop::worker\)$'
shows '^! deadlock +7 -> 8 -> 7$'
shows '^msg/s +▁▂▃▅█  now 8, most 8$'
shows '^links +main \(1\)$'
shows '1.2s +1.0ms +0.2s  call     shop::pay$'
shows '3.4s +- +20us  timeout +failed: no evil\\x1b$'
shows '^handlers ran +1 to 100us, 1 to 1.0s, 2 over 1.0s, in 9.5s$'
shows '^context +1$'
keys i
shows '^did not answer within 1 s: its handler has run for 12.3 s$'
asks '/api/v1/status\?id=7$'
keys Escape
shows '^!> +7 stuck_one '

where=hostile
shows '8 evil\\x1b\[2J'
begin 100 30 "$url --sort id --search evil"
shows '^ > +8 evil'
keys Enter
shows '^8 evil\\x1b\[2J\\x1b\]0;pwned\\x07\\n\\u202e\\u200bL\\x9b31m\\x00中文Z.*end�� \(shop::cart\)$'
[[ $(mux display-message -p -t top '#{pane_title}') != *pwned* ]] || fail "the title is set"
begin 100 30 "$url"
shows 'by queue'

where=tree
keys t
shows '^ > 1 worker#1 \(shop::worker\)  w1  one_for_one, 2 of 3 restarts in 5.0s'
shows '^!  \|- 7 stuck_one .*, permanent  stuck  handles shop::pay for 12.3s '
keys End
shows '^ > `- 4 more$'
keys Up Enter
shows '^59 worker#59 '
keys Escape
shows '^ > \|- 59 worker#59 '

where=crashes
keys c
shows '^ > +2.[0-9]s +5 "payments" +shop::pay +shop.cpp:42 +std::runtime_error: no mon~$'
shows '"main": w1 restarted: no money$'
keys Enter
shows '^state +total=7$'
keys p
shows 'by queue, descending'

where=help
keys '?'
shows '^COLUMNS, and the keys that sort by them$'
keys Escape
shows 'by queue, descending'

where=resize
mux resize-window -t top -x 60 -y 12
shows '^1-8 of 312  by queue'
asks '&n=8&'
shows_no 'WAITS FOR'
mux resize-window -t top -x 5 -y 2
shows '^127.~$'
mux resize-window -t top -x 160 -y 40
shows '^1-36 of 312 '
shows 'WAITS FOR.*RESTARTS'

where='a server that is stuck'
kill -STOP "$server"
keys h
shows '^COLUMNS, and' # the keys still work
shows '^Waiting for the program to answer.$'
kill -CONT "$server"
shows_no '^Waiting for'
keys p
shows 'by queue, descending'

where='a server that ends'
stop_server
shows 'Nothing accepts connections at 127.0.0.1:[0-9]+ \(Connection refused\)\. .* Trying again each second\.'
shows '^What follows is as it was\.$'
shows '299 worker#299'
start_server
shows '^! stuck: '
shows_no '^What follows|^Nothing accepts'

where=quit
keys q
shows '^ended with 0$'

where=once
"$program" "$url" --once --sort id -n 9 >"$work/once" || fail "ends with $?"
grep -qE '^127.0.0.1:[0-9]+  processes 312 ' "$work/once" || fail "no totals"
grep -qE '^x +9 worker#9 ' "$work/once" || fail "no row 9"
grep -qE '^303 more\.$' "$work/once" || fail "does not say that there are more"
[[ $(wc -l <"$work/once") == 13 ]] || fail "$(wc -l <"$work/once") lines"
grep -qP '[\x00-\x09\x0b-\x1f\x7f]| $' "$work/once" && fail "control characters, or spaces at an end"
COLUMNS=60 "$program" "$url" --once | awk 'length > 60 { exit 1 }' || fail "wider than COLUMNS"
"$program" "$url" --once >/dev/full 2>"$work/err" && fail "does not see that the disk is full"

where=arguments
refuses() { # refuses <status> <what it says> <argument>...
  local out status
  out=$("$program" "${@:3}" 2>&1 </dev/null)
  status=$?
  [[ $status == "$1" && $out == *"$2"* ]] || fail "${*:3}: $status, $out"
}
refuses 2 'is no http URL. Write it as http://127.0.0.1:4040' ftp://here
refuses 2 'is no port' 127.0.0.1:99999
refuses 2 'ssh -L' https://here
refuses 2 '--sort takes one of id, name' --sort size
refuses 2 'There is no option --sorted' --sorted
refuses 2 '--interval needs a value' --interval
refuses 2 'from 0.1 to 3600' --interval 0
refuses 2 'a terminal; --once needs none' "$url"
refuses 1 'The host no.such.host.invalid is unknown' --once no.such.host.invalid
refuses 0 'usage: otpp-top' --help
stop_server
refuses 1 'Nothing accepts connections' --once "$url"

where=token
start_server 's3cret'
begin 100 30 "$url"
shows 'The observer wants a token: set OTPP_TOKEN to it, or use --token'
begin 100 30 "$url --token s3cret"
shows '^! stuck: '
refuses 1 'The observer wants a token' --once "$url"
refuses 1 'The observer refuses this token' --once "$url" --token other
for given in "--token s3cret" "?token=s3cret"; do
  # shellcheck disable=SC2086 # two arguments, or the end of the URL
  [[ $given == -* ]] && set -- "$url" $given || set -- "$url/$given"
  "$program" --once "$@" >/dev/null || fail "$given is refused"
done
OTPP_TOKEN=s3cret "$program" --once "$url" >/dev/null || fail "OTPP_TOKEN is refused"

if ((failures)); then
  echo "$failures failures"
  exit 1
fi
echo "all passed in $SECONDS s"

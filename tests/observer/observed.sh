# SPDX-License-Identifier: BSL-1.0
#
# To be sourced: observe <program> [<argument>...] starts a program, which ends with the script, and sets `url` to that of its
# observer, which it prints.

observe() {
  output=$(mktemp)
  "$@" >"$output" 2>&1 &
  pid=$!
  trap 'kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -f "$output"' EXIT
  for _ in $(seq 100); do
    url=$(grep -om1 'http://[^ "]*' "$output" || true)
    [ -z "$url" ] || break
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
  done
  if [ -z "$url" ]; then
    echo "the program has printed no URL, but:"
    cat "$output"
    exit 1
  fi
}

# SPDX-License-Identifier: BSL-1.0
#
# What a test in a browser needs; to be sourced.

skip() {
  echo "browser test skipped: $1"
  exit 77
}

# install_packages <folder>: sets CHROMIUM, and puts browser.mjs and the packages of package-lock.json into the folder.
install_packages() {
  local here work=$1
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  export CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
  [ -x "$CHROMIUM" ] || skip "chromium is missing (Debian: apt-get install chromium)"
  command -v node >/dev/null || skip "node is missing (Debian: apt-get install nodejs npm)"

  # Only what the lock names, with its checksums; again when the lock has changed.
  mkdir -p "$work"
  cp "$here/browser.mjs" "$work"
  if ! cmp -s "$here/package-lock.json" "$work/installed"; then
    command -v npm >/dev/null || skip "npm is missing (Debian: apt-get install npm)"
    cp "$here/package.json" "$here/package-lock.json" "$work"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=3) || skip "npm ci failed: no registry?"
    cp "$here/package-lock.json" "$work/installed"
  fi
}

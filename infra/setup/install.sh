#!/usr/bin/env bash
# Installs what a target needs and this machine lacks: `install.sh compiler browser node units postgres`. It asks nothing, and does
# nothing where everything is there. Debian/Ubuntu (root or sudo) and macOS (Homebrew).
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo -n "$@" || { say "sudo needs a password: run 'sudo $*' yourself, then try again"; exit 1; }
  else say "root is needed for: $*"; exit 1; fi
}

updated=
apt_install() {
  if [ -z "$updated" ]; then as_root apt-get update -qq; updated=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# install NAME DEBIAN-PACKAGES... -- BREW-ARGS...
install() {
  local what=$1; shift
  local debian=() brew=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do debian+=("$1"); shift; done
  if [ $# -gt 0 ]; then shift; fi
  brew=("$@")
  say "installing $what"
  if have apt-get; then apt_install "${debian[@]}"
  elif have brew; then command brew install --quiet "${brew[@]}"
  else say "no apt-get and no brew here: install $what by hand, then try again"; exit 1; fi
}

compiler() {
  have go || { say "Go 1.26 or newer is missing: see https://go.dev/doc/install"; exit 1; }
  have cc || install "a C compiler (DuckDB is linked in)" gcc g++ libc6-dev -- gcc
  have c++ || install "a C++ compiler (DuckDB is linked in)" g++ -- gcc
}

browser() {
  for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    have "$name" && return
  done
  for app in "/Applications/Chromium.app" "/Applications/Google Chrome.app"; do [ -d "$app" ] && return; done
  if have apt-get; then
    apt-cache show chromium-headless-shell >/dev/null 2>&1 || { as_root apt-get update -qq; updated=1; }
    if apt-cache show chromium-headless-shell >/dev/null 2>&1; then
      install "Chromium" chromium-headless-shell -- chromium
    else
      install "Chromium" chromium -- chromium
    fi
  else
    install "Chromium" chromium -- --cask chromium
  fi
}

node() {
  if ! have npm; then install "Node.js" nodejs npm -- node; fi
  local major
  major=$(command node --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "$major" -ge 20 ] || { say "the plugin's frontend needs Node.js 20 or newer, this is $(command node --version): see https://nodejs.org"; exit 1; }
}

# units is systemd-analyze, which reads the units of infra/systemd; no systemd has to run, and there is none but on Linux.
units() {
  [ "$(uname)" = Linux ] || return 0
  have systemd-analyze || install "systemd-analyze" systemd
}

# postgres is PostgreSQL's programs, which tests start servers of their own with: none is made or started here.
postgres() {
  for at in /usr/lib/postgresql/*/bin/initdb; do [ -x "$at" ] && return; done
  have initdb && return
  if have apt-get; then
    as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.d/no-cluster.conf >/dev/null
  fi
  install "PostgreSQL" postgresql -- postgresql
}

for part in "$@"; do
  case $part in
    compiler | browser | node | units | postgres) "$part" ;;
    *) say "unknown part '$part': compiler, browser, node, units, postgres"; exit 2 ;;
  esac
done

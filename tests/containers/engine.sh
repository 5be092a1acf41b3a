#!/bin/bash
# Gives the container tests a Docker engine and the base image.
#
#   engine.sh up      installs what is missing (Debian, as root), starts an engine unless one answers,
#                     and sees to python:3.13-slim; each step is skipped when its result is there.
#                     Prints "started" when it had to start the engine, else "running".
#   engine.sh down    stops the engine that `up` started, and no other.
#
# The base image is pulled. Where no image registry can be reached, a stand-in with the same name is
# made from Debian's packages: the Python and the paths of the official image, and this machine's
# certificates, so that builds reach the package registries the way this machine does.
set -euo pipefail

BASE=python:3.13-slim
SUITE=trixie # the Debian release whose Python is 3.13
STATE=${ENGINE_STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/efs-cloudwatch-sidecar/engine}
PIDFILE=$STATE/dockerd.pid
LOG=$STATE/dockerd.log
POLICY=/usr/sbin/policy-rc.d

say() { printf 'engine: %s\n' "$*" >&2; }
fail() { say "$1"; [ -z "${2:-}" ] || tail -n 20 "$2" >&2; exit 1; }
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
  command -v apt-get >/dev/null || fail "no engine answers and apt-get is not here: start Docker first"
  [ "$(id -u)" = 0 ] || fail "no engine answers and only root can install one: start Docker first"
  local missing=() made_policy=
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  apt-get update -qq >"$STATE/apt.log" 2>&1 || fail "apt-get update failed" "$STATE/apt.log"
  # Packages must not start services by themselves: there may be no init to start them with.
  [ -e $POLICY ] || { printf '#!/bin/sh\nexit 101\n' >$POLICY; chmod +x $POLICY; made_policy=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"$STATE/apt.log" 2>&1 || fail "apt-get install failed" "$STATE/apt.log"
  [ -z "$made_policy" ] || rm -f $POLICY
}

start_engine() {
  [ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST names an engine that does not answer"
  install_packages docker.io iptables ca-certificates
  say "starting dockerd"
  setsid dockerd --data-root "$STATE/docker" --pidfile "$PIDFILE" </dev/null >"$LOG" 2>&1 &
  local child=$!
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && return 0
    kill -0 $child 2>/dev/null || fail "dockerd ended" "$LOG"
    sleep 0.5
  done
  fail "dockerd does not answer" "$LOG"
}

stop_engine() {
  [ -s "$PIDFILE" ] || return 0
  local pid
  pid=$(cat "$PIDFILE")
  # The number may be another program's by now.
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || { rm -f "$PIDFILE"; return 0; }
  kill "$pid"
  for _ in $(seq 120); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.5; done
  fail "dockerd ($pid) did not stop" "$LOG"
}

bootstrap_rootfs() { # into the directory $1
  local mirror bundle=/etc/ssl/certs/ca-certificates.crt
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' \
    | awk '$1 == "Debian" { print $2; exit }')
  mkdir -p "$STATE/debs"
  debootstrap --variant=minbase --cache-dir="$STATE/debs" \
    --include=ca-certificates,netbase,tzdata,python3,python3-venv,python3-pip \
    "$SUITE" "$1" ${mirror:+"$mirror"} >"$STATE/debootstrap.log" 2>&1 \
    || fail "debootstrap failed" "$STATE/debootstrap.log"
  # The official image has its Python under /usr/local, and pip free to install into it.
  local name
  for name in python python3 python3.13; do ln -sf /usr/bin/python3.13 "$1/usr/local/bin/$name"; done
  for name in pip pip3; do ln -sf /usr/bin/pip3 "$1/usr/local/bin/$name"; done
  rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
  cp $bundle "$1$bundle"
  printf '[global]\ncert = %s\ntimeout = 180\n' $bundle >"$1/etc/pip.conf"
  printf '#!/bin/sh\nexit 101\n' >"$1$POLICY"
  chmod +x "$1$POLICY"
  printf 'Acquire::Languages "none";\n' >"$1/etc/apt/apt.conf.d/99stand-in"
  rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*.log
  rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/locale/*
  : >"$1/etc/resolv.conf"
}

provide_base() {
  docker image inspect $BASE >/dev/null 2>&1 && return 0
  say "pulling $BASE"
  timeout 300 docker pull -q $BASE >/dev/null 2>"$STATE/pull.log" && return 0
  say "no image registry can be reached; making a stand-in for $BASE from Debian $SUITE"
  local archive=$STATE/base.tar
  if [ ! -s "$archive" ]; then
    install_packages debootstrap ca-certificates wget
    local rootfs
    rootfs=$(mktemp -d "$STATE/rootfs.XXXXXX")
    trap 'rm -rf --one-file-system "'"$rootfs"'"' EXIT
    bootstrap_rootfs "$rootfs"
    tar -C "$rootfs" --numeric-owner -cf "$archive.part" .
    mv "$archive.part" "$archive"
  fi
  docker import -c 'CMD ["python3"]' -c 'ENV LANG=C.UTF-8' \
    -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    -c 'LABEL stand-in=1' "$archive" $BASE >/dev/null
}

mkdir -p "$STATE"
case ${1:-} in
  up)
    verb=running
    docker info >/dev/null 2>&1 || { start_engine; verb=started; }
    docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null \
      || install_packages docker-compose
    provide_base
    echo $verb
    ;;
  down) stop_engine ;;
  *) fail "usage: engine.sh up|down" ;;
esac

#!/bin/bash
# Boots small Linux guests that each hold an NFSv4.1 server and two client hosts, and runs this
# directory's tests in them, a share of the tests in each: guest.sh [pytest's arguments]. Their output
# goes to stdout, one guest's after the other's, and the exit status is that of the first that failed;
# 125 when there was no guest to run them.
#
# The guest is user-mode Linux, which needs no KVM and no module of this machine's kernel. Its root
# tree (Debian trixie: Python 3.13, nfs-utils) and its kernel are made once and kept in the cache, a
# folder for each state of what they are made from. Nothing else is written: the guest has the tree
# and the checkout read-only, its volume in memory, and ends with the tests.
#
# GUESTS=3 at a time: each has one processor, and its tests mostly wait. LEASE=15 seconds of NFS lease
# and grace. SECONDS_AT_MOST=900: no test starts later; whatever hangs then ends with the guest, some
# minutes after. PIP names the pip that fills the tree.
set -euo pipefail
cd "$(dirname "$0")/../.."

HERE=tests/nfs
LOCK=requirements/guest.txt
SUITE=trixie
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/efs-cloudwatch-sidecar/nfs
PACKAGES=mount,util-linux,kmod,iproute2,procps,nfs-kernel-server,nfs-common,netbase,python3
KEEP_DAYS=14
SECONDS_AT_MOST=${SECONDS_AT_MOST:-900}
GUEST_SECONDS=$((SECONDS_AT_MOST + 360))
GUESTS=${GUESTS:-3}
PIP=${PIP:-.venv/bin/pip}
NOTHING_COLLECTED=5 # of pytest's exit statuses

say() { printf 'guest: %s\n' "$*" >&2; }
fail() { say "$1"; [ -z "${2:-}" ] || tail -n 30 "$2" >&2; exit 125; }
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

install_packages() {
  local missing=()
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  apt install -y --no-install-recommends "${missing[@]}" >"$CACHE/apt.log" 2>&1 \
    || fail "apt-get install failed" "$CACHE/apt.log"
}

make_kernel() { # into the folder $1
  mkdir "$1"
  (cd "$1" && apt -o APT::Sandbox::User=root download user-mode-linux && dpkg-deb -x user-mode-linux_*.deb .)
  rm "$1"/user-mode-linux_*.deb
  gcc -O2 -shared -fPIC -o "$1/xstate.so" $HERE/xstate.c
}

make_root() { # into the folder $1
  local mirror
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' \
    | awk '$1 == "Debian" { print $2; exit }')
  mmdebstrap --mode=root --variant=apt --include=$PACKAGES \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' $SUITE "$1" ${mirror:+"$mirror"}
  mkdir -p "$1"/{checkout,srv/efs,mnt/efs}
  printf '#!/bin/sh\nexport PATH=/usr/sbin:/usr/bin\nmount -t hostfs none /boot -o "$1" && exec /bin/bash /boot/init\n' >"$1/init"
  chmod +x "$1/init"
  ln -sf /proc/self/mounts "$1/etc/mtab"
  # `insecure`: clients with noresvport, as EFS wants it, come from ports above 1023.
  echo '/srv/efs *(rw,sync,no_subtree_check,no_root_squash,insecure,fsid=0)' >"$1/etc/exports"
}

make_guest() { # into the folder $1; the three parts need nothing of each other
  local into=$1 part parts=()
  say "making the guest in $into, once; its logs are beside it"
  make_root "$into/root" >"$CACHE/root.log" 2>&1 & parts+=($!:root)
  make_kernel "$into/kernel" >"$CACHE/kernel.log" 2>&1 & parts+=($!:kernel)
  $PIP install -qq --require-hashes --no-compile --only-binary :all: --python-version 3.13 \
    --target "$into/site" -r $LOCK >"$CACHE/site.log" 2>&1 & parts+=($!:site)
  for part in "${parts[@]}"; do wait "${part%%:*}" || fail "failed: ${part#*:}" "$CACHE/${part#*:}.log"; done
  mkdir -p "$into/root/lib/modules"
  mv "$into"/kernel/usr/lib/uml/modules/* "$into/root/lib/modules/"
  mv "$into/site" "$into/root/opt/site"
  chroot "$into/root" sh -c 'depmod "$(ls /lib/modules)"; python3 -m compileall -q /usr/lib/python3.13 /opt/site' \
    >"$CACHE/root.log" 2>&1 || fail "the root tree does not work" "$CACHE/root.log"
}

provide_guest() { # its folder is in $guest afterwards
  local made
  guest=$CACHE/$({ declare -p SUITE PACKAGES; declare -f make_guest make_kernel make_root; cat $HERE/xstate.c $LOCK; } \
    | sha256sum | cut -c 1-12)
  exec {lock}>"$CACHE/lock"
  flock "$lock"
  if [ ! -d "$guest" ]; then
    apt update >"$CACHE/apt.log" 2>&1 || fail "apt-get update failed" "$CACHE/apt.log"
    install_packages mmdebstrap e2fsprogs gcc libc6-dev
    find "$CACHE" -mindepth 1 -maxdepth 1 -type d \( -name 'new.*' -o -mtime +$KEEP_DAYS \) \
      -exec rm -rf --one-file-system {} +
    made=$(mktemp -d "$CACHE/new.XXXXXX")
    make_guest "$made"
    mv "$made" "$guest"
    say "made in $SECONDS s, $(du -sm "$guest" | cut -f 1) MB"
  fi
  touch "$guest"
  flock -u "$lock"
}

boot() { # with pytest's arguments, in a shell of its own
  run=$(mktemp -d)
  trap 'kill -KILL -- "-$kernel" 2>/dev/null || true; rm -rf "$run"' EXIT
  trap 'exit 143' TERM
  printf '%q ' "$@" >"$run/arguments"
  printf 'lease=%q checkout=%q seconds=%q\n' "${LEASE:-15}" "$PWD" "$SECONDS_AT_MOST" >"$run/settings"
  truncate -s 2G "$run/volume"
  mkfs.ext4 -q -F "$run/volume"
  cp $HERE/init.sh "$run/init"
  : >"$run/output"
  # A group of its own, which ends as a whole: each process of the guest is one of this machine's.
  LD_PRELOAD=$guest/kernel/xstate.so TMPDIR=/dev/shm setsid timeout -k 5 $GUEST_SECONDS \
    "$guest/kernel/usr/bin/linux.uml" mem=1024M umid=guest uml_dir="$run/" rootfstype=hostfs \
    rootflags="$guest/root" ro init=/init ubda="$run/volume" con=null con0=null,fd:1 ssl=null \
    panic=1 quiet loglevel=3 -- "$run" \
    >"$run/console" 2>&1 </dev/null &
  kernel=$!
  tail -n +1 -s 0.1 -f --pid=$kernel "$run/output" &
  # Unlike a command, a wait gives way to a trap.
  wait $kernel || ended=$?
  wait $! || true
  [ -s "$run/status" ] || fail "the guest ended with ${ended:-0} before its tests did (124: after $GUEST_SECONDS s)" "$run/console"
  return "$(cat "$run/status")"
}

run_shares() { # with pytest's arguments
  local number status=$NOTHING_COLLECTED ended shares=()
  outputs=$(mktemp -d)
  trap 'rm -rf "$outputs"' EXIT
  trap 'kill "${shares[@]}" 2>/dev/null || true; wait; exit 143' TERM INT
  for number in $(seq "$GUESTS"); do
    (boot --share="$number/$GUESTS" "$@") >"$outputs/$number" 2>&1 &
    shares+=($!)
  done
  tail -n +1 -s 0.1 -f --pid="${shares[0]}" "$outputs/1" &
  for number in $(seq "$GUESTS"); do
    ended=0
    wait "${shares[number - 1]}" || ended=$?
    if [ "$number" = 1 ]; then wait $! || true; else cat "$outputs/$number"; fi
    [ "$ended" = $NOTHING_COLLECTED ] || { [ "$status" != $NOTHING_COLLECTED ] && [ "$status" != 0 ]; } || status=$ended
  done
  return "$status"
}

[ "$(id -u)" = 0 ] && [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] \
  || fail "the NFS tests need Debian on amd64, and root, to make their guest"
mkdir -p "$CACHE"
provide_guest
run_shares "$@"

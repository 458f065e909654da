#!/bin/bash
# Starts our release daemon for benchmarks on private roots, or stops it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=${BENCH_ROOT:-/tmp/lighter-bench}
# where the default one is, too: on tmpfs
run=/run/lighter-bench
cd "$here/.." && . scripts/target.sh
case ${1:-start} in
stop)
  DOCKER_HOST=unix://$root/sock; export DOCKER_HOST
  ids=$("$(lighter_bin release)/lighter" ps -aq || true)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || "$(lighter_bin release)/lighter" rm -f $ids >/dev/null
  kill "$(cat "$root/pid")" && while kill -0 "$(cat "$root/pid")" 2>/dev/null; do sleep 0.1; done
  rm -rf "$root" "$run" ;;
start)
  mkdir -p "$root"
  parent=()
  if [ -d /sys/fs/cgroup/cpuacct ]; then
    mkdir -p /sys/fs/cgroup/cpuacct/peersbench
    parent=(--cgroup-parent /peersbench/ours)
  fi
  (
    [ ! -d /sys/fs/cgroup/cpuacct ] || echo $BASHPID > /sys/fs/cgroup/cpuacct/peersbench/cgroup.procs
    exec setsid "$(lighter_bin release)/lighter" daemon --data-root "$root/data" --exec-root "$run" \
      -H "unix://$root/sock" "${parent[@]}" >"$root/log" 2>&1 </dev/null
  ) &
  echo $! > "$root/pid"
  for _ in $(seq 100); do [ -S "$root/sock" ] && break; sleep 0.05; done
  echo "daemon $(cat "$root/pid"), socket $root/sock" ;;
esac

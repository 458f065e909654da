#!/bin/bash
# Memory of the daemon bench/serve.sh has started, before and after bursts: PSS in kB, at rest.
# Usage: bench/memory.sh [RUNS IN A ROW] (default 1000)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=${BENCH_ROOT:-/tmp/lighter-bench}
cd "$here/.." && . scripts/target.sh
lighter=$(lighter_bin release)/lighter
export DOCKER_HOST=unix://$root/sock LIGHTER_NO_AUTOSTART=1
rest() { # WHAT: once it is quiet (engine::tidy) and idle threads have ended
  sleep "${2:-8}"
  printf '%-28s %6d kB\n' "$1" "$(awk '/^Pss:/ {print $2}' "/proc/$(cat "$root/pid")/smaps_rollup")"
}
"$lighter" image inspect bb:1 >/dev/null 2>&1 || "$lighter" import - bb:1 </var/cache/lighter-tests/busybox.tar >/dev/null
"$lighter" run --rm bb:1 true
rest fresh
for _ in $(seq "${1:-1000}"); do "$lighter" run --rm bb:1 true; done
rest "${1:-1000} runs in a row"
for burst in 1 2; do
  for _ in $(seq 200); do "$lighter" run --rm bb:1 true & done
  wait
  rest "200 at once ($burst)"
done
for _ in $(seq 200); do "$lighter" run -d bb:1 sleep 10000 >/dev/null; done
rest "200 containers up" 1
# shellcheck disable=SC2046
"$lighter" rm -f $("$lighter" ps -aq) >/dev/null
rest "200 containers removed"

#!/bin/bash
# `stats --no-stream` over many containers, engines side by side, interleaved; medians of wall time in milliseconds.
# Usage: bench/stats.sh COUNT ROUNDS NAME=CLIENT,HOST [NAME=CLIENT,HOST ...]     (image bb:1 must exist in each)
set -euo pipefail
count=$1 rounds=$2; shift 2
declare -A client host times
for engine in "$@"; do
  name=${engine%%=*} rest=${engine#*=}
  client[$name]=${rest%%,*} host[$name]=${rest#*,}
done
each() { DOCKER_HOST=${host[$1]} "${client[$1]}" "${@:2}"; }
cleanup() { for name in "${!client[@]}"; do each "$name" ps -aq --filter label=bench-stats | xargs -r env DOCKER_HOST="${host[$name]}" "${client[$name]}" rm -f >/dev/null; done; }
trap cleanup EXIT
for name in "${!client[@]}"; do
  for ((n = 0; n < count; n++)); do each "$name" run -d --label bench-stats bb:1 sleep 100000 >/dev/null; done
done
for ((round = 0; round < rounds; round++)); do
  for name in "${!client[@]}"; do
    begin=$(date +%s%N)
    lines=$(each "$name" stats --no-stream --format '{{.ID}}' | wc -l)
    times[$name]+="$((($(date +%s%N) - begin) / 1000000)) "
    [ "$lines" -ge "$count" ] || { echo "$name showed $lines of $count containers" >&2; exit 1; }
  done
done
for name in "${!client[@]}"; do
  median=$(tr ' ' '\n' <<<"${times[$name]}" | grep . | sort -n | sed -n "$((rounds / 2 + 1))p")
  echo "$name: $median ms (${times[$name]})"
done

#!/bin/bash
# Fuzzes one target, or each in turn. Usage: fuzz/run.sh [TARGET|all] [SECONDS (60)]; 0 SECONDS: only what is there already.
# FUZZ_BUILD=--no-default-features leaves out what needs the engine, which takes long to build.
# Finds are in fuzz/artifacts/TARGET; what was learnt is kept in fuzz/corpus/TARGET; fuzz/seeds/TARGET is where it begins.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-target}
# What cargo-fuzz passes, but for the address sanitizer: unsafe code is in crates/sys alone.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Ccodegen-units=1"
host=$(rustc -vV | sed -n 's/^host: //p')
# shellcheck disable=SC2086
cargo build --release --target "$host" ${FUZZ_BUILD:-}
program=$CARGO_TARGET_DIR/$host/release/fuzz
mkdir -p artifacts
targets=${1:-all}
[ "$targets" != all ] || targets=$({ LIGHTER_FUZZ=all "$program" -artifact_prefix=artifacts/ 2>&1 || true; } | sed -n 's/.*; there are //p')
limit="-max_total_time=${2:-60}"
[ "${2:-60}" != 0 ] || limit=-runs=0
failed=
for target in $targets; do
  mkdir -p "corpus/$target" "artifacts/$target"
  echo "== $target"
  LIGHTER_FUZZ=$target "$program" "$limit" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
    -artifact_prefix="artifacts/$target/" "corpus/$target" $([ ! -d "seeds/$target" ] || echo "seeds/$target") || failed+=" $target"
  rm -rf /dev/shm/lighter-fuzz-*
done
[ -z "$failed" ] || { echo "something was found in:$failed"; exit 1; }

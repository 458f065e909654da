#!/bin/sh
# Installs what the tests need and runs all of them: format, lints, every crate's own, the scenarios. Needs root.
set -eu
cd "$(dirname "$0")/.."
scripts/test-setup.sh
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo build --workspace --locked
cargo test --workspace --locked --no-fail-fast

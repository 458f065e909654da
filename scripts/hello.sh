#!/bin/sh
# Builds Lighter in release and runs its main job: a container, from nothing but this checkout. Needs root.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --locked -p lighter -p lighter-shim -p lighter-runtime
. scripts/target.sh
exec "$(lighter_bin release)/lighter" run --rm hello-world

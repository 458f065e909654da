#!/bin/bash
# Runs the container, exec and system tests of bollard's own crate against $DOCKER_HOST.
# Usage: DOCKER_HOST=unix:///run/lighter.sock tests/clients/bollard.sh [VERSION]
#
# Its tests pull their images. They are made of busybox here, imported under the names it asks for, and its pulls are taken out:
# nothing is fetched but the crate itself. The two tests of events are left out: what they watch is a pull.
set -euo pipefail
version=${1:-0.19.4}
work=${BOLLARD_WORK:-/tmp/lighter-bollard}
here=$(cd "$(dirname "$0")/../.." && pwd)
docker=${DOCKER:-docker}
cache=${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}
mkdir -p "$work" && cd "$work"
if [ ! -d "bollard-$version" ]; then
  # cargo itself fetches it: as it was published, with its tests
  mkdir -p fetch/src && : > fetch/src/lib.rs
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nbollard = "=%s"\n' "$version" > fetch/Cargo.toml
  cargo fetch --quiet --manifest-path fetch/Cargo.toml
  cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"bollard-$version" .
  # an image that is there need not be pulled
  python3 "$here/tests/clients/without_pulls.py" "bollard-$version"/tests
fi
root=$(mktemp -d); tar -C "$root" -xf "$cache/busybox.tar"
mkdir -p "$root/www" "$root/usr/sbin" "$root/etc/config"
printf '\nconfig uhttpd main\n' > "$root/etc/config/uhttpd"
printf '#!/bin/sh\necho; echo Hello from Docker!\n' > "$root/hello"
printf '#!/bin/sh\nexec /bin/httpd "$@"\n' > "$root/usr/sbin/run_uhttpd"
chmod 755 "$root/hello" "$root/usr/sbin/run_uhttpd"
tar -C "$root" -c . | $docker import -c 'CMD ["/hello"]' - hello-world:linux >/dev/null
tar -C "$root" -c . | $docker import -c 'CMD ["/bin/sh"]' - alpine:latest >/dev/null
tar -C "$root" -c . | $docker import - fussybeaver/uhttpd:latest >/dev/null
rm -rf "$root"
cd "bollard-$version"
sed -i "s#unix:///var/run/docker.sock#$DOCKER_HOST#" tests/version_test.rs
DISABLE_REGISTRY=1 CARGO_TARGET_DIR="$work/target" cargo test --no-fail-fast --test container_test --test exec_test \
  --test system_test --test version_test -- --test-threads 1 --skip integration_test_events

#!/bin/sh
# Debian's skopeo and docker-registry beside lighter, by hand: tests/callers/skopeo.sh
# Images that skopeo writes into the registry in every format are pulled, saved, loaded and pushed by lighter; their digests must be
# what skopeo says of the registry's and of the archive's. One line for each scenario; exit status 0 when all passed. Everything is
# private to the run and removed at its end.
set -u
cd "$(dirname "$0")/../.." || exit
. scripts/target.sh
programs=${PROGRAMS:-$(lighter_bin debug)}
busybox=${BUSYBOX_TAR:-${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}/busybox.tar}
home=/tmp/lighter-skopeo-$$
failed=0 daemon='' registry=''
check() { # NAME EXPECTED SEEN
  if [ "$2" = "$3" ] && [ -n "$2" ]; then echo "PASS $1"; else
    failed=$((failed + 1))
    echo "FAIL $1: expected $2, saw $3"
  fi
}
clean() {
  [ -z "$daemon" ] || { kill "$daemon"; wait "$daemon"; } 2>/dev/null
  [ -z "$registry" ] || { kill "$registry"; wait "$registry"; } 2>/dev/null
  rm -rf "$home"
}
trap clean EXIT
trap 'exit 1' INT TERM
mkdir -p "$home" || exit
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
host=127.0.0.1:$port
echo "{version: 0.1, log: {level: error}, storage: {filesystem: {rootdirectory: $home/registry}}, http: {addr: '$host'}}" > "$home/registry.yml"
docker-registry serve "$home/registry.yml" >"$home/registry.log" 2>&1 &
registry=$!
"$programs/lighter" daemon --data-root "$home/data" --exec-root "$home/run" -H "unix://$home/sock" >"$home/log" 2>&1 &
daemon=$!
lighter() { DOCKER_HOST=unix://$home/sock DOCKER_CONFIG=$home/config "$programs/lighter" "$@"; }
for _ in $(seq 100); do lighter version >/dev/null 2>&1 && break; sleep 0.1; done
sk() { skopeo --insecure-policy "$@"; }
raw() { echo "sha256:$(sk inspect --raw "$@" | sha256sum | cut -d' ' -f1)"; }
remote() { raw --tls-verify=false "docker://$host/$1"; }
id() { lighter image inspect -f '{{.Id}}' "$1"; }

# An image of two layers: what lighter saves, skopeo reads in both forms.
lighter import -c 'CMD ["cat", "/made"]' "$busybox" base >/dev/null
lighter run --name cc base sh -c 'echo made >/made' && lighter commit -c 'CMD ["cat", "/made"]' cc source:1 >/dev/null
lighter save -o "$home/source.tar" source:1 || exit
lighter rm cc >/dev/null
check "saved: as an OCI archive" "$(id source:1)" "$(raw "oci-archive:$home/source.tar")"
check "saved: as a docker archive, its layers" "$(lighter image inspect -f '{{join .RootFS.Layers " "}}' source:1)" \
  "$(sk inspect --config "docker-archive:$home/source.tar" | python3 -c 'import json, sys; print(*json.load(sys.stdin)["rootfs"]["diff_ids"])')"

for form in v2s2:gzip v2s2: oci:gzip oci:zstd oci:; do
  name=$(echo "$form" | tr ':' '-')x
  compress=${form#*:}
  if [ -n "$compress" ]; then set -- --dest-compress-format "$compress"; else set -- --dest-decompress; fi
  if [ -n "$compress" ]; then from=docker-archive:$home/source.tar to=docker://$host/$name:1; else from=docker-archive:$home/source.tar to=dir:$home/$name; fi
  sk copy -q --dest-tls-verify=false --format "${form%:*}" "$@" "$from" "$to" || failed=$((failed + 1))
  [ -n "$compress" ] || sk copy -q --dest-tls-verify=false "dir:$home/$name" "docker://$host/$name:1" || failed=$((failed + 1))
  wanted=$(remote "$name:1")
  lighter pull -q "$host/$name:1" >/dev/null
  check "$form: pulled" "$wanted" "$(id "$host/$name:1")"
  check "$form: as skopeo inspect has it" "$(sk inspect --tls-verify=false -f '{{.Digest}}' "docker://$host/$name:1")" "$(id "$host/$name:1")"
  check "$form: run" made "$(lighter run --rm "$host/$name:1")"
  lighter save -o "$home/$name.tar" "$host/$name:1"
  check "$form: saved" "$wanted" "$(raw "oci-archive:$home/$name.tar")"
  lighter rmi "$host/$name:1" >/dev/null
  lighter load -q -i "$home/$name.tar" >/dev/null
  check "$form: loaded" "$wanted" "$(id "$host/$name:1")"
  lighter tag "$host/$name:1" "$host/copy/$name:2"
  lighter push -q "$host/copy/$name:2" >/dev/null
  check "$form: pushed" "$wanted" "$(remote "copy/$name:2")"
  lighter rmi "$host/$name:1" "$host/copy/$name:2" >/dev/null
done

# Several platforms: put together here, copied whole by skopeo, loaded.
other=arm64
[ "$(uname -m)" != aarch64 ] || other=amd64
lighter import --platform "linux/$other" -c 'ENV OTHER=1' "$busybox" "$host/many:other" >/dev/null
lighter tag source:1 "$host/many:own"
lighter push -q -a "$host/many" >/dev/null
lighter manifest create "$host/many:all" "$host/many:own" "$host/many:other" >/dev/null
pushed=$(lighter manifest push "$host/many:all" | tail -n 1)
check "index: pushed" "$(remote many:all)" "$pushed"
sk copy -q --all --src-tls-verify=false "docker://$host/many:all" "oci-archive:$home/many.tar:$host/many:all" || failed=$((failed + 1))
lighter rmi "$host/many:own" "$host/many:other" >/dev/null
lighter load -q -i "$home/many.tar" >/dev/null
# an archive of that kind has no list of Docker's: skopeo makes an index of it
whole=$(raw "oci-archive:$home/many.tar")
check "index: loaded from skopeo's archive" "$whole" "$(id "$host/many:all")"
lighter tag "$host/many:all" "$host/again:all"
lighter push -q "$host/again:all" >/dev/null
check "index: pushed again" "$whole" "$(remote again:all)"
check "index: run" made "$(lighter run --rm "$host/again:all")"

echo "DONE $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# Debian's podman and containerd (`ctr`) with lighter-runtime as their OCI runtime, by hand: tests/callers/run.sh [podman] [ctr]
# They are found in the system below $PEERS (a chroot with proc, sys, dev and control groups mounted; default: this machine
# itself). One line for each scenario; exit status 0 when all passed. Everything is private to the run and removed at its end.
set -u
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
cd "$(dirname "$0")/../.." || exit
. scripts/target.sh
PEERS=${PEERS:-}
runtime=${RUNTIME:-$(lighter_bin debug)/lighter-runtime}
busybox=${BUSYBOX_TAR:-${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}/busybox.tar}
home=/tmp/lighter-callers-$$
failed=0 containerd=
inside() { if [ -n "$PEERS" ]; then chroot "$PEERS" "$@"; else "$@"; fi; }
# check NAME PATTERN COMMAND...: both streams must match, then the exit status in brackets where it is not 0.
check() {
  name=$1 expected=$2
  shift 2
  seen=$("$@" 2>&1) || seen="$seen [exit $?]"
  # shellcheck disable=SC2254
  case $seen in
    $expected) echo "PASS $who: $name" ;;
    *)
      failed=$((failed + 1))
      echo "FAIL $who: $name: expected $expected, saw: $(echo "$seen" | tr '\n' '|')"
      ;;
  esac
}
clean() {
  [ -z "$containerd" ] || { kill "$containerd"; wait "$containerd"; } 2>/dev/null
  grep -o " $PEERS$home[^ ]*" /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount"; done
  rm -rf "${PEERS:?}$home" 2>/dev/null || rm -rf "$PEERS$home"
  for group in /sys/fs/cgroup/*/callers"$$" /sys/fs/cgroup/callers"$$"; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
  done
}
trap clean EXIT
trap 'exit 1' INT TERM
mkdir -p "$PEERS$home/bin"
cp "$runtime" "$PEERS$home/bin/lighter-runtime" && cp "$busybox" "$PEERS$home/busybox.tar" || exit
inside "$home/bin/lighter-runtime" --version >/dev/null || exit

podman() {
  inside podman --root "$home/root" --runroot "$home/run" --tmpdir "$home/tmp" --storage-driver vfs --cgroup-manager cgroupfs \
    --runtime "$home/bin/lighter-runtime" --events-backend none "$@"
}
p() { podman run --rm --network none --cgroup-parent "/callers$$" "$@"; }
piped() { echo "$1" | p -i bb cat; }
podman_suite() {
  who="podman $(inside podman --version | sed 's/.* //')"
  podman import "$home/busybox.tar" bb >/dev/null 2>&1
  check "run" "hello" p bb echo hello
  check "exit code" "*exit 3*" p bb sh -c 'exit 3'
  check "no such program" "*not found*exit 127*" p bb nosuch
  check "not executable" "*exit 126*" p bb /etc/passwd
  check "standard input" "through" piped through
  check "terminal" "*/dev/pts/0*" p -t bb tty
  check "user, directory, variables" "33
/tmp
v" p -u 33 -w /tmp -e K=v bb sh -c 'id -u; pwd; echo $K'
  check "limits" "67108864
17" p -m 64m --pids-limit 17 bb sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null ||
    cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'
  check "out of memory" "*exit 137*" p -m 16m bb sh -c 'a=x; while :; do a=$a$a; done'
  check "read-only root with a tmpfs" "ok" p --read-only --tmpfs /t bb sh -c 'touch /x 2>/dev/null || touch /t/x && echo ok'
  check "sysctl" "1" p --sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward
  check "ulimit" "77" p --ulimit nofile=77 bb sh -c 'ulimit -n'
  check "no capabilities" "CapEff:*0000000000000000" p --cap-drop all bb grep CapEff /proc/self/status
  check "seccomp" "Seccomp:*2" p bb grep ^Seccomp: /proc/self/status
  check "privileged" "Seccomp:*0" p --privileged bb grep ^Seccomp: /proc/self/status
  check "init" "*init*" p --init bb cat /proc/1/comm
  check "hostname" "box" p --hostname box bb hostname
  podman run -d --name long --network none --cgroup-parent "/callers$$" -m 64m bb sleep 1000 >/dev/null
  check "exec" "in" podman exec long echo in
  check "exec's exit code" "*exit 4*" podman exec long sh -c 'exit 4'
  check "exec with a terminal" "*/dev/pts/*" podman exec -t long tty
  check "exec of what is not there" "*exit 127*" podman exec long nosuch
  check "pause" "long
paused" sh_ 'podman pause long && podman inspect -f "{{.State.Status}}" long'
  check "unpause" "long
running" sh_ 'podman unpause long && podman inspect -f "{{.State.Status}}" long'
  check "update" "*" podman update -m 32m long
  check "the limit is changed" "33554432" podman exec long sh -c \
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
  check "stats" "*MB*" podman stats --no-stream --format '{{.MemUsage}}' long
  check "top" "*sleep 1000*" podman top long
  check "kill" "long" podman kill -s KILL long
  check "it has ended" "137" podman wait long
  check "start again" "long" podman start long
  check "stop" "long
137" sh_ 'podman stop -t 1 long 2>/dev/null; podman inspect -f "{{.State.ExitCode}}" long'
  check "rm" "long" podman rm -f long
  podman pod create --name pod --network none --cgroup-parent "/callers$$" --infra-image bb --infra-command 'sleep 1000' >/dev/null 2>&1
  check "in a pod" "shared" sh_ "podman run --rm --pod pod bb sh -c 'echo shared > /dev/shm/x' && podman run --rm --pod pod bb cat /dev/shm/x"
  podman pod rm -f pod >/dev/null 2>&1
  check "nothing is left" "" podman ps -aq
}
sh_() { eval "$1"; }

ctr() { inside ctr --address "$home/containerd.sock" "$@"; }
c() { ctr run --rm --runc-binary "$home/bin/lighter-runtime" --cgroup "/callers$$/$name" "$@"; }
ctr_suite() {
  who="containerd $(inside containerd --version | sed 's/.* v\{0,1\}\([0-9][^ ]*\).*/\1/')"
  cat > "$PEERS$home/config.toml" <<EOF
version = 3
root = "$home/containerd"
state = "$home/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
[grpc]
  address = "$home/containerd.sock"
[ttrpc]
  address = "$home/containerd.sock.ttrpc"
EOF
  # shellcheck disable=SC2086
  exec_in="${PEERS:+chroot $PEERS} containerd -c $home/config.toml"
  (exec $exec_in) >"$PEERS$home/containerd.log" 2>&1 &
  containerd=$!
  for _ in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
  # An image in OCI's layout, of one layer.
  layout "$PEERS$home/layout" && ctr images import "$home/layout.tar" >/dev/null 2>&1
  check "the image is there" "bb:1*" ctr images ls -q
  check "run" "hello" c bb:1 a1 echo hello
  check "exit code" "*exit 3*" c bb:1 a2 sh -c 'exit 3'
  check "no such program" "*not found*" c bb:1 a3 nosuch
  check "terminal" "*/dev/pts/0*" script_ "ctr run --rm -t --runc-binary $home/bin/lighter-runtime bb:1 a4 tty"
  check "seccomp" "Seccomp:*2" c --seccomp bb:1 a5 grep ^Seccomp: /proc/self/status
  check "out of memory" "*exit 137*" c --memory-limit 16777216 bb:1 a6 sh -c 'a=x; while :; do a=$a$a; done'
  check "read-only root" "*Read-only file system*" c --read-only bb:1 a7 touch /x
  ctr run -d --runc-binary "$home/bin/lighter-runtime" bb:1 long sleep 1000 >/dev/null 2>&1
  check "exec" "in" ctr task exec --exec-id e1 long echo in
  check "exec's exit code" "*exit 4*" ctr task exec --exec-id e2 long sh -c 'exit 4'
  check "ps" "*PID*" ctr task ps long
  check "pause" "*long*PAUSED*" sh_ 'ctr task pause long && ctr task ls'
  check "resume" "*long*RUNNING*" sh_ 'ctr task resume long && ctr task ls'
  check "metrics" "*memory*" ctr task metrics long
  check "checkpoint is refused" "*not supported*" ctr task checkpoint long
  check "kill" "*long*STOPPED*" sh_ 'ctr task kill -s SIGKILL long; sleep 1; ctr task ls'
  check "delete" "*" ctr task delete long
  check "rm" "" ctr container rm long
  check "nothing is left" "" ctr container ls -q
}
# A terminal for who insists on one.
script_() { script -qec "PEERS='$PEERS'; inside() { if [ -n \"\$PEERS\" ]; then chroot \"\$PEERS\" \"\$@\"; else \"\$@\"; fi; }
  ctr() { inside ctr --address $home/containerd.sock \"\$@\"; }; $1" /dev/null | tr -d '\r'; }
layout() {
  mkdir -p "$1/blobs/sha256"
  layer=$(sha256sum < "$busybox" | cut -d' ' -f1)
  cp "$busybox" "$1/blobs/sha256/$layer"
  blob() { digest=$(sha256sum < "$1/new" | cut -d' ' -f1); size=$(wc -c < "$1/new"); mv "$1/new" "$1/blobs/sha256/$digest"; }
  arch=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  echo "{\"architecture\":\"$arch\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/bin:/usr/bin\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$layer\"]}}" > "$1/new"
  blob "$1"
  echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:$layer\",\"size\":$(wc -c < "$busybox")}]}" > "$1/new"
  blob "$1"
  echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$size,\"annotations\":{\"io.containerd.image.name\":\"bb:1\"}}]}" > "$1/index.json"
  echo '{"imageLayoutVersion":"1.0.0"}' > "$1/oci-layout"
  tar -C "$1" -cf "$1.tar" .
}

[ $# -gt 0 ] || set -- podman ctr
for suite; do "${suite}_suite"; done
echo "DONE $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# Boots a virtual machine with systemd and cgroup v2 only, installs this build there, runs the scenarios of scenarios.sh.
# Exit status 0 when all passed. VM_SECURITY=selinux boots with SELinux instead of AppArmor and runs its scenarios. VM_OUTPUT=FILE keeps the console; VM_TIMEOUT=SECONDS (default 1800).
set -eu
cd "$(dirname "$0")/../.."
tests/vm/setup.sh
[ -e "${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}/busybox.tar" ] || scripts/test-setup.sh
cache=${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}
work=$(mktemp -d "${TMPDIR:-/tmp}/lighter-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
output=${VM_OUTPUT:-$work/console}
make -s install DESTDIR="$work/payload" PREFIX=/usr >&2
mkdir -p "$work/payload/vm"
cp -r tests/vm/scenarios.sh tests/vm/inside "$cache/busybox.tar" "$work/payload/vm/"
tar --numeric-owner --owner=0 --group=0 -C "$work/payload" -cf "$work/payload.tar" .
qemu-img create -q -f qcow2 -F raw -b "$cache/vm/root.img" "$work/root.qcow2" 2>/dev/null ||
  cp --sparse=always "$cache/vm/root.img" "$work/root.qcow2"
format=$(head -c 3 "$work/root.qcow2" | grep -q QFI && echo qcow2 || echo raw)
# For project quotas: the root's own format has none.
truncate -s 512M "$work/quota.img"
mke2fs -q -t ext4 -O project,quota -E quotatype=prjquota "$work/quota.img"
accel=tcg
[ ! -w /dev/kvm ] || ! grep -qE 'vmx|svm' /proc/cpuinfo || accel=kvm:tcg
: > "$output"
timeout "${VM_TIMEOUT:-1800}" qemu-system-x86_64 -accel "$accel" -cpu max -smp 2 -m 2048 -nodefaults -display none \
  -no-reboot -kernel "$cache/vm/vmlinuz" -initrd "$cache/vm/initrd.img" \
  -append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 panic=-1 security=${VM_SECURITY:-apparmor}" \
  -drive "if=virtio,file=$work/root.qcow2,format=$format" -drive "if=virtio,file=$work/payload.tar,format=raw,readonly=on" \
  -drive "if=virtio,file=$work/quota.img,format=raw" \
  -serial "file:$output" || echo "qemu ended with $?" >&2
tr -d '\r' < "$output" | grep -E '^(PASS|FAIL|SKIP|NOTE|DONE)' || true
tr -d '\r' < "$output" | grep -q '^DONE 0 failed'

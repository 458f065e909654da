#!/bin/sh
# Makes the virtual machine's root file system, once: Debian trixie with systemd, AppArmor and a cloud kernel.
# LIGHTER_TEST_CACHE says where it is kept (default /var/cache/lighter-tests): about 1 GB in `vm/`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}/vm
suite=${VM_SUITE:-trixie}
mirror=${VM_MIRROR:-http://deb.debian.org/debian}
packages=systemd,systemd-sysv,dbus,udev,kmod,linux-image-cloud-amd64,apparmor,selinux-policy-default,nftables,iproute2,procps,busybox-static,runc,crun,podman,conmon
missing=
need() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null 2>&1 || { shift; missing="$missing $*"; }
}
need qemu-system-x86_64 qemu-system-x86 seabios
need mmdebstrap mmdebstrap
need mke2fs e2fsprogs
if [ -n "$missing" ]; then
  echo "== installing:$missing" >&2
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
mkdir -p "$cache"
# Made again when this script changes.
stamp=$(cksum < "$here/setup.sh")
[ "$(cat "$cache/stamp" 2>/dev/null)" = "$stamp" ] || rm -f "$cache/root.tar" "$cache/root.img"
if [ ! -e "$cache/root.tar" ]; then
  echo "== making a Debian $suite root file system" >&2
  mmdebstrap --variant=minbase --components=main --include="$packages" "$suite" "$cache/new-root.tar" "$mirror" >&2
  mv "$cache/new-root.tar" "$cache/root.tar"
fi
if [ ! -e "$cache/root.img" ]; then
  echo "== making its disk" >&2
  root=$(mktemp -d "$cache/root.XXXXXX")
  trap 'rm -rf "$root"' EXIT
  tar -xpf "$cache/root.tar" -C "$root" --numeric-owner
  echo lighter-vm > "$root/etc/hostname"
  printf '127.0.0.1 localhost lighter-vm\n' > "$root/etc/hosts"
  printf '/dev/vda / ext4 rw 0 1\n' > "$root/etc/fstab"
  # Nothing of the disk is labelled: this is about what we label.
  printf 'SELINUX=permissive\nSELINUXTYPE=default\n' > "$root/etc/selinux/config"
  # What is to be tested comes as a tar archive on the second disk and says itself what to do.
  cat > "$root/etc/systemd/system/lighter-vm.service" <<'UNIT'
[Unit]
Description=Scenarios from the second disk
After=multi-user.target dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'tar -xf /dev/vdb -C / && exec /vm/scenarios.sh'
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
[Install]
WantedBy=default.target
UNIT
  systemctl --root="$root" enable lighter-vm.service 2>/dev/null ||
    { mkdir -p "$root/etc/systemd/system/default.target.wants" &&
      ln -s ../lighter-vm.service "$root/etc/systemd/system/default.target.wants/"; }
  # Nothing that only takes time in a machine which lives for minutes.
  for unit in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service systemd-networkd-wait-online.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  cp -L "$root/vmlinuz" "$cache/vmlinuz"
  cp -L "$root/initrd.img" "$cache/initrd.img"
  rm -f "$cache/root.img.new"
  truncate -s 4G "$cache/root.img.new"
  mke2fs -q -t ext4 -d "$root" "$cache/root.img.new"
  mv "$cache/root.img.new" "$cache/root.img"
  echo "$stamp" > "$cache/stamp"
fi

#!/bin/sh
# Installs what the tests need from Debian's packages and makes the images they run, once.
# LIGHTER_TEST_CACHE says where the images are kept (default /var/cache/lighter-tests).
set -eu
cache=${LIGHTER_TEST_CACHE:-/var/cache/lighter-tests}
missing=
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need mmdebstrap mmdebstrap
need ps procps
need nft nftables
need ip iproute2
need cc gcc
need python3 python3-minimal
need docker-registry docker-registry
need openssl openssl
need zstd zstd
need xz xz-utils
need bzip2 bzip2
need mkfs.ext4 e2fsprogs
need runc runc
need crun crun
[ -e /bin/busybox ] && [ ! -L /bin/busybox ] || missing="$missing busybox-static"
if [ -n "$missing" ]; then
  echo "== installing:$missing" >&2
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
mkdir -p "$cache"
if [ ! -e "$cache/busybox.tar" ]; then
  root=$(mktemp -d)
  chmod 755 "$root"
  mkdir -p "$root/bin" "$root/etc" "$root/root" "$root/tmp" "$root/proc" "$root/sys" "$root/dev" "$root/home/web"
  cp /bin/busybox "$root/bin/busybox"
  for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/home/web:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' > "$root/etc/passwd"
  printf 'root:x:0:\nweb:x:33:\naudio:x:29:web\nstaff:x:50:\n' > "$root/etc/group"
  chmod 1777 "$root/tmp"
  printf '#!/bin/sh\nexec cat\n' > "$root/not-executable"
  tar --numeric-owner --owner=0 --group=0 --sort=name --mtime=@1700000000 -C "$root" -cf "$cache/busybox.tar.new" .
  rm -rf "$root"
  mv "$cache/busybox.tar.new" "$cache/busybox.tar"
fi
if [ ! -e "$cache/debian.tar" ]; then
  echo "== making a Debian root file system" >&2
  apt-get update -qq
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -1)
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mmdebstrap --variant=minbase --components=main --aptopt='Acquire::Check-Valid-Until "false"' \
    "$suite" "$cache/debian.new.tar" "$mirror" >/dev/null 2>&1
  mv "$cache/debian.new.tar" "$cache/debian.tar"
fi

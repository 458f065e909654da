#!/bin/sh
# refuse-docker.sh DESTDIR BINDIR: fails, saying why, where a Docker has the name `docker` or its socket already.
set -eu
destdir=$1 bindir=$2
refuse() {
  echo "WITH_DOCKER_NAME=1 is refused: $1" >&2
  exit 1
}
ours() { [ -L "$1" ] && [ "$(basename "$(readlink "$1")")" = lighter ]; }

own=$destdir$bindir/docker
if [ -e "$own" ] || [ -L "$own" ]; then
  ours "$own" || refuse "$own is there and not ours"
fi
for unit in docker.service docker.socket; do
  for directory in /etc/systemd/system /lib/systemd/system /usr/lib/systemd/system; do
    [ ! -e "$destdir$directory/$unit" ] || refuse "$destdir$directory/$unit belongs to a Docker"
  done
done
# What follows is about this machine, not about a tree for a package.
[ -z "$destdir" ] || exit 0
found=$(command -v docker || true)
if [ -n "$found" ]; then
  ours "$found" || refuse "$found is there and not ours"
fi
if [ -S /run/docker.sock ] && ! [ -e /run/systemd/units/invocation:lighter.service ]; then
  refuse "/run/docker.sock is there: a Docker runs, or ran"
fi

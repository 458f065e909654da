#!/bin/sh
# Runs in the virtual machine as root. Each scenario prints one line: PASS or FAIL, its name, and what was seen.
failed=0
image=busybox
inside="-v /vm/inside:/inside:ro"
cd /
# check NAME EXPECTED COMMAND...: the command's output (both streams) must match the pattern.
check() {
  name=$1 expected=$2
  shift 2
  seen=$("$@" 2>&1) || seen="$seen [exit $?]"
  # shellcheck disable=SC2254
  case $seen in
    $expected) echo "PASS $driver: $name" ;;
    *)
      failed=$((failed + 1))
      echo "FAIL $driver: $name: expected $expected, saw: $(echo "$seen" | tr '\n' '|')"
      ;;
  esac
}
sh_() { sh -c "$1"; }
group_of() { # CONTAINER: its cgroup's directory
  pid=$(lighter inspect -f '{{.State.Pid}}' "$1") && echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")"
}

# Every namespace that a flag gives is the host's, and another one without.
own_namespaces() {
  for kind in pid ipc uts net cgroup; do
    case $kind in net) flag=--network ;; cgroup) flag=--cgroupns ;; *) flag=--$kind ;; esac
    seen=$(lighter run --rm $flag host $image readlink /proc/self/ns/$kind)
    other=$(lighter run --rm $image readlink /proc/self/ns/$kind)
    own=$(readlink /proc/1/ns/$kind)
    [ "$seen" = "$own" ] && [ "$other" != "$own" ] || { echo "$kind: $seen $other $own"; return 1; }
  done
  echo ok
}

# The shim is stopped while its container runs out of memory: with systemd's driver the scope is gone when it looks.
oom_unseen() {
  lighter run -d --name unseen -m 16m $image sh -c 'while [ ! -e /go ]; do sleep .1; done; a=x; while :; do a=$a$a; done' >/dev/null
  pid=$(lighter inspect -f '{{.State.Pid}}' unseen)
  group=$(group_of unseen)
  shim=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
  touch "/proc/$pid/root/go"
  kill -STOP "$shim"
  for _ in $(seq 100); do
    grep -q '^State:.*Z' "/proc/$pid/status" && { [ "$driver" = cgroupfs ] || [ ! -e "$group" ]; } && break
    sleep .2
  done
  [ "$driver" = cgroupfs ] || [ ! -e "$group" ] || echo "the scope is still there"
  kill -CONT "$shim"
  lighter wait unseen >/dev/null
  lighter inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' unseen
  lighter rm -f unseen >/dev/null
}

# An image, a part of one and a part of a volume as mounts. [MORE FLAGS]
image_mounts() {
  m="--mount type=image,src=$image,dst=/t --mount type=image,src=$image,dst=/p,image-subpath=bin"
  check "an image is mounted $*" "busybox
busybox
0
*Read-only file system*" lighter run --rm $* $m $image sh -c 'ls /t/bin /p | grep -x busybox; stat -c %u /t/bin/busybox; touch /t/x'
  check "a part that is not there $*" "*cannot access path $image/no/x: lstat $image/no: no such file or directory*exit 127*" \
    lighter run --rm $* --mount type=image,src=$image,dst=/t,image-subpath=no/x $image true
  lighter run --rm -v parts:/v $image sh -c 'mkdir /v/a; echo one > /v/a/f; ln -s / /v/out'
  check "a part of a volume is mounted $*" "one
two" lighter run --rm $* --mount type=volume,src=parts,dst=/v,volume-subpath=a $image sh -c 'cat /v/f; echo two > /v/g; cat /v/g'
  check "a part outside is not $*" "*escapes the base directory*exit 125*" \
    lighter run --rm $* --mount type=volume,src=parts,dst=/v,volume-subpath=out,volume-nocopy $image true
  lighter volume rm parts >/dev/null
}

suite() {
  check "info names driver and version" "$driver 2" lighter info -f '{{.CgroupDriver}} {{.CgroupVersion}}'
  check "run" "hello" lighter run --rm $image echo hello
  check "exit code" "*exit 3*" lighter run --rm $image sh -c 'exit 3'
  check "memory.max" "67108864" lighter run --rm -m 64m $image cat /sys/fs/cgroup/memory.max
  check "memory.swap.max" "67108864" lighter run --rm -m 64m --memory-swap 128m $image cat /sys/fs/cgroup/memory.swap.max
  check "cpu.max" "50000 100000" lighter run --rm --cpus .5 $image cat /sys/fs/cgroup/cpu.max
  check "cpu.weight" "[0-9]*" lighter run --rm --cpu-shares 2048 $image cat /sys/fs/cgroup/cpu.weight
  check "pids.max" "17" lighter run --rm --pids-limit 17 $image cat /sys/fs/cgroup/pids.max
  check "cpuset" "0" lighter run --rm --cpuset-cpus 0 $image cat /sys/fs/cgroup/cpuset.cpus
  check "memory.low" "8388608" lighter run --rm --memory-reservation 8m $image cat /sys/fs/cgroup/memory.low
  check "io.max" "*rbps=1048576*wiops=50*" \
    lighter run --rm --device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:50 $image cat /sys/fs/cgroup/io.max
  check "swappiness is dropped with a warning" "*memory swappiness*ok" sh_ "lighter run --rm --memory-swappiness 5 $image echo ok"
  check "realtime is refused" "*exit 125*" lighter run --rm --cpu-rt-runtime 1000 $image true
  check "ulimit, shm, oom_score_adj" "1024
65536
100" lighter run --rm --ulimit nofile=1024 --shm-size 64k --oom-score-adj 100 $inside $image sh /inside/limits.sh
  check "half a processor" "[45][0-9]" lighter run --rm --cpus .5 $inside $image sh /inside/half-cpu.sh
  check "the host's namespaces" "ok" own_namespaces
  check "fork bomb stops at the limit" "*can't fork*" \
    lighter run --rm --pids-limit 8 $image sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait'
  lighter run --name oom -m 16m $image sh -c 'a=x; while :; do a=$a$a; done' >/dev/null 2>&1
  check "OOM is told" "137 true" lighter inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' oom
  lighter rm -f oom >/dev/null
  check "OOM is told by a shim that was stopped" "137 true" oom_unseen
  check "cgroup namespace" "0::/" lighter run --rm $image cat /proc/self/cgroup
  check "cgroup view is read-only" "*Read-only file system*" lighter run --rm $image mkdir /sys/fs/cgroup/x
  check "devices: null works" "ok" lighter run --rm $image sh -c 'echo x > /dev/null && echo ok'
  check "devices: others are refused" "*Operation not permitted*" \
    lighter run --rm $image sh -c 'mknod /tmp/vda b 254 0 && cat /tmp/vda'
  check "devices: --device" "1" lighter run --rm --device /dev/vda:/dev/disk $image sh -c 'dd if=/dev/disk of=/dev/null bs=512 count=1 2>&1 | grep -c "1+0 records in"'
  check "AppArmor profile" "docker-default (enforce)" lighter run --rm $image cat /proc/self/attr/current
  check "AppArmor: unconfined" "unconfined" lighter run --rm --security-opt apparmor=unconfined $image cat /proc/self/attr/current
  check "AppArmor forbids mounting" "*ermission denied*" \
    lighter run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined $image mount -t tmpfs none /tmp
  check "AppArmor forbids writing below /proc/sys" "*ermission denied*" \
    lighter run --rm --security-opt systempaths=unconfined $image sh -c 'echo x > /proc/sys/kernel/domainname'
  check "AppArmor: an unknown profile" "*apparmor failed to apply profile*exit 127*" lighter run --rm --security-opt apparmor=nosuch $image true
  check "seccomp" "Seccomp:*2" lighter run --rm $image grep '^Seccomp:' /proc/self/status
  check "privileged" "Seccomp:*0" lighter run --rm --privileged $image grep '^Seccomp:' /proc/self/status
  check "address by bridge" "*eth0*" lighter run --rm $image ip -4 addr show eth0
  check "terminal" "*/dev/pts/0*" lighter run --rm -t $image tty

  image_mounts
  check "detached" "[0-9a-f]*" lighter run -d --name long -m 64m $image sleep 1000
  check "exec" "in" lighter exec long echo in
  check "exec has the profile" "docker-default (enforce)" lighter exec long cat /proc/self/attr/current
  check "exec is in the container's group" "67108864" lighter exec long cat /sys/fs/cgroup/memory.max
  check "pause" "paused" sh_ 'lighter pause long >/dev/null && lighter inspect -f "{{.State.Status}}" long'
  check "the group is frozen" "frozen 1" sh_ "grep frozen $(group_of long)/cgroup.events"
  check "unpause" "running" sh_ 'lighter unpause long >/dev/null && lighter inspect -f "{{.State.Status}}" long'
  check "update" "33554432" sh_ "lighter update -m 32m --memory-swap 64m long >/dev/null && cat $(group_of long)/memory.max"
  check "stats" "*MiB*" lighter stats --no-stream --format '{{.MemUsage}}' long
  check "top" "*sleep 1000*" lighter top long
  before=$(lighter inspect -f '{{.State.Pid}}' long)
  check "restart of the service" "active" sh_ 'systemctl restart lighter.service && systemctl is-active lighter.service'
  check "containers go on" "running $before" lighter inspect -f '{{.State.Status}} {{.State.Pid}}' long
  check "exec after the restart" "in" lighter exec long echo in
  check "limits hold after the restart" "33554432" lighter exec long cat /sys/fs/cgroup/memory.max
  check "daemon-reload leaves devices alone" "*Operation not permitted*" \
    sh_ 'systemctl daemon-reload; lighter exec long sh -c "mknod /tmp/vda b 254 0; cat /tmp/vda"'
  kill -9 "$(systemctl show -p MainPID --value lighter.service)"
  sleep 5
  check "a killed daemon comes back" "running $before" lighter inspect -f '{{.State.Status}} {{.State.Pid}}' long
  group=$(group_of long)
  check "stop" "exited 137" sh_ 'lighter stop -t 1 long >/dev/null 2>&1 && lighter inspect -f "{{.State.Status}} {{.State.ExitCode}}" long'
  check "its group is gone" "gone" sh_ "[ -e $group ] || echo gone"
  check "start again" "running" sh_ 'lighter start long >/dev/null && lighter inspect -f "{{.State.Status}}" long'
  check "rm -f" "long" lighter rm -f long
  check "--cgroupns host" "0::/*" lighter run --rm --cgroupns host $image cat /proc/self/cgroup
  for runtime in crun debian own; do
    check "$runtime: run, limits" "hello
67108864
17" lighter run --rm --runtime $runtime -m 64m --pids-limit 17 $image sh -c 'echo hello; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'
    check "$runtime: exit code" "*exit 3*" lighter run --rm --runtime $runtime $image sh -c 'exit 3'
    check "$runtime: terminal" "*/dev/pts/0*" lighter run --rm -t --runtime $runtime $image tty
    image_mounts --runtime $runtime
    check "$runtime: no such program" "*OCI runtime create failed*not found in \$PATH*" lighter run --rm --runtime $runtime $image nosuch
    lighter run -d --name ext --runtime $runtime -m 64m $image sleep 1000 >/dev/null
    check "$runtime: exec" "67108864" lighter exec ext cat /sys/fs/cgroup/memory.max
    check "$runtime: exec exit code" "*exit 4*" lighter exec ext sh -c 'exit 4'
    check "$runtime: pause" "paused" sh_ 'lighter pause ext >/dev/null && lighter inspect -f "{{.State.Status}}" ext && lighter unpause ext >/dev/null'
    systemctl restart lighter.service
    check "$runtime: goes on after a restart" "running" lighter inspect -f '{{.State.Status}}' ext
    check "$runtime: stop" "exited 137" sh_ 'lighter stop -t 1 ext >/dev/null 2>&1 && lighter inspect -f "{{.State.Status}} {{.State.ExitCode}}" ext'
    lighter rm -f ext >/dev/null
    lighter run --name oom --runtime $runtime -m 16m $image sh -c 'a=x; while :; do a=$a$a; done' >/dev/null 2>&1
    check "$runtime: OOM is told" "137 true" lighter inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' oom
    lighter rm -f oom >/dev/null
  done
  check "nothing is left" "" lighter ps -aq
}

configure() { # [CGROUP-DRIVER [MORE]]
  mkdir -p /etc/lighter
  echo "{\"runtimes\": {\"crun\": {\"path\": \"crun\"}, \"debian\": {\"path\": \"/usr/sbin/runc\"}, \"own\": {\"path\": \"/usr/bin/lighter-runtime\"}}${1:+, \"exec-opts\": [\"native.cgroupdriver=$1\"]}${2:+, $2}}" > /etc/lighter/daemon.json
}

# A daemon of its own on an ext4 with project quotas.
quota_suite() {
  mkdir -p /quota && mount -o prjquota /dev/vdc /quota || return
  lighter daemon --data-root /quota/data --exec-root /run/quota -H unix:///run/quota.sock >/quota/log 2>&1 &
  daemon=$!
  for _ in $(seq 100); do [ -S /run/quota.sock ] && break; sleep 0.2; done
  q="lighter -H unix:///run/quota.sock"
  check "import" "*" $q import /vm/busybox.tar $image
  check "a size for the root" "*Disk quota exceeded*" \
    $q run --rm --storage-opt size=8m $image dd if=/dev/zero of=/big bs=1M count=20
  check "what fits fits" "*20+0 records out*" $q run --rm --storage-opt size=40m $image dd if=/dev/zero of=/big bs=1M count=20
  check "df shows the size" "*8192*" $q run --rm --storage-opt size=8m $image df -k /
  check "without one there is none" "*20+0 records out*" $q run --rm $image dd if=/dev/zero of=/big bs=1M count=20
  check "another option" "*Unknown option*" $q run --rm --storage-opt foo=1 $image true
  kill $daemon
  wait $daemon
  umount /quota
}

# The same containers, their root nobody outside.
remap_suite() {
  check "root is nobody outside" "*0 [1-9]*00* 65536" sh_ "lighter run --rm $image cat /proc/self/uid_map | tr -s ' '"
  check "owners are those inside" "0:0" lighter run --rm $image stat -c %u:%g /bin/busybox
  check "limits" "67108864" lighter run --rm -m 64m $image cat /sys/fs/cgroup/memory.max
  image_mounts
  check "AppArmor profile" "docker-default (enforce)" lighter run --rm $image cat /proc/self/attr/current
  check "exec" "0" sh_ "lighter run -d --name remapped $image sleep 1000 >/dev/null && lighter exec remapped id -u; lighter rm -f remapped >/dev/null"
  check "the host's ids" "*0 0 4294967295" sh_ "lighter run --rm --userns host $image cat /proc/self/uid_map | tr -s ' '"
  check "nothing is left" "" lighter ps -aq
}

# Directories on an EROFS as one image, on a kernel whose overlayfs takes no detached mounts.
mixed_suite() {
  mixed() { # MORE FLAGS: a daemon on the same data
    lighter daemon --data-root /var/tmp/mixed/data --exec-root /run/mixed -H unix:///run/mixed.sock "$@" >>/var/tmp/mixed.log 2>&1 &
    daemon=$!
    for _ in $(seq 100); do lighter -H unix:///run/mixed.sock version >/dev/null 2>&1 && break; sleep 0.2; done
  }
  q="lighter -H unix:///run/mixed.sock"
  see="$q run --rm --mount type=image,src=mixed,dst=/t --mount type=image,src=mixed,dst=/p,image-subpath=top $image"
  mixed
  check "import" "*" $q import /vm/busybox.tar $image
  kill $daemon; wait $daemon
  mixed --storage-driver=overlay
  $q run --name making $image sh -c 'mkdir /top; echo one > /top/f'
  $q commit making mixed >/dev/null
  $q rm making >/dev/null
  check "mounted" "one
busybox
one" $see sh -c 'cat /t/top/f; ls /t/bin | grep -x busybox; cat /p/f'
  kill $daemon; wait $daemon
  mixed --userns-remap=default
  check "mounted with other ids" "one
busybox
one
0" $see sh -c 'cat /t/top/f; ls /t/bin | grep -x busybox; cat /p/f; stat -c %u /p/f'
  kill $daemon; wait $daemon
  rm -rf /var/tmp/mixed
}

podman_suite() {
  podman="podman --runtime /usr/bin/lighter-runtime --cgroup-manager $1"
  driver="podman, $1"
  $podman import /vm/busybox.tar $image >/dev/null 2>&1
  check "run" "hello" $podman run --rm --network none $image echo hello
  check "exit code" "*exit 3*" $podman run --rm --network none $image sh -c 'exit 3'
  check "terminal" "*/dev/pts/0*" $podman run --rm --network none -t $image tty
  check "limits" "67108864
17" $podman run --rm --network none -m 64m --pids-limit 17 $image sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'
  $podman run -d --name pp --network none -m 64m $image sleep 1000 >/dev/null
  check "exec" "67108864" $podman exec pp cat /sys/fs/cgroup/memory.max
  check "pause" "paused" sh_ "$podman pause pp >/dev/null && $podman inspect -f '{{.State.Status}}' pp && $podman unpause pp >/dev/null"
  check "update" "33554432" sh_ "$podman update -m 32m pp >/dev/null && $podman exec pp cat /sys/fs/cgroup/memory.max"
  check "stop" "137" sh_ "$podman stop -t 1 pp >/dev/null 2>&1; $podman inspect -f '{{.State.ExitCode}}' pp"
  check "rm" "pp" $podman rm -f pp
  check "user namespace" "0     100000       1000" sh_ "$podman run --rm --network none --uidmap 0:100000:1000 $image cat /proc/self/uid_map | sed 's/^ *//'"
}

# SELinux in permissive mode, Debian's policy: what is labelled, and how.
selinux_suite() {
  check "info" "*name=selinux*" lighter info -f '{{.SecurityOptions}}'
  lighter run -d --name one -v /srv/private:/p:Z -v /srv/shared:/s:z $image sleep 1000 >/dev/null
  pid=$(lighter inspect -f '{{.State.Pid}}' one)
  process=$(lighter inspect -f '{{.ProcessLabel}}' one)
  files=$(lighter inspect -f '{{.MountLabel}}' one)
  echo "NOTE labels $process $files"
  level=${process#*:*:*:}
  check "a level of its own" "s0:c[0-9]*,c[0-9]*" echo "$level"
  check "the process has its label" "$process" sh_ "tr -d '\000' < /proc/$pid/attr/current"
  check "an exec has it" "$process" sh_ "lighter exec one cat /proc/self/attr/current | tr -d '\000'"
  check "a health probe's and a privileged exec's" "$process" \
    sh_ "lighter exec --privileged one cat /proc/self/attr/current | tr -d '\000'"
  for place in / /bin/busybox /dev/shm /etc/hosts /dev/null; do
    check "$place has the files' label" "$files" stat -c %C "/proc/$pid/root$place"
  done
  check "what is made in it, too" "$files" sh_ "lighter exec one touch /made && stat -c %C /proc/$pid/root/made"
  check ":Z" "$files" stat -c %C /srv/private
  check ":z" "${files%:c*,c*}" stat -c %C /srv/shared
  lighter run -d --name mounts --mount type=image,src=$image,dst=/t --mount type=image,src=$image,dst=/p,image-subpath=bin $image sleep 1000 >/dev/null
  mounts=$(lighter inspect -f '{{.State.Pid}}' mounts)
  files=$(lighter inspect -f '{{.MountLabel}}' mounts)
  for place in /t /t/bin/busybox /p/busybox; do
    check "$place of an image has the files' label" "$files" stat -c %C "/proc/$mounts/root$place"
  done
  lighter rm -f mounts >/dev/null
  lighter run --rm -v parts:/v $image mkdir /v/a /v/b
  part=$(lighter volume inspect -f '{{.Mountpoint}}' parts)
  chcon -R unconfined_u:object_r:usr_t:s0 "$part"
  lighter run --rm --mount type=volume,src=parts,dst=/v,volume-subpath=a $image true
  check "a part of a volume alone is labelled" "*:container_file_t:s0
*:usr_t:s0" stat -c %C "$part/a" "$part/b"
  check "the machine's own directories are refused" "*SELinux relabeling of /usr is not allowed*exit 125*" \
    lighter run --rm -v /usr:/u:Z $image true
  check "another type" "*:spc_t:s0:c*" sh_ "lighter run --rm --security-opt label=type:spc_t $image cat /proc/self/attr/current"
  check "another level" "*:s0:c5,c6" sh_ \
    "lighter run --rm --security-opt label=level:s0:c5,c6 $image cat /proc/self/attr/current | tr -d '\000'"
  check "disabled" "0*" sh_ "lighter run --rm --security-opt label=disable $image grep -c ':s0:c' /proc/self/attr/current"
  check "no such option" '*Bad label option "nonsense"*' lighter run --rm --security-opt label=nonsense $image true
  lighter run -d --name two --pid container:one $image sleep 1000 >/dev/null
  check "who joins another's processes has its label" "$process" lighter inspect -f '{{.ProcessLabel}}' two
  lighter run -d --name three --privileged $image sleep 1000 >/dev/null
  check "privileged" "?label=disable?" lighter inspect -f '{{.ProcessLabel}}{{.HostConfig.SecurityOpt}}' three
  check "an external runtime" "*:s0:c*" \
    sh_ "lighter run --rm --runtime debian $image cat /proc/self/attr/current | tr -d '\000'"
  lighter rm -f one two three >/dev/null
  podman="podman --runtime /usr/bin/lighter-runtime --cgroup-manager cgroupfs"
  $podman import /vm/busybox.tar $image >/dev/null 2>&1
  check "podman" "*:s0:c*" sh_ "$podman run --rm --network none $image cat /proc/self/attr/current | tr -d '\000'"
  check "nothing is left" "" lighter ps -aq
}

finish() {
  driver=end
  check "journal has the daemon's log" "*" journalctl -u lighter.service -n 1 --no-pager -o cat
  check "nothing failed in the units" "" systemctl list-units --failed --no-legend --plain
  systemctl stop lighter.service lighter.socket
  echo "NOTE journal: $(journalctl -u lighter.service -p warning --no-pager -o cat | sort | uniq -c | tail -8 | tr '\n' '|')"
  echo "DONE $failed failed"
  exit
}

driver=boot
if grep -q security=selinux /proc/cmdline; then
  driver=selinux
  configure cgroupfs '"selinux-enabled": true'
  systemd-sysusers
  systemctl daemon-reload
  check "SELinux is on" "0" cat /sys/fs/selinux/enforce
  check "service starts" "active" sh_ 'systemctl enable --now lighter.socket lighter.service 2>/dev/null; systemctl is-active lighter.service'
  check "import" "*" sh_ "lighter import /vm/busybox.tar $image >/dev/null"
  selinux_suite
  finish
fi
configure cgroupfs
echo "NOTE kernel $(uname -r), $(systemctl --version | head -1)"
check "cgroup v2 only" "cgroup2fs" stat -fc %T /sys/fs/cgroup
check "AppArmor is on" "Y" cat /sys/module/apparmor/parameters/enabled
systemd-sysusers
systemctl daemon-reload
check "socket and service start" "active
active" sh_ 'systemctl enable --now lighter.socket lighter.service 2>/dev/null; systemctl is-active lighter.socket lighter.service'
check "import" "*" sh_ "lighter import /vm/busybox.tar $image >/dev/null"
driver=cgroupfs
suite
configure
driver=systemd
if systemctl restart lighter.service && sleep 2 && lighter info >/dev/null 2>&1; then
  suite
else
  failed=$((failed + 1))
  echo "FAIL systemd: the daemon does not start with native.cgroupdriver=systemd: $(journalctl -u lighter.service -n 3 --no-pager -o cat | tr '\n' '|')"
fi
driver=remap
configure systemd '"userns-remap": "default"'
systemctl restart lighter.service
lighter import /vm/busybox.tar $image >/dev/null 2>&1
remap_suite
configure
systemctl restart lighter.service
driver=quota
quota_suite
driver=mixed
mixed_suite
podman_suite cgroupfs
podman_suite systemd
finish

#!/bin/sh
# Runs in the virtual machine as root. Each scenario prints one line: PASS or FAIL, its name, and what was seen.
failed=0
image=busybox
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
  check "fork bomb stops at the limit" "*can't fork*" \
    lighter run --rm --pids-limit 8 $image sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait'
  lighter run --name oom -m 16m $image sh -c 'a=x; while :; do a=$a$a; done' >/dev/null 2>&1
  check "OOM is told" "137 true" lighter inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' oom
  lighter rm -f oom >/dev/null
  check "cgroup namespace" "0::/" lighter run --rm $image cat /proc/self/cgroup
  check "cgroup view is read-only" "*Read-only file system*" lighter run --rm $image mkdir /sys/fs/cgroup/x
  check "devices: null works" "ok" lighter run --rm $image sh -c 'echo x > /dev/null && echo ok'
  check "devices: others are refused" "*Operation not permitted*" \
    lighter run --rm $image sh -c 'mknod /tmp/vda b 254 0 && cat /tmp/vda'
  check "devices: --device" "1" lighter run --rm --device /dev/vda:/dev/disk $image sh -c 'dd if=/dev/disk of=/dev/null bs=512 count=1 2>&1 | grep -c "1+0 records in"'
  check "AppArmor profile" "*docker-default*|*lighter*|unconfined*" lighter run --rm $image cat /proc/self/attr/current
  check "seccomp" "Seccomp:*2" lighter run --rm $image grep '^Seccomp:' /proc/self/status
  check "privileged" "Seccomp:*0" lighter run --rm --privileged $image grep '^Seccomp:' /proc/self/status
  check "address by bridge" "*eth0*" lighter run --rm $image ip -4 addr show eth0
  check "terminal" "*/dev/pts/0*" lighter run --rm -t $image tty

  check "detached" "[0-9a-f]*" lighter run -d --name long -m 64m $image sleep 1000
  check "exec" "in" lighter exec long echo in
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
  check "stop" "exited 137" sh_ 'lighter stop -t 1 long >/dev/null && lighter inspect -f "{{.State.Status}} {{.State.ExitCode}}" long'
  check "its group is gone" "gone" sh_ "[ -e $group ] || echo gone"
  check "start again" "running" sh_ 'lighter start long >/dev/null && lighter inspect -f "{{.State.Status}}" long'
  check "rm -f" "long" lighter rm -f long
  check "systemd in a container's place: --cgroupns host" "0::/*" lighter run --rm --cgroupns host $image cat /proc/self/cgroup
  check "nothing is left" "" lighter ps -aq
}

driver=boot
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
mkdir -p /etc/lighter
echo '{"exec-opts": ["native.cgroupdriver=systemd"]}' > /etc/lighter/daemon.json
driver=systemd
if systemctl restart lighter.service && sleep 2 && lighter info >/dev/null 2>&1; then
  suite
else
  failed=$((failed + 1))
  echo "FAIL systemd: the daemon does not start with native.cgroupdriver=systemd: $(journalctl -u lighter.service -n 3 --no-pager -o cat | tr '\n' '|')"
fi
echo '{}' > /etc/lighter/daemon.json
systemctl restart lighter.service
driver=end
check "journal has the daemon's log" "*" journalctl -u lighter.service -n 1 --no-pager -o cat
check "nothing failed in the units" "" systemctl list-units --failed --no-legend --plain
systemctl stop lighter.service lighter.socket
echo "NOTE journal: $(journalctl -u lighter.service -p warning --no-pager -o cat | sort | uniq -c | tail -8 | tr '\n' '|')"
echo "DONE $failed failed"

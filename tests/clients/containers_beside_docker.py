#!/usr/bin/env python3
"""The same commands on containers at our daemon and at Docker's: where do outputs, statuses and words differ?

    tests/clients/containers_beside_docker.py unix:///run/lighter.sock unix:///opt/peers/run/docker.sock [WORD]

Both need the image bb:1 (busybox with CMD sh). CLIENT=PATH is the client at ours (Docker's own without it). A line is a command of
the client; `$ …` is a shell's, with `docker` being the client; `@ METHOD PATH JSON` asks the API. Ids, times and the like are put
out of the way, JSON is compared key by key. What differs on purpose is in EXPECTED, with the reason; WORD: only commands that
contain it are shown (all are run). Ends with the number of unexpected differences. Containers are called cb3-…; all are removed.
"""
import http.client, os, re, shlex, socket, subprocess, sys

from beside_docker import CONFIG, DOCKER, compare

COMMANDS = r"""
run --rm bb:1 echo hello
run --rm bb:1 sh -c "exit 7"
run --rm bb:1 sh -c "kill -9 $$"
run --rm bb:1 nonsense
run --rm bb:1 /etc
run --rm bb:1 /etc/passwd
run --rm bb:1 ""
run --rm nowhere:1 true
run --rm --pull never nowhere:1 true
run
run --rm
run --nonsense bb:1
run -Z bb:1
run --rm BB:1 true
run --rm --name cb3/x bb:1 true
run --rm --name x bb:1 true
run --rm --name "" bb:1 true
run --rm -d --rm=nonsense bb:1 true
run --rm -a nonsense bb:1 true
run --rm -a stdout bb:1 sh -c "echo out; echo err >&2"
run --rm -a stderr bb:1 sh -c "echo out; echo err >&2"
run --rm -a stdout -d bb:1 true
run --rm -t -a stdin bb:1 true
run --rm -it bb:1 true
run --rm -t bb:1 sh -c "tty; echo $TERM"
$ echo in | docker run --rm -i bb:1 cat
$ echo in | docker run --rm bb:1 cat
$ echo in | docker run --rm -it bb:1 cat
run --rm --restart always bb:1 true
run --rm --restart nonsense bb:1 true
create --restart nonsense bb:1
create --restart on-failure:x bb:1
create --restart on-failure:-1 bb:1
create --restart always:3 bb:1
create --restart no:3 bb:1
create --restart on-failure:3:4 bb:1
create --restart "" --name cb3-x bb:1
create --name cb3-x bb:1
rm cb3-x
create -w relative bb:1
create -w /a/../b/./c --name cb3-w bb:1
inspect cb3-w -f {{.Config.WorkingDir}}
run --rm -w /no/such bb:1 pwd
run --rm -w /etc/passwd bb:1 pwd
run --rm -u nobody bb:1 id
run --rm -u nonsense bb:1 id
run --rm -u 1000:2000 bb:1 id
run --rm -u 1000:nonsense bb:1 id
run --rm -u :5 bb:1 id
run --rm -u 0: bb:1 id
run --rm -u 4294967296 bb:1 id
run --rm -u -1 bb:1 id
run --rm -u 0x10 bb:1 id
run --rm -u root:0:0 bb:1 id
run --rm --group-add 5 --group-add nobody bb:1 id
run --rm --group-add nonsense bb:1 id
run --rm --group-add -1 bb:1 id
run --rm --group-add 99999999999 bb:1 id
run --rm -e A=1 -e B -e C= bb:1 env
run --rm -e =x bb:1 env
run --rm -e "" bb:1 env
run --rm --env-file /nonexistent bb:1 env
$ printf 'A=1\n#c\nB\n C=3\nD=4 \n' > /tmp/cb3-env; docker run --rm --env-file /tmp/cb3-env bb:1 env
$ printf 'A B=1\n' > /tmp/cb3-env; docker run --rm --env-file /tmp/cb3-env bb:1 env
$ printf '=1\n' > /tmp/cb3-env; docker run --rm --env-file /tmp/cb3-env bb:1 env
$ printf 'a=1\nb\n' > /tmp/cb3-env; docker create --label-file /tmp/cb3-env -l a=2 --name cb3-l bb:1; docker inspect cb3-l -f '{{json .Config.Labels}}'
run --rm -h web bb:1 hostname
run --rm -h -web bb:1 hostname
run --rm -h web..x bb:1 hostname
run --rm -h aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bb:1 hostname
run --rm -h web --domainname x.y bb:1 sh -c "hostname; hostname -f; cat /proc/sys/kernel/domainname; grep web /etc/hosts | cut -f2"
run --rm --entrypoint echo bb:1 a b
run --rm --entrypoint "" bb:1 echo x
run --rm --entrypoint "" bb:1
run --rm --entrypoint nonsense bb:1 a
run --rm --init bb:1 sh -c "ps -o pid,args | head -3"
run --rm --read-only bb:1 touch /x
run --rm --read-only --tmpfs /x bb:1 touch /x/y
run --rm --tmpfs /x:size=1m,mode=1770,uid=5 bb:1 sh -c "ls -ld /x | cut -c1-10; df -k /x | tail -1 | awk '{print $2}'; grep ' /x ' /proc/mounts | cut -d' ' -f4"
run --rm --tmpfs /x:nonsense bb:1 true
run --rm --tmpfs relative bb:1 true
run --rm --tmpfs /x:size=1m:rw bb:1 true
run --rm --tmpfs / bb:1 true
run --rm --tmpfs /x --tmpfs /x bb:1 true
run --rm --tmpfs /x -v /tmp:/x bb:1 true
run --rm --shm-size 5m bb:1 sh -c "df -k /dev/shm | tail -1 | awk '{print $2}'"
run --rm --shm-size -1 bb:1 true
run --rm --shm-size nonsense bb:1 true
run --rm --shm-size 0 bb:1 sh -c "df -k /dev/shm | tail -1 | awk '{print $2}'"
run --rm -m 1m bb:1 true
run --rm -m nonsense bb:1 true
run --rm -m -5 bb:1 true
run --rm -m 0 bb:1 true
run --rm -m 10m --memory-swap 5m bb:1 true
run --rm --memory-swap 10m bb:1 true
run --rm -m 10m --memory-swap -1 bb:1 true
run --rm -m 10m --memory-swap -2 bb:1 true
run --rm --memory-reservation 1m bb:1 true
run --rm -m 10m --memory-reservation 20m bb:1 true
run --rm --memory-swappiness 101 bb:1 true
run --rm --memory-swappiness -2 bb:1 true
run --rm --memory-swappiness 0 bb:1 true
run --rm --kernel-memory 10m bb:1 true
run --rm --memory-swappiness 101 -m 1 bb:1 true
run --rm -m 8m --memory-swap 7m --memory-swappiness 101 --memory-reservation 20m bb:1 true
run --rm --cpu-shares -1 --memory 1 --cap-add nonsense bb:1 true
run --rm --memory 1 --oom-score-adj 2000 --shm-size -1 --ipc nonsense bb:1 true
run --rm --memory 1 --log-driver nonsense bb:1 true
run --rm --memory 1 --tmpfs relative bb:1 true
run --rm --memory 1 --cap-add nonsense bb:1 true
run --rm --cpuset-cpus 99 --blkio-weight 5 bb:1 true
run --rm --cpus 9999 --pids-limit -5 bb:1 true
run --rm --runtime nonsense nowhere:9 true
run --rm --oom-kill-disable bb:1 true
run --rm --oom-score-adj 1001 bb:1 true
run --rm --oom-score-adj -1001 bb:1 true
run --rm --oom-score-adj 500 bb:1 cat /proc/self/oom_score_adj
run --rm --cpus 0 bb:1 true
run --rm --cpus -1 bb:1 true
run --rm --cpus 999 bb:1 true
run --rm --cpus nonsense bb:1 true
run --rm --cpus 0.001 bb:1 true
run --rm --cpus .000000001 bb:1 true
run --rm --cpus 1/3 bb:1 true
run --rm --cpus 0.0000000001 bb:1 true
run --rm --cpus 1 --cpu-quota 5000 bb:1 true
run --rm --cpus 1 --cpu-period 5000 bb:1 true
run --rm --cpu-quota 999 bb:1 true
run --rm --cpu-quota -5 bb:1 true
run --rm --cpu-period 999 bb:1 true
run --rm --cpu-period 1000001 bb:1 true
run --rm --cpu-period -1 bb:1 true
run --rm -c -1 bb:1 true
run --rm -c 1 bb:1 true
run --rm -c 262145 bb:1 true
run --rm --cpuset-cpus 0-99 bb:1 true
run --rm --cpuset-cpus nonsense bb:1 true
run --rm --cpuset-cpus 1-0 bb:1 true
run --rm --cpuset-cpus 0, bb:1 true
run --rm --cpuset-cpus -1 bb:1 true
run --rm --cpuset-mems 7 bb:1 true
run --rm --cpu-rt-runtime 95000 bb:1 true
run --rm --cpu-rt-period -1 bb:1 true
run --rm --cpu-count 1 bb:1 true
run --rm --cpu-percent 1 bb:1 true
run --rm --io-maxiops 1 bb:1 true
run --rm --io-maxbandwidth 1m bb:1 true
run --rm --isolation hyperv bb:1 true
run --rm --isolation default bb:1 true
run --rm --isolation process bb:1 true
run --rm --pids-limit 20 bb:1 true
run --rm --pids-limit -1 bb:1 true
run --rm --pids-limit -2 bb:1 true
run --rm --pids-limit nonsense bb:1 true
run --rm --blkio-weight 5 bb:1 true
run --rm --blkio-weight 1001 bb:1 true
run --rm --blkio-weight 70000 bb:1 true
run --rm --blkio-weight-device /dev/nonsense:100 bb:1 true
run --rm --blkio-weight-device nonsense bb:1 true
run --rm --blkio-weight-device /dev/null:5 bb:1 true
run --rm --blkio-weight-device /dev/null:0 bb:1 true
run --rm --device-read-bps /dev/nonsense:1m bb:1 true
run --rm --device-read-bps nonsense bb:1 true
run --rm --device-read-bps /dev/null:1m bb:1 true
run --rm --device-write-iops /dev/zero:-1 bb:1 true
run --rm --device-write-iops /dev/zero bb:1 true
run --rm --device-read-bps /dev/null:0 bb:1 true
run --rm --ulimit nofile=100:200 bb:1 sh -c "ulimit -n; ulimit -Hn"
run --rm --ulimit nofile=200:100 bb:1 true
run --rm --ulimit nonsense=1 bb:1 true
run --rm --ulimit nofile bb:1 true
run --rm --ulimit nofile=x bb:1 true
run --rm --ulimit nofile=-1 bb:1 true
run --rm --ulimit nofile=1:2:3 bb:1 true
run --rm --ulimit core=-1:-1 bb:1 sh -c "ulimit -c"
run --rm --sysctl net.ipv4.ip_forward=1 bb:1 cat /proc/sys/net/ipv4/ip_forward
run --rm --sysctl kernel.shmmax=1000000 bb:1 cat /proc/sys/kernel/shmmax
run --rm --sysctl kernel.hostname=x bb:1 true
run --rm --sysctl kernel.domainname=x bb:1 cat /proc/sys/kernel/domainname
run --rm --sysctl kernel.nonsense=1 bb:1 true
run --rm --sysctl nonsense bb:1 true
run --rm --sysctl net.ipv4.nonsense=1 bb:1 true
run --rm --sysctl net.ipv4.ip_forward=x bb:1 true
run --rm --sysctl net.ipv4.ip_forward=1 --net host bb:1 true
run --rm --sysctl kernel.shmmax=1 --ipc host bb:1 true
run --rm --cap-add nonsense bb:1 true
run --rm --cap-add all bb:1 grep CapBnd /proc/self/status
run --rm --cap-drop ALL --cap-add chown bb:1 grep CapEff /proc/self/status
run --rm --cap-add CAP_NET_ADMIN bb:1 grep CapEff /proc/self/status
run --rm --cap-drop nonsense bb:1 true
run --rm --privileged bb:1 grep -E "CapEff|Seccomp:" /proc/self/status
run --rm bb:1 grep -E "Cap|Seccomp|NoNewPrivs" /proc/self/status
run --rm --security-opt nonsense bb:1 true
run --rm --security-opt nonsense=x bb:1 true
run --rm --security-opt no-new-privileges bb:1 grep NoNewPrivs /proc/self/status
run --rm --security-opt no-new-privileges=nonsense bb:1 true
run --rm --security-opt no-new-privileges:false bb:1 grep NoNewPrivs /proc/self/status
run --rm --security-opt seccomp=unconfined bb:1 grep Seccomp: /proc/self/status
run --rm --security-opt seccomp=/nonexistent bb:1 true
run --rm --security-opt seccomp=builtin bb:1 grep Seccomp: /proc/self/status
$ echo nonsense > /tmp/cb3-env; docker run --rm --security-opt seccomp=/tmp/cb3-env bb:1 true
$ echo '{}' > /tmp/cb3-env; docker run --rm --security-opt seccomp=/tmp/cb3-env bb:1 true
$ echo '{"defaultAction":"SCMP_ACT_NONSENSE"}' > /tmp/cb3-env; docker run --rm --security-opt seccomp=/tmp/cb3-env bb:1 true
$ echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":2}]}' > /tmp/cb3-env; docker run --rm --security-opt seccomp=/tmp/cb3-env bb:1 mkdir /x
$ echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"mkdir","names":["mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' > /tmp/cb3-env; docker run --rm --security-opt seccomp=/tmp/cb3-env bb:1 mkdir /x
$ echo '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"archMap":[{"architecture":"SCMP_ARCH_X86_64"}]}' > /tmp/cb3-env; docker run --rm --security-opt seccomp=/tmp/cb3-env bb:1 true
run --rm --security-opt systempaths=unconfined bb:1 sh -c "grep -c /proc/ /proc/mounts"
run --rm --security-opt systempaths=nonsense bb:1 true
run --rm --security-opt label=disable bb:1 true
run --rm --security-opt label=nonsense bb:1 true
run --rm --security-opt label:type:svirt_t bb:1 true
run --rm --security-opt apparmor=unconfined bb:1 true
run --rm --security-opt writable-cgroups=true bb:1 true
run --rm --security-opt writable-cgroups=nonsense bb:1 true
run --rm --device /dev/null:/dev/x:r bb:1 sh -c "ls -l /dev/x | cut -c1-10"
run --rm --device /dev/nonsense bb:1 true
run --rm --device /dev/null:/dev/x:q bb:1 true
run --rm --device /dev/null:relative bb:1 true
run --rm --device nonsense bb:1 true
run --rm --device /dev/null:/dev/x:rwm:y bb:1 true
run --rm --device "" bb:1 true
run --rm --device vendor.com/class=name bb:1 true
run --rm --device-cgroup-rule nonsense bb:1 true
run --rm --device-cgroup-rule "c 1:3 rwm" bb:1 true
run --rm --device-cgroup-rule "a *:* rwm" bb:1 true
run --rm --device-cgroup-rule "x 1:3 rwm" bb:1 true
run --rm --device-cgroup-rule "c 1:3 q" bb:1 true
run --rm --gpus all bb:1 true
run --rm --gpus nonsense bb:1 true
run --rm --gpus count=1,count=2 bb:1 true
run --rm --gpus device=0 bb:1 true
run --rm --gpus driver=nonsense bb:1 true
run --rm --pid host bb:1 true
run --rm --pid nonsense bb:1 true
run --rm --pid container:nobody bb:1 true
run --rm --pid container: bb:1 true
run --rm --ipc nonsense bb:1 true
run --rm --ipc container:nobody bb:1 true
run --rm --ipc none bb:1 sh -c "ls /dev/shm; grep -c /dev/shm /proc/mounts"
run --rm --ipc private bb:1 true
run --rm --uts host bb:1 true
run --rm --uts nonsense bb:1 true
run --rm --uts host -h x bb:1 true
run --rm --userns host bb:1 true
run --rm --userns nonsense bb:1 true
run --rm --cgroupns host bb:1 true
run --rm --cgroupns nonsense bb:1 true
run --rm --cgroupns private bb:1 true
run --rm --network container:nobody bb:1 true
run --rm --network nowhere bb:1 true
run --rm --network host -p 80:80 bb:1 true
run --rm --network none bb:1 ls /sys/class/net
run --rm --network container:x -h y bb:1 true
run --rm --cgroup-parent /../x bb:1 true
run --rm --runtime nonsense bb:1 true
run --rm --runtime runc bb:1 true
run --rm --storage-opt size=x bb:1 true
run --rm --storage-opt nonsense=1 bb:1 true
run --rm --storage-opt nonsense bb:1 true
run --rm --stop-signal nonsense bb:1 true
run --rm --stop-signal 99 bb:1 true
run --rm --stop-signal SIGRTMIN+3 bb:1 true
run --rm --stop-signal 0 bb:1 true
run --rm --stop-timeout nonsense bb:1 true
create --stop-timeout -1 --name cb3-st bb:1
inspect cb3-st -f {{.Config.StopTimeout}}
run --rm --annotation a=b bb:1 true
run --rm --annotation =b bb:1 true
run --rm --annotation nonsense bb:1 true
run --rm --log-driver nonsense bb:1 true
run --rm --log-driver none bb:1 echo x
run --rm --log-opt nonsense=1 bb:1 true
run --rm --log-opt max-size=x bb:1 true
run --rm --log-opt max-file=0 bb:1 true
run --rm --log-opt max-file=2 bb:1 true
run --rm --log-opt mode=nonsense bb:1 true
run --rm --log-opt mode=blocking --log-opt max-buffer-size=1m bb:1 true
run --rm --log-driver local --log-opt compress=x bb:1 true
run --rm --log-driver none --log-opt max-size=1m bb:1 true
run --rm --health-cmd true --no-healthcheck bb:1 true
run --rm --health-interval 1ns --health-cmd true bb:1 true
run --rm --health-interval -1s --health-cmd true bb:1 true
run --rm --health-timeout nonsense bb:1 true
run --rm --health-retries -1 --health-cmd true bb:1 true
run --rm --health-start-period -1s --health-cmd true bb:1 true
run --rm --health-start-interval 1us --health-cmd true bb:1 true
create --health-cmd "a b" --health-interval 3s --health-timeout 4s --health-retries 5 --health-start-period 6s --health-start-interval 7s --name cb3-h bb:1
inspect cb3-h -f "{{json .Config.Healthcheck}} {{json .State.Health}}"
create --no-healthcheck --name cb3-nh bb:1
inspect cb3-nh -f "{{json .Config.Healthcheck}}"
run --rm --mount nonsense bb:1 true
run --rm --mount type=nonsense,target=/x bb:1 true
run --rm --mount type=bind,target=/x bb:1 true
run --rm --mount type=bind,source=/tmp bb:1 true
run --rm --mount type=bind,source=/no/such,target=/x bb:1 true
run --rm --mount type=bind,source=relative,target=/x bb:1 true
run --rm --mount type=bind,source=/tmp,target=relative bb:1 true
run --rm --mount type=bind,source=/tmp,target=/ bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,nonsense=1 bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,readonly=nonsense bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-propagation=nonsense bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-recursive=nonsense bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-recursive=readonly bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-recursive=readonly,readonly bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-recursive=readonly,readonly,bind-propagation=rprivate bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-nonrecursive bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,bind-create-src bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,tmpfs-size=5 bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,volume-nocopy bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,consistency=cached bb:1 true
run --rm --mount type=bind,source=/tmp,target=/x,consistency=nonsense bb:1 true
run --rm --mount type=tmpfs,target=/x,source=y bb:1 true
run --rm --mount type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=700 bb:1 sh -c "ls -ld /x | cut -c1-10"
run --rm --mount type=tmpfs,target=/x,tmpfs-size=nonsense bb:1 true
run --rm --mount type=tmpfs,target=/x,tmpfs-mode=9 bb:1 true
run --rm --mount type=tmpfs,target=/x,readonly bb:1 touch /x/y
run --rm --mount type=tmpfs bb:1 true
run --rm --mount type=npipe,source=a,target=/x bb:1 true
run --rm --mount type=cluster,source=a,target=/x bb:1 true
run --rm --mount type=bind,source=/etc/passwd,target=/etc bb:1 true
run --rm --mount type=bind,source=/tmp,target=/etc/passwd bb:1 true
run --rm -v /tmp:/etc/passwd/x bb:1 true
run --rm --mount type=image,source=nowhere:1,target=/x bb:1 true
run --rm --mount type=image,source=bb:1,target=/x bb:1 ls /x/bin/sh
run --rm --mount type=volume,target=/x,bind-propagation=shared bb:1 true
run --rm --mount type=tmpfs,target=/x --mount type=tmpfs,target=/x bb:1 true
run --rm -v nonsense bb:1 true
run --rm -v /tmp:relative bb:1 true
run --rm -v /tmp:/x:nonsense bb:1 true
run --rm -v /tmp:/x:ro,rw bb:1 true
run --rm -v /tmp:/x:ro:z bb:1 true
run --rm -v /tmp:/ bb:1 true
run --rm -v :/x bb:1 true
run --rm -v "" bb:1 true
run --rm -v /tmp: bb:1 true
run --rm -v /tmp:/x -v /etc:/x bb:1 true
run --rm -v /tmp:/x:shared bb:1 true
run --rm -v /tmp:/x:ro bb:1 touch /x/y
run --rm --volumes-from nobody bb:1 true
run --rm --volumes-from "" bb:1 true
run --rm --volumes-from nobody:xx bb:1 true
run --rm --add-host nonsense bb:1 true
run --rm --add-host a:1.2.3.4 --add-host b=::1 bb:1 sh -c "grep -E '[[:space:]](a|b)$' /etc/hosts"
run --rm --add-host a:nonsense bb:1 true
run --rm --dns nonsense bb:1 true
run --rm --dns 1.2.3.4 --dns-search x.y --dns-opt ndots:3 bb:1 sh -c "grep -v ^# /etc/resolv.conf"
run --rm --dns-search . --dns 1.2.3.4 bb:1 sh -c "grep -v ^# /etc/resolv.conf"
run --rm --mac-address nonsense bb:1 true
run --rm --mac-address 02:42:11:22:33:44 bb:1 cat /sys/class/net/eth0/address
run --rm --expose nonsense bb:1 true
run --rm --expose 80-70 bb:1 true
run --rm -p nonsense bb:1 true
run --rm -p 70000:80 bb:1 true
run --rm --link nobody bb:1 true
run --rm --platform nonsense bb:1 true
run --rm --platform linux/arm64 bb:1 true
run --rm --platform windows/amd64 bb:1 true
run --rm --pull nonsense bb:1 true
run --rm --detach-keys nonsense bb:1 true
run --rm --detach-keys ctrl-nonsense,a bb:1 true
run --rm --cidfile /tmp bb:1 true
run --rm --use-api-socket bb:1 true
run --rm --disable-content-trust=false bb:1 true
create -h
run -d --name cb3-1 -e X=y -l k=v -m 64m --cpus 1 bb:1 sh -c "trap 'exit 3' TERM; echo begun; while :; do sleep 0.1; done"
run -d --name cb3-1 bb:1 true
inspect cb3-1
inspect cb3-1 -f {{json .HostConfig}}
inspect cb3-1 --type nonsense
inspect cb3-1 -f {{.Nonsense}}
inspect cb3-1 -f {{
inspect -s cb3-1 -f {{.SizeRw}}
inspect cb3-nobody
container inspect cb3-nobody
inspect
exec cb3-1 echo hello
exec cb3-1 sh -c "exit 9"
exec cb3-1 sh -c "kill -9 $$"
exec cb3-1 nonsense
exec cb3-1 /etc
exec cb3-1 ""
exec cb3-1
exec
exec cb3-nobody true
exec -u nobody cb3-1 id
exec -u nonsense cb3-1 id
exec -u 5:6 cb3-1 id
exec -w /etc cb3-1 pwd
exec -w relative cb3-1 pwd
exec -w /no/such cb3-1 pwd
exec -e A=1 -e B cb3-1 sh -c "echo $A $X"
exec -e =1 cb3-1 true
exec -e "" cb3-1 true
exec --env-file /nonexistent cb3-1 true
exec -d cb3-1 true
exec -d cb3-1 nonsense
exec -t cb3-1 tty
exec -it cb3-1 tty
exec --privileged cb3-1 grep CapEff /proc/self/status
exec cb3-1 grep CapEff /proc/self/status
exec --detach-keys nonsense cb3-1 true
exec --nonsense cb3-1 true
$ echo in | docker exec -i cb3-1 cat
$ echo in | docker exec cb3-1 cat
$ docker exec cb3-1 sh -c "echo out; echo err >&2" 2>/dev/null
top cb3-1 -o pid,args
top cb3-1 -o args
top cb3-1 --nonsense
top cb3-1 f
top cb3-1 -eo pid,comm
top cb3-nobody
top
stats --no-stream --format "{{.Name}} {{.PIDs}} {{.MemUsage}}" cb3-1
stats --no-stream cb3-nobody
stats --no-stream cb3-1 cb3-nobody
stats --no-stream --format "{{.Nonsense}}" cb3-1
stats --no-stream --format json cb3-h
stats --no-stream --format "table {{.Name}}\t{{.CPUPerc}}" cb3-h
update cb3-1
update -m 32m cb3-1
update -m 128m cb3-1
update -m 32m --memory-swap 64m cb3-1
update --memory-swap 16m cb3-1
update -m 1m cb3-1
update -m nonsense cb3-1
update --cpus 0.5 cb3-1
update --cpus 999 cb3-1
update --cpu-quota 5000 cb3-1
update --cpu-period 5000 cb3-1
update -c 1 cb3-1
update -c 512 cb3-1
update --cpuset-cpus 0 cb3-1
update --cpuset-cpus 77 cb3-1
update --cpuset-cpus nonsense cb3-1
update --cpuset-mems 5 cb3-1
update --pids-limit 33 cb3-1
update --pids-limit -1 cb3-1
update --pids-limit 0 cb3-1
update --blkio-weight 5 cb3-1
update --blkio-weight 500 cb3-1
update --restart nonsense cb3-1
update --restart on-failure:3 cb3-1
update --restart always:3 cb3-1
update --restart no cb3-1
update --kernel-memory 10m cb3-1
update --memory-reservation 1m cb3-1
update --memory-reservation 10m cb3-1
update -m 1m --cpus 999 cb3-1
update -m 300m --cpuset-cpus 99 cb3-1
update -m 300m --restart nonsense cb3-1
update -m 32m --memory-swap -1 cb3-1
update -m 64m cb3-1
update -m 1m cb3-nobody
update -m 64m cb3-nobody
update -m 64m cb3-1 cb3-nobody
update
inspect cb3-1 -f "{{json .HostConfig}}"
wait cb3-nobody
wait
logs cb3-1
logs -t cb3-1
logs --details cb3-1
logs -n 0 cb3-1
logs -n -5 cb3-1
logs -n nonsense cb3-1
logs --since nonsense cb3-1
logs --until nonsense cb3-1
logs --since 1h cb3-1
logs --until 1h cb3-1
logs --since 2038-01-01 cb3-1
logs --since 2001-01-01T00:00:00Z --until 2001-01-02 cb3-1
logs cb3-nobody
logs
logs cb3-1 cb3-1
logs cb3-h
attach cb3-nobody
attach cb3-h
attach --detach-keys nonsense cb3-1
attach
pause cb3-1
pause cb3-1
exec cb3-1 true
attach cb3-1
ps -a --filter name=cb3-1 --format "{{.State}} {{.Names}}"
start cb3-1
restart -t nonsense cb3-1
kill -s nonsense cb3-1
kill -s 0 cb3-1
kill -s 99 cb3-1
rm cb3-1
unpause cb3-1
unpause cb3-1
pause cb3-h
pause cb3-nobody
rm cb3-1
rm cb3-1 cb3-nobody
rename cb3-1 cb3-h
rename cb3-1 cb3/x
rename cb3-1 ""
rename cb3-1 cb3-1
rename cb3-nobody cb3-x
rename cb3-1 cb3-2
rename cb3-2 cb3-1
port cb3-1
port cb3-1 80
port cb3-nobody
diff cb3-1
diff cb3-nobody
stop -t -2 cb3-h
stop -t nonsense cb3-1
stop -s nonsense cb3-1
stop -s TERM -t 5 cb3-1
inspect cb3-1 -f "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}} {{.State.OOMKilled}} {{.State.Pid}}"
stop cb3-1
stop cb3-nobody
kill cb3-1
exec cb3-1 true
top cb3-1
attach cb3-1
pause cb3-1
wait cb3-1
ps -a --filter name=cb3-1 --format "{{.Status}}"
logs cb3-1
start -a cb3-nobody
start cb3-nobody
start
run --name cb3-ec bb:1 sh -c "echo x; echo y >&2; exit 5"
start -a cb3-ec
start -ai cb3-ec
start --detach-keys nonsense -a cb3-ec
start -a cb3-ec cb3-1
wait cb3-ec cb3-1
logs --details cb3-ec
run --name cb3-lo -l a=1 -e E=2 --log-opt labels=a --log-opt env=E bb:1 echo x
logs --details cb3-lo
inspect cb3-lo -f "{{json .HostConfig.LogConfig}}"
run --name cb3-ln --log-driver none bb:1 echo x
logs cb3-ln
run -d --name cb3-oom -m 20m --memory-swap 20m bb:1 sh -c "x=a; while :; do x=$x$x; done"
wait cb3-oom
inspect cb3-oom -f "{{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Status}}"
run -d --name cb3-rc --restart on-failure:2 bb:1 false
$ sleep 3; docker inspect cb3-rc -f "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}"
ps -a --filter name=cb3- --filter exited=5 --format {{.Names}}
ps -a --filter name=cb3- --filter status=nonsense
ps -a --filter name=cb3- --filter exited=nonsense
ps -a --filter name=cb3- --filter health=none --format {{.Names}}
ps -a --filter health=nonsense
ps -a --filter nonsense=1
ps -a --filter nonsense
ps -a --filter since=cb3-nobody
ps -a --filter before=cb3-h --filter name=cb3- --format {{.Names}}
ps -a --filter ancestor=bb:1 --filter name=cb3-h --format {{.Names}}
ps -a --filter is-task=nonsense
ps -a --filter label=k=v --format "{{.Names}} {{.Labels}}"
ps -a --filter name=cb3-h --format "{{.Nonsense}}"
ps -a --filter name=cb3-h --format json
ps -a -n 0 --filter name=cb3-h -q
ps -n nonsense
ps extra
rm -f cb3-nobody
rm cb3-nobody
rm -l cb3-h
rm
rm -f cb3-rc cb3-oom
container prune -f --filter nonsense=1
container prune -f --filter until=nonsense
container prune -f --filter until=1h --filter until=2h
container prune -f --filter label=cb3-nobody
image prune -f --filter until=x
image prune -f --filter until=1h --filter until=2h
images --filter until=x
volume prune -f --filter all=x
volume prune -f --filter all=true --filter all=false
cp cb3-nobody:/x /tmp/cb3-x
cp cb3-1:/no/such /tmp/cb3-x
cp /no/such cb3-1:/x
cp cb3-1:/etc cb3-1:/x
cp cb3-1
$ docker cp cb3-1:/etc/passwd - | tar t
export cb3-nobody
@ POST /containers/create?name=cb3-a1 {}
@ POST /containers/create?name=cb3-a1 {"Image":""}
@ POST /containers/create?name=cb3-a1 nonsense
@ POST /containers/create?name=cb3-a1
@ POST /containers/create?name=cb3-a1 {"Image":"bb:1","Cmd":7}
@ POST /containers/create?name=cb3-a1 {"Image":"bb:1","Cmd":"a b"}
@ POST /containers/create?name=cb3-a2 {"Image":"bb:1","HostConfig":{"Memory":"x"}}
@ POST /containers/create?name=cb3-a3 {"Image":"bb:1","HostConfig":{"CpuCount":1,"CpuPercent":1}}
@ POST /containers/create?name=cb3-a4 {"Image":"bb:1","HostConfig":{"IOMaximumIOps":1}}
@ POST /containers/create?name=cb3-a5 {"Image":"bb:1","HostConfig":{"KernelMemory":10000000}}
@ POST /v1.41/containers/create?name=cb3-a6 {"Image":"bb:1","HostConfig":{"KernelMemory":10000000}}
@ POST /containers/create?name=cb3-a7 {"Image":"bb:1","HostConfig":{"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x","BindOptions":{"NonRecursive":true,"ReadOnlyForceRecursive":true}}]}}
@ POST /containers/create?name=cb3-a8 {"Image":"bb:1","HostConfig":{"Mounts":[{"Type":"bind","Source":"/no/such","Target":"/x"}]}}
@ POST /containers/create?name=cb3-a9 {"Image":"bb:1","HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"SizeBytes":-1}}]}}
@ POST /containers/create?name=cb3-b1 {"Image":"bb:1","HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Options":[["noexec"],["size","5m"]]}}]}}
@ POST /containers/create?name=cb3-b2 {"Image":"bb:1","HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Options":[["nonsense"]]}}]}}
@ POST /containers/create?name=cb3-b3 {"Image":"bb:1","HostConfig":{"DeviceRequests":[{"Driver":"nonsense","Count":-1}]}}
@ POST /containers/create?name=cb3-b4 {"Image":"bb:1","HostConfig":{"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["x"]}]}}
@ POST /containers/create?name=cb3-b5 {"Image":"bb:1","HostConfig":{"ConsoleSize":[1,2],"Annotations":{"a":"b"},"MaskedPaths":[],"ReadonlyPaths":["/proc/sys"]}}
@ GET /containers/cb3-b5/json
@ POST /containers/create?name=cb3-b6 {"Image":"bb:1","Healthcheck":{"Test":["FOO"]}}
@ POST /containers/create?name=cb3-b7 {"Image":"bb:1","Healthcheck":{"Test":["NONE"],"Interval":5}}
@ POST /containers/create?name=cb3-b8 {"Image":"bb:1","StopSignal":"x"}
@ POST /containers/create?name=cb3-b9 {"Image":"bb:1","ExposedPorts":{"x/tcp":{}}}
@ POST /containers/create?name=cb3-c1 {"Image":"bb:1","Volumes":{"relative":{}}}
@ POST /containers/create?name=cb3-c2 {"Image":"bb:1","HostConfig":{"Binds":["/tmp:/x:ro"],"VolumeDriver":"nonsense"}}
@ POST /containers/create?name=cb3-c3 {"Image":"bb:1","HostConfig":{"NetworkMode":"container:"}}
@ POST /containers/create?name=cb3-c4 {"Image":"bb:1","HostConfig":{"Cgroup":"x"}}
@ POST /containers/create?name=cb3-c5 {"Image":"bb:1","HostConfig":{"ShmSize":-1}}
@ POST /containers/create?name=cb3-c6 {"Image":"bb:1","HostConfig":{"RestartPolicy":{"Name":"","MaximumRetryCount":5}}}
@ POST /containers/create?name=cb3-c7&platform=nonsense/x/y/z {"Image":"bb:1"}
@ POST /containers/create?name=cb3-c8 {"Image":"bb:1","HostConfig":{"Init":true,"AutoRemove":true,"LogConfig":{"Type":"none"}},"Tty":true,"OpenStdin":true,"NetworkDisabled":true}
@ GET /containers/cb3-c8/json
@ POST /containers/create?name=cb3-c9 {"Image":"bb:1","HostConfig":{"Ulimits":[{"Name":"nofile","Soft":5,"Hard":1}]}}
@ POST /containers/create?name=cb3-d1 {"Image":"bb:1","HostConfig":{"Devices":[{"PathOnHost":"/dev/nonsense","PathInContainer":"/x","CgroupPermissions":"rwm"}]}}
@ POST /containers/cb3-d1/start
@ POST /containers/create?name=cb3-d2 {"Image":"bb:1","HostConfig":{"Isolation":"hyperv"}}
@ POST /containers/create?name=cb3-d3 {"Image":"bb:1","HostConfig":{"PidMode":"container:"}}
@ POST /containers/create?name=cb3-d4 {"Image":"bb:1","Env":["A\u0000B"]}
@ POST /containers/create?name=cb3-d5 {"Image":"bb:1"}{"Image":"bb:1"}
@ POST /containers/create?name=cb3-d6 {"Image":"bb:1","Nonsense":{"a":1}}
@ POST /containers/cb3-1/exec {}
@ POST /containers/cb3-1/exec {"Cmd":["true"]}
@ POST /containers/cb3-nobody/exec {"Cmd":["true"]}
@ POST /exec/nonsense/start {}
@ GET /exec/nonsense/json
@ POST /exec/nonsense/resize?h=1&w=1
@ POST /containers/cb3-1/resize?h=1&w=1
@ POST /containers/cb3-1/resize?h=x&w=1
@ POST /containers/cb3-1/start?detachKeys=nonsense
@ POST /containers/cb3-1/stop?t=0
@ POST /containers/cb3-1/stop?t=x
@ POST /containers/cb3-1/kill?signal=nonsense
@ POST /containers/cb3-1/wait?condition=nonsense
@ GET /containers/cb3-1/top?ps_args=nonsense
@ GET /containers/cb3-1/logs
@ GET /containers/cb3-1/logs?stdout=1&tail=x
@ GET /containers/cb3-1/logs?stdout=1&since=x
@ GET /containers/cb3-1/stats?stream=0&one-shot=1
@ GET /containers/cb3-nobody/stats?stream=0
@ GET /containers/cb3-1/changes
@ GET /containers/cb3-1/attach/ws
@ POST /containers/cb3-1/attach?stream=1
@ POST /containers/cb3-1/attach?detachKeys=nonsense
@ POST /containers/cb3-1/update {}
@ POST /containers/cb3-1/update {"Memory":1}
@ POST /containers/cb3-1/update nonsense
@ POST /containers/cb3-1/rename
@ POST /containers/cb3-1/rename?name=
@ DELETE /containers/cb3-nobody
@ DELETE /containers/cb3-1?link=1
@ GET /containers/json?limit=x
@ GET /containers/json?filters=x
@ GET /containers/json?filters={"status":["x"]}
@ POST /containers/prune?filters={"nonsense":["1"]}
@ HEAD /containers/cb3-1/archive?path=/etc/passwd
@ HEAD /containers/cb3-1/archive
@ GET /containers/cb3-1/archive?path=/no/such
@ PUT /containers/cb3-1/archive?path=/no/such
@ PUT /containers/cb3-1/archive?path=/etc nonsense
@ GET /containers/cb3-1/nonsense
@ PATCH /containers/cb3-1/json
"""
#: A part of a command, and why its outcome is another.
EXPECTED = [
    ("-e A=1 -e B -e C=", "Docker has no order where one is left out"),
    ("-w /etc/passwd", "the runtime finds it, in its words"),
    ("-h aaaaaaaaaaaaaaaa", "the name is said"),
    ("--init bb:1", "the init is our own"),
    ("/x:size=1m:rw", "in other words"),
    ("--cpus 0.001", "refused when it is created, not when it starts"),
    ("--cpus .000000001", "what would be no limit at all is refused"),
    ("-c 1 bb:1", "refused when it is created, not when it starts"),
    ("-c 262145 bb:1", "the same"),
    ("--cpu-rt-runtime 95000", "the group's path"),
    ("--cpu-rt-period -1", "refused before the kernel is asked"),
    ("--device-read-bps /dev/null:", "in other words, and the group's path"),
    ("--sysctl net.ipv4.nonsense", "in other words"),
    ("--sysctl net.ipv4.ip_forward=x", "in other words"),
    ("--net host bb:1 true", "refused by the daemon, not by the runtime"),
    ("--ipc host bb:1 true", "the same"),
    ("echo '{}' > /tmp/cb3-env", "a profile that says nothing does not switch the filter off: unconfined does"),
    ("SCMP_ACT_NONSENSE", "refused by the daemon, not by the runtime"),
    ("--cgroup-parent /../x", "no way out of the groups"),
    ("--storage-opt size=x", "where the driver has no sizes Docker looks no further"),
    ("--stop-signal 99", "no such signal"),
    ("--log-opt max-size=x", "refused when it is created"),
    ("--log-opt max-file=0", "the same"),
    ("--log-opt compress=x", "the same"),
    ("--mount type=cluster", "in other words"),
    ("source=/etc/passwd,target=/etc", "the call's arguments are not said"),
    ("source=/tmp,target=/etc/passwd", "the same"),
    ("-v /tmp:/etc/passwd/x", "the same"),
    ("--mount type=image", "refused"),
    ("/tmp:/x:shared", "what the path is mounted on, in the peer's chroot and outside"),
    ("inspect cb3-1", "the driver, paths, the network namespace's place"),
    ("exec -w relative", "in other words"),
    ("--detach-keys nonsense", "which key is not known is said"),
    ("detachKeys=nonsense", "the same"),
    ("top cb3-1", "pids"),
    ("stats --no-stream --format \"{{.Name}}", "so much memory is in use"),
    ("update --memory-swap 16m", "refused before the kernel is asked"),
    ("update -c 1", "the same"),
    ("update -m 64m cb3-1", "swap without a limit is none that memory could be above"),
    ("update -m 1m cb3-nobody", "who is not there is said first"),
    ('{"Image":""}', "in other words"),
    ("cb3-a1 nonsense", "another JSON reader"),
    ("update nonsense", "another JSON reader"),
    ('"Cmd":7', "another JSON reader"),
    ('"Memory":"x"', "another JSON reader"),
    ("CpuCount", "the count is warned of, too"),
    ("IOMaximumIOps", "in other words"),
    ("/v1.41/", "the limit that is no more is warned of"),
    ("ReadOnlyForceRecursive", "no option is ignored"),
    ('"SizeBytes":-1', "no size"),
    ("/json", "the driver and the paths; those of Docker come with the first start"),
    ('"Test":["FOO"]', "no check is ignored"),
    ('"x/tcp"', "no port"),
    ('"Cgroup":"x"', "no option is ignored"),
    ('"Soft":5,"Hard":1', "refused when it is created"),
    ("\\u0000", "no program can have it"),
    ("since=x", "what is wrong is the client's fault: 400, not 500"),
    ("t=x", "the same"),
    ("limit=x", "the same"),
    ("archive?path=/etc nonsense", "the same"),
    ("attach/ws", "in other words"),
    ("-v nonsense bb:1", "the place is shown with its slash"),
]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Engine:
    def __init__(self, host, client):
        self.host, self.client = host, client
        self.env = dict(os.environ, DOCKER_HOST=host, DOCKER_CONFIG=CONFIG)

    def run(self, line):
        if line.startswith("@ "):
            return self.ask(*(line[2:].split(" ", 2) + [""])[:3])
        if line.startswith("$ "):
            words = ["sh", "-c", f'docker() {{ "{self.client}" "$@"; }}; {line[2:]}']
        else:
            words = [self.client, *shlex.split(line)]
        try:
            done = subprocess.run(words, env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
            return done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            return "hangs for a minute", "", ""

    def ask(self, method, path, body):
        connection = Unix(self.host.removeprefix("unix://"))
        # the newest version that both know
        path = path if path.startswith("/v1") else "/v1.51" + path
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            connection.request(method, path.replace('"', "%22").replace("{", "%7B").replace("}", "%7D"), body or None, headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(errors="replace"), ""
        except OSError as error:
            return type(error).__name__, "", ""
        finally:
            connection.close()

    def clean(self):
        ids = self.run("ps -aq --filter name=cb3-")[1].split()
        if ids:
            self.run("rm -f " + " ".join(ids))


def plain(text):
    """Without what cannot be the same."""
    for pattern, word in ((r"\b[0-9a-f]{64}\b", "<ID>"), (r"\b[0-9a-f]{12}\b", "<SHORT>"),
                          (r"\d{4}-\d\d-\d\d[T ][\d:.]+ ?(Z|[+-][\d:]+( UTC)?)", "<TIME>"),
                          (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<MAC>"), (r"\b(172\.(1[7-9]|2\d|3\d)|192\.168)\.\d+\.\d+\b", "<IP>"),
                          (r"\bsha256:<ID>", "<DIGEST>"), (r'"(Pid|StartedAt|FinishedAt|Created)": ?[^,}]+', r'"\1":0'),
                          (r"(Less than a|About a|\d+) (second|minute)s?( ago)?", "<AGO>"), (r"\blighter\b", "docker")):
        text = re.sub(pattern, word, text)
    return text


def main():
    ours, theirs = Engine(sys.argv[1], os.environ.get("CLIENT", DOCKER)), Engine(sys.argv[2], DOCKER)
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    for engine in (ours, theirs):
        engine.clean()
    count = same = 0
    for line in filter(None, COMMANDS.splitlines()):
        found = list(compare(*[engine.run(line) for engine in (ours, theirs)], plain))
        if not found or any(part in line for part, _ in EXPECTED):
            same += 1
        elif word in line:
            count += 1
            print(f"{line}\n    " + "\n    ".join(found), flush=True)
    for engine in (ours, theirs):
        engine.clean()
    print(f"{same} commands alike or as documented, {count} not")
    sys.exit(min(count, 99))


main()

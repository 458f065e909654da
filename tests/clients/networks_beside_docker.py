#!/usr/bin/env python3
"""Docker's own client, the same commands on networks at our daemon and at Docker's: where do outputs differ?

    tests/clients/networks_beside_docker.py unix:///run/lighter.sock unix:///opt/peers/run/docker.sock [WORD]

Both need the image bb:1 (busybox). Ids, addresses, times and the like are put out of the way; JSON is compared key by key. What
differs on purpose is in EXPECTED, with the reason; WORD: only commands that contain it are shown (all are run). Ends with the
number of unexpected differences. Networks and containers are called nb4-…; all are removed. The nft ruleset of ours is the same
before and after.
"""
import itertools, json, os, re, shlex, subprocess, sys

from beside_docker import CONFIG, DOCKER, compare

COMMANDS = r"""
network create nb4-a
network create nb4-a
network create --driver bridge --subnet 10.211.0.0/24 nb4-sub
network create --subnet 10.211.1.0/24 --gateway 10.211.1.9 --ip-range 10.211.1.128/25 --aux-address r=10.211.1.130 nb4-all
network create --ipv6 nb4-six
network create --ipv6 --subnet fd00:4:4::/64 --subnet 10.211.2.0/24 nb4-both
network create --internal --attachable --label k=v --label only nb4-in
network create -o com.docker.network.bridge.name=nb4br -o com.docker.network.bridge.enable_icc=false -o com.docker.network.bridge.enable_ip_masquerade=false -o com.docker.network.driver.mtu=1300 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 nb4-opt
network create --config-only --subnet 10.211.3.0/24 nb4-conf
network create --config-from nb4-conf nb4-from
~network create --config-from nb4-nowhere nb4-x
network create --scope local nb4-local
~network create --scope nonsense nb4-x
~network create --scope swarm nb4-x
~network create --ingress nb4-x
~network create --ipv4=false nb4-x
network create --ipv4=false --ipv6 nb4-v6
~network create --ipam-driver nonsense nb4-x
~network create --ipam-opt foo=bar nb4-ipam
~network create --driver nonsense nb4-x
~network create --driver overlay nb4-x
~network create --driver host nb4-x
~network create --driver null nb4-x
~network create --driver macvlan -o parent=nolink0 nb4-x
network create bridge
network create host
network create none
network create default
~network create container
~network create ""
~network create "nb4 bad"
~network create nb4/x
~network create -nb4
~network create nb4-x nb4-y
network create
~network create --subnet nonsense nb4-x
~network create --subnet 10.211.9.1/24 nb4-x
~network create --subnet 10.211.0.0/25 nb4-x
~network create --subnet 10.211.9.0/31 nb4-x
~network create --subnet 10.211.9.0/32 nb4-x
~network create --subnet 10.211.9.0/24 --subnet 10.211.10.0/24 nb4-x
~network create --subnet 10.211.9.0/24 --gateway 10.1.1.1 nb4-x
~network create --subnet 10.211.9.0/24 --gateway nonsense nb4-x
~network create --subnet 10.211.9.0/24 --ip-range 10.1.0.0/25 nb4-x
~network create --subnet 10.211.9.0/24 --ip-range nonsense nb4-x
~network create --subnet 10.211.9.0/24 --aux-address r=10.1.0.1 nb4-x
~network create --subnet 10.211.9.0/24 --aux-address nonsense nb4-x
~network create --gateway 10.211.9.1 nb4-x
~network create --ip-range 10.211.9.0/25 nb4-x
~network create --subnet fd00:4:5::/64 nb4-x
~network create --label =v nb4-x
~network create --opt com.docker.network.driver.mtu=nonsense nb4-x
~network create --opt com.docker.network.bridge.name=nb4br nb4-x
network ls --filter name=nb4
network ls --filter name=nb4 --no-trunc -q
network ls --filter name=nb4 --format '{{.ID}} {{.Name}} {{.Driver}} {{.Scope}} {{.IPv6}} {{.IPv4}} {{.Internal}} {{.Labels}} {{.Label "k"}}'
network ls --filter name=nb4 --format json
network ls --filter name=nb4 --format 'table {{.Name}}\t{{.IPv6}}'
network ls --filter driver=bridge --filter name=nb4
network ls --filter label=k --filter name=nb4
network ls --filter label=k=w
network ls --filter type=custom --filter name=nb4-s
network ls --filter type=builtin
network ls --filter type=nonsense
network ls --filter scope=local --filter name=nb4-a
network ls --filter scope=swarm
network ls --filter dangling=true --filter name=nb4-i
network ls --filter dangling=nonsense
network ls --filter nonsense=x
network ls --filter nonsense
network ls extra
network list -q --filter name=nb4-a
network inspect nb4-a
network inspect nb4-sub nb4-all
network inspect nb4-six
network inspect nb4-both
network inspect nb4-in
network inspect nb4-opt
network inspect nb4-conf nb4-from
network inspect nb4-v6
network inspect nb4-ipam
network inspect none
network inspect host
network inspect bridge
network inspect nb4-nowhere
network inspect nb4-nowhere nb4-a -f '{{.Name}}'
network inspect -v nb4-a -f '{{.Name}} {{.Scope}}'
network inspect
network inspect nb4
network inspect ""
run -d --name nb4-1 --network nb4-a bb:1 sleep 1000
inspect nb4-1 --format '{{json .NetworkSettings}}'
inspect nb4-1 --format '{{json .HostConfig.NetworkMode}} {{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}} {{json .HostConfig.Links}} {{json .HostConfig.Dns}} {{json .HostConfig.ExtraHosts}}'
network inspect nb4-a -f '{{json .Containers}}'
network rm nb4-a
network rm nb4-nowhere
network rm nb4-nowhere nb4-from
network rm -f nb4-nowhere
network rm bridge
network rm host
network rm none
network rm
network remove nb4-local
network connect nb4-a nb4-1
network connect nb4-sub nb4-1
network connect --ip 10.211.1.77 --alias al --alias be --link nb4-1:li nb4-all nb4-1
network connect --ip 10.211.1.77 nb4-all nb4-nobody
network connect nb4-nowhere nb4-1
network connect nb4-a nb4-nobody
network connect --ip 1.2.3.4 nb4-both nb4-1
network connect --ip nonsense nb4-both nb4-1
network connect --ip6 nonsense nb4-both nb4-1
network connect --ip 10.211.2.9 --ip6 fd00:4:4::9 --link-local-ip 169.254.8.8 --gw-priority 5 nb4-both nb4-1
network connect --driver-opt foo=bar nb4-in nb4-1
network disconnect nb4-in nb4-1
network connect --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1 nb4-six nb4-1
network connect host nb4-1
network connect none nb4-1
network connect bridge nb4-1
network connect --ip 172.17.0.99 bridge nb4-1
network connect --alias x bridge nb4-1
network connect
network connect nb4-a
inspect nb4-1 --format '{{json .NetworkSettings}}'
exec nb4-1 sh -c "ip -o addr | grep -c 'scope global'; ip route | grep -c default; wc -l < /etc/hosts"
exec nb4-1 ping -c 1 -W 1 nb4-1
network disconnect nb4-sub nb4-1
network disconnect nb4-sub nb4-1
network disconnect nb4-nowhere nb4-1
network disconnect nb4-all nb4-nobody
network disconnect -f nb4-all nb4-nobody
network disconnect host nb4-1
network disconnect
network disconnect -f nb4-all nb4-1
stop -t 0 nb4-1
inspect nb4-1 --format '{{json .NetworkSettings}}'
network connect --ip 10.211.0.9 nb4-sub nb4-1
network disconnect nb4-six nb4-1
network inspect nb4-sub -f '{{json .Containers}}'
network rm nb4-sub
start nb4-1
rm -f nb4-1
run --rm --network none bb:1 ls /sys/class/net
run --rm --network nb4-nowhere bb:1 true
run --rm --network "" bb:1 cat /etc/hostname
run --rm --net nb4-a bb:1 cat /etc/resolv.conf
run --rm --network nb4-a --dns 10.9.9.9 --dns-search a.b --dns-opt ndots:3 bb:1 cat /etc/resolv.conf
run --rm --dns 10.9.9.9 --dns-search a.b --dns-option ndots:3 bb:1 cat /etc/resolv.conf
run --rm --dns-search . --dns 10.9.9.9 bb:1 cat /etc/resolv.conf
run --rm --network none --dns 10.9.9.9 bb:1 cat /etc/resolv.conf
run --rm --network host --dns 10.9.9.9 bb:1 cat /etc/resolv.conf
run --rm --dns nonsense bb:1 true
run --rm --dns-search 'bad name' bb:1 true
run --rm --add-host a:10.1.1.1 --add-host b=10.1.1.2 --add-host 'c:[fd00::1]' --hostname web --domainname ex.org bb:1 cat /etc/hosts
run --rm --add-host nonsense bb:1 true
run --rm --add-host a:nonsense bb:1 true
run --rm --network host --add-host a:10.1.1.1 bb:1 sh -c 'tail -n 1 /etc/hosts'
run --rm --network host --hostname web bb:1 hostname
run --rm --network-alias x bb:1 true
run --rm --ip 172.17.0.99 bb:1 true
run --rm --ip 10.1.1.1 --network nb4-a bb:1 true
run --rm --ip nonsense --network nb4-both bb:1 true
run --rm --ip 10.211.2.50 --ip6 fd00:4:4::50 --link-local-ip 169.254.9.9 --network nb4-both bb:1 sh -c "ip -o addr show dev eth0 | grep -v fe80 | tr -s ' ' | cut -d' ' -f4"
run --rm --ip6 fd00:4:4::50 --network nb4-a bb:1 true
run --rm --mac-address 02:00:00:00:00:77 bb:1 cat /sys/class/net/eth0/address
run --rm --mac-address nonsense bb:1 true
run --rm --network name=nb4-a,alias=x,alias=y,mac-address=02:00:00:00:00:78 --network nb4-both bb:1 sh -c 'cat /sys/class/net/eth0/address; ls /sys/class/net'
run --rm --network name=nb4-a,nonsense=x bb:1 true
run --rm --network nb4-a --network host bb:1 true
run --rm --network nb4-a --network none bb:1 true
run --rm --network nb4-a --network nb4-a bb:1 true
run --rm --network container:nb4-nobody bb:1 true
run --rm --network container: bb:1 true
run -d --name nb4-2 -p 127.0.0.1:25401:80 -p 127.0.0.1:25402:81/udp -p 127.0.0.1::82 --expose 90 --expose 91-92/udp bb:1 sleep 1000
run --rm --network container:nb4-2 --hostname x bb:1 true
run --rm --network container:nb4-2 -p 80:80 bb:1 true
run --rm --network container:nb4-2 --expose 80 bb:1 true
run --rm --network container:nb4-2 --dns 1.1.1.1 bb:1 true
run --rm --network container:nb4-2 --add-host a:1.1.1.1 bb:1 true
run --rm --network container:nb4-2 --mac-address 02:00:00:00:00:01 bb:1 true
run --rm --network container:nb4-2 --network-alias x bb:1 true
run --rm --network container:nb4-2 --link nb4-2 bb:1 true
run --rm --network host -p 25403:80 bb:1 true
run --rm --network host --link nb4-2 bb:1 true
run --rm --network none -p 25403:80 bb:1 true
run --rm --network none --link nb4-2 bb:1 true
port nb4-2
port nb4-2 80
port nb4-2 80/tcp
port nb4-2 81
port nb4-2 81/udp
port nb4-2 90
port nb4-2 nonsense
port nb4-2 80/nonsense
port nb4-nobody
port
ps --filter name=nb4-2 --format '{{.Ports}}'
ps --filter name=nb4-2 --format '{{.Networks}}'
ps --filter network=bridge --filter name=nb4 --format '{{.Names}}'
ps --filter publish=25401 --format '{{.Names}}'
ps --filter publish=25401-25402/udp --format '{{.Names}}'
ps --filter expose=90 --filter name=nb4 --format '{{.Names}}'
ps --filter publish=nonsense
inspect nb4-2 --format '{{json .NetworkSettings}}'
inspect nb4-2 --format '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}'
run -d --name nb4-3 -p 127.0.0.1:25401:80 bb:1 sleep 1000
rm -f nb4-3
run --rm -p 70000:80 bb:1 true
run --rm -p 80:70000 bb:1 true
run --rm -p abc:80 bb:1 true
run --rm -p 80:abc bb:1 true
run --rm -p 1:2:3:4 bb:1 true
run --rm -p 25410-25412:80-81 bb:1 true
run --rm -p nonsense:25411:80 bb:1 true
run --rm -p 25411:80/nonsense bb:1 true
run --rm -p 203.0.113.200:25411:80 bb:1 true
run --rm -p :80 bb:1 true
run --rm -p 0:80 bb:1 true
run --rm -p '' bb:1 true
run --rm --expose abc bb:1 true
run --rm --expose 80/nonsense bb:1 true
run --rm --expose 90-80 bb:1 true
create --name nb4-4 -p 25420-25422:80-82 -p [::1]:25423:83 -p 127.0.0.1:25424:84/udp -p 85 -P --expose 86 bb:1 true
inspect nb4-4 --format '{{json .HostConfig.PortBindings}} {{json .HostConfig.PublishAllPorts}} {{json .NetworkSettings}}'
port nb4-4
start nb4-4
run -d --name nb4-5 --network nb4-both --network-alias five -p 127.0.0.1:25430:80 -p [::1]:25430:80 --ip 10.211.2.60 --ip6 fd00:4:4::60 --mac-address 02:00:00:00:00:79 bb:1 sleep 1000
inspect nb4-5 --format '{{json .NetworkSettings}}'
inspect nb4-5 --format '{{json .Config.MacAddress}} {{json .HostConfig.NetworkMode}} {{json .Config.ExposedPorts}}'
network inspect nb4-both
network inspect nb4-both --format '{{json .Containers}}'
port nb4-5
run -d --name nb4-6 --link nb4-2:two --link nb4-nobody bb:1 true
run -d --name nb4-6 --link nb4-2:two bb:1 sleep 1000
inspect nb4-6 --format '{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.bridge.Links}}'
exec nb4-6 sh -c "env | grep ^TWO | sort; tail -n 2 /etc/hosts"
ps --filter name=nb4-2 --format '{{.Names}}'
run --rm --link nb4-5:five bb:1 true
run --rm --link '' bb:1 true
run --rm --link nb4-2:a:b bb:1 true
run -d --name nb4-7 --network nb4-both --ip 10.211.2.91 --ip6 fd00:4:4::91 --link nb4-5:cinco bb:1 sleep 1000
inspect nb4-7 --format '{{json .HostConfig.Links}} {{json (index .NetworkSettings.Networks "nb4-both").Links}} {{json (index .NetworkSettings.Networks "nb4-both").Aliases}} {{json (index .NetworkSettings.Networks "nb4-both").DNSNames}}'
exec nb4-7 ping -c 1 -W 1 cinco
exec nb4-7 ping -c 1 -W 1 five
exec nb4-7 ping -c 1 -W 1 nowhere
run -d --name nb4-8 --network host bb:1 sleep 1000
inspect nb4-8 --format '{{json .NetworkSettings}}'
network disconnect host nb4-8
network connect nb4-a nb4-8
run -d --name nb4-9 --network none bb:1 sleep 1000
inspect nb4-9 --format '{{json .NetworkSettings}}'
network connect nb4-a nb4-9
network disconnect none nb4-9
network connect nb4-a nb4-9
run -d --name nb4-10 --network container:nb4-2 bb:1 sleep 1000
inspect nb4-10 --format '{{json .NetworkSettings}}'
network connect nb4-a nb4-10
rm -f nb4-8 nb4-9 nb4-10
create --name nb4-20 bb:1 sleep 1000
inspect nb4-20 --format '{{json .NetworkSettings}}'
start nb4-20
inspect nb4-20 --format '{{json .NetworkSettings}}'
inspect nb4-20 --format '{{json .HostConfig.NetworkMode}} {{json .HostConfig.Dns}} {{json .HostConfig.DnsOptions}} {{json .HostConfig.DnsSearch}} {{json .HostConfig.ExtraHosts}} {{json .HostConfig.PublishAllPorts}} {{json .Config.Hostname}} {{json .Config.Domainname}}'
network inspect bridge --format '{{json .IPAM}} {{json .Internal}} {{json .Attachable}} {{json .Ingress}} {{json .ConfigFrom}} {{json .ConfigOnly}} {{json .Labels}} {{json .EnableIPv4}} {{json .EnableIPv6}} {{json .Scope}} {{json .Driver}}'
network inspect bridge --format '{{range .Containers}}{{.Name}} {{.MacAddress}} {{.IPv4Address}} {{.IPv6Address}}{{println}}{{end}}'
restart -t 0 nb4-20
inspect nb4-20 --format '{{json .NetworkSettings}}'
pause nb4-20
inspect nb4-20 --format '{{json .NetworkSettings}}'
unpause nb4-20
kill nb4-20
inspect nb4-20 --format '{{json .NetworkSettings}}'
run -d --name nb4-21 -p 127.0.0.1:25440-25442:80-82 -p 127.0.0.1:25443-25444:83-84/udp -p [::1]:25445:85 -p [::1]:25446:86/udp -p 127.0.0.1::87 -p 127.0.0.1:25447-25449:88 --expose 100-102 --expose 103/udp bb:1 sleep 1000
inspect nb4-21 --format '{{json .NetworkSettings}}'
inspect nb4-21 --format '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}'
port nb4-21
port nb4-21 88
ps --filter name=nb4-21 --format '{{.Ports}}'
stop -t 0 nb4-21
inspect nb4-21 --format '{{json .NetworkSettings}}'
port nb4-21
ps -a --filter name=nb4-21 --format '{{.Ports}}'
rm -f nb4-21
run -d --name nb4-22 --network nb4-both --ip 10.211.2.90 --ip6 fd00:4:4::90 -p 25450:80 -p 25451:81/udp -p [::]:25452:82 -p 0.0.0.0:25453:83 -p 84 bb:1 sleep 1000
inspect nb4-22 --format '{{json .NetworkSettings}}'
port nb4-22
ps --filter name=nb4-22 --format '{{.Ports}}'
run -d --name nb4-40 --network nb4-both --mac-address 02:00:00:00:00:7c bb:1 sleep 1000
stop -t 0 nb4-40
inspect nb4-40 --format '{{json .NetworkSettings}} {{json .Config.MacAddress}}'
rm nb4-40
run -d --name nb4-23 -P --expose 80 --expose 81/udp --expose 82-83 --network nb4-a bb:1 sleep 1000
inspect nb4-23 --format '{{json .NetworkSettings}}'
run -d --name nb4-24 --network name=nb4-a,alias=x,alias=y --network name=nb4-both,ip=10.211.2.70,ip6=fd00:4:4::70,alias=z,gw-priority=7,mac-address=02:00:00:00:00:7a --network nb4-in bb:1 sleep 1000
inspect nb4-24 --format '{{json .NetworkSettings}}'
inspect nb4-24 --format '{{json .HostConfig.NetworkMode}} {{json .Config.MacAddress}}'
network inspect nb4-a
network inspect nb4-both
network inspect nb4-in
network disconnect nb4-both nb4-24
inspect nb4-24 --format '{{json .NetworkSettings}}'
network connect --ip 10.211.2.71 --ip6 fd00:4:4::71 --alias w nb4-both nb4-24
inspect nb4-24 --format '{{json .NetworkSettings}}'
stop -t 0 nb4-24
inspect nb4-24 --format '{{json .NetworkSettings}}'
network inspect nb4-both
start nb4-24
inspect nb4-24 --format '{{json .NetworkSettings}}'
rename nb4-24 nb4-25
inspect nb4-25 --format '{{json .NetworkSettings}}'
network inspect nb4-in
create --name nb4-26 --network nb4-both --ip 10.211.2.80 --network-alias k --link-local-ip 169.254.3.3 bb:1 sleep 1000
inspect nb4-26 --format '{{json .NetworkSettings}}'
network connect --alias later nb4-in nb4-26
inspect nb4-26 --format '{{json .NetworkSettings}}'
network disconnect nb4-both nb4-26
inspect nb4-26 --format '{{json .NetworkSettings}}'
run -d --name nb4-27 --network nb4-v6 -p 25460:80 bb:1 sleep 1000
inspect nb4-27 --format '{{json .NetworkSettings}}'
network inspect nb4-v6
run -d --name nb4-28 --network none bb:1 sleep 1000
inspect nb4-28 --format '{{json .NetworkSettings}}'
network inspect none
stop -t 0 nb4-28
inspect nb4-28 --format '{{json .NetworkSettings}}'
run -d --name nb4-29 --network host -p 25461:80 --expose 81 bb:1 sleep 1000
inspect nb4-29 --format '{{json .NetworkSettings}}'
inspect nb4-29 --format '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}} {{json .Config.Hostname}}'
ps --filter name=nb4-29 --format '{{.Ports}}'
network inspect host
stop -t 0 nb4-29
inspect nb4-29 --format '{{json .NetworkSettings}}'
create --name nb4-30 --network container:nb4-2 bb:1 sleep 1000
inspect nb4-30 --format '{{json .NetworkSettings}}'
start nb4-30
inspect nb4-30 --format '{{json .NetworkSettings}} {{json .HostConfig.NetworkMode}} {{json .Config.Hostname}} {{json .Config.ExposedPorts}}'
ps --filter name=nb4-30 --format '{{.Ports}} {{.Networks}}'
network create -d macvlan --subnet 10.211.20.0/24 --gateway 10.211.20.9 --ip-range 10.211.20.128/25 --aux-address r=10.211.20.130 -o parent=nb4p -o macvlan_mode=bridge --label k=v nb4-mac
network inspect nb4-mac
run -d --name nb4-31 --network nb4-mac --ip 10.211.20.140 --mac-address 02:00:00:00:00:7b -p 25462:80 bb:1 sleep 1000
inspect nb4-31 --format '{{json .NetworkSettings}}'
network inspect nb4-mac
exec nb4-31 sh -c 'cat /sys/class/net/eth0/address; ip route'
port nb4-31
stop -t 0 nb4-31
inspect nb4-31 --format '{{json .NetworkSettings}}'
network create -d macvlan --internal --subnet 10.211.23.0/24 -o parent=nb4p nb4-mac2
network create -d macvlan -o parent=nb4p -o macvlan_mode=private --subnet 10.211.24.0/24 --ipv6 --subnet fd00:4:4:24::/64 nb4-mac3
network inspect nb4-mac3
run -d --name nb4-32 --network nb4-mac3 bb:1 sleep 1000
inspect nb4-32 --format '{{json .NetworkSettings}}'
~network create -d macvlan -o parent=nb4p -o macvlan_mode=nonsense nb4-x
~network create -d ipvlan --subnet 10.211.22.0/24 -o parent=nb4p -o ipvlan_mode=l2 nb4-ipv
network prune -f --filter label=nonsense
network prune -f --filter until=nonsense
network prune -f --filter nonsense=x
network prune extra
network
network nonsense
network create --help
network connect --help
network disconnect --help
network inspect --help
network ls --help
network prune --help
network rm --help
port --help
"""
#: Command, in parts, and what differs in it on purpose.
EXPECTED = [
    ("--scope nonsense", "Docker has networks of any scope, which mean nothing"),
    ("--ipam-opt foo", "no option is ignored"),
    ("--driver-opt foo", "no option is ignored"),
    ("disconnect nb4-in nb4-1", "it follows the option that Docker ignored"),
    ("create nb4/x", "it could not be called by that name"),
    ("10.211.9.0/31", "no room for a container"),
    ("10.211.9.0/32", "no room for a container"),
    ("--format json", "Docker has no order among labels"),
    ("{{.Labels}}", "Docker has no order among labels"),
    ("ping -c 1 -W 1 nb4-1", "several addresses of a name take turns"),
    ("network inspect bridge", "its name, and the MTU of the way out"),
    ("--ip 10.1.1.1 --network nb4-a", "an address may be asked for on networks of which no subnet was given, too"),
    ("--ip6 fd00:4:4::50 --network nb4-a", "the same"),
    ("container:nb4-2 --mac-address", "no option is ignored"),
    ("--name nb4-3 -p", "says which container has the port"),
    ("inspect nb4-26", "Docker has names for the networks that a container which never ran was connected to later"),
    ("inspect nb4-27", "an IPv4 client reaches a container that has IPv6 alone, through the daemon"),
    ("-d ipvlan", "what the kernel has not is said at once"),
    ("80/nonsense bb:1 true", "a protocol that is none is refused"),
]
#: At Docker, in the place of what is written above.
OWN = (("2540", "2640"), ("2541", "2641"), ("2542", "2642"), ("2543", "2643"), ("2544", "2644"), ("2545", "2645"), ("2546", "2646"), ("nb4p", "nb4q"), ("fd00:4:4", "fd00:4:8"), ("10.211", "10.213"))


class Engine:
    #: `own`: what is written differently at this one: both engines are on one machine
    def __init__(self, host, own=()):
        self.own = own
        self.env = dict(os.environ, DOCKER_HOST=host, DOCKER_CONFIG=CONFIG)
        self.pools = itertools.count(1)

    def run(self, words):
        for usual, own in self.own:
            words = [word.replace(usual, own) for word in words]
        # Docker's pools may be used up by other daemons of a machine
        chosen = any(word in words for word in ("--subnet", "--config-from", "--config-only", "--ipv4=false", "--gateway", "--ip-range"))
        if self.own and words[:2] == ["network", "create"] and len(words) > 2 and not chosen and "--help" not in words:
            words[2:2] = ["--subnet", f"10.219.{(third := next(self.pools))}.0/24", "--gateway", f"10.219.{third}.1"]
        done = subprocess.run([DOCKER, *words], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        out, err = done.stdout, done.stderr
        for usual, own in self.own:
            out, err = out.replace(own, usual), err.replace(own, usual)
        return done.returncode, out, err

    def clean(self):
        _, ids, _ = self.run(["ps", "-aq", "--filter", "name=nb4-"])
        if ids.split():
            self.run(["rm", "-f", *ids.split()])
        _, ids, _ = self.run(["network", "ls", "-q", "--filter", "name=nb4-"])
        for id in ids.split():
            self.run(["network", "rm", id])


def plain(text):
    """Without what cannot be the same."""
    for pattern, word in ((r"\b[0-9a-f]{64}\b", "<ID>"), (r"\b[0-9a-f]{12}\b", "<SHORT>"), (r"\d{4}-\d\d-\d\d[T ][\d:.]+ ?(Z|[+-][\d:]+( UTC)?)", "<TIME>"),
                          (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<MAC>"), (r"\b(172\.(1[7-9]|2\d|3\d)|192\.168|10\.219)\.\d+\.\d+\b", "<IP>"),
                          (r"\bfd(?!00:4)[0-9a-f]{2}:[0-9a-f:]+", "<IP6>"), (r"/proc/\d+/ns/net|/run/peers-docker/netns/(<SHORT>|default)", "<NETNS>"), (r"ping statistics ---.*", ""), (r"\b(3[2-9]|4\d|5\d|6[0-4])\d{3}\b", "<PORT>"),
                          (r"\b2544[789]\b", "<RANGED>"), (r"time[=<][\d.]+ ms", "<MS>"), (r"= [\d./]+ ms", "<MS>"), (r"br-[0-9a-f]{12}", "<BRIDGE>"), (r"\b[a-z]+_[a-z]+(?= \(<ID>\))", "<NAME>")):
        text = re.sub(pattern, word, text)
    return text


def by_name(value):
    """Without what chance decides: the order of containers, which are keyed by their ids, and how large pools' networks are."""
    if isinstance(value, list):
        return [by_name(one) for one in value]
    if not isinstance(value, dict):
        return re.sub(r"<IP>/\d+", "<IP>/<LENGTH>", value) if isinstance(value, str) else value
    if value.get("IPAddress") == "<IP>":
        value["IPPrefixLen"] = "<LENGTH>"
    return {key: by_name(one) for key, one in value.items()}


def containers_by_name(text):
    """Ids are no keys that could be compared: names are."""
    def pairs(found):
        named = all(isinstance(one, dict) and "EndpointID" in one and "Name" in one for _, one in found)
        return {one["Name"] if named else key: one for key, one in found}
    try:
        return json.dumps(json.loads(text, object_pairs_hook=pairs))
    except ValueError:
        return text


def main():
    ours, theirs = Engine(sys.argv[1]), Engine(sys.argv[2], OWN)
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    for engine in (ours, theirs):
        engine.clean()
    # other daemons of ours may be here: the table is named as the bridge is
    bridge = ours.run(["network", "inspect", "bridge", "-f", '{{index .Options "com.docker.network.bridge.name"}}'])[1].strip()
    table = "lighter" if bridge == "lighter0" else "lighter_" + bridge.removeprefix("lt-")
    of = lambda family: subprocess.run(["nft", "list", "table", family, table], capture_output=True, text=True).stdout
    # ports are forgotten a moment after their containers
    own = lambda: of("inet") + re.sub(r"\s*elements = \{[^}]*\}", "", of("bridge"))
    subprocess.run("ip link add nb4p type veth peer name nb4q; ip link set nb4p up; ip link set nb4q up", shell=True)
    ours.run(["run", "--rm", "bb:1", "true"])
    before = own()
    count = same = 0
    for line in filter(None, COMMANDS.splitlines()):
        made = line.startswith("~")  # what it makes is removed at once
        line = line.removeprefix("~")
        words = shlex.split(line)
        results = []
        for engine in (ours, theirs):
            results.append(engine.run(words))
            if made and results[-1][0] == 0:
                engine.run(["network", "rm", results[-1][1].strip()])
        found = list(compare(*results, lambda text: plain(containers_by_name(text)), by_name))
        expected = [reason for part, reason in EXPECTED if part in line]
        if not found or expected:
            same += 1
        elif word in line:
            count += 1
            print(f"{line}\n    " + "\n    ".join(found), flush=True)
    for engine in (ours, theirs):
        engine.clean()
    if not before or own() != before:
        count += 1
        print("the nft ruleset is not as before:\n", before, "\n---\n", own())
    subprocess.run(["ip", "link", "del", "nb4p"])
    print(f"{same} commands alike or as documented, {count} not")
    sys.exit(min(count, 99))


main()

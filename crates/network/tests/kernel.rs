//! Against the real kernel. Each test plays in a network namespace of its own which stands for the host and ends with
//! the test's thread, together with all that was made in it. Needs root.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use netlink::route::{self, Address, Bridge, Link, LinkChange, Target, Veth};
use netlink::{Batch, Socket, nft};
use network::{
    BridgeConfig, Driver, Endpoint, EndpointRequest, GatewayMode, Knock, Names, Networks, Options, Plan, PortRequest,
    Protocol, SubnetRequest,
};
use sys::namespace::{Kinds, join, unshare};
use values::ErrorKind;

/// Runs `test` on a thread in a new network namespace with `lo` up: the "host".
fn on_a_host(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(Kinds::NETWORK).expect("new network namespace (root needed)");
            let mut batch = Batch::new();
            route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(1) });
            Socket::route().unwrap().execute(batch).unwrap();
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn current() -> OwnedFd {
    std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
}

/// Runs `work` on a thread inside `namespace`.
fn inside<T: Send>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            join(namespace, Kinds::NETWORK).unwrap();
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn config(root: &str) -> BridgeConfig {
    BridgeConfig::new(Names::of_data_root(root.as_ref()))
}

/// The networks of a daemon, and its default bridge.
struct One {
    networks: Networks,
    address: Ipv4Net,
    name: String,
}

impl std::ops::Deref for One {
    type Target = Networks;
    fn deref(&self) -> &Networks {
        &self.networks
    }
}

const DEFAULT: &str = "default";

impl One {
    fn open(config: BridgeConfig) -> values::Result<Self> {
        Self::open_with(config, Options::default())
    }

    fn open_with(config: BridgeConfig, options: Options) -> values::Result<Self> {
        let networks = Networks::open(&config.owner, options)?;
        let address = networks.open_default(DEFAULT, &config)?;
        networks.settle()?;
        Ok(Self { networks, address, name: config.name })
    }

    fn address(&self) -> Ipv4Net {
        self.address
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn mtu(&self) -> u32 {
        self.networks.mtu(DEFAULT)
    }

    /// On the default bridge.
    fn one(&self, container: &str, request: &EndpointRequest) -> values::Result<Made> {
        let request = EndpointRequest { network: DEFAULT.into(), ..request.clone() };
        let made = self.networks.sandbox(container, &[request], false)?;
        let endpoint = made.endpoints.into_iter().next().unwrap();
        Ok(Made { netns: made.netns, ip: endpoint.ip.unwrap(), endpoint })
    }
}

#[derive(Debug)]
struct Made {
    netns: OwnedFd,
    endpoint: Endpoint,
    ip: Ipv4Addr,
}

fn open(root: &str) -> One {
    One::open(config(root)).unwrap()
}

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn link(name: &str) -> Option<Link> {
    route::link(&mut Socket::route().unwrap(), Target::Name(name)).unwrap()
}

fn run(fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    Socket::route().unwrap().execute(batch).unwrap();
}

/// A bridge that just takes up `address` on the host.
fn occupy(name: &str, address: &str) {
    let address = net(address);
    run(|b| route::add_bridge(b, &Bridge { name, mac: [2, 0, 0, 0, 0, 9], mtu: 1500 }));
    let link = link(name).unwrap().index;
    run(|b| route::add_address(b, &Address { link, ip: address.addr().into(), prefix_len: address.prefix_len() }));
    run(|b| route::set_link(b, &LinkChange { up: Some(true), ..LinkChange::index(link) }));
}

/// The internet: another namespace, 203.0.113.1/24 on a link of `mtu` to the host, which has .2 and its default
/// route over it. There is no way back from there to any container's subnet.
fn internet(mtu: u32) -> OwnedFd {
    let home = current();
    unshare(Kinds::NETWORK).unwrap();
    let (outside, mut there) = (current(), Socket::route().unwrap());
    join(home.as_fd(), Kinds::NETWORK).unwrap();
    let peer = Veth {
        name: "uplink",
        master: None,
        mtu,
        peer_name: "world",
        peer_mac: None,
        peer_namespace: Some(outside.as_fd()),
    };
    run(|b| route::add_veth(b, &peer));
    let up = |b: &mut Batch, index: u32, ip: [u8; 4]| {
        route::add_address(b, &Address { link: index, ip: IpAddr::from(ip), prefix_len: 24 });
        route::set_link(b, &LinkChange { up: Some(true), ..LinkChange::index(index) });
    };
    let world = route::link(&mut there, Target::Name("world")).unwrap().unwrap().index;
    let mut batch = Batch::new();
    up(&mut batch, world, [203, 0, 113, 1]);
    there.execute(batch).unwrap();
    let uplink = link("uplink").unwrap().index;
    run(|b| {
        up(b, uplink, [203, 0, 113, 2]);
        route::add_default_route(b, uplink, IpAddr::from([203, 0, 113, 1]), None);
    });
    outside
}

const WORLD: &str = "203.0.113.1:80";

/// Connects from inside `client` to a listener at `address` inside `server`; what the server saw as its peer.
fn peer_seen(server: BorrowedFd<'_>, address: &str, client: BorrowedFd<'_>, timeout: Duration) -> Option<Ipv4Addr> {
    let listener = inside(server, || TcpListener::bind(address).unwrap());
    let target: SocketAddr = address.parse().unwrap();
    let mut stream = inside(client, || TcpStream::connect_timeout(&target, timeout)).ok()?;
    let (mut accepted, peer) = listener.accept().unwrap();
    accepted.write_all(b"hello").unwrap();
    drop(accepted);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    match peer.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => panic!("unexpected {ip}"),
    }
}

/// The limit of the default route in a namespace.
fn way_out(netns: BorrowedFd<'_>) -> Option<u32> {
    let all = inside(netns, || route::routes(&mut Socket::route().unwrap()).unwrap());
    all.iter().find(|route| route.prefix_len == 0).expect("a default route").mtu
}

const SOON: Duration = Duration::from_millis(1500);

#[test]
fn a_container_reaches_the_world_and_is_not_reached_from_it() {
    on_a_host(|| {
        let outside = internet(1400);
        let networks = open("/test/world");
        assert_eq!(networks.address(), net("172.17.0.1/16"));
        assert_eq!(networks.mtu(), 1500);
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        assert_eq!((a.ip, a.endpoint.mac.as_str()), ([172, 17, 0, 2].into(), "02:42:ac:11:00:02"));

        let seen = peer_seen(outside.as_fd(), WORLD, a.netns.as_fd(), SOON);
        assert_eq!(seen, Some([203, 0, 113, 2].into()), "masqueraded");
        let host = current();
        let seen = peer_seen(host.as_fd(), "172.17.0.1:81", a.netns.as_fd(), SOON);
        assert_eq!(seen, Some(a.ip), "the gateway sees the container's own address");

        // Someone outside who adds a route to the subnet gets nothing but what was published.
        let mut there = inside(outside.as_fd(), || Socket::route().unwrap());
        let world = route::link(&mut there, Target::Name("world")).unwrap().unwrap().index;
        let mut batch = Batch::new();
        route::add_default_route(&mut batch, world, IpAddr::from([203, 0, 113, 2]), None);
        there.execute(batch).unwrap();
        assert_eq!(peer_seen(a.netns.as_fd(), "172.17.0.2:82", outside.as_fd(), SOON), None);

        let eth0 = inside(a.netns.as_fd(), || link("eth0").unwrap());
        assert_eq!((eth0.mtu, eth0.up, eth0.mac), (1500, true, Some([2, 0x42, 172, 17, 0, 2])));
        assert_eq!(link(networks.name()).unwrap().mtu, 1500);
        assert_eq!(way_out(a.netns.as_fd()), Some(1400), "what the way outside takes");
    });
}

#[test]
fn the_first_packet_of_a_new_container_arrives_at_once() {
    on_a_host(|| {
        let networks = open("/test/first");
        let host = current();
        for spare in [false, true].repeat(15) {
            if spare {
                networks.prefetch();
                std::thread::sleep(Duration::from_millis(10));
            }
            let start = Instant::now();
            let sandbox = networks.one("a", &EndpointRequest::default()).unwrap();
            let seen = peer_seen(host.as_fd(), "172.17.0.1:80", sandbox.netns.as_fd(), SOON);
            assert_eq!(seen, Some(sandbox.ip));
            // A lost ARP request is repeated after a second.
            assert!(start.elapsed() < Duration::from_millis(900), "{:?} (spare: {spare})", start.elapsed());
        }
    });
}

#[test]
fn containers_talk_to_each_other_unless_icc_is_off() {
    for icc in [true, false] {
        on_a_host(|| {
            let networks = One::open(BridgeConfig { icc, ..config("/test/icc") }).unwrap();
            let a = networks.one("a", &EndpointRequest::default()).unwrap();
            let b = networks.one("b", &EndpointRequest::default()).unwrap();
            let seen = peer_seen(a.netns.as_fd(), "172.17.0.2:80", b.netns.as_fd(), SOON);
            assert_eq!(seen, icc.then_some(b.ip), "icc {icc}");
            let host = current();
            assert!(peer_seen(host.as_fd(), "172.17.0.1:80", b.netns.as_fd(), SOON).is_some());
        });
    }
}

#[test]
fn many_start_at_once() {
    on_a_host(|| {
        let networks = &open("/test/many");
        let mut made: Vec<Made> = std::thread::scope(|scope| {
            let start = |i: usize| {
                let made = networks.one(&i.to_string(), &EndpointRequest::default()).unwrap();
                networks.prefetch();
                made
            };
            let threads: Vec<_> = (0..50).map(|i| scope.spawn(move || start(i))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        made.sort_by_key(|sandbox| sandbox.ip);
        made.dedup_by_key(|sandbox| sandbox.ip);
        assert_eq!(made.len(), 50);
        let host = current();
        let last = made.pop().unwrap();
        assert_eq!(peer_seen(host.as_fd(), "172.17.0.1:80", last.netns.as_fd(), SOON), Some(last.ip));
    });
}

#[test]
fn an_isolated_namespace_has_only_lo() {
    on_a_host(|| {
        let namespace = network::isolated(None).unwrap().netns;
        let links = inside(namespace.as_fd(), || route::links(&mut Socket::route().unwrap()).unwrap());
        let up: Vec<_> = links.iter().filter(|link| link.up).map(|link| link.name.as_str()).collect();
        assert_eq!(up, ["lo"]);
        inside(namespace.as_fd(), || {
            let server = UdpSocket::bind("127.0.0.1:0").unwrap();
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", server.local_addr().unwrap()).unwrap();
            server.set_read_timeout(Some(SOON)).unwrap();
            assert_eq!(server.recv(&mut [0; 4]).unwrap(), 1);
        });
    });
}

#[test]
fn the_subnet_avoids_what_the_host_uses() {
    on_a_host(|| {
        occupy("docker0", "172.17.0.1/16");
        occupy("vpn", "172.18.200.1/24");
        let first = open("/test/one");
        assert_eq!(first.address(), net("172.19.0.1/16"));
        let second = open("/test/two");
        assert_eq!(second.address(), net("172.20.0.1/16"));
        assert_ne!(first.name(), second.name());
        drop(second);
        // The bridge keeps its address over a restart of the daemon, whatever is asked for by memory.
        let again = One::open(BridgeConfig { remembered: Some(net("172.25.0.1/16")), ..config("/test/two") });
        assert_eq!(again.unwrap().address(), net("172.20.0.1/16"));
        let third = One::open(BridgeConfig { remembered: Some(net("172.25.0.1/16")), ..config("/test/3") });
        assert_eq!(third.unwrap().address(), net("172.25.0.1/16"));
        let taken = One::open(BridgeConfig { remembered: Some(net("172.17.0.1/16")), ..config("/test/4") });
        assert_eq!(taken.unwrap().address(), net("172.21.0.1/16"));
        let bip = BridgeConfig { bip: Some(net("10.9.0.7/24")), ..config("/test/two") };
        assert_eq!(One::open(bip).unwrap().address(), net("10.9.0.7/24"));
        let full = One::open(BridgeConfig { pools: vec![net("172.17.0.0/16")], ..config("/test/5") });
        assert_eq!(full.err().unwrap().message, "all predefined address pools have been fully subnetted");
    });
}

#[test]
fn daemons_that_start_together_take_different_subnets() {
    on_a_host(|| {
        let host = current();
        let start = std::sync::Barrier::new(6);
        let open_one = |i: usize| {
            join(host.as_fd(), Kinds::NETWORK).unwrap();
            start.wait();
            open(&format!("/test/together/{i}")).address().trunc()
        };
        let open_one = &open_one;
        let mut found: Vec<Ipv4Net> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|i| scope.spawn(move || open_one(i))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 6, "{found:?}");
    });
}

#[test]
fn a_bridge_of_somebody_else_is_used_and_left_alone() {
    on_a_host(|| {
        occupy("br-mine", "10.20.0.1/24");
        let networks = One::open(BridgeConfig { name: "br-mine".into(), ..config("/test/mine") }).unwrap();
        assert_eq!(networks.address(), net("10.20.0.1/24"));
        let sandbox = networks.one("a", &EndpointRequest::default()).unwrap();
        assert_eq!(sandbox.ip, Ipv4Addr::new(10, 20, 0, 2));
        networks.close_and_remove().unwrap();
        assert!(link("br-mine").is_some());
        let error = One::open(BridgeConfig { name: "lo".into(), ..config("/test/mine") }).err().unwrap();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Conflict, "interface lo exists and is not a bridge")
        );
    });
}

#[test]
fn wanted_addresses_and_macs() {
    on_a_host(|| {
        let networks = open("/test/wanted");
        let request = EndpointRequest {
            ip: Some([172, 17, 9, 9].into()),
            mac: Some([2, 1, 2, 3, 4, 5]),
            ..EndpointRequest::default()
        };
        let a = networks.one("a", &request).unwrap();
        assert_eq!((a.ip, a.endpoint.mac.as_str()), ([172, 17, 9, 9].into(), "02:01:02:03:04:05"));
        let error = networks.one("b", &request).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Forbidden, "Address already in use"));
        networks.release("a", DEFAULT);
        assert!(networks.one("b", &request).is_ok());
        let wrong = EndpointRequest { mac: Some([0xff; 6]), ..EndpointRequest::default() };
        assert!(networks.one("c", &wrong).is_err(), "a multicast address is no station's");
        assert_eq!(networks.one("d", &EndpointRequest::default()).unwrap().ip, Ipv4Addr::new(172, 17, 0, 3));
    });
}

/// The daemon dies; a container, a forgotten namespace and a spare were there.
#[test]
fn a_restart_keeps_the_living_and_sweeps_the_rest() {
    on_a_host(|| {
        let networks = open("/test/restart");
        let (a, b) = (networks.one("a", &EndpointRequest::default()), networks.one("b", &EndpointRequest::default()));
        let (a, b) = (a.unwrap(), b.unwrap());
        let other = open("/test/other");
        let c = other.one("c", &EndpointRequest::default()).unwrap();
        drop(networks);

        let networks = open("/test/restart");
        let kept = ("a".to_owned(), vec![a.endpoint.clone()]);
        let stale = network::Stale { link: b.endpoint.host_ifname.clone(), purpose: "b".into() };
        assert_eq!(networks.restore(&[kept]).unwrap(), [stale]);
        until("the stale interface is gone", || link(&b.endpoint.host_ifname).is_none());
        assert!(link(&a.endpoint.host_ifname).is_some() && link(&c.endpoint.host_ifname).is_some());
        let host = current();
        assert!(peer_seen(host.as_fd(), "172.17.0.1:80", a.netns.as_fd(), SOON).is_some());
        let d = networks.one("d", &EndpointRequest { ip: Some(a.ip), ..EndpointRequest::default() });
        assert_eq!(d.unwrap_err().message, "Address already in use");
        let d = networks.one("d", &EndpointRequest::default()).unwrap();
        assert_eq!(d.ip, b.ip, "the freed address");
    });
}

#[test]
fn the_host_changes_and_the_next_prefetch_follows() {
    on_a_host(|| {
        let _outside = internet(1400);
        let networks = open("/test/follow");
        networks.prefetch();
        let uplink = link("uplink").unwrap().index;
        let takes = |mtu| run(|b| route::set_link(b, &LinkChange { mtu: Some(mtu), ..LinkChange::index(uplink) }));
        takes(9000);
        run(|b| route::delete_link(b, Target::Name(networks.name())));
        let mut netfilter = Socket::netfilter().unwrap();
        let table = nft::tables(&mut netfilter, nft::Family::Inet).unwrap().remove(0);
        // refused where the kernel lets us own it
        let _ = nft::delete(&mut netfilter, nft::Family::Inet, &table);
        networks.prefetch();
        until("the MTU follows", || networks.mtu() == 9000);
        until("the table is back", || nft::tables(&mut netfilter, nft::Family::Inet).unwrap().contains(&table));
        let sandbox = networks.one("a", &EndpointRequest::default()).unwrap();
        assert_eq!(inside(sandbox.netns.as_fd(), || link("eth0").unwrap().mtu), 9000);
        assert_eq!(way_out(sandbox.netns.as_fd()), None, "no less than the link");
        takes(1300);
        networks.prefetch();
        until("the MTU is Ethernet's again", || networks.mtu() == 1500);
        let less = networks.one("less", &EndpointRequest::default()).unwrap();
        assert_eq!((way_out(less.netns.as_fd()), networks.mtu()), (Some(1300), 1500));
        let host = current();
        assert!(peer_seen(host.as_fd(), "172.17.0.1:80", sandbox.netns.as_fd(), SOON).is_some());
        // Without a prefetch in between, too.
        run(|b| route::delete_link(b, Target::Name(networks.name())));
        let sandbox = networks.one("b", &EndpointRequest::default()).unwrap();
        assert!(peer_seen(host.as_fd(), "172.17.0.1:81", sandbox.netns.as_fd(), SOON).is_some());
    });
}

#[test]
fn nothing_is_left_after_the_end() {
    on_a_host(|| {
        let networks = open("/test/end");
        networks.prefetch();
        let sandboxes: Vec<_> =
            (0..20).map(|i| networks.one(&i.to_string(), &EndpointRequest::default()).unwrap()).collect();
        drop(sandboxes);
        networks.prefetch();
        networks.close_and_remove().unwrap();
        drop(networks);
        let mut socket = Socket::route().unwrap();
        let mut left = || route::links(&mut socket).unwrap().into_iter().filter(|link| link.kind.is_some());
        until("only hardware and lo are left", || {
            left().all(|link| !["veth", "bridge"].contains(&link.kind.as_deref().unwrap_or("")))
        });
        let mut netfilter = Socket::netfilter().unwrap();
        for family in [nft::Family::Inet, nft::Family::Bridge] {
            assert!(nft::tables(&mut netfilter, family).unwrap().is_empty());
        }
    });
}

#[test]
fn foreign_chains_that_drop_are_named() {
    use nft::{Base, Chain, Family, Hook, Kind, Policy, Table};
    on_a_host(|| {
        let networks = open("/test/foreign");
        assert!(networks.foreign_drops().unwrap().is_empty());
        let chain = |hook, policy| Chain {
            name: format!("{hook:?}"),
            base: Some(Base { kind: Kind::Filter, hook, priority: 0, policy }),
            rules: Vec::new(),
        };
        let chains = vec![chain(Hook::Forward, Policy::Drop), chain(Hook::Input, Policy::Drop)];
        let table = Table { family: Family::Inet, name: "firewall".into(), owned: false, sets: vec![], chains };
        nft::replace(&mut Socket::netfilter().unwrap(), &table).unwrap();
        assert_eq!(networks.foreign_drops().unwrap(), ["inet firewall Forward"]);
    });
}

#[test]
fn what_the_hosts_firewall_says_about_a_port() {
    on_a_host(|| {
        let networks = open("/test/opinions");
        let says = |port: u16| {
            let knock = Knock { ipv6: false, protocol: Protocol::Tcp, port };
            let all = networks.host_firewall().unwrap().opinions(knock);
            let word = |o: &network::Opinion| format!("{}: {} {}", o.chain, o.may_pass, o.may_drop);
            all.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(says(80), "");
        firewall(
            "table inet f {
                set open { type inet_service; flags interval; elements = { 80, 8000-8099 }
                }
                chain web { accept
                }
                chain input { type filter hook input priority 0; policy drop;
                    ct state vmap { established : accept, related : accept, invalid : drop }
                    iif lo accept
                    tcp dport vmap { 22 : accept, 443 : jump web, 444 : drop }
                    tcp dport @open accept
                    ip saddr 192.0.2.0/24 tcp dport 90-99 accept
                    tcp dport 100 limit rate 5/second accept
                    meta l4proto . th dport { tcp . 200-210 } accept
                }
            }",
        );
        for (ports, expected) in [
            (&[22, 443, 80, 8000, 8099, 205][..], "inet f input: true false"),
            (&[23, 444, 81, 7999, 8100, 211], "inet f input: false true"),
            (&[90, 99, 100], "inet f input: true true"),
        ] {
            ports.iter().for_each(|port| assert_eq!(says(*port), expected, "{port}"));
        }
        firewall("delete table inet f");
        let iptables = |rule: &str| {
            let done = std::process::Command::new("iptables-nft").args(rule.split(' ')).status();
            assert!(done.is_ok_and(|status| status.success()), "{rule}");
        };
        iptables("-P INPUT DROP");
        iptables("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
        iptables("-A INPUT -i lo -j ACCEPT");
        iptables("-A INPUT -p tcp -m tcp --dport 22 -m comment --comment ssh -j ACCEPT");
        iptables("-A INPUT -p tcp -m multiport --dports 80,8000:8099 -j ACCEPT");
        iptables("-A INPUT -p tcp --dport 90 -s 192.0.2.0/24 -j ACCEPT");
        iptables("-A INPUT -j REJECT");
        for (ports, expected) in [
            (&[22, 80, 8000, 8099][..], "ip filter INPUT: true false"),
            (&[23, 8100], "ip filter INPUT: false true"),
            (&[90], "ip filter INPUT: true true"),
        ] {
            ports.iter().for_each(|port| assert_eq!(says(*port), expected, "{port}"));
        }
    });
}

fn bridge(id: &str) -> Plan {
    Plan { link: format!("br-{id}"), ..Plan::new(id, id, Driver::Bridge) }
}

fn create(networks: &Networks, plan: Plan, ipv6: bool) -> Plan {
    let plan = networks.plan(plan, &[], true, ipv6).unwrap();
    networks.up(&plan.id).unwrap();
    plan
}

fn on(networks: &[&str]) -> Vec<EndpointRequest> {
    let request = |id: &&str| EndpointRequest { network: (*id).into(), ..EndpointRequest::default() };
    networks.iter().map(request).collect()
}

#[test]
fn networks_do_not_reach_each_other_and_internal_ones_nothing() {
    on_a_host(|| {
        let outside = internet(1500);
        let networks = open("/test/several");
        create(&networks, bridge("one"), false);
        create(&networks, Plan { internal: true, ..bridge("inner") }, false);
        let a = networks.sandbox("a", &on(&["one", "inner"]), false).unwrap();
        let b = networks.sandbox("b", &on(&["one"]), false).unwrap();
        let c = networks.sandbox("c", &on(&["inner"]), false).unwrap();
        let d = networks.one("d", &EndpointRequest::default()).unwrap();
        let names: Vec<_> = a.endpoints.iter().map(|e| e.ifname.as_str()).collect();
        assert_eq!(names, ["eth0", "eth1"]);
        let at = |s: &network::Sandbox, n: usize| format!("{}:80", s.endpoints[n].ip.unwrap());
        assert!(peer_seen(a.netns.as_fd(), &at(&a, 0), b.netns.as_fd(), SOON).is_some());
        assert!(peer_seen(a.netns.as_fd(), &at(&a, 1), c.netns.as_fd(), SOON).is_some());
        assert!(peer_seen(b.netns.as_fd(), &at(&b, 0), d.netns.as_fd(), SOON).is_none());
        assert!(peer_seen(b.netns.as_fd(), &at(&b, 0), c.netns.as_fd(), SOON).is_none());
        assert!(peer_seen(outside.as_fd(), WORLD, a.netns.as_fd(), SOON).is_some());
        assert!(peer_seen(outside.as_fd(), WORLD, c.netns.as_fd(), SOON).is_none());
    });
}

#[test]
fn a_running_container_comes_and_goes() {
    on_a_host(|| {
        let outside = internet(1500);
        let networks = open("/test/connect");
        create(&networks, Plan { internal: true, ..bridge("inner") }, false);
        create(&networks, bridge("one"), true);
        let a = networks.sandbox("a", &on(&["inner"]), false).unwrap();
        let netns = || a.netns.try_clone().unwrap();
        assert!(peer_seen(outside.as_fd(), WORLD, a.netns.as_fd(), SOON).is_none());
        let one = networks.connect("a", netns(), &on(&["one"])[0], &a.endpoints).unwrap();
        assert_eq!((one.ifname.as_str(), one.ip6.is_some()), ("eth1", true));
        assert!(peer_seen(outside.as_fd(), WORLD, a.netns.as_fd(), SOON).is_some());
        networks.disconnect("a", netns(), &one, &a.endpoints).unwrap();
        assert!(peer_seen(outside.as_fd(), WORLD, a.netns.as_fd(), SOON).is_none());
        until("its link is gone", || link(&one.host_ifname).is_none());
        assert!(networks.connect("a", netns(), &on(&["nowhere"])[0], &a.endpoints).is_err());
        networks.remove("one").unwrap();
        until("the bridge is gone", || link("br-one").is_none());
    });
}

/// Connects to a published port; whom the server on port 80 sees.
fn client_seen(server: BorrowedFd<'_>, to: &str, from: BorrowedFd<'_>) -> Option<String> {
    let listener = inside(server, || TcpListener::bind("0.0.0.0:80").unwrap());
    let to: SocketAddr = to.parse().unwrap();
    let stream = inside(from, || TcpStream::connect_timeout(&to, SOON));
    stream.ok().map(|_| listener.accept().unwrap().1.ip().to_string())
}

#[test]
fn ports_are_open_while_a_new_daemon_looks_around() {
    on_a_host(|| {
        let outside = internet(1500);
        let networks = open("/test/again");
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        let request = PortRequest { protocol: Protocol::Tcp, port: 80, host_ip: None, host_ports: Some((8080, 8080)) };
        let taken = networks.publish("a", "a", &[request], &a.endpoint).unwrap();
        let is_open = || client_seen(a.netns.as_fd(), "203.0.113.2:8080", outside.as_fd()).is_some();
        drop(networks);
        for adopts in [true, false] {
            let owner = config("/test/again").owner;
            let networks = Networks::open(&owner, Options::default()).unwrap();
            networks.open_default(DEFAULT, &config("/test/again")).unwrap();
            assert!(is_open(), "nothing is known yet");
            if adopts {
                networks.adopt_ports("a", "a", &taken.published, &a.endpoint).unwrap();
            }
            networks.settle().unwrap();
            assert_eq!(is_open(), adopts);
        }
    });
}

#[test]
fn a_published_port_is_reached_from_everywhere_and_sees_who_asks() {
    on_a_host(|| {
        let outside = internet(1500);
        let networks = open("/test/ports");
        create(&networks, bridge("one"), false);
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        let (b, c) = (
            networks.one("b", &EndpointRequest::default()).unwrap(),
            networks.sandbox("c", &on(&["one"]), false).unwrap(),
        );
        let port = |host_ip: &str, port: u16| PortRequest {
            protocol: Protocol::Tcp,
            port: 80,
            host_ip: host_ip.parse().ok(),
            host_ports: Some((port, port)),
        };
        let taken = networks.publish("a", "a", &[port("", 8080), port("127.0.0.1", 8081)], &a.endpoint).unwrap();
        assert_eq!(taken.published.iter().filter(|p| p.host_ip.is_ipv4()).count(), 2);
        let host = current();
        let seen = |to: &str, from: BorrowedFd<'_>| client_seen(a.netns.as_fd(), to, from);
        let some = |ip: &str| Some(ip.to_owned());
        assert_eq!(seen("203.0.113.2:8080", outside.as_fd()), some("203.0.113.1"), "the client's own address");
        assert_eq!(seen("127.0.0.1:8080", host.as_fd()), some("172.17.0.1"));
        assert_eq!(seen("127.0.0.1:8081", host.as_fd()), some("172.17.0.1"));
        assert_eq!(seen("203.0.113.2:8080", host.as_fd()), some("203.0.113.2"));
        assert_eq!(seen("203.0.113.2:8080", b.netns.as_fd()), some("172.17.0.1"), "a neighbour");
        assert_eq!(seen("203.0.113.2:8080", a.netns.as_fd()), some("172.17.0.1"), "itself");
        assert!(seen("203.0.113.2:8080", c.netns.as_fd()).is_some(), "another network");
        assert_eq!(seen("203.0.113.2:8081", outside.as_fd()), None, "loopback's");
        assert_eq!(seen("203.0.113.2:80", outside.as_fd()), None);
        networks.unpublish("a").unwrap();
        drop(taken);
        assert_eq!(seen("203.0.113.2:8080", outside.as_fd()), None);
        let _ = networks.publish("b", "b", &[port("", 8080)], &b.endpoint).unwrap();
    });
}

/// Writes rules into the "host" as its administrator would.
fn firewall(rules: &str) {
    let nft = std::process::Command::new("nft").arg("-f").arg("-").stdin(std::process::Stdio::piped()).spawn();
    let mut nft = nft.expect("nft (Debian's package nftables)");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

const ADMINISTRATORS: &str = "
table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iifname \"lo\" accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        ip saddr 203.0.113.1 tcp dport 8080 accept
        ip6 saddr 2001:db8::1 tcp dport 8080 accept
        ip saddr 203.0.113.1 udp dport 8080 accept
    }
}
";

/// Gives the world and the uplink more addresses.
fn more_addresses(outside: BorrowedFd<'_>) {
    let add = |name: &str, ip: &str, prefix_len: u8| {
        let link = link(name).unwrap().index;
        run(|b| route::add_address(b, &Address { link, ip: ip.parse().unwrap(), prefix_len }));
    };
    inside(outside, || {
        add("world", "203.0.113.7", 24);
        add("world", "2001:db8::1", 64);
        add("world", "2001:db8::7", 64);
    });
    add("uplink", "2001:db8::2", 64);
}

/// Whom the server on port 80 sees when a client with this address connects.
fn client_at(server: BorrowedFd<'_>, to: &str, from: &str, client: BorrowedFd<'_>) -> Option<String> {
    let to: SocketAddr = to.parse().unwrap();
    let any = if to.is_ipv4() { "0.0.0.0:80" } else { "[::]:80" };
    let listener = inside(server, || TcpListener::bind(any).unwrap());
    let (family, from) = (
        if to.is_ipv4() { rustix::net::AddressFamily::INET } else { rustix::net::AddressFamily::INET6 },
        SocketAddr::new(from.parse().unwrap(), 0),
    );
    let socket = inside(client, || {
        let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &from).unwrap();
        socket
    });
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true).unwrap();
    let _ = rustix::net::connect(&stream, &to);
    listener.set_nonblocking(true).unwrap();
    let start = Instant::now();
    while start.elapsed() < SOON {
        if let Ok((_, peer)) = listener.accept() {
            return Some(peer.ip().to_string());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

#[test]
fn the_hosts_firewall_decides_about_guarded_ports() {
    on_a_host(|| {
        let outside = internet(1500);
        more_addresses(outside.as_fd());
        // a strict check of sources everywhere
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1").unwrap();
        let networks = open("/test/guarded");
        create(&networks, Plan { guarded: Some(true), ..bridge("one") }, true);
        create(&networks, Plan { internal: true, ..bridge("inner") }, false);
        let a = networks.sandbox("a", &on(&["one"]), false).unwrap();
        let b = networks.one("b", &EndpointRequest::default()).unwrap();
        let c = networks.sandbox("c", &on(&["inner"]), false).unwrap();
        let port = |protocol: Protocol, host_ip: &str, port: u16| PortRequest {
            protocol,
            port: 80,
            host_ip: host_ip.parse().ok(),
            host_ports: Some((port, port)),
        };
        let publish = |name: &str, endpoint: &Endpoint, ports: &[PortRequest]| {
            networks.publish(name, name, ports, endpoint).unwrap()
        };
        let taken =
            publish("a", &a.endpoints[0], &[port(Protocol::Tcp, "", 8080), port(Protocol::Udp, "203.0.113.2", 8080)]);
        let _open = publish("b", &b.endpoint, &[port(Protocol::Tcp, "", 8090)]);
        let host = current();
        let seen = |to: &str, from: &str| client_at(a.netns.as_fd(), to, from, outside.as_fd());
        let some = |ip: &str| Some(ip.to_owned());
        assert_eq!(seen("203.0.113.2:8080", "203.0.113.7"), some("203.0.113.7"), "no firewall, nobody refuses");
        assert_eq!(seen("[2001:db8::2]:8080", "2001:db8::7"), some("2001:db8::7"));
        firewall(ADMINISTRATORS);
        assert_eq!(seen("203.0.113.2:8080", "203.0.113.1"), some("203.0.113.1"));
        assert_eq!(seen("203.0.113.2:8080", "203.0.113.7"), None);
        assert_eq!(seen("[2001:db8::2]:8080", "2001:db8::1"), some("2001:db8::1"));
        assert_eq!(seen("[2001:db8::2]:8080", "2001:db8::7"), None);
        // the host itself, and containers
        assert!(client_seen(a.netns.as_fd(), "127.0.0.1:8080", host.as_fd()).is_some());
        assert!(client_seen(a.netns.as_fd(), "203.0.113.2:8080", host.as_fd()).is_some());
        assert_eq!(client_seen(a.netns.as_fd(), "203.0.113.2:8080", b.netns.as_fd()), None, "no rule lets it pass");
        assert_eq!(client_seen(a.netns.as_fd(), "203.0.113.2:8080", c.netns.as_fd()), None);
        // one that is not guarded does not care
        assert_eq!(client_at(b.netns.as_fd(), "203.0.113.2:8090", "203.0.113.7", outside.as_fd()), some("203.0.113.7"));
        datagrams_through_the_gate(&a, outside.as_fd());
        // a container of an internal network does not come out by the gate
        firewall(
            "table inet firewall { chain input { tcp dport 8080 accept
 }
 }",
        );
        assert!(client_seen(a.netns.as_fd(), "203.0.113.2:8080", b.netns.as_fd()).is_some());
        assert_eq!(client_seen(a.netns.as_fd(), "203.0.113.2:8080", c.netns.as_fd()), None);
        networks.unpublish("a").unwrap();
        drop(taken);
        assert_eq!(seen("203.0.113.2:8080", "203.0.113.1"), None);
    });
}

/// Containers beside the host on its own cable: they have addresses there, and are reached at them.
#[test]
fn macvlan_links_on_the_hosts_cable() {
    on_a_host(|| {
        let outside = internet(1400);
        let networks = open("/test/macvlan");
        let plan = |id: &str, mode| Plan { link: "uplink".into(), ..Plan::new(id, id, Driver::Macvlan { mode }) };
        let asked = SubnetRequest {
            net: "203.0.113.0/24".parse().ok(),
            range: "203.0.113.64/27".parse().ok(),
            gateway: "203.0.113.1".parse().ok(),
            ..SubnetRequest::default()
        };
        let made = networks.plan(plan("mac", 4), std::slice::from_ref(&asked), true, false).unwrap();
        match networks.up(&made.id) {
            Err(error) if error.kind == ErrorKind::NotImplemented => return, // not every kernel has them
            other => other.unwrap(),
        }
        let sandbox = |name: &str| networks.sandbox(name, &on(&["mac"]), false).unwrap();
        let (a, b) = (sandbox("a"), sandbox("b"));
        let (at, own) = (&a.endpoints[0], a.endpoints[0].ip.unwrap());
        assert_eq!(
            (own, at.gateway, at.host_ifname.as_str()),
            ([203, 0, 113, 64].into(), Some([203, 0, 113, 1].into()), "")
        );
        let eth0 = inside(a.netns.as_fd(), || link("eth0").unwrap());
        assert_eq!((eth0.kind.as_deref(), eth0.mtu), (Some("macvlan"), 1400));
        let port = format!("{own}:82");
        let seen = |from: BorrowedFd<'_>| peer_seen(a.netns.as_fd(), &port, from, SOON);
        assert_eq!(seen(outside.as_fd()), Some([203, 0, 113, 1].into()), "from outside");
        assert_eq!(seen(b.netns.as_fd()), b.endpoints[0].ip, "a neighbour");
        assert_eq!(seen(current().as_fd()), None, "not from the host: that is how such links are");
        assert_eq!(peer_seen(outside.as_fd(), WORLD, a.netns.as_fd(), SOON), Some(own), "with its own address");
        // one more place for a running container, and away with it
        let one = networks.one("c", &EndpointRequest::default()).unwrap();
        let present = [one.endpoint.clone()];
        let second = networks.connect("c", one.netns.try_clone().unwrap(), &on(&["mac"])[0], &present).unwrap();
        assert_eq!(inside(one.netns.as_fd(), || link("eth1").unwrap().kind).as_deref(), Some("macvlan"));
        networks.disconnect("c", one.netns.try_clone().unwrap(), &second, &present).unwrap();
        assert!(inside(one.netns.as_fd(), || link("eth1")).is_none());
        ["a", "b"].iter().for_each(|id| networks.release(id, "mac"));
        networks.remove("mac").unwrap();
        assert!(link("uplink").is_some(), "the parent is not ours");
        // private ones do not talk to each other
        let asked = SubnetRequest { range: "203.0.113.96/27".parse().ok(), ..asked };
        let made = networks.plan(plan("private", 1), &[asked], true, false).unwrap();
        networks.up(&made.id).unwrap();
        let private = ["d", "e"].map(|name| networks.sandbox(name, &on(&["private"]), false).unwrap());
        let [d, e] = &private;
        let port = format!("{}:83", d.endpoints[0].ip.unwrap());
        assert!(peer_seen(d.netns.as_fd(), &port, e.netns.as_fd(), SOON).is_none());
        assert!(peer_seen(d.netns.as_fd(), &port, outside.as_fd(), SOON).is_some());
    });
}

/// What the kernel does not have is said as the network is made.
#[test]
fn links_that_the_kernel_has_not_are_named() {
    on_a_host(|| {
        let _outside = internet(1500);
        let networks = open("/test/ipvlan");
        for (link, driver, name) in [
            ("uplink", Driver::Ipvlan { mode: 0, flags: 0 }, "ipvlan"),
            ("uplink.7", Driver::Macvlan { mode: 4 }, "vlan"),
        ] {
            let plan = Plan { link: link.into(), ..Plan::new(name, name, driver) };
            networks.plan(plan, &[], true, false).unwrap();
            match networks.up(name) {
                Ok(()) => assert!(route::links(&mut Socket::route().unwrap()).unwrap().iter().any(|l| l.name == link)),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::NotImplemented);
                    assert!(error.message.starts_with(&format!("the kernel has no {name} links (CONFIG_")), "{error}");
                }
            }
        }
    });
}

#[test]
fn gateway_modes() {
    on_a_host(|| {
        let outside = internet(1500);
        more_addresses(outside.as_fd());
        let networks = open("/test/modes");
        let mode = |id: &str, mode4, mode6| Plan { gateway_mode4: mode4, gateway_mode6: mode6, ..bridge(id) };
        create(&networks, mode("routed", GatewayMode::Routed, GatewayMode::Nat), true);
        create(&networks, mode("open", GatewayMode::NatUnprotected, GatewayMode::Nat), false);
        create(&networks, Plan { trusted: vec!["uplink".into()], ..bridge("trusting") }, false);
        let isolated = Plan { internal: true, ..mode("isolated", GatewayMode::Isolated, GatewayMode::Nat) };
        create(&networks, isolated, false);
        let sandboxes = ["routed", "open", "trusting"].map(|id| networks.sandbox(id, &on(&[id]), false).unwrap());
        let port = |port: u16, host: u16| PortRequest {
            protocol: Protocol::Tcp,
            port,
            host_ip: None,
            host_ports: Some((host, host)),
        };
        let mut taken = vec![];
        for (number, sandbox) in sandboxes.iter().enumerate() {
            let endpoint = &sandbox.endpoints[0];
            let (id, ports) = (&endpoint.network_id, [port(80, 8080 + number as u16)]);
            taken.push(networks.publish(id, id, &ports, endpoint).unwrap());
        }
        let numbers: Vec<u16> = taken[0].published.iter().map(|p| p.host_port).collect();
        assert_eq!(numbers, [0, 8080], "IPv4 is routed, IPv6 is not");
        // the world has a route to all containers
        let mut there = inside(outside.as_fd(), || Socket::route().unwrap());
        let world = route::link(&mut there, Target::Name("world")).unwrap().unwrap().index;
        let mut batch = Batch::new();
        route::add_default_route(&mut batch, world, IpAddr::from([203, 0, 113, 2]), None);
        there.execute(batch).unwrap();
        let [routed, open, trusting] = &sandboxes;
        let reaches = |to: &network::Sandbox, port: u16| {
            let at = format!("{}:{port}", to.endpoints[0].ip.unwrap());
            peer_seen(to.netns.as_fd(), &at, outside.as_fd(), SOON).is_some()
        };
        assert_eq!([reaches(routed, 80), reaches(routed, 81)], [true, false]);
        assert_eq!([reaches(open, 80), reaches(open, 81)], [true, true]);
        assert_eq!([reaches(trusting, 80), reaches(trusting, 81)], [true, false]);
        // by the host's own address: not where nothing is translated
        let by_host = |to: &network::Sandbox, port: u16| {
            client_seen(to.netns.as_fd(), &format!("203.0.113.2:{port}"), outside.as_fd()).is_some()
        };
        assert_eq!([by_host(routed, 8080), by_host(open, 8081), by_host(trusting, 8082)], [false, true, true]);
        // what leaves: with its own address, or the host's
        let seen = |of: &network::Sandbox| peer_seen(outside.as_fd(), WORLD, of.netns.as_fd(), SOON);
        assert_eq!(seen(routed), routed.endpoints[0].ip);
        assert_eq!(seen(open), Some([203, 0, 113, 2].into()));
        // of several of the host's, the one that was asked for
        create(&networks, Plan { source4: Some([203, 0, 113, 8].into()), ..bridge("eight") }, false);
        let uplink = link("uplink").unwrap().index;
        let more = Address { link: uplink, ip: IpAddr::from([203, 0, 113, 8]), prefix_len: 24 };
        run(|b| route::add_address(b, &more));
        assert_eq!(seen(&networks.sandbox("eight", &on(&["eight"]), false).unwrap()), Some([203, 0, 113, 8].into()));
        assert_eq!(seen(open), Some([203, 0, 113, 2].into()));
        // nobody but containers is on an isolated bridge
        let on_bridge = link("br-isolated").unwrap().index;
        let addresses = route::addresses(&mut Socket::route().unwrap()).unwrap();
        assert!(!addresses.iter().any(|a| a.link == on_bridge));
        networks.unpublish("routed").unwrap();
        assert!(!reaches(routed, 80));
    });
}

fn datagrams_through_the_gate(a: &network::Sandbox, outside: BorrowedFd<'_>) {
    let server = inside(a.netns.as_fd(), || UdpSocket::bind("0.0.0.0:80").unwrap());
    server.set_read_timeout(Some(SOON)).unwrap();
    for (ip, passes) in [("203.0.113.1", true), ("203.0.113.7", false)] {
        let client = inside(outside, || UdpSocket::bind((ip, 0)).unwrap());
        client.set_read_timeout(Some(SOON)).unwrap();
        for _ in 0..3 {
            client.send_to(b"hello", "203.0.113.2:8080").unwrap();
            let heard = server.recv_from(&mut [0; 8]);
            assert_eq!(heard.is_ok(), passes, "{ip}");
            if let Ok((_, from)) = heard {
                server.send_to(b"you", from).unwrap();
                assert_eq!(client.recv(&mut [0; 8]).unwrap(), 3, "{ip}");
            }
        }
    }
}

/// Guarded ports need no daemon; the next one finds the gate, and one that guards nothing takes it away.
#[test]
fn the_gate_outlives_the_daemon_and_goes_with_its_last_network() {
    on_a_host(|| {
        let outside = internet(1500);
        let options = |guarded| Options { guarded, ..Options::default() };
        let config = config("/test/gate");
        let networks = One::open_with(config.clone(), options(true)).unwrap();
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        let request = PortRequest { protocol: Protocol::Tcp, port: 80, host_ip: None, host_ports: Some((8080, 8080)) };
        let taken = networks.publish("a", "a", &[request], &a.endpoint).unwrap();
        let is_open = || client_seen(a.netns.as_fd(), "203.0.113.2:8080", outside.as_fd()).is_some();
        let gates =
            || route::links(&mut Socket::route().unwrap()).unwrap().into_iter().filter(|l| l.name.contains("gate"));
        let live = [("a".to_owned(), vec![a.endpoint.clone()])];
        assert!(is_open());
        drop(networks);
        assert!(is_open(), "without a daemon");
        let mut netfilter = Socket::netfilter().unwrap();
        for guarded in [true, false] {
            let networks = Networks::open(&config.owner, options(guarded)).unwrap();
            networks.open_default(DEFAULT, &config).unwrap();
            assert!(is_open());
            networks.restore(&live).unwrap();
            networks.adopt_ports("a", "a", &taken.published, &a.endpoint).unwrap();
            networks.settle().unwrap();
            firewall(
                "table inet firewall { chain input { type filter hook input priority 0; policy drop
 }
 }",
            );
            assert_eq!(is_open(), !guarded);
            firewall("delete table inet firewall");
            assert!(is_open());
            let count = if guarded { 2 } else { 0 };
            until("the gate is swept", || gates().count() == count);
            assert_eq!(nft::tables(&mut netfilter, nft::Family::Ipv4).unwrap().len(), count / 2);
        }
        let networks = One::open_with(config, options(true)).unwrap();
        networks.close_and_remove().unwrap();
        assert_eq!(gates().count(), 0);
        assert!(nft::tables(&mut netfilter, nft::Family::Ipv6).unwrap().is_empty());
    });
}

/// CRC-32C (RFC 9260, appendix A), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

/// SCTP's first packet, which asks for a connection.
fn sctp_init(from: u16, to: u16) -> Vec<u8> {
    let chunk = [1, 0, 0, 20, 0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 9];
    let [ports, tag, chunk] = [[from.to_be_bytes(), to.to_be_bytes()].concat(), vec![0; 4], chunk.to_vec()];
    let bare = [&ports[..], &tag, &[0; 4], &chunk].concat();
    let sum = crc32c(&bare).to_le_bytes();
    [&ports[..], &tag, &sum, &chunk].concat()
}

/// The kernel translates SCTP whether or not it speaks it: raw sockets do here.
#[test]
fn sctp_is_led_to_its_container() {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket, sockopt};
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    on_a_host(|| {
        let outside = internet(1500);
        let networks = open("/test/sctp");
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        let port = PortRequest { protocol: Protocol::Sctp, port: 80, host_ip: None, host_ports: Some((8080, 8080)) };
        let taken = networks.publish("a", "a", &[port], &a.endpoint).unwrap();
        assert_eq!((taken.published.len(), taken.relays.len()), (1, 0), "IPv4 alone: nobody could pass on IPv6");
        let raw = || {
            let number = rustix::net::Protocol::from_raw(132.try_into().unwrap());
            socket(AddressFamily::INET, SocketType::RAW, Some(number)).unwrap()
        };
        let (server, client) = (inside(a.netns.as_fd(), raw), inside(outside.as_fd(), raw));
        sockopt::set_socket_timeout(&server, sockopt::Timeout::Recv, Some(SOON)).unwrap();
        let to: SocketAddr = "203.0.113.2:0".parse().unwrap();
        sendto(&client, &sctp_init(4000, 8080), SendFlags::empty(), &to).unwrap();
        let mut packet = [0; 100];
        let (_, length) = recv(&server, &mut packet[..], RecvFlags::empty()).expect("it arrives");
        assert_eq!((&packet[12..16], &packet[20..24]), (&[203, 0, 113, 1][..], &[15, 160, 0, 80][..]));
        assert_eq!(length, 20 + 32);
        networks.unpublish("a").unwrap();
        sendto(&client, &sctp_init(4001, 8080), SendFlags::empty(), &to).unwrap();
        assert!(recv(&server, &mut packet[..], RecvFlags::empty()).is_err());
    });
}

/// A client that never stops sending is heard by whoever has the port, from the first datagram on, and by nobody else.
#[test]
fn datagrams_go_to_whoever_has_the_port_now() {
    on_a_host(|| {
        let outside = internet(1500);
        let networks = open("/test/udp");
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        let b = networks.one("b", &EndpointRequest::default()).unwrap();
        let request = PortRequest { protocol: Protocol::Udp, port: 53, host_ip: None, host_ports: Some((5353, 5353)) };
        let socket = |namespace: BorrowedFd<'_>, address: &str| {
            let socket = inside(namespace, || UdpSocket::bind(address).unwrap());
            socket.set_read_timeout(Some(SOON)).unwrap();
            socket
        };
        let clients = [
            (socket(outside.as_fd(), "203.0.113.1:0"), "203.0.113.2:5353", "203.0.113.1"),
            (socket(current().as_fd(), "127.0.0.1:0"), "127.0.0.1:5353", "172.17.0.1"),
        ];
        let send = || clients.each_ref().map(|(client, to, _)| client.send_to(b"hello", to));
        let _ = send(); // nobody has it: the kernel follows flows that are not translated
        for (name, of) in [("a", &a), ("b", &b), ("a", &a)] {
            let server = socket(of.netns.as_fd(), "0.0.0.0:53");
            let requests = std::slice::from_ref(&request);
            let taken = networks.publish(name, name, requests, &of.endpoint).unwrap();
            for (client, to, seen) in &clients {
                client.send_to(b"hello", to).unwrap();
                let (_, from) = server.recv_from(&mut [0; 8]).expect("the first datagram arrives");
                assert_eq!(from.ip().to_string(), *seen, "{name}");
            }
            drop(taken);
            networks.unpublish(name).unwrap();
            let _ = send();
            server.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert!(server.recv_from(&mut [0; 8]).is_err(), "{name} has it no more");
        }
    });
}

#[test]
fn dns_sockets_are_led_to_and_port_53_is_free() {
    on_a_host(|| {
        let networks = open("/test/dns");
        let a = networks.one("a", &EndpointRequest::default()).unwrap();
        // one socket for ever, whatever daemons come and go
        let client = inside(a.netns.as_fd(), || UdpSocket::bind("0.0.0.0:0").unwrap());
        client.set_read_timeout(Some(SOON)).unwrap();
        let (mut port, mut in_the_way) = (None, None);
        for port_is_taken in [false, false, true] {
            if port_is_taken {
                in_the_way = Some(inside(a.netns.as_fd(), || UdpSocket::bind(port.unwrap()).unwrap()));
            }
            let sockets = networks.dns_sockets(a.netns.try_clone().unwrap()).unwrap();
            let servers: Vec<UdpSocket> = sockets.udp.into_iter().map(UdpSocket::from).collect();
            inside(a.netns.as_fd(), || {
                UdpSocket::bind("0.0.0.0:53").unwrap();
                client.send_to(b"who?", "127.0.0.11:53").unwrap();
                let mut buffer = [0; 16];
                until("one of them is asked", || {
                    let asked = servers.iter().find_map(|s| Some((s, s.recv_from(&mut buffer).ok()?.1)));
                    asked.is_some_and(|(server, from)| server.send_to(b"you", from).is_ok())
                });
                assert_eq!(client.recv(&mut buffer).unwrap(), 3);
            });
            let now = servers[0].local_addr().unwrap();
            assert_eq!(port.replace(now).is_none_or(|before| before == now), !port_is_taken);
        }
        drop(in_the_way);
    });
}

#[test]
fn what_is_asked_of_a_subnet() {
    on_a_host(|| {
        let networks = open("/test/subnets");
        let asked = SubnetRequest { net: "10.77.0.0/24".parse().ok(), ..SubnetRequest::default() };
        let plan = networks.plan(bridge("one"), std::slice::from_ref(&asked), true, false).unwrap();
        networks.up(&plan.id).unwrap();
        assert_eq!(networks.plan(bridge("two"), &[asked], true, false).unwrap_err().kind, ErrorKind::Forbidden);
        let ip = Some([10, 77, 0, 9].into());
        let request = EndpointRequest { network: "one".into(), ip, ..EndpointRequest::default() };
        assert_eq!(networks.sandbox("a", &[request], false).unwrap().endpoints[0].ip, ip);
        for number in 0..60 {
            create(&networks, bridge(&format!("n{number}")), false);
        }
    });
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whoever is just being put there, before anybody's records say so, has a network to be on.
#[test]
fn a_network_with_somebody_on_it_stays() {
    on_a_host(|| {
        let networks = open("/test/stays");
        create(&networks, bridge("kept"), false);
        let made = networks.sandbox("web", &on(&["kept"]), false).unwrap();
        let error = networks.remove("kept").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Forbidden);
        assert!(error.message.contains("network kept has active endpoints"), "{error}");
        assert!(link("br-kept").is_some());
        drop(networks.sandbox("other", &on(&["kept"]), false).unwrap());
        drop(made);
        ["web", "other"].iter().for_each(|id| networks.release(id, "kept"));
        networks.remove("kept").unwrap();
        assert_eq!(networks.sandbox("web", &on(&["kept"]), false).unwrap_err().kind, ErrorKind::NotFound);
    });
}

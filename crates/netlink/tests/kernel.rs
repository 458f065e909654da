//! Against the real kernel, each test in network namespaces of its own that end with its thread. Needs root.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use netlink::nft::{self, Base, Chain, Element, Family, Field, Hook, Key, Kind, Policy, Rule, Table, Verdict};
use netlink::route::{self, Address, Bridge, LinkChange, Target, Veth};
use netlink::{Batch, Errno, Socket, conntrack};
use sys::namespace::Kinds;

/// Runs `test` on a thread in a new network namespace.
fn in_namespace(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sys::namespace::unshare(Kinds::NETWORK).expect("new network namespace (root needed)");
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

/// Another namespace and a socket in it; the calling thread ends up back where it was.
fn other_namespace() -> (OwnedFd, Socket) {
    let home = current();
    sys::namespace::unshare(Kinds::NETWORK).unwrap();
    let made = (current(), Socket::route().unwrap());
    sys::namespace::join(home.as_fd(), Kinds::NETWORK).unwrap();
    made
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn bridge(socket: &mut Socket, name: &str) -> u32 {
    let mut batch = Batch::new();
    route::add_bridge(&mut batch, &Bridge { name, mac: [2, 0x42, 1, 2, 3, 4], mtu: 1400 });
    socket.execute(batch).unwrap();
    route::link(socket, Target::Name(name)).unwrap().unwrap().index
}

#[test]
fn a_container_like_network_is_made_with_three_batches() {
    in_namespace(|| {
        let mut host = Socket::route().unwrap();
        let index = bridge(&mut host, "br0");
        let (namespace, mut inside) = other_namespace();

        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { no_ipv6_address: true, ..LinkChange::index(index) });
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(index) });
        let gateway = Address { link: index, ip: ip("172.30.0.1"), prefix_len: 16 };
        route::add_address(&mut batch, &gateway);
        let veth = Veth {
            name: "v0",
            master: Some(index),
            mtu: 1400,
            peer_name: "eth0",
            peer_mac: Some([2, 0x42, 172, 30, 0, 2]),
            peer_namespace: Some(namespace.as_fd()),
        };
        route::add_veth(&mut batch, &veth);
        let change = LinkChange { alias: Some("lighter:x"), no_ipv6_address: true, ..LinkChange::name("v0") };
        route::set_link(&mut batch, &change);
        route::set_link(&mut batch, &LinkChange { isolated: Some(true), ..LinkChange::name("v0") });
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name("v0") });
        host.execute(batch).unwrap();

        let eth0 = route::link(&mut inside, Target::Name("eth0")).unwrap().unwrap();
        assert_eq!((eth0.mtu, eth0.mac, eth0.up), (1400, Some([2, 0x42, 172, 30, 0, 2]), false));
        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(1) });
        route::add_address(&mut batch, &Address { link: eth0.index, ip: ip("172.30.0.2"), prefix_len: 16 });
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(eth0.index) });
        route::add_default_route(&mut batch, eth0.index, ip("172.30.0.1"), None);
        inside.execute(batch).unwrap();

        let ports = route::ports(&mut host, index).unwrap();
        assert_eq!(ports.len(), 1);
        assert_eq!((ports[0].name.as_str(), ports[0].alias.as_deref()), ("v0", Some("lighter:x")));
        assert_eq!((ports[0].kind.as_deref(), ports[0].up), (Some("veth"), true));
        assert!(route::addresses(&mut host).unwrap().contains(&gateway));
        let found = route::lookup(&mut inside, ip("8.8.8.8")).unwrap().unwrap();
        assert_eq!((found.link, found.gateway), (Some(eth0.index), Some(ip("172.30.0.1"))));
        let subnet = route::routes(&mut host).unwrap().into_iter().find(|r| r.destination == ip("172.30.0.0")).unwrap();
        assert_eq!((subnet.prefix_len, subnet.link), (16, Some(index)));
        assert_eq!(route::lookup(&mut host, ip("8.8.8.8")).unwrap(), None);
    });
}

#[test]
fn the_ends_namespace_takes_the_pair_with_it() {
    in_namespace(|| {
        let mut host = Socket::route().unwrap();
        let (namespace, inside) = other_namespace();
        let mut batch = Batch::new();
        let fd = namespace.as_fd();
        let veth =
            Veth { name: "v0", master: None, mtu: 1500, peer_name: "eth0", peer_mac: None, peer_namespace: Some(fd) };
        route::add_veth(&mut batch, &veth);
        host.execute(batch).unwrap();
        drop((namespace, inside));
        let start = std::time::Instant::now();
        while route::link(&mut host, Target::Name("v0")).unwrap().is_some() {
            assert!(start.elapsed().as_secs() < 10, "the pair outlived its namespace");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
}

#[test]
fn links_are_listed_while_others_come_and_go() {
    in_namespace(|| {
        let mut host = Socket::route().unwrap();
        let stay: Vec<String> = (0..200).map(|n| format!("stay{n}")).collect();
        for name in &stay {
            bridge(&mut host, name);
        }
        let over = AtomicBool::new(false);
        let lists: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut socket = Socket::route().unwrap();
                while !over.load(Ordering::Relaxed) {
                    bridge(&mut socket, "comes");
                    let mut batch = Batch::new();
                    route::delete_link(&mut batch, Target::Name("comes"));
                    socket.execute(batch).unwrap();
                }
            });
            let lists = (0..10).map(|_| route::links(&mut host)).collect();
            over.store(true, Ordering::Relaxed);
            lists
        });
        for list in lists {
            let names: Vec<String> = list.unwrap().into_iter().map(|link| link.name).collect();
            assert!(stay.iter().all(|name| names.contains(name)), "{names:?}");
        }
    });
}

#[test]
fn errors_name_the_step_and_give_the_kernels_words() {
    in_namespace(|| {
        let mut socket = Socket::route().unwrap();
        bridge(&mut socket, "br0");
        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(1) });
        route::add_bridge(&mut batch, &Bridge { name: "br0", mac: [2, 0, 0, 0, 0, 1], mtu: 1400 });
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name("br0") });
        let error = socket.execute(batch).unwrap_err();
        assert!(error.exists() && error.step == "create bridge br0", "{error}");
        // The rest of the batch was done, and the socket goes on working.
        assert!(route::link(&mut socket, Target::Name("br0")).unwrap().unwrap().up);
        assert_eq!(route::link(&mut socket, Target::Name("none")).unwrap(), None);
        let mut batch = Batch::new();
        route::delete_link(&mut batch, Target::Name("none"));
        assert!(socket.execute(batch).unwrap_err().missing());
        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { mtu: Some(10), ..LinkChange::name("br0") });
        let error = socket.execute(batch).unwrap_err();
        assert!(error.errno == Errno::INVAL && error.detail.is_some(), "{error}");
    });
}

fn table(rules: usize) -> Table {
    let nat = Rule::new().ipv4_source("172.30.0.0".parse().unwrap(), 16).output_link_is_not("br0").masquerade();
    let mut forward = vec![Rule::new().output_link("br0").established().verdict(Verdict::Accept)];
    forward.resize(rules, Rule::new().input_link("br0").verdict(Verdict::Drop));
    let chain = |name: &str, kind, hook, priority, rules| Chain {
        name: name.into(),
        base: Some(Base { kind, hook, priority, policy: Policy::Accept }),
        rules,
    };
    Table {
        family: Family::Ipv4,
        name: "lighter-test".into(),
        owned: false,
        sets: vec![],
        chains: vec![
            chain("postrouting", Kind::Nat, Hook::Postrouting, 100, vec![nat]),
            chain("forward", Kind::Filter, Hook::Forward, 0, forward),
        ],
    }
}

#[test]
fn a_table_is_replaced_whole() {
    in_namespace(|| {
        let mut socket = Socket::netfilter().unwrap();
        for rules in [1, 30, 2] {
            nft::replace(&mut socket, &table(rules)).unwrap();
            assert_eq!(nft::rule_count(&mut socket, Family::Ipv4, "lighter-test").unwrap(), rules + 1);
        }
        assert_eq!(nft::tables(&mut socket, Family::Ipv4).unwrap(), ["lighter-test"]);
        let chains = nft::chains(&mut socket).unwrap();
        let names: Vec<_> = chains.iter().map(|c| (c.name.as_str(), c.hook, c.policy)).collect();
        let accept = Some(Policy::Accept);
        assert_eq!(names, [("postrouting", Some((4, 100)), accept), ("forward", Some((2, 0)), accept)]);
        nft::delete(&mut socket, Family::Ipv4, "lighter-test").unwrap();
        nft::delete(&mut socket, Family::Ipv4, "lighter-test").unwrap();
        assert!(nft::tables(&mut socket, Family::Ipv4).unwrap().is_empty());
    });
}

/// One transaction, several times as long as a socket's buffer is at first.
#[test]
fn a_set_may_have_very_many_elements() {
    in_namespace(|| {
        let mut socket = Socket::netfilter().unwrap();
        let element = |n: u32| Element::new(Key::default().ip(IpAddr::V4((0x0a00_0000 + n).into())));
        let elements: Vec<Element> = (0..30_000).map(element).collect();
        let key = vec![Field::Ipv4];
        let set = nft::Set { name: "many".into(), key, data: None, interval: false, elements };
        nft::replace(&mut socket, &Table { sets: vec![set], ..table(1) }).unwrap();
        let family = Family::Ipv4.number();
        let found = nft::read::set(&mut socket, family, "lighter-test", "many").unwrap().unwrap();
        assert_eq!(found.elements.len(), 30_000);
    });
}

#[test]
fn a_refused_transaction_leaves_the_old_table() {
    in_namespace(|| {
        let mut socket = Socket::netfilter().unwrap();
        nft::replace(&mut socket, &table(5)).unwrap();
        let mut wrong = table(2);
        wrong.chains[1].rules.push(Rule::new().masquerade()); // not in a filter chain
        let error = nft::replace(&mut socket, &wrong).unwrap_err();
        assert_eq!(error.step, "add rule to lighter-test forward", "{error}");
        assert_eq!(nft::rule_count(&mut socket, Family::Ipv4, "lighter-test").unwrap(), 6);
        nft::replace(&mut socket, &table(3)).unwrap();
        assert_eq!(nft::rule_count(&mut socket, Family::Ipv4, "lighter-test").unwrap(), 4);
    });
}

#[test]
fn an_owned_table_is_not_flushed_and_can_be_taken_over() {
    in_namespace(|| {
        let owned = Table { owned: true, ..table(3) };
        let mut first = Socket::netfilter().unwrap();
        if nft::replace(&mut first, &owned).is_err() {
            return; // a kernel before 6.9
        }
        let mut second = Socket::netfilter().unwrap();
        assert!(nft::delete(&mut second, Family::Ipv4, "lighter-test").is_err());
        assert!(nft::replace(&mut second, &owned).is_err());
        nft::replace(&mut first, &owned).unwrap();
        drop(first);
        assert_eq!(nft::rule_count(&mut second, Family::Ipv4, "lighter-test").unwrap(), 4, "it stays");
        nft::replace(&mut second, &owned).unwrap();
        nft::delete(&mut second, Family::Ipv4, "lighter-test").unwrap();
        assert!(nft::tables(&mut second, Family::Ipv4).unwrap().is_empty());
    });
}

/// The table's rules make the kernel follow flows in this namespace.
#[test]
fn flows_are_told_and_forgotten() {
    in_namespace(|| {
        let mut socket = Socket::netfilter().unwrap();
        let mut batch = Batch::new();
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(1) });
        Socket::route().unwrap().execute(batch).unwrap();
        nft::replace(&mut socket, &table(1)).unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for port in [5300, 5300, 5301] {
            let _ = client.send_to(b"x", ("127.0.0.1", port));
        }
        let flows = conntrack::udp_to(&mut socket, true, 5300).unwrap();
        let ends: Vec<_> = flows.iter().map(|flow| (flow.original.source, flow.reply.source.port())).collect();
        assert_eq!(ends, [(client.local_addr().unwrap(), 5300)]);
        assert_eq!(conntrack::udp_to(&mut socket, false, 5300).unwrap(), []);
        conntrack::forget(&mut socket, &flows).unwrap();
        conntrack::forget(&mut socket, &flows).unwrap();
        assert_eq!(conntrack::udp_to(&mut socket, true, 5300).unwrap(), []);
        assert_eq!(conntrack::udp_to(&mut socket, true, 5301).unwrap().len(), 1);
    });
}

#[test]
fn a_link_moves_with_its_addresses() {
    in_namespace(|| {
        let mut host = Socket::route().unwrap();
        let mut batch = Batch::new();
        let veth =
            Veth { name: "mv0", master: None, mtu: 1300, peer_name: "mv1", peer_mac: None, peer_namespace: None };
        route::add_veth(&mut batch, &veth);
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name("mv0") });
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::name("mv1") });
        host.execute(batch).unwrap();
        let index = route::link(&mut host, Target::Name("mv1")).unwrap().unwrap().index;
        let given: Vec<_> = ["10.9.8.7", "fd00::7"]
            .map(|text| Address { link: index, ip: ip(text), prefix_len: 24 })
            .into_iter()
            .collect();
        let mut batch = Batch::new();
        given.iter().for_each(|address| route::add_address(&mut batch, address));
        host.execute(batch).unwrap();
        // that of the link itself (fe80::) is not global
        let kept = route::kept_addresses(&mut host, index).unwrap();
        assert_eq!(kept.len(), 2, "{kept:?}");
        let (namespace, mut inside) = other_namespace();
        let mut batch = Batch::new();
        route::move_link(&mut batch, index, namespace.as_fd(), "eth7");
        host.execute(batch).unwrap();
        let moved = route::link(&mut inside, Target::Name("eth7")).unwrap().unwrap();
        assert_eq!((moved.mtu, moved.up), (1300, false));
        let mut batch = Batch::new();
        kept.iter().for_each(|address| route::give_address(&mut batch, address, moved.index));
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(moved.index) });
        inside.execute(batch).unwrap();
        let mut found = route::addresses(&mut inside).unwrap();
        found.extend(route::addresses6(&mut inside).unwrap());
        for address in given {
            assert!(found.contains(&Address { link: moved.index, ..address }), "{found:?}");
        }
        // a name that is taken
        let taken = route::link(&mut host, Target::Name("mv0")).unwrap().unwrap().index;
        let mut batch = Batch::new();
        route::move_link(&mut batch, taken, namespace.as_fd(), "eth7");
        assert!(host.execute(batch).unwrap_err().exists());
    });
}

//! Containers that say they are somebody else: forged ARP, neighbour discovery, router advertisements, hardware addresses.
//!
//! What a container could send is sent from its network namespace by raw sockets. Each forgery is also tried on a network that
//! allows it: what does nothing there proves nothing here.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use testkit::world::hear;
use testkit::{Daemon, eventually};

/// `send`: frames as lines of hex. `hear`: those that come in, from `ready` on.
const WIRE: &str = r#"
import os, socket, sys
os.sched_setaffinity(0, {0})
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[2], 0))
if sys.argv[1] == "send":
    for line in sys.stdin:
        wire.send(bytes.fromhex(line.strip()))
else:
    print("ready", flush=True)
    while True:
        data, (_, _, kind, _, _) = wire.recvfrom(65535)
        if kind != socket.PACKET_OUTGOING:
            print(data.hex(), flush=True)
"#;

type Mac = [u8; 6];
const ALL: Mac = [0xff; 6];
const LLDP: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x0e];

/// A container on the wire.
struct Host {
    name: String,
    pid: String,
    mac: Mac,
    ip: Ipv4Addr,
    ip6: Ipv6Addr,
    own: Ipv6Addr,
}

impl Host {
    fn run(daemon: &Daemon, name: &str, network: &str, flags: &[&str]) -> Self {
        let base = ["run", "-d", "--name", name, "--network", network];
        daemon.run(&[&base[..], flags, &["busybox", "sleep", "1000"]].concat()).ok();
        Self::find(daemon, name)
    }

    fn find(daemon: &Daemon, name: &str) -> Self {
        let format = "{{.State.Pid}}{{range .NetworkSettings.Networks}} {{.MacAddress}} {{.IPAddress}} {{.GlobalIPv6Address}}{{end}}";
        let text = daemon.inspect(name, format);
        let [pid, mac, ip, ip6] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
        let bytes: Vec<u8> = mac.split(':').map(|part| u8::from_str_radix(part, 16).unwrap()).collect();
        let mac: Mac = bytes.try_into().unwrap();
        let own = Ipv6Addr::from([
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            mac[0] ^ 2,
            mac[1],
            mac[2],
            0xff,
            0xfe,
            mac[3],
            mac[4],
            mac[5],
        ]);
        Self { name: name.into(), pid: pid.into(), mac, ip: ip.parse().unwrap(), ip6: ip6.parse().unwrap(), own }
    }

    fn wire(&self, verb: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid)).args(["python3", "-c", WIRE, verb, "eth0"]);
        command
    }

    fn send(&self, frames: &[Vec<u8>]) {
        let mut wire = self.wire("send").stdin(Stdio::piped()).spawn().expect("nsenter, python3");
        let mut pipe = wire.stdin.take().unwrap();
        frames.iter().for_each(|frame| writeln!(pipe, "{}", hex(frame)).unwrap());
        drop(pipe);
        assert!(wire.wait().unwrap().success(), "{} sends", self.name);
    }

    fn hear(&self) -> Ear {
        let mut wire = self.wire("hear").stdout(Stdio::piped()).spawn().expect("nsenter, python3");
        let mut lines = BufReader::new(wire.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| told.send(line)));
        Ear { wire, heard }
    }
}

struct Ear {
    wire: Child,
    heard: Receiver<String>,
}

impl Ear {
    /// All that comes until `from` is heard, who greets after what was sent before: again and again, as a frame may be lost
    /// (bridges ask the host's table of flows, which others may fill).
    fn until_greeted(&mut self, from: &Host, to: &Host) -> BTreeSet<String> {
        let greeting = arp(to.mac, from.mac, 1, (from.mac, from.ip), ([0; 6], to.ip));
        let mut all = BTreeSet::new();
        for _ in 0..20 {
            from.send(std::slice::from_ref(&greeting));
            while let Ok(line) = self.heard.recv_timeout(Duration::from_secs(1)) {
                if line == hex(&greeting) {
                    return all;
                }
                all.insert(line);
            }
        }
        panic!("{} is not heard", from.name);
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = (self.wire.kill(), self.wire.wait());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ethernet(to: Mac, from: Mac, kind: u16, rest: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), rest].concat()
}

fn arp(to: Mac, from: Mac, operation: u8, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    ethernet(to, from, 0x0806, &arp_packet(operation, sender, target))
}

fn arp_packet(operation: u8, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    [&head[..], &sender.0, &sender.1.octets(), &target.0, &target.1.octets()].concat()
}

/// The Internet's (RFC 1071).
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let bytes = parts.concat();
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// ICMPv6 with a hop limit of 255, behind `between`: headers of its own.
fn icmp6(macs: (Mac, Mac), ips: (Ipv6Addr, Ipv6Addr), kind: u8, rest: &[u8], between: &[u8]) -> Vec<u8> {
    let ((to, from), (source, target)) = (macs, ips);
    let mut message = [&[kind, 0, 0, 0], rest].concat();
    let length = (message.len() as u32).to_be_bytes();
    let sum = checksum(&[&source.octets(), &target.octets(), &length, &[0, 0, 0, 58], &message]);
    message[2..4].copy_from_slice(&sum);
    let length = ((between.len() + message.len()) as u16).to_be_bytes();
    let next = if between.is_empty() { 58 } else { 60 };
    let head = [&[0x60, 0, 0, 0], &length[..], &[next, 255], &source.octets(), &target.octets()].concat();
    ethernet(to, from, 0x86dd, &[&head[..], between, &message].concat())
}

fn option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1], &mac[..]].concat()
}

/// Of a neighbour's message: four bytes, the target and options.
fn about(flags: u8, target: Ipv6Addr, options: &[&[u8]]) -> Vec<u8> {
    [&[flags, 0, 0, 0], &target.octets()[..], &options.concat()].concat()
}

/// IPv4 with that protocol.
fn ipv4(macs: (Mac, Mac), ips: (Ipv4Addr, Ipv4Addr), protocol: u8, rest: &[u8]) -> Vec<u8> {
    let length = (20 + rest.len() as u16).to_be_bytes();
    let mut head =
        [&[0x45, 0], &length[..], &[0, 0, 0, 0, 64, protocol, 0, 0], &ips.0.octets(), &ips.1.octets()].concat();
    let sum = checksum(&[&head]);
    head[10..12].copy_from_slice(&sum);
    ethernet(macs.0, macs.1, 0x0800, &[&head[..], rest].concat())
}

/// With no checksum, which may be left out.
fn udp(from: u16, to: u16) -> Vec<u8> {
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0, 12, 0, 0], b"test"].concat()
}

/// What `evil` may send, and what it may not, as it reaches `other`; `victim` is whom it plays. What the host would take for one
/// flow is another in each `turn`: what it remembers of earlier ones shall not matter.
fn frames(evil: &Host, victim: &Host, other: &Host, turn: u8) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let port = 10_000 + (std::process::id() % 40_000) as u16 + u16::from(turn);
    let foreign = Ipv4Addr::new(10, 99, turn, 1);
    const NONE: Mac = [0; 6];
    let (any, any6) = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    let own_macs = (other.mac, evil.mac);
    let nd = |source: Ipv6Addr, kind: u8, rest: &[u8]| icmp6(own_macs, (source, other.ip6), kind, rest, &[]);
    let (mine, played) = (option(1, evil.mac), option(1, victim.mac));
    let nonce = vec![14, 1, 1, 2, 3, 4, 5, 6];
    // a header of options for the destination with nothing in it, a first fragment that is all there is
    let headers = [58, 0, 1, 4, 0, 0, 0, 0];
    let router = [&[64, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0][..], &option(1, evil.mac)].concat();
    let mut echo = [8, 0, 0, 0, 0, turn, 0, 1];
    let sum = checksum(&[&echo]);
    echo[2..4].copy_from_slice(&sum);
    let good = vec![
        arp(ALL, evil.mac, 1, (evil.mac, evil.ip), (NONE, other.ip)),
        arp(ALL, evil.mac, 1, (evil.mac, evil.ip), (NONE, evil.ip)),
        arp(ALL, evil.mac, 2, (evil.mac, evil.ip), (ALL, evil.ip)),
        arp(ALL, evil.mac, 1, (evil.mac, any), (NONE, victim.ip)),
        nd(evil.ip6, 135, &about(0, other.ip6, &[&mine])),
        nd(evil.own, 135, &about(0, other.ip6, &[&mine])),
        nd(evil.ip6, 135, &about(0, victim.ip6, &[])),
        nd(any6, 135, &about(0, evil.ip6, &[&nonce])),
        nd(evil.ip6, 136, &about(0x60, evil.ip6, &[&option(2, evil.mac)])),
        nd(evil.ip6, 136, &about(0x40, evil.own, &[])),
        nd(evil.own, 133, &[&[0; 4][..], &mine].concat()),
        nd(any6, 133, &[0; 4]),
        nd(evil.ip6, 128, &[turn, 1, 0, 1, 1, 2, 3, 4]),
        icmp6(own_macs, (evil.ip6, other.ip6), 128, &[turn, 1, 0, 2, 1, 2, 3, 4], &headers),
        // who forwards for others sends with their addresses: that is no claim
        ipv4(own_macs, (victim.ip, other.ip), 17, &udp(port, 2000)),
        ipv4(own_macs, (foreign, other.ip), 17, &udp(68, 67)),
        ipv4(own_macs, (evil.ip, other.ip), 1, &echo),
    ];
    let tagged = |depth: usize| {
        let tags: Vec<u8> = [0x81, 0, 0, 0].repeat(depth);
        let inner = [&tags[2..], &[8, 6], &arp_packet(2, (evil.mac, victim.ip), (other.mac, other.ip))].concat();
        ethernet(other.mac, evil.mac, 0x8100, &inner)
    };
    let bad = vec![
        arp(other.mac, evil.mac, 2, (evil.mac, victim.ip), (other.mac, other.ip)),
        arp(ALL, evil.mac, 1, (evil.mac, victim.ip), (NONE, victim.ip)),
        arp(ALL, evil.mac, 1, (victim.mac, evil.ip), (NONE, other.ip)),
        arp(ALL, evil.mac, 1, (victim.mac, victim.ip), (NONE, other.ip)),
        arp(ALL, victim.mac, 1, (evil.mac, evil.ip), (NONE, other.ip)),
        tagged(2),
        nd(victim.ip6, 135, &about(0, other.ip6, &[&mine])),
        nd(evil.ip6, 135, &about(0, other.ip6, &[&played])),
        nd(victim.ip6, 135, &about(0, other.ip6, &[])),
        nd(any6, 135, &about(0, victim.ip6, &[&nonce])),
        nd(victim.ip6, 135, &about(0, other.ip6, &[&nonce, &mine])),
        nd(evil.ip6, 135, &about(0, other.ip6, &[&nonce, &played])),
        nd(evil.ip6, 136, &about(0x60, victim.ip6, &[&option(2, evil.mac)])),
        nd(evil.ip6, 136, &about(0x20, victim.ip6, &[])),
        nd(evil.ip6, 136, &about(0x20, evil.ip6, &[&option(2, victim.mac)])),
        icmp6(own_macs, (evil.ip6, other.ip6), 136, &about(0x60, victim.ip6, &[&option(2, evil.mac)]), &headers),
        icmp6(own_macs, (evil.ip6, other.ip6), 136, &about(0x60, evil.ip6, &[&option(2, evil.mac)]), &headers),
        nd(victim.own, 133, &[&[0; 4][..], &mine].concat()),
        nd(evil.own, 134, &router),
        icmp6(own_macs, (evil.own, other.ip6), 134, &router, &headers),
        nd(evil.own, 137, &[&[0; 4][..], &other.ip6.octets(), &victim.ip6.octets()].concat()),
        ipv4(own_macs, (foreign, other.ip), 17, &udp(67, 68)),
        ipv4(own_macs, (evil.ip, other.ip), 1, &[5, 1, 0, 0, 10, 0, 0, 1]),
        ipv4((other.mac, victim.mac), (evil.ip, other.ip), 17, &udp(port, 2000)),
    ];
    (good, bad)
}

const ALLOW: &str = "com.lighter.network.foreign_addresses=allow";

fn networks(daemon: &Daemon) {
    daemon.run(&["network", "create", "--ipv6", "own"]).ok();
    daemon.run(&["network", "create", "--ipv6", "-o", ALLOW, "any"]).ok();
}

#[test]
fn what_passes_and_what_does_not() {
    let daemon = Daemon::with_images(&["busybox"]);
    networks(&daemon);
    for network in ["own", "any"] {
        let [evil, victim, other] =
            ["evil", "victim", "other"].map(|name| Host::run(&daemon, &format!("{name}-{network}"), network, &[]));
        let mut ear = other.hear();
        let (mut good, mut bad) = (Heard::default(), Heard::default());
        // a frame may be lost: three turns show what never passes, and more may be needed for all that does
        for turn in 0..12 {
            let (may, may_not) = frames(&evil, &victim, &other, turn);
            evil.send(&[&may_not[..], &may].concat());
            let heard = ear.until_greeted(&evil, &other);
            good.take_in(&may, &heard);
            bad.take_in(&may_not, &heard);
            let expected = if network == "any" { bad.missing().is_empty() } else { true };
            if turn >= 2 && expected && good.missing().is_empty() {
                break;
            }
        }
        assert_eq!(good.missing(), [] as [&String; 0], "good ones lost on {network}");
        match network {
            "any" => assert_eq!(bad.missing(), [] as [&String; 0], "lost on a network that allows them"),
            _ => assert!(bad.passed.iter().all(|passed| !passed), "passed on {network}: {bad:?}"),
        }
    }
}

/// Which of some frames came through, in any turn.
#[derive(Debug, Default)]
struct Heard {
    passed: Vec<bool>,
    frames: Vec<String>,
}

impl Heard {
    fn take_in(&mut self, frames: &[Vec<u8>], heard: &BTreeSet<String>) {
        self.passed.resize(frames.len(), false);
        self.frames = frames.iter().map(|frame| hex(frame)).collect();
        for (passed, frame) in self.passed.iter_mut().zip(frames) {
            // tags are taken off on the way to the socket
            let shown = if frame[12..14] == [0x81, 0] { [&frame[..12], &frame[16..]].concat() } else { frame.clone() };
            *passed |= [frame, &shown].iter().any(|frame| heard.contains(&hex(frame)));
        }
    }

    fn missing(&self) -> Vec<&String> {
        self.frames.iter().zip(&self.passed).filter(|(_, passed)| !**passed).map(|(frame, _)| frame).collect()
    }
}

/// Who the host, or a container, believes to have an address.
fn neighbour(command: &mut Command, ip: &str) -> String {
    let output = command.output().expect("ip");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.split(' ').next() == Some(ip)).unwrap_or_default();
    line.split(' ').skip_while(|word| *word != "lladdr").nth(1).unwrap_or_default().to_owned()
}

fn of_host(bridge: &str, ip: &str) -> String {
    neighbour(Command::new("ip").args(["neigh", "show", "dev", bridge]), ip)
}

fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn bridge(daemon: &Daemon, network: &str) -> String {
    let id = daemon.run(&["network", "inspect", "-f", "{{.Id}}", network]).ok().stdout;
    format!("br-{}", &id[..12])
}

/// Whether the bridge sends what is for `mac` to the port behind which `evil` is.
fn is_led_to(bridge: &str, mac: Mac, evil: &Host) -> bool {
    let port = |mac: Mac| {
        let output = Command::new("bridge").args(["fdb", "show", "br", bridge]).output().expect("bridge");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with(&mac_text(mac)) && !line.contains("permanent"));
        line.map(|line| line.split(' ').nth(2).unwrap().to_owned())
    };
    port(evil.mac).is_some() && port(mac) == port(evil.mac)
}

/// The tables of the host and of its bridge keep the true entries, and what is sent goes where it should.
#[test]
fn the_host_keeps_the_true_entries() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    networks(&daemon);
    let attack = |daemon: &Daemon, network: &str| {
        let [evil, victim] = ["evil", "victim"].map(|name| Host::find(daemon, &format!("{name}-{network}")));
        let bridge = bridge(daemon, network);
        std::fs::write(format!("/proc/sys/net/ipv4/neigh/{bridge}/locktime"), "0").unwrap();
        let own: Mac = {
            let text = std::fs::read_to_string(format!("/sys/class/net/{bridge}/address")).unwrap();
            let bytes: Vec<u8> = text.trim().split(':').map(|part| u8::from_str_radix(part, 16).unwrap()).collect();
            bytes.try_into().unwrap()
        };
        let gateway: Ipv4Addr = {
            let format = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPv6Gateway}}{{end}}";
            daemon.inspect(&evil.name, format).split(' ').next().unwrap().parse().unwrap()
        };
        let gateway6 = "fe80::1".parse().unwrap();
        let known = |ip: &str| {
            // is refused, by whoever has the address
            hear(&if ip.contains(':') { format!("[{ip}]:9") } else { format!("{ip}:9") });
            !of_host(&bridge, ip).is_empty()
        };
        let (ip, ip6) = (victim.ip.to_string(), victim.ip6.to_string());
        eventually("the host knows the victim", || known(&ip) && known(&ip6));
        let macs = (own, evil.mac);
        evil.send(&[
            arp(own, evil.mac, 2, (evil.mac, victim.ip), (own, gateway)),
            arp(ALL, evil.mac, 1, (evil.mac, victim.ip), ([0; 6], victim.ip)),
            icmp6(macs, (victim.ip6, gateway6), 136, &about(0x60, victim.ip6, &[&option(2, evil.mac)]), &[]),
            icmp6(macs, (victim.ip6, gateway6), 135, &about(0, gateway6, &[&option(1, evil.mac)]), &[]),
            ethernet(own, victim.mac, 0x88b5, b"who am I?"),
            // no chain of nftables sees it
            ethernet(LLDP, victim.mac, 0x88cc, b"who am I?"),
            // the last one, which is no lie
            arp(ALL, evil.mac, 1, (evil.mac, evil.ip), ([0; 6], gateway)),
        ]);
        eventually("the host knows the evil one", || of_host(&bridge, &evil.ip.to_string()) == mac_text(evil.mac));
        let believes = |ip: &str| of_host(&bridge, ip) == mac_text(evil.mac);
        (believes(&ip), believes(&ip6), is_led_to(&bridge, victim.mac, &evil), ping_from(daemon, &evil.name, &ip))
    };
    for network in ["own", "any"] {
        for name in ["evil", "victim"] {
            Host::run(&daemon, &format!("{name}-{network}"), network, &[]);
        }
    }
    // what the victim says meanwhile puts it right again
    eventually("the forgeries are good", || matches!(attack(&daemon, "any"), (true, true, true, _)));
    let nothing = (false, false, false, true);
    assert_eq!(attack(&daemon, "own"), nothing);
    daemon.kill();
    daemon.start_again();
    assert_eq!(attack(&daemon, "own"), nothing, "after the daemon's death");
    daemon.run(&["restart", "-t", "0", "evil-own", "victim-own"]).ok();
    assert_eq!(attack(&daemon, "own"), nothing, "after a restart");
    for name in ["evil-own", "victim-own"] {
        daemon.run(&["network", "disconnect", "own", name]).ok();
        daemon.run(&["network", "connect", "own", name]).ok();
    }
    assert_eq!(attack(&daemon, "own"), nothing, "after they left and came again");
}

fn ping_from(daemon: &Daemon, from: &str, ip: &str) -> bool {
    daemon.command(&["exec", from, "ping", "-c", "1", "-W", "5", ip]).output().unwrap().status.success()
}

/// What is asked for is one's own: hardware address, addresses by hand, link-local ones; an address taken inside is not.
#[test]
fn addresses_that_were_asked_for() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "--subnet", "10.213.7.0/24", "own"]).ok();
    daemon.run(&["network", "create", "--subnet", "10.213.8.0/24", "-o", ALLOW, "any"]).ok();
    let alias = "name=own,ip=10.213.7.77,mac-address=02:11:22:33:44:55,link-local-ip=169.254.7.7";
    for (name, network) in
        [("one", alias), ("two", "name=own,link-local-ip=169.254.7.8"), ("three", "any"), ("four", "any")]
    {
        daemon
            .run(&[
                "run",
                "-d",
                "--name",
                name,
                "--cap-add",
                "NET_ADMIN",
                "--network",
                network,
                "busybox",
                "sleep",
                "1000",
            ])
            .ok();
    }
    assert!(ping_from(&daemon, "two", "10.213.7.77"));
    assert!(ping_from(&daemon, "one", "169.254.7.8"), "link-local");
    // as keepalived takes an address over
    let take = |name: &str, ip: &str| {
        daemon.run(&["exec", name, "ip", "addr", "add", &format!("{ip}/24"), "dev", "eth0"]).ok();
    };
    take("three", "10.213.8.99");
    assert!(ping_from(&daemon, "four", "10.213.8.99"));
    take("two", "10.213.7.99");
    assert!(
        !daemon
            .command(&["exec", "one", "ping", "-c", "1", "-W", "1", "10.213.7.99"])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert!(ping_from(&daemon, "two", "10.213.7.77"), "nothing else is lost");
}

/// Names of ports in the daemon's table.
fn watched(daemon: &Daemon) -> Vec<String> {
    let table = format!("lighter_{}", testkit::instance(&daemon.directory.join("data")));
    let output = Command::new("nft").args(["list", "set", "bridge", &table, "ports"]).output().expect("nft");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split('"').filter(|word| word.starts_with("veth")).map(str::to_owned).collect()
}

/// A namespace that outlives its container says nothing more on the network; and then its port is forgotten.
#[test]
fn who_has_ended_is_silent() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "--ipv6", "own"]).ok();
    let [mut one, other] = ["one", "other"].map(|name| Host::run(&daemon, name, "own", &[]));
    let mut holder = one.wire("hear").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    one.pid = holder.id().to_string();
    let mut ear = other.hear();
    let mine = arp(ALL, one.mac, 1, (one.mac, one.ip), ([0; 6], other.ip));
    daemon.run(&["stop", "-t", "0", "one"]).ok();
    // its link may be gone already
    let mut wire = one.wire("send").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let _ = writeln!(wire.stdin.take().unwrap(), "{}", hex(&mine));
    wire.wait().unwrap();
    let third = Host::run(&daemon, "third", "own", &["--ip", &one.ip.to_string()]);
    assert!(!ear.until_greeted(&third, &other).contains(&hex(&mine)));
    let _ = (holder.kill(), holder.wait());
    let is_there = |name: &String| std::path::Path::new("/sys/class/net").join(name).exists();
    eventually("its port is forgotten", || {
        let ports = watched(&daemon);
        ports.len() == 2 && ports.iter().all(is_there)
    });
}

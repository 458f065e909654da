//! `network doctor`. The daemon plays in a network namespace of its own, which is made ill.

use std::io::Write;
use std::process::{Command, Stdio};

use testkit::world::{alone, ip};
use testkit::{AtEnd, Daemon, World};

fn nft(rules: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

fn sysctl(key: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{}", key.replace('.', "/")), value).unwrap();
}

/// A name server on this host, so that the host's own are of no concern; it answers all with nothing.
fn name_server(at: &str) -> std::net::UdpSocket {
    ip(&["addr", "add", &format!("{at}/32"), "dev", "lo"]);
    let socket = std::net::UdpSocket::bind((at, 53)).expect("port 53");
    let server = socket.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            buffer[2] |= 0x80;
            let _ = server.send_to(&buffer[..length], from);
        }
    });
    socket
}

#[test]
fn a_healthy_host_and_each_illness() {
    let _world = World::cabled();
    let _server = name_server("198.18.0.57");
    let daemon = Daemon::with_flags(&["--dns", "198.18.0.57"]);
    daemon.import("busybox");
    daemon.run(&["network", "create", "--subnet", "10.80.0.0/24", "one"]).ok();
    daemon.run(&["run", "-d", "--name", "web", "--network", "one", "-p", "8080:80", "busybox", "sleep", "1000"]).ok();
    let healthy = daemon.run(&["network", "doctor"]).ok().stdout;
    assert!(healthy.lines().all(|line| line.starts_with("ok  ")), "{healthy}");
    assert!(healthy.contains("dns         198.18.0.57 (daemon.json's \"dns\") answers within"), "{healthy}");
    daemon.run(&["network", "doctor", "-q"]).ok().stdout("");
    let bridge = format!("br-{}", &daemon.run(&["network", "inspect", "-f", "{{.Id}}", "one"]).ok().stdout[..12]);
    let ill = |words: &str, advice: &str| {
        daemon.run(&["network", "doctor", "-q"]).status(1).stdout_has(words).stdout_has(advice);
    };
    sysctl("ipv4.ip_forward", "0");
    ill("IPv4 forwarding is off", "-> sysctl -w net.ipv4.ip_forward=1");
    sysctl("ipv4.ip_forward", "1");
    ip(&["link", "set", "uplink", "mtu", "1300"]);
    ill("have up to 1500 bytes, the way outside takes 1300", "restart the daemon");
    ip(&["link", "set", "uplink", "mtu", "1500"]);
    ip(&["link", "set", &bridge, "down"]);
    ill("of network one is down", &format!("-> ip link set {bridge} up"));
    ip(&["link", "set", &bridge, "up"]);
    ip(&["route", "add", "10.80.0.128/25", "dev", "uplink"]);
    ill("the subnet 10.80.0.0/24 of network one hides 10.80.0.128/25, which the host reaches by uplink", "--subnet");
    ip(&["route", "del", "10.80.0.128/25", "dev", "uplink"]);
    nft("table inet fw { chain forward { type filter hook forward priority 0; policy drop\n }\n }");
    ill(
        "chain inet fw forward drops what containers of network one send outside",
        &format!("iifname \"{bridge}\" accept"),
    );
    let advice = daemon.run(&["network", "doctor", "--format", "json"]).status(1).stdout;
    // what is advised helps
    for line in advice.lines().filter(|line| line.contains("\"firewall\"")) {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        nft(finding["Advice"].as_str().unwrap().trim_start_matches("nft "));
    }
    daemon.run(&["network", "doctor", "-q"]).ok().stdout("");
    nft("delete table inet fw");
    let veth = daemon.run(&["exec", "web", "cat", "/sys/class/net/eth0/iflink"]).ok().stdout;
    let links = Command::new("ip").args(["-o", "link"]).output().unwrap().stdout;
    let links = String::from_utf8(links).unwrap();
    let veth = links.lines().find(|line| line.starts_with(&format!("{}:", veth.trim()))).unwrap();
    ip(&["link", "del", veth.split([' ', '@']).nth(1).unwrap()]);
    ill("deleted the link of container web on network one", "lighter restart web");
    daemon.run(&["restart", "-t", "0", "web"]).ok();
    daemon.run(&["network", "doctor", "-q"]).ok().stdout("");
    nft("table inet fw { chain input { type filter hook input priority 0; policy drop; iifname lo accept\n }\n }");
    let bypassed = daemon.run(&["network", "doctor", "-q"]).ok().stdout;
    assert!(bypassed.starts_with("note     ports       published ports are open although"), "{bypassed}");
    nft("delete table inet fw");
}

#[test]
fn servers_that_do_not_answer() {
    let _world = World::cabled();
    let _server = name_server("198.18.0.58");
    let mut daemon = Daemon::with_flags(&["--dns", "198.18.0.59"]);
    let silent = "198.18.0.59 (daemon.json's \"dns\") does not answer";
    daemon.run(&["network", "doctor", "-q"]).status(1).stdout_has(silent).stdout_has("ping 198.18.0.59");
    daemon.kill();
    daemon.set_flags(&["--dns", "198.18.0.58", "--dns", "198.18.0.59", "--dns", "127.0.0.1"]);
    daemon.start_again();
    let one = daemon.run(&["network", "doctor", "-q"]).ok().stdout;
    assert!(one.starts_with(&format!("note     dns         {silent}")), "{one}");
    assert!(one.contains("127.0.0.1 (daemon.json's \"dns\") is each container itself"), "{one}");
    daemon.run(&["network", "doctor", "extra"]).status(1).stderr_has("accepts no arguments");
}

/// What the host makes anew under the same name is found again.
#[test]
fn a_parent_that_went_and_came_back() {
    alone();
    let cable = || {
        ip(&["link", "add", "cable", "type", "veth", "peer", "name", "far"]);
        ["cable", "far"].iter().for_each(|link| ip(&["link", "set", link, "up"]));
    };
    cable();
    let daemon = Daemon::with_images(&["busybox"]);
    let create = ["network", "create", "-d", "macvlan", "-o", "parent=cable", "--subnet", "10.219.0.0/24", "lan"];
    let made = daemon.run(&create);
    if made.status != 0 {
        made.stderr_has("the kernel has no macvlan links (CONFIG_");
        return;
    }
    daemon.run(&["network", "doctor"]).stdout_has("1 parent interface, each there and up");
    ip(&["link", "del", "cable"]);
    let words = "the parent interface cable of network lan is not there";
    daemon.run(&["network", "doctor", "-q"]).status(1).stdout_has(words);
    daemon.run(&["run", "--rm", "--network", "lan", "busybox", "true"]).status(125).stderr_has(words);
    // between them another one has its number
    ip(&["link", "add", "other", "type", "veth", "peer", "name", "more"]);
    cable();
    daemon.run(&["run", "--rm", "--network", "lan", "busybox", "true"]).ok();
}

/// What is just being made or taken away is nothing odd.
#[test]
fn starts_and_ends_are_no_illness() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let findings = std::thread::scope(|scope| {
        for network in ["back", "bridge"] {
            let (daemon, is_over) = (&daemon, &is_over);
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    daemon.run(&["run", "--rm", "--network", network, "busybox", "true"]).ok();
                }
            });
        }
        let examine = || daemon.command(&["network", "doctor", "-q"]).output().map(|output| output.stdout);
        let _end = AtEnd(&is_over);
        (0..25).map(|_| examine()).collect::<Vec<_>>()
    });
    for text in findings {
        let text = String::from_utf8(text.unwrap()).unwrap();
        assert!(!text.contains(" stale "), "{text}");
    }
}

//! The default bridge and new networks as daemon.json has them. The daemon plays in a network namespace of its own.

use testkit::world::{HOST6, hear};
use testkit::{Daemon, World, eventually};

fn daemon(flags: &[&str]) -> Daemon {
    let daemon = Daemon::with_flags(flags);
    daemon.import("busybox");
    daemon
}

fn inside(daemon: &Daemon, command: &str) -> String {
    daemon.run(&["run", "--rm", "busybox", "sh", "-c", command]).ok().stdout
}

const SUBNETS: &str = "{{.EnableIPv6}}{{range .IPAM.Config}} {{.Subnet}} {{.IPRange}} {{.Gateway}}{{end}}";

fn shown(daemon: &Daemon, network: &str) -> String {
    daemon.run(&["network", "inspect", "-f", SUBNETS, network]).ok().stdout.trim().to_owned()
}

#[test]
fn addresses_and_the_gateway_of_the_default_bridge() {
    let _world = World::cabled();
    let bip = ["--bip", "10.80.0.9/24", "--fixed-cidr", "10.80.0.128/25", "--default-gateway", "10.80.0.1"];
    let daemon = daemon(&bip);
    assert_eq!(shown(&daemon, "bridge"), "false 10.80.0.0/24 10.80.0.128/25 10.80.0.1");
    let text = inside(&daemon, "ip -4 addr show eth0; ip route");
    assert!(text.contains("inet 10.80.0.128/24") && text.contains("default via 10.80.0.1 "), "{text}");
    // the bridge's own address is what host-gateway means
    let hosts = ["run", "--rm", "--add-host", "me:host-gateway", "busybox", "grep", "me$", "/etc/hosts"];
    daemon.run(&hosts).ok().stdout("10.80.0.9\tme\n");
    // the world's name servers are not reached from here: the bridge is what is looked at
    let bridges = daemon.run(&["network", "doctor"]).stdout;
    assert!(bridges.contains("ok       bridges"), "{bridges}");
    let links = std::process::Command::new("ip").args(["-4", "-br", "addr"]).output().unwrap();
    assert!(String::from_utf8_lossy(&links.stdout).contains(" 10.80.0.9/24"));
}

#[test]
fn ipv6_on_the_default_bridge() {
    let world = World::cabled();
    let daemon = daemon(&["--ipv6", "--fixed-cidr-v6", "fd00:9:1::/64", "--host-gateway-ip", "192.0.2.1"]);
    let text = shown(&daemon, "bridge");
    assert!(text.starts_with("true 172.17.0.0/16  172.17.0.1 fd00:9:1::/64  fd00:9:1::1"), "{text}");
    let serve = ["run", "-d", "--name", "web", "-p", "8080:80", "busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hi"];
    daemon.run(&serve).ok();
    assert_eq!(daemon.inspect("web", "{{.NetworkSettings.Networks.bridge.GlobalIPv6Address}}"), "fd00:9:1::2");
    eventually("it listens", || hear("[fd00:9:1::2]:80").is_some());
    assert_eq!(world.hears(&format!("[{HOST6}]:8080")).as_deref(), Some("hi\n"), "from outside");
    let hosts = ["run", "--rm", "--add-host", "me:host-gateway", "busybox", "grep", "me$", "/etc/hosts"];
    daemon.run(&hosts).ok().stdout("192.0.2.1\tme\n");
}

#[test]
fn ipv6_that_is_not_said_is_chosen_and_kept() {
    let _world = World::cabled();
    let mut daemon = daemon(&["--ipv6"]);
    let first = shown(&daemon, "bridge");
    assert!(first.contains(" fd") && first.ends_with("::1"), "{first}");
    daemon.kill();
    daemon.start_again();
    assert_eq!(shown(&daemon, "bridge"), first);
    let six = inside(&daemon, "ip -6 addr show eth0 scope global; ip -6 route");
    assert!(six.contains("inet6 fd") && six.contains("default via fd"), "{six}");
}

#[test]
fn options_of_new_networks() {
    let _world = World::cabled();
    let mtu = "com.docker.network.driver.mtu";
    let daemon = daemon(&["--default-network-opt", &format!("bridge={mtu}=1280")]);
    daemon.run(&["network", "create", "one"]).ok();
    daemon.run(&["network", "create", "-o", &format!("{mtu}=1290"), "two"]).ok();
    for (network, expected) in [("one", "1280"), ("two", "1290")] {
        let file = "/sys/class/net/eth0/mtu";
        daemon
            .run(&["run", "--rm", "--network", network, "busybox", "cat", file])
            .ok()
            .stdout(&format!("{expected}\n"));
        let option = format!("{{{{index .Options \"{mtu}\"}}}}");
        daemon.run(&["network", "inspect", "-f", &option, network]).ok().stdout(&format!("{expected}\n"));
    }
}

#[test]
fn without_relays_ipv6_is_closed_to_containers_without_it() {
    let world = World::cabled();
    let daemon = daemon(&["--userland-proxy=false"]);
    let serve = ["run", "-d", "--name", "web", "-p", "8080:80", "busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hi"];
    daemon.run(&serve).ok();
    daemon.run(&["port", "web"]).ok().stdout("80/tcp -> 0.0.0.0:8080\n");
    eventually("it listens", || hear("127.0.0.1:8080").is_some());
    assert_eq!((hear("[::1]:8080"), world.hears(&format!("[{HOST6}]:8080"))), (None, None));
}

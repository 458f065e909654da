//! Published ports and the host's own firewall. The daemon plays in a network namespace of its own, which stands for the host.

use std::io::Write;
use std::process::{Command, Stdio};

use testkit::world::{HOST, WORLD, hear};
use testkit::{Cli, Daemon, World, eventually, real_docker};

/// Writes rules as the host's administrator would.
fn nft(rules: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

const CLOSED: &str = "
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iifname lo accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    }
}
";

fn open(port: u16) {
    nft(&format!("add rule inet filter input ip saddr {WORLD} tcp dport {port} accept"));
}

/// Greets whoever connects to port 80.
fn greet(daemon: &Daemon, name: &str, flags: &[&str]) {
    let base = ["run", "-d", "--name", name];
    daemon.run(&[&base[..], flags, &["busybox", "nc", "-ll", "-p", "80", "-e", "echo", name]].concat()).ok();
    let at = format!("{}:80", daemon.inspect(name, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"));
    eventually("it listens", || hear(&at).is_some());
}

fn warnings(daemon: &Daemon) -> Vec<String> {
    let text = daemon.run(&["info", "--format", "{{range .Warnings}}{{println .}}{{end}}"]).ok().stdout;
    text.lines().filter(|line| line.contains("firewall")).map(str::to_owned).collect()
}

#[test]
fn a_firewall_that_is_jumped_over_is_told() {
    let world = World::cabled();
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        greet(&daemon, "web", &["-p", "8080:80", "-p", "127.0.0.1:8081:80"]);
        assert_eq!(warnings(&daemon), [] as [&str; 0]);
        nft(CLOSED);
        assert_eq!(world.hears(&format!("{HOST}:8080")).as_deref(), Some("web\n"), "as with Docker");
        let expected = "WARNING: published ports are open although the host's firewall (inet filter input) refuses them: \
            8080/tcp (web); \"host-firewall\": \"respect\" lets it decide";
        assert_eq!(warnings(&daemon), [expected]);
        nft("add rule inet filter input tcp dport 8080 accept");
        assert_eq!(warnings(&daemon), [] as [&str; 0], "what all may reach is not hidden by a firewall");
        nft("delete table inet filter");
    }
}

#[test]
fn a_firewall_that_is_respected_decides() {
    let world = World::cabled();
    nft(CLOSED);
    let mut daemon = Daemon::with_flags(&["--host-firewall", "respect"]);
    daemon.import("busybox");
    daemon.run(&["network", "create", "-o", "com.lighter.network.host_firewall=bypass", "open"]).ok();
    greet(&daemon, "web", &["-p", "8080:80"]);
    greet(&daemon, "other", &["-p", "8081:80", "--network", "open"]);
    let hears = |port: u16| world.hears(&format!("{HOST}:{port}"));
    assert_eq!((hears(8080), hears(8081).as_deref()), (None, Some("other\n")));
    assert!(hear("127.0.0.1:8080").is_some() && hear(&format!("{HOST}:8080")).is_some(), "the host itself");
    open(8080);
    assert_eq!(hears(8080).as_deref(), Some("web\n"));
    let warning = warnings(&daemon);
    assert!(warning.len() == 1 && warning[0].contains("8081/tcp (other);"), "{warning:?}");
    daemon.kill();
    assert_eq!(hears(8080).as_deref(), Some("web\n"), "without a daemon");
    nft("flush chain inet filter input");
    assert_eq!(hears(8080), None);
    daemon.set_flags(&[]);
    daemon.start_again();
    daemon.run(&["ps"]).ok(); // it has looked around
    assert_eq!(hears(8080).as_deref(), Some("web\n"), "the default bridge is as the daemon now says");
    nft("delete table inet filter");
}

#[test]
fn who_reaches_each_port() {
    let _world = World::cabled();
    let daemon = Daemon::with_flags(&["--host-firewall", "respect"]);
    daemon.import("busybox");
    nft(CLOSED);
    open(8080);
    greet(&daemon, "web", &["-p", "0.0.0.0:8080:80", "-p", "127.0.0.1:8081:80", "--expose", "81"]);
    let ip = daemon.inspect("web", "{{.NetworkSettings.Networks.bridge.IPAddress}}");
    let expected = format!(
        "80/tcp -> 0.0.0.0:8080
  loopback          yes      127.0.0.1:8080
  this host         yes      at its addresses: {HOST}
  host's networks   depends  203.0.113.0/24 (uplink): the host's firewall decides by who asks (inet filter input)
  other containers  yes      those on bridge at {ip}:80; those of all networks but internal ones by the host's addresses \
         (the host's firewall decides by who asks (inet filter input))
  anybody           depends  who finds a way to {HOST}: the host's firewall decides by who asks (inet filter input)
80/tcp -> 127.0.0.1:8081
  loopback          yes      127.0.0.1:8081
  this host         yes      127.0.0.1:8081
  host's networks   no       it is published on loopback, which nobody outside reaches
  other containers  yes      those on bridge at {ip}:80
  anybody           no       it is published on loopback, which nobody outside reaches
81/tcp (not published)
  loopback          no       it is not published
  this host         yes      {ip}:81
  host's networks   no       it is not published
  other containers  yes      those on bridge at {ip}:81
  anybody           no       it is not published
"
    );
    daemon.run(&["port", "--who", "web"]).ok().stdout(&expected);
    daemon.run(&["port", "--who", "web", "81"]).ok().stdout_has("81/tcp (not published)");
    daemon.run(&["port", "--who", "web", "82"]).status(1).stderr_has("web neither publishes nor exposes port '82'");
    daemon.run(&["port", "--who", "nobody"]).status(1).stderr_has("No such container: nobody");
    daemon.run(&["run", "-d", "--name", "mate", "--network", "container:web", "busybox", "sleep", "99"]).ok();
    daemon.run(&["port", "--who", "mate"]).ok().stdout_has("It shares the network of web");
    daemon.run(&["run", "-d", "--name", "own", "--network", "host", "--expose", "90", "busybox", "sleep", "99"]).ok();
    let host = daemon.run(&["port", "--who", "own"]).ok().stdout;
    assert!(host.contains("90/tcp (not published)\n  loopback          yes"), "{host}");
    assert!(
        host.contains("anybody           no       who finds a way to 203.0.113.2: the host's firewall refuses"),
        "{host}"
    );
    daemon.run(&["create", "--name", "asleep", "-p", "80", "busybox"]).ok();
    daemon.run(&["port", "--who", "asleep"]).ok().stdout("It does not run: nobody reaches it.\n");
}

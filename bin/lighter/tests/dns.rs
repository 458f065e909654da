//! Containers find each other by name.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use testkit::{Cli, Daemon, real_docker};

fn run(daemon: &Daemon, name: &str, flags: &[&str]) {
    daemon.run(&[&["run", "-d", "--name", name][..], flags, &["busybox", "sleep", "1000"]].concat()).ok();
}

fn ip(daemon: &Daemon, container: &str, network: &str) -> String {
    daemon.inspect(container, &format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}"))
}

/// What `nslookup` in a container finds, sorted; empty for nothing.
fn lookup(daemon: &Daemon, from: &str, name: &str) -> Vec<String> {
    let output = daemon.command(&["exec", from, "nslookup", "-type=a", name]).output().expect("nslookup");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers = text.split_once("\n\n").map_or("", |(_, answers)| answers);
    let mut found: Vec<String> =
        answers.lines().filter_map(|line| line.strip_prefix("Address: ")).map(str::to_owned).collect();
    found.sort();
    found
}

#[test]
fn names_aliases_and_who_knows_them() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    daemon.run(&["network", "create", "front"]).ok();
    run(&daemon, "db", &["--network", "back", "--network-alias", "store"]);
    run(&daemon, "db2", &["--network", "back", "--network-alias", "store"]);
    run(&daemon, "web", &["--network", "back", "--network", "front", "--link", "db:mine"]);
    run(&daemon, "user", &["--network", "front"]);
    let (db, db2) = (ip(&daemon, "db", "back"), ip(&daemon, "db2", "back"));
    assert_eq!(lookup(&daemon, "web", "db"), [db.as_str()]);
    assert_eq!(lookup(&daemon, "web", "db.back"), [db.as_str()]);
    assert_eq!(lookup(&daemon, "web", "mine"), [db.as_str()], "a link");
    assert_eq!(lookup(&daemon, "web", "store"), [db.as_str(), db2.as_str()], "an alias of two");
    assert_eq!(lookup(&daemon, "user", "db"), [] as [&str; 0], "not on its network");
    assert_eq!(lookup(&daemon, "user", "web"), [ip(&daemon, "web", "front")]);
    daemon.run(&["stop", "-t", "0", "db"]).ok();
    assert_eq!(lookup(&daemon, "web", "store"), [db2.as_str()], "gone at once");
    daemon.run(&["rename", "db2", "db3"]).ok();
    assert_eq!(lookup(&daemon, "web", "db3"), [db2.as_str()]);
    daemon.run(&["exec", "web", "cat", "/etc/resolv.conf"]).ok().stdout_has("nameserver 127.0.0.11\n");
}

#[test]
fn names_are_back_when_a_killed_daemon_is() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    run(&daemon, "db", &["--network", "back"]);
    run(&daemon, "web", &[]);
    assert_eq!(lookup(&daemon, "web", "db"), [] as [&str; 0]);
    daemon.run(&["network", "connect", "back", "web"]).ok();
    let db = ip(&daemon, "db", "back");
    assert_eq!(lookup(&daemon, "web", "db"), [db.as_str()], "since it was connected");
    daemon.kill();
    let begin = Instant::now();
    daemon.start_again();
    assert_eq!(lookup(&daemon, "web", "db"), [db.as_str()]);
    assert!(begin.elapsed() < Duration::from_secs(10));
    daemon.run(&["restart", "-t", "0", "db"]).ok();
    assert_eq!(lookup(&daemon, "web", "db"), [ip(&daemon, "db", "back")]);
}

/// A server outside: answers each question with 192.0.2.7.
fn outside() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.53:53").expect("port 53 of 127.0.0.53");
    let server = socket.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            if length < 12 {
                return;
            }
            answer[2] |= 0x80;
            answer[7] = 1;
            answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            let _ = server.send_to(&answer, from);
        }
    });
    socket
}

#[test]
fn what_is_no_container_is_asked_outside_but_not_from_an_internal_network() {
    let _server = outside();
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "open"]).ok();
    daemon.run(&["network", "create", "--internal", "closed"]).ok();
    run(&daemon, "one", &["--network", "open", "--dns", "127.0.0.53"]);
    run(&daemon, "two", &["--network", "closed", "--dns", "127.0.0.53"]);
    assert_eq!(lookup(&daemon, "one", "example.org"), ["192.0.2.7"]);
    assert_eq!(lookup(&daemon, "two", "example.org"), [] as [&str; 0]);
    assert_eq!(lookup(&daemon, "two", "two"), [ip(&daemon, "two", "closed")]);
}

#[test]
fn a_name_server_in_a_container_has_its_port() {
    let Some(docker) = real_docker() else { return };
    let daemon = Daemon::with_images(&["busybox"]).through(Cli::Docker(docker));
    daemon.run(&["network", "create", "back"]).ok();
    daemon
        .run(&["run", "-d", "--name", "ns", "--network", "back", "busybox", "nc", "-ll", "-p", "53", "-e", "cat"])
        .ok();
    assert_eq!(daemon.inspect("ns", "{{.State.Running}}"), "true");
    assert_eq!(lookup(&daemon, "ns", "ns"), [ip(&daemon, "ns", "back")]);
}

//! Ports of containers on the host.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use testkit::{Cli, Daemon, free_port, real_docker};

/// A web server in a container; its page is its name.
fn serve(daemon: &Daemon, name: &str, flags: &[&str]) {
    let script = format!("mkdir /w; echo {name} > /w/index.html; exec httpd -f -p 80 -h /w");
    daemon.run(&[&["run", "-d", "--name", name][..], flags, &["busybox", "sh", "-c", &script]].concat()).ok();
}

/// What `http://ADDRESS/` has.
fn ask(address: &str) -> Option<String> {
    use std::io::Write;
    let mut text = String::new();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    stream.read_to_string(&mut text).ok()?;
    if text.contains("200 OK") { text.lines().last().map(str::to_owned) } else { None }
}

/// The same, waited for a while.
fn page(address: &str) -> Option<String> {
    let mut tries = (0..100).map(|_| {
        ask(address).or_else(|| {
            std::thread::sleep(Duration::from_millis(20));
            None
        })
    });
    tries.find_map(|page| page)
}

/// Another test's daemon may have got the port meanwhile: each serves other pages.
fn is_gone(address: &str, name: &str) -> bool {
    ask(address).as_deref() != Some(name)
}

/// The address `docker port` tells, of IPv4.
fn address(daemon: &Daemon, container: &str, port: &str) -> String {
    let text = daemon.run(&["port", container, port]).ok().stdout;
    text.lines().find(|line| !line.starts_with('[')).unwrap_or_default().replace("0.0.0.0", "127.0.0.1")
}

#[test]
fn a_port_is_reached_by_both_families_and_over_a_daemons_death() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    // not one that another test's daemon chooses while this one is dead
    serve(&daemon, "home", &["-p", &format!("{}:80", free_port())]);
    let at = address(&daemon, "home", "80");
    let at6 = at.replace("127.0.0.1", "[::1]");
    assert_eq!((page(&at).as_deref(), page(&at6).as_deref()), (Some("home"), Some("home")));
    daemon.kill();
    assert_eq!(page(&at).as_deref(), Some("home"), "without a daemon");
    daemon.start_again();
    assert_eq!((page(&at).as_deref(), page(&at6).as_deref()), (Some("home"), Some("home")));
    daemon.run(&["restart", "-t", "0", "home"]).ok();
    let at = address(&daemon, "home", "80");
    assert_eq!(page(&at).as_deref(), Some("home"));
    daemon.run(&["rm", "-f", "home"]).ok();
    assert!(is_gone(&at, "home"));
}

#[test]
fn a_port_does_not_wait_for_a_stopped_shim() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    serve(&daemon, "still", &["-p", &format!("{}:80", free_port())]);
    let at = address(&daemon, "still", "80");
    assert_eq!(page(&at).as_deref(), Some("still"));
    let shim = rustix::process::Pid::from_raw(daemon.shim("still").cast_signed()).unwrap();
    let signal = |signal| rustix::process::kill_process(shim, signal).unwrap();
    daemon.kill();
    signal(rustix::process::Signal::STOP);
    daemon.start_again();
    assert_eq!(daemon.inspect("still", "{{.State.Status}}"), "running", "the daemon has looked at all");
    assert_eq!(page(&at).as_deref(), Some("still"));
    signal(rustix::process::Signal::CONT);
    daemon.run(&["rm", "-f", "still"]).ok();
    assert!(is_gone(&at, "still"));
}

#[test]
fn who_has_a_port_is_said() {
    let daemon = Daemon::with_images(&["busybox"]);
    serve(&daemon, "web", &["-p", "127.0.0.1::80"]);
    let at = address(&daemon, "web", "80");
    let (_, port) = at.rsplit_once(':').unwrap();
    let wanted = format!("{port}:80");
    for (wanted, names) in [(port, "web\n"), ("1-9/udp", ""), ("80", "")] {
        let filter = format!("publish={wanted}");
        daemon.run(&["ps", "--filter", &filter, "--format", "{{.Names}}"]).ok().stdout(names);
    }
    let taken = format!("Bind for 0.0.0.0:{port} failed: port is already allocated (by container web)");
    daemon.run(&["run", "-d", "--name", "late", "-p", &wanted, "busybox", "true"]).status(125).stderr_has(&taken);
    assert_eq!(daemon.inspect("late", "{{.State.Status}}"), "created");
    let program = TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = format!("127.0.0.1:{}:80", program.local_addr().unwrap().port());
    daemon.run(&["run", "--rm", "-p", &wanted, "busybox", "true"]).status(125).stderr_has("address already in use");
    daemon.run(&["rm", "-f", "web"]).ok();
    daemon.run(&["start", "late"]).ok();
}

#[test]
fn datagrams_and_all_that_is_exposed() {
    let daemon = Daemon::with_images(&["debian"]);
    let echo =
        "$s = IO::Socket::INET->new(LocalPort => 7, Proto => 'udp'); $s->send($b) while defined $s->recv($b, 99)";
    let flags = ["run", "-d", "--name", "echo", "-P", "--expose", "7/udp", "--expose", "8-9", "debian"];
    daemon.run(&[&flags[..], &["perl", "-MIO::Socket::INET", "-e", echo]].concat()).ok();
    daemon.run(&["ps", "--format", "{{.Ports}}"]).ok().stdout_has("->8/tcp").stdout_has("->9/tcp");
    let at = address(&daemon, "echo", "7/udp");
    for (own, at) in [("127.0.0.1:0", at.clone()), ("[::1]:0", at.replace("127.0.0.1", "[::1]"))] {
        let socket = UdpSocket::bind(own).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut buffer = [0; 16];
        let answered = (0..25).any(|_| socket.send_to(b"hello", &at).is_ok() && socket.recv(&mut buffer).is_ok());
        assert!(answered && &buffer[..5] == b"hello", "{at}");
    }
}

#[test]
fn through_dockers_own_client() {
    let Some(docker) = real_docker() else { return };
    let daemon = Daemon::with_images(&["busybox"]).through(Cli::Docker(docker));
    daemon.run(&["network", "create", "n1"]).ok();
    serve(&daemon, "site", &["--network", "n1", "-p", "127.0.0.1:0:80"]);
    let at = address(&daemon, "site", "80");
    assert_eq!(page(&at).as_deref(), Some("site"));
    daemon.run(&["network", "disconnect", "n1", "site"]).ok();
    assert!(is_gone(&at, "site"));
    daemon.run(&["rm", "-f", "site"]).ok();
}

#[test]
fn lists_by_ports() {
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        let run = |name: &str, flags: &[&str]| {
            daemon.run(&[&["run", "-d", "--name", name][..], flags, &["busybox", "sleep", "1000"]].concat()).ok();
        };
        run("web", &["-p", "80", "--expose", "9000-9002/udp"]);
        run("quiet", &[]);
        let list = |filter: &str| daemon.run(&["ps", "--filter", filter, "--format", "{{.Names}}"]).ok().stdout;
        let at = address(&daemon, "web", "80");
        let port = at.rsplit(':').next().unwrap();
        for (filter, found) in [
            (format!("publish={port}"), "web\n"),
            (format!("publish={port}-{port}/tcp"), "web\n"),
            (format!("publish={port}/udp"), ""),
            ("publish=80".into(), ""),
            ("expose=80".into(), "web\n"),
            ("expose=9001/udp".into(), "web\n"),
            ("expose=8000-9999/udp".into(), "web\n"),
            ("expose=9001".into(), ""),
            ("expose=80/foo".into(), ""),
        ] {
            assert_eq!(list(&filter), found, "{filter}");
        }
        let wrong = |filter: &str, words: &str| {
            daemon.run(&["ps", "--filter", filter]).status(1).stderr_has(words);
        };
        wrong("publish=x", "error while looking up for publish x: strconv.ParseUint: parsing \"x\": invalid syntax");
        wrong("expose=5-3", "Invalid range specified for the Port: 5-3");
    }
}

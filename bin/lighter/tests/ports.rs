//! Ports of containers on the host.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use testkit::{Cli, Daemon, real_docker};

/// A web server in a container; its page is its name.
fn serve(daemon: &Daemon, name: &str, flags: &[&str]) {
    let script = format!("mkdir /w; echo {name} > /w/index.html; exec httpd -f -p 80 -h /w");
    daemon.run(&[&["run", "-d", "--name", name][..], flags, &["busybox", "sh", "-c", &script]].concat()).ok();
}

/// What `http://ADDRESS/` has, waited for a while.
fn page(address: &str) -> Option<String> {
    use std::io::Write;
    for _ in 0..100 {
        let mut text = String::new();
        let done = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            stream.read_to_string(&mut text)
        });
        if done.is_ok() && text.contains("200 OK") {
            return text.lines().last().map(str::to_owned);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// The address `docker port` tells, of IPv4.
fn address(daemon: &Daemon, container: &str, port: &str) -> String {
    let text = daemon.run(&["port", container, port]).ok().stdout;
    text.lines().find(|line| !line.starts_with('[')).unwrap_or_default().replace("0.0.0.0", "127.0.0.1")
}

#[test]
fn a_port_is_reached_by_both_families_and_over_a_daemons_death() {
    let mut daemon = Daemon::with_images(&["busybox"]);
    serve(&daemon, "web", &["-p", "80"]);
    let at = address(&daemon, "web", "80");
    let at6 = at.replace("127.0.0.1", "[::1]");
    assert_eq!((page(&at).as_deref(), page(&at6).as_deref()), (Some("web"), Some("web")));
    daemon.kill();
    assert_eq!(page(&at).as_deref(), Some("web"), "without a daemon");
    daemon.start_again();
    assert_eq!((page(&at).as_deref(), page(&at6).as_deref()), (Some("web"), Some("web")));
    daemon.run(&["restart", "-t", "0", "web"]).ok();
    let at = address(&daemon, "web", "80");
    assert_eq!(page(&at).as_deref(), Some("web"));
    daemon.run(&["rm", "-f", "web"]).ok();
    assert!(TcpStream::connect(&at).is_err());
}

#[test]
fn who_has_a_port_is_said() {
    let daemon = Daemon::with_images(&["busybox"]);
    serve(&daemon, "web", &["-p", "127.0.0.1::80"]);
    let at = address(&daemon, "web", "80");
    let (_, port) = at.rsplit_once(':').unwrap();
    let wanted = format!("{port}:80");
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
    serve(&daemon, "web", &["--network", "n1", "-p", "127.0.0.1:0:80"]);
    let at = address(&daemon, "web", "80");
    assert_eq!(page(&at).as_deref(), Some("web"));
    daemon.run(&["network", "disconnect", "n1", "web"]).ok();
    assert!(TcpStream::connect(&at).is_err());
    daemon.run(&["rm", "-f", "web"]).ok();
}

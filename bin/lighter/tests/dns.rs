//! Containers find each other by name.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use testkit::world::{alone, beside, ip as set_ip};
use testkit::{AtEnd, Cli, Daemon, eventually, real_docker};

fn run(daemon: &Daemon, name: &str, flags: &[&str]) {
    daemon.run(&[&["run", "-d", "--name", name][..], flags, &["busybox", "sleep", "1000"]].concat()).ok();
}

fn ip(daemon: &Daemon, container: &str, network: &str) -> String {
    daemon.inspect(container, &format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}"))
}

/// Runs `work` in a container's network namespace. A server that is begun there goes on.
fn inside<T: Send>(daemon: &Daemon, container: &str, work: impl FnOnce() -> T + Send) -> T {
    beside(&daemon.inspect(container, "{{.State.Pid}}"), work)
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

/// Answers each question with 192.0.2 and that number.
fn answers(at: &str, number: u8) {
    let server = UdpSocket::bind((at, 53)).expect("port 53");
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            if length < 12 {
                return;
            }
            answer[2] |= 0x80;
            answer[7] = 1;
            answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, number]);
            let _ = server.send_to(&answer, from);
        }
    });
}

#[test]
fn what_is_no_container_is_asked_outside_but_not_from_an_internal_network() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "open"]).ok();
    daemon.run(&["network", "create", "--internal", "closed"]).ok();
    run(&daemon, "one", &["--network", "open", "--dns", "127.0.0.53"]);
    run(&daemon, "two", &["--network", "closed", "--dns", "127.0.0.53"]);
    ["one", "two"].iter().for_each(|name| inside(&daemon, name, || answers("127.0.0.53", 7)));
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

/// A question for the addresses of a name; `size`: by EDNS, of the largest answer.
fn question(name: &str, size: Option<u16>) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(size.is_some())];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    if let Some(size) = size {
        bytes.extend_from_slice(&[0, 0, 41]);
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
    }
    bytes
}

/// Answers `nNUMBER.example` with so many addresses; by UDP as many as the question allows, or with the bit that says "ask
/// by TCP".
fn answer(question: &[u8], by_tcp: bool) -> Vec<u8> {
    let label = usize::from(question[12]);
    let count: u16 = String::from_utf8_lossy(&question[14..13 + label]).parse().unwrap_or(1);
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let has_size = question[11] == 1;
    let size = if has_size { u16::from_be_bytes([question[end + 3], question[end + 4]]) } else { 512 };
    let mut bytes = question[..end].to_vec();
    (bytes[2], bytes[3], bytes[11]) = (0x81, 0x80, 0);
    let whole = by_tcp || bytes.len() + 16 * usize::from(count) <= usize::from(size.max(512));
    if !whole {
        bytes[2] |= 2;
        return bytes;
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    for number in 0..count {
        let [high, low] = number.to_be_bytes();
        bytes.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, high, low]);
    }
    bytes
}

/// A name server that is asked by UDP and by TCP.
fn large_answers(at: &str) {
    let (udp, tcp) = (UdpSocket::bind((at, 53)).unwrap(), TcpListener::bind((at, 53)).unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(&answer(&buffer[..length], false), from);
        }
    });
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = tcp.accept() {
            while let Some(question) = framed(&mut stream) {
                let answer = answer(&question, true);
                let length = (answer.len() as u16).to_be_bytes();
                let _ = stream.write_all(&[&length[..], &answer].concat());
            }
        }
    });
}

fn framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).ok().map(|()| message)
}

/// Asked again as resolvers do: a datagram is lost where the queue of its socket is full, as by a flood from the same container.
fn ask_udp(name: &str, size: Option<u16>) -> Vec<u8> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut buffer = vec![0; 65_535];
    let mut ask = || {
        socket.send_to(&question(name, size), "127.0.0.11:53").unwrap();
        socket.recv(&mut buffer).ok()
    };
    let length = (0..5).find_map(|_| ask()).expect("an answer by UDP");
    buffer.truncate(length);
    buffer
}

/// Several questions by one connection.
fn ask_tcp(names: &[&str]) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect("127.0.0.11:53").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let ask = |name: &&str| {
        let question = question(name, None);
        stream.write_all(&[&(question.len() as u16).to_be_bytes()[..], &question].concat()).unwrap();
        framed(&mut stream).expect("an answer by TCP")
    };
    names.iter().map(ask).collect()
}

fn is_truncated(answer: &[u8]) -> bool {
    answer[2] & 2 != 0
}

fn records(answer: &[u8]) -> u16 {
    u16::from_be_bytes([answer[6], answer[7]])
}

#[test]
fn by_tcp_and_in_large_datagrams() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    run(&daemon, "db", &["--network", "back"]);
    run(&daemon, "web", &["--network", "back", "--dns", "127.0.0.54"]);
    inside(&daemon, "web", || {
        large_answers("127.0.0.54");
        let [db, large, nobody] = &ask_tcp(&["db", "n90.example", "nobody"])[..] else { panic!() };
        assert_eq!((records(db), records(large), records(nobody)), (1, 90, 1), "by one connection");
        // 1 record is 45 bytes, 20 are 349, 60 are 989, 90 are 1469
        for (name, size, whole) in [
            ("n20.example", None, true),
            ("n60.example", None, false),
            ("n60.example", Some(1232), true),
            ("n90.example", Some(1232), false),
            ("n90.example", Some(4096), true),
            ("n20.example", Some(100), true),
        ] {
            for _ in 0..2 {
                // the second time it may be remembered
                let answer = ask_udp(name, size);
                let expected = if whole { name[1..3].parse().unwrap() } else { 0 };
                assert_eq!((is_truncated(&answer), records(&answer)), (!whole, expected), "{name} {size:?}");
                assert!(answer.len() <= usize::from(size.unwrap_or(512).max(512)), "{name} {size:?}");
            }
        }
        let answer = ask_udp("db", Some(1232));
        assert_eq!(
            (records(&answer), u16::from_be_bytes([answer[10], answer[11]])),
            (1, 1),
            "EDNS is answered by EDNS"
        );
    });
}

/// One that asks much is answered all of it, at once.
#[test]
fn many_questions_at_the_same_time() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    run(&daemon, "web", &["--network", "back", "--dns", "127.0.0.55"]);
    inside(&daemon, "web", || {
        large_answers("127.0.0.55");
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answered = 0;
        for round in 0..20 {
            for number in 0..100 {
                let name = format!("n1.x{round}y{number}.example");
                socket.send_to(&question(&name, None), "127.0.0.11:53").unwrap();
            }
            let mut buffer = [0; 512];
            answered += (0..100)
                .filter(|_| socket.recv(&mut buffer).is_ok_and(|length| records(&buffer[..length]) == 1))
                .count();
        }
        assert_eq!(answered, 2000);
    });
}

/// Answers nobody before so many wait, unless no more come; then all of them at once.
fn late_answers(at: &str, wait: usize) {
    let socket = UdpSocket::bind((at, 53)).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 16 << 20).unwrap();
    std::thread::spawn(move || {
        let mut waiting = vec![];
        let mut buffer = [0; 512];
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        loop {
            let read = socket.recv_from(&mut buffer);
            if let Ok((length, from)) = read {
                waiting.push((answer(&buffer[..length], false), from));
            }
            if read.is_err() || waiting.len() >= wait {
                waiting.drain(..).for_each(|(answer, from)| drop(socket.send_to(&answer, from)));
            }
        }
    });
}

/// Many more questions at a time than the daemon has sockets for, from several containers, all of them answered.
#[test]
fn a_burst_of_questions_outside() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    let names = ["c0", "c1", "c2", "c3", "c4"];
    names.iter().for_each(|name| run(&daemon, name, &["--network", "back", "--dns", "127.0.0.60"]));
    let burst = |name: &str| {
        inside(&daemon, name, || {
            late_answers("127.0.0.60", 400);
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 16 << 20).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            for number in 0..800 {
                socket.send_to(&question(&format!("n1.x{number}.{name}"), None), "127.0.0.11:53").unwrap();
            }
            let mut buffer = [0; 512];
            (0..800).filter(|_| socket.recv(&mut buffer).is_ok_and(|length| records(&buffer[..length]) == 1)).count()
        })
    };
    let answered = std::thread::scope(|scope| {
        let all = names.map(|name| scope.spawn(move || burst(name)));
        all.map(|one| one.join().unwrap())
    });
    assert_eq!(answered, [800; 5]);
}

/// A server that cannot help is no answer where another one can.
#[test]
fn servers_that_refuse_are_passed_over() {
    const REFUSED: u8 = 5;
    let refuse = || {
        let socket = UdpSocket::bind("127.0.0.61:53").unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                (buffer[2], buffer[3]) = (0x81, 0x80 | REFUSED);
                let _ = socket.send_to(&buffer[..length], from);
            }
        });
    };
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    run(&daemon, "both", &["--network", "back", "--dns", "127.0.0.61", "--dns", "127.0.0.62"]);
    run(&daemon, "none", &["--network", "back", "--dns", "127.0.0.61"]);
    ["both", "none"].iter().for_each(|name| inside(&daemon, name, refuse));
    inside(&daemon, "both", || large_answers("127.0.0.62"));
    let asked = |name: &str| inside(&daemon, name, || ask_udp("n1.example", None));
    assert_eq!(records(&asked("both")), 1);
    assert_eq!(asked("none")[3] & 15, REFUSED, "as it was said");
}

/// Questions that nobody outside answers wait, but not so many that nothing is left for others. They wait for three servers, one
/// after the other: who is told before that has asked too much.
#[test]
fn who_asks_too_much_is_told() {
    let silent = ["127.0.0.56", "127.0.0.57", "127.0.0.58"];
    const THREE_SERVERS: Duration = Duration::from_secs(12);
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    run(&daemon, "web", &[&["--network", "back"][..], &silent.map(|at| ["--dns", at]).concat()].concat());
    run(&daemon, "other", &["--network", "back", "--dns", "127.0.0.63"]);
    let _silent = inside(&daemon, "web", || silent.map(|at| UdpSocket::bind((at, 53)).expect("port 53")));
    inside(&daemon, "other", || large_answers("127.0.0.63"));
    let (is_told, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let flood = || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let (mut buffer, mut refused, begin) = ([0; 512], 0, Instant::now());
        for number in 0u64.. {
            if is_over.load(Relaxed) {
                break;
            }
            let _ = socket.send_to(&question(&format!("n{number}.example"), None), "127.0.0.11:53");
            refused += u32::from(socket.recv(&mut buffer).is_ok_and(|_| buffer[3] & 15 == 2));
            if refused == 1 && !is_told.swap(true, Relaxed) {
                assert!(begin.elapsed() < THREE_SERVERS, "it was not told, but had no answer");
                assert_eq!(records(&ask_udp("web", None)), 1, "names of containers are known meanwhile");
            }
        }
    };
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| inside(&daemon, "web", flood));
        let ending = AtEnd(&is_over);
        eventually("one is told that it asks too much", || is_told.load(Relaxed) || flooding.is_finished());
        inside(&daemon, "other", || {
            for number in 0..100 {
                // who had to wait for the other one, which goes on until this ends, would have none
                assert_eq!(records(&ask_udp(&format!("n1.y{number}.example"), None)), 1);
            }
        });
        drop(ending);
        flooding.join().unwrap();
    });
    assert!(is_told.load(Relaxed));
    assert_eq!(lookup(&daemon, "other", "web"), [ip(&daemon, "web", "back")]);
}

/// Servers are asked from where the container is: each of two has its own at the same address, and no other is heard.
#[test]
fn each_container_asks_its_own_servers() {
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    // the first is who answers names: not asked, however it is written
    for (name, number, itself) in [("one", 1, "127.0.0.11"), ("two", 2, "::ffff:127.0.0.11")] {
        run(&daemon, name, &["--network", "back", "--dns", itself, "--dns", "127.0.0.66"]);
        inside(&daemon, name, || answers("127.0.0.66", number));
    }
    for _ in 0..2 {
        // the second time it may be remembered
        assert_eq!(lookup(&daemon, "one", "example.org"), ["192.0.2.1"]);
        assert_eq!(lookup(&daemon, "two", "example.org"), ["192.0.2.2"]);
    }
    let by_address = ["--network", "back", "--dns", &ip(&daemon, "one", "back")];
    run(&daemon, "three", &by_address);
    inside(&daemon, "one", || answers(by_address[3], 3));
    assert_eq!(lookup(&daemon, "three", "example.org"), ["192.0.2.3"], "in a container beside it");
    daemon.run(&["restart", "-t", "0", "two"]).ok();
    inside(&daemon, "two", || answers("127.0.0.66", 4));
    assert_eq!(lookup(&daemon, "two", "example.com"), ["192.0.2.4"], "in its new namespace");
}

/// The host itself does not reach those that stand on a link of its own.
#[test]
fn a_name_server_that_the_host_does_not_reach() {
    alone();
    set_ip(&["link", "add", "cable", "type", "veth", "peer", "name", "far"]);
    ["cable", "far"].iter().for_each(|link| set_ip(&["link", "set", link, "up"]));
    let mut daemon = Daemon::with_images(&["busybox"]);
    let subnet = ["--subnet", "10.214.0.0/24", "--gateway", "10.214.0.1"];
    let create = ["network", "create", "-d", "macvlan", "-o", "parent=cable"];
    let made = daemon.run(&[&create[..], &subnet, &["lan"]].concat());
    if made.status != 0 {
        made.stderr_has("the kernel has no macvlan links (CONFIG_");
        return;
    }
    run(&daemon, "hole", &["--network", "lan", "--ip", "10.214.0.53"]);
    run(&daemon, "web", &["--network", "lan", "--dns", "10.214.0.53"]);
    inside(&daemon, "hole", || large_answers("10.214.0.53"));
    inside(&daemon, "web", || {
        assert_eq!(records(&ask_udp("n2.example", None)), 2);
        assert_eq!(records(&ask_tcp(&["n90.example"])[0]), 90);
    });
    daemon.kill();
    daemon.start_again();
    inside(&daemon, "web", || assert_eq!(records(&ask_udp("n3.example", None)), 3));
}

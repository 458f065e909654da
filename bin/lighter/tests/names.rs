//! Names as of now: who has ended is not found, who runs is; what outside servers said is remembered as long as they say; the
//! host's `resolv.conf` is followed. Asked as a container's program asks, at 127.0.0.11.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::world::{alone, beside, own_mounts};
use testkit::{AtEnd, Cli, Daemon, real_docker};

const PATIENCE: Duration = Duration::from_secs(10);
/// A question by a datagram is asked again after this, as resolvers do: a daemon that is just coming back may have lost it.
const AGAIN: Duration = Duration::from_secs(2);

fn question(name: &str, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let mut bytes = vec![high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}

/// The one address a server at `at` has for a name, from the calling thread's namespace.
fn ask_at(at: &str, name: &str) -> Option<Ipv4Addr> {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) as u16;
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(AGAIN)).unwrap();
    let mut buffer = [0; 512];
    let mut once = || {
        socket.send_to(&question(name, number), (at, 53)).ok()?;
        socket.recv(&mut buffer).ok()
    };
    let length = (0..5).find_map(|_| once()).expect("an answer");
    assert_eq!(buffer[..2], number.to_be_bytes(), "somebody else's answer");
    let answer = &buffer[..length];
    match answer[7] {
        0 => None,
        1 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(&answer[length - 4..]).unwrap())),
        more => panic!("{more} answers for {name}"),
    }
}

fn ask(name: &str) -> Option<Ipv4Addr> {
    ask_at("127.0.0.11", name)
}

fn pid(daemon: &Daemon, container: &str) -> String {
    daemon.inspect(container, "{{.State.Pid}}")
}

fn run(daemon: &Daemon, name: &str, network: &str) {
    daemon.run(&["run", "-d", "--name", name, "--network", network, "busybox", "sleep", "1000"]).ok();
}

fn address(daemon: &Daemon, container: &str) -> Option<Ipv4Addr> {
    daemon.inspect(container, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}").parse().ok()
}

/// One question and its answer.
struct Sample {
    asked: Instant,
    answered: Instant,
    name: &'static str,
    answer: Option<Ipv4Addr>,
}

/// A time in which nothing was changed, and what was to be answered then.
struct Calm {
    since: Instant,
    until: Instant,
    after: &'static str,
    expected: [Option<Ipv4Addr>; 2],
}

/// While commands are given, another container asks without pause: what it asks after a command has returned, and before the
/// next, is answered as things are then.
#[test]
fn no_answer_is_older_than_the_last_command() {
    // no names that an id may begin with: `inspect` takes those, too
    for cli in [Some(Cli::Lighter), real_docker().map(Cli::Docker)].into_iter().flatten() {
        let daemon = Daemon::with_images(&["busybox"]).through(cli);
        daemon.run(&["network", "create", "--internal", "back"]).ok();
        run(&daemon, "asker", "back");
        run(&daemon, "store", "back");
        let (samples, done, asker) = (Mutex::new(vec![]), AtomicBool::new(false), pid(&daemon, "asker"));
        let mut calms = vec![];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                beside(&asker, || {
                    for name in ["store", "store2"].into_iter().cycle() {
                        let asked = Instant::now();
                        let answer = ask(name);
                        samples.lock().unwrap().push(Sample { asked, answered: Instant::now(), name, answer });
                        if done.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            });
            let _done = AtEnd(&done);
            let mut give = |command: &[&str], after: &'static str| {
                daemon.run(command).ok();
                let since = Instant::now();
                let expected = ["store", "store2"].map(|name| {
                    let is_up = daemon.command(&["inspect", "-f", "{{.State.Running}}", name]).output().unwrap();
                    if is_up.stdout == b"true\n" { address(&daemon, name) } else { None }
                });
                // for some questions to be asked
                let enough = samples.lock().unwrap().len() + 20;
                testkit::eventually("questions are asked", || samples.lock().unwrap().len() >= enough);
                calms.push(Calm { since, until: Instant::now(), after, expected });
            };
            give(&["stop", "-t", "0", "store"], "stop");
            give(&["start", "store"], "start");
            give(&["rename", "store", "store2"], "rename");
            give(&["rename", "store2", "store"], "rename back");
            give(&["network", "disconnect", "back", "store"], "disconnect");
            give(&["network", "connect", "back", "store"], "connect");
            give(&["restart", "-t", "0", "store"], "restart");
            give(&["kill", "store"], "kill");
            give(&["start", "store"], "start after kill");
            give(&["pause", "store"], "pause");
            give(&["unpause", "store"], "unpause");
            give(&["rm", "-f", "store"], "rm -f");
            give(&["run", "-d", "--name", "store2", "--network", "back", "busybox", "sleep", "1000"], "run");
        });
        let samples = samples.into_inner().unwrap();
        for calm in &calms {
            let of_it = samples.iter().filter(|one| one.asked >= calm.since && one.answered <= calm.until);
            let mut count = 0;
            for sample in of_it {
                let expected = calm.expected[usize::from(sample.name == "store2")];
                assert_eq!(sample.answer, expected, "{} after {}", sample.name, calm.after);
                count += 1;
            }
            assert!(count > 0, "nobody asked after {}", calm.after);
        }
    }
}

/// Answers all questions with one address, valid for so many seconds; counts them.
fn outside(at: &str, address: [u8; 4], lifetime: u8) -> &'static AtomicUsize {
    let count: &'static AtomicUsize = Box::leak(Box::default());
    let socket = UdpSocket::bind((at, 53)).expect("port 53 of a namespace of the test's own");
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            count.fetch_add(1, Ordering::Relaxed);
            let mut answer = buffer[..length].to_vec();
            (answer[2], answer[7]) = (0x81, 1);
            answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, lifetime, 0, 4]);
            answer.extend_from_slice(&address);
            let _ = socket.send_to(&answer, from);
        }
    });
    count
}

const ONE: Option<Ipv4Addr> = Some(Ipv4Addr::new(192, 0, 2, 1));
const TWO: Option<Ipv4Addr> = Some(Ipv4Addr::new(192, 0, 2, 2));

#[test]
fn what_is_remembered() {
    // port 53 is free there
    alone();
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    for (name, server) in [("asker", "127.1.0.1"), ("other", "127.1.0.2")] {
        daemon
            .run(&["run", "-d", "--name", name, "--network", "back", "--dns", server, "busybox", "sleep", "1000"])
            .ok();
    }
    let long = beside(&pid(&daemon, "asker"), || outside("127.1.0.1", [192, 0, 2, 1], 200));
    let never = beside(&pid(&daemon, "other"), || outside("127.1.0.2", [192, 0, 2, 2], 0));
    beside(&pid(&daemon, "asker"), || {
        for _ in 0..3 {
            assert_eq!(ask("example.org"), ONE);
        }
    });
    assert_eq!(long.load(Ordering::Relaxed), 1, "remembered");
    beside(&pid(&daemon, "other"), || {
        for _ in 0..3 {
            assert_eq!(ask("example.org"), TWO, "not what another server said");
        }
    });
    assert_eq!(never.load(Ordering::Relaxed), 3, "valid for no time");
    // a name that was asked for outside, and then is a container's
    let asks = || beside(&pid(&daemon, "asker"), || ask("db"));
    assert_eq!(asks(), ONE);
    run(&daemon, "db", "back");
    assert_eq!(asks(), address(&daemon, "db"));
    daemon.run(&["stop", "-t", "0", "db"]).ok();
    assert_eq!(asks(), ONE, "no container's any more");
}

/// `/etc` for this thread and what it starts: a copy that may be changed.
fn own_etc() {
    own_mounts();
    let script = "rm -rf $0 && cp -a /etc $0 && mount -t tmpfs etc /etc && cp -a $0/. /etc && rm -rf $0";
    let copy = format!("/tmp/lighter-etc-{}", std::process::id());
    assert!(Command::new("sh").args(["-c", script, &copy]).status().unwrap().success(), "a copy of /etc");
}

#[test]
fn the_hosts_resolv_conf_is_followed() {
    // port 53 is free there
    alone();
    own_etc();
    outside("127.1.0.1", [192, 0, 2, 1], 200);
    outside("127.1.0.2", [192, 0, 2, 2], 200);
    let sh = |script: &str| {
        let done = Command::new("sh").args(["-ec", script]).current_dir("/etc").status().unwrap();
        assert!(done.success(), "{script}");
    };
    sh("rm -f resolv.conf; echo nameserver 127.1.0.1 >resolv.conf");
    let mut daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "back"]).ok();
    run(&daemon, "asker", "back");
    daemon.run(&["run", "-d", "--name", "plain", "busybox", "sleep", "1000"]).ok();
    let asker = pid(&daemon, "asker");
    let asks = || beside(&asker, || ask("example.org"));
    assert_eq!(asks(), ONE);
    for (script, expected, what) in [
        ("echo nameserver 127.1.0.2 >resolv.conf", TWO, "written in place"),
        ("echo nameserver 127.1.0.1 >new; mv new resolv.conf", ONE, "replaced"),
        (
            "cp -p resolv.conf old; echo nameserver 127.1.0.2 >new; touch -r resolv.conf new; mv new resolv.conf",
            TWO,
            "by one as old",
        ),
        ("ln -s old link; mv -T link resolv.conf", ONE, "replaced by a link"),
        (
            "echo nameserver 127.1.0.2 >other; touch -r old other; ln -s other link; mv -T link resolv.conf",
            TWO,
            "by another link",
        ),
        ("echo nameserver 127.1.0.1 >new; mv new other", ONE, "the end of the link replaced"),
        ("rm resolv.conf", None, "removed"),
        (
            "printf '# none\\nnameserver 127.1.0.9\\nnameserver 127.1.0.2\\n' >resolv.conf",
            TWO,
            "the second of two answers",
        ),
    ] {
        sh(script);
        assert_eq!(asks(), expected, "{what}");
    }
    // the file of one on the default bridge is the host's as of its start
    sh("printf 'nameserver 192.0.2.53\\nsearch one.example\\n' >resolv.conf");
    let file = |daemon: &Daemon| daemon.run(&["exec", "plain", "cat", "/etc/resolv.conf"]).ok().stdout;
    assert!(!file(&daemon).contains("192.0.2.53"));
    daemon.run(&["restart", "-t", "0", "plain"]).ok();
    let text = file(&daemon);
    assert!(text.contains("nameserver 192.0.2.53\n") && text.contains("search one.example\n"), "{text}");
    // a daemon that comes later reads it, too
    daemon.kill();
    sh("echo nameserver 127.1.0.1 >resolv.conf");
    daemon.start_again();
    assert_eq!(asks(), ONE, "after the daemon's death");
}

/// Nobody outside is asked for a container that is on internal networks alone, by TCP either, and not for one that was on another.
#[test]
fn internal_networks_know_nothing_of_outside() {
    // port 53 is free there
    alone();
    let daemon = Daemon::with_images(&["busybox"]);
    daemon.run(&["network", "create", "--internal", "closed"]).ok();
    daemon.run(&["network", "create", "open"]).ok();
    daemon
        .run(&["run", "-d", "--name", "asker", "--network", "closed", "--dns", "127.1.0.1", "busybox", "sleep", "1000"])
        .ok();
    run(&daemon, "db", "closed");
    let asked = beside(&pid(&daemon, "asker"), || outside("127.1.0.1", [192, 0, 2, 1], 0));
    let asks = |name: &'static str| beside(&pid(&daemon, "asker"), || ask(name));
    assert_eq!((asks("example.org"), asks("db")), (None, address(&daemon, "db")));
    let by_tcp = |name: &str| {
        beside(&pid(&daemon, "asker"), || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect("127.0.0.11:53").unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let question = question(name, 7);
            stream.write_all(&[&(question.len() as u16).to_be_bytes()[..], &question].concat()).unwrap();
            let mut head = [0; 14];
            stream.read_exact(&mut head).unwrap();
            (head[5] & 15, head[9])
        })
    };
    const SERVER_FAILURE: u8 = 2;
    assert_eq!((by_tcp("example.org"), by_tcp("db")), ((SERVER_FAILURE, 0), (0, 1)));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    daemon.run(&["network", "connect", "open", "asker"]).ok();
    assert_eq!(asks("example.org"), ONE);
    daemon.run(&["network", "disconnect", "open", "asker"]).ok();
    let before = asked.load(Ordering::Relaxed);
    assert_eq!(asks("example.org"), None);
    assert_eq!(asked.load(Ordering::Relaxed), before);
}

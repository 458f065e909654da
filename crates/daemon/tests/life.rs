//! Whole daemons, each a process in a network namespace and with roots of its own: this program run again with `daemon`
//! as its first argument. Needs root. (No containers here: what they see of a daemon's life is tested with the programs.)

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sys::namespace::{Kinds, unshare};

type Test = (&'static str, fn(&Scratch));

const TESTS: &[Test] = &[
    ("it_answers_and_ends", it_answers_and_ends),
    ("the_same_roots_are_refused", the_same_roots_are_refused),
    ("a_killed_daemon_leaves_nothing_in_the_way", a_killed_daemon_leaves_nothing_in_the_way),
    ("it_reads_its_file_again", it_reads_its_file_again),
    ("it_takes_systemds_sockets", it_takes_systemds_sockets),
    ("it_starts_in_a_pid_namespace_of_another_session", it_starts_in_a_pid_namespace_of_another_session),
    ("it_says_what_is_wrong", it_says_what_is_wrong),
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if args.get(1).is_some_and(|arg| arg == "daemon") {
        return daemon::main(args.into_iter().skip(2).collect());
    }
    // Links made by the daemons end with this thread's namespace.
    unshare(Kinds::NETWORK).expect("new network namespace (root needed)");
    let filter = args.get(1).and_then(|arg| arg.to_str()).filter(|arg| !arg.starts_with('-')).unwrap_or("");
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(filter)) {
        test(&Scratch::new(name));
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// A directory of one test, with this program as `lighter` and something that stands for the shim.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lighter-life-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::copy(std::env::current_exe().unwrap(), path.join("lighter")).unwrap();
        std::fs::write(path.join("lighter-shim"), "").unwrap();
        std::fs::write(path.join("daemon.json"), "{}").unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A daemon with the roots `NAME` and `NAME-run` and the socket `NAME.sock`.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.at("lighter"));
        command.args(["daemon", "--data-root", &self.at(name), "--exec-root", &self.at(&format!("{name}-run"))]);
        command.args(["--config-file", &self.at("daemon.json")]).stderr(Stdio::piped());
        command
    }

    fn start(&self, name: &str) -> Daemon {
        let socket = self.at(&format!("{name}.sock"));
        let child = self.command(name).args(["-H", &format!("unix://{socket}")]).spawn().unwrap();
        let daemon = Daemon { child, socket: socket.into() };
        until("the daemon answers", || daemon.ping().is_some());
        daemon
    }

    /// What a daemon that cannot start says, and its exit status.
    fn refusal(&self, name: &str, args: &[&str]) -> (String, Option<i32>) {
        let output = self.command(name).args(args).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (text.lines().last().unwrap_or_default().to_owned(), output.status.code())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    fn ping(&self) -> Option<String> {
        ping(&self.socket)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end: exit status and all it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ping(socket: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.starts_with("HTTP/1.1 200").then_some(text)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn it_answers_and_ends(scratch: &Scratch) {
    let notify = UnixDatagram::bind(scratch.at("notify")).unwrap();
    notify.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 64];
    let mut state = || {
        let length = notify.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let socket = scratch.at("a.sock");
    let mut command = scratch.command("a");
    command.args(["-H", &format!("unix://{socket}")]).env("NOTIFY_SOCKET", scratch.at("notify"));
    let daemon = Daemon { child: command.spawn().unwrap(), socket: socket.into() };
    assert_eq!(state(), "READY=1");
    assert!(daemon.ping().unwrap().ends_with("OK"));
    let pid = std::fs::read_to_string(scratch.at("a-run/lighter.pid")).unwrap();
    assert_eq!(pid, daemon.child.id().to_string());
    daemon.signal(Signal::TERM);
    assert_eq!(state(), "STOPPING=1");
    let socket = daemon.socket.clone();
    let (status, text) = daemon.end();
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("level=info msg=\"Daemon has completed initialization\""), "{text}");
    assert!(!socket.exists() && !Path::new(&scratch.at("a-run/lighter.pid")).exists());
}

fn the_same_roots_are_refused(scratch: &Scratch) {
    let first = scratch.start("a");
    let other = scratch.start("b");
    let refused = |name: &str, args: &[&str], expected: &str| {
        let (text, status) = scratch.refusal(name, args);
        assert!(text.contains(expected) && status == Some(1), "{text}");
    };
    let free = format!("unix://{}", scratch.at("c.sock"));
    let used = format!("unix://{}", scratch.at("a.sock"));
    refused("a", &["-H", &free], &format!("another daemon (pid {}) has the data root", first.child.id()));
    refused("c", &["-H", &used], "another daemon answers there");
    assert!(first.ping().is_some() && other.ping().is_some());
}

fn a_killed_daemon_leaves_nothing_in_the_way(scratch: &Scratch) {
    for _ in 0..3 {
        let daemon = scratch.start("a");
        daemon.signal(Signal::KILL);
        let socket = daemon.socket.clone();
        drop(daemon);
        assert!(socket.exists() && ping(&socket).is_none());
    }
    assert!(scratch.start("a").ping().is_some());
}

/// As in a CI's sandbox: the session's leader has no number there.
fn it_starts_in_a_pid_namespace_of_another_session(scratch: &Scratch) {
    let (socket, daemon) = (scratch.at("a.sock"), scratch.command("a"));
    let mut command = Command::new("unshare");
    command.args(["--pid", "--mount-proc", "--fork", "--kill-child"]).arg(daemon.get_program()).args(daemon.get_args());
    command.args(["-H", &format!("unix://{socket}")]).stderr(Stdio::piped());
    let mut daemon = Daemon { child: command.spawn().unwrap(), socket: socket.into() };
    until("the daemon answers or ends", || daemon.ping().is_some() || daemon.child.try_wait().unwrap().is_some());
    if daemon.ping().is_none() {
        panic!("{}", daemon.end().1);
    }
    assert_eq!(std::fs::read_to_string(scratch.at("a-run/lighter.pid")).unwrap(), "1");
}

fn it_reads_its_file_again(scratch: &Scratch) {
    let daemon = scratch.start("a");
    let write = |text: &str| {
        std::fs::write(scratch.at("daemon.json"), text).unwrap();
        daemon.signal(Signal::HUP);
        std::thread::sleep(Duration::from_millis(300));
    };
    write(r#"{"debug": true, "mtu": 1300}"#);
    write(r#"{"debug": 1}"#);
    daemon.signal(Signal::INT);
    let (status, text) = daemon.end();
    assert_eq!(status, Some(0));
    for expected in [
        "msg=\"configuration read again, changed: [debug]\"",
        "msg=\"these directives count from the daemon's next start on: mtu\"",
        "invalid value for directive debug: true or false is expected, not 1",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

/// As systemd does it: the socket is descriptor 3, and `LISTEN_PID` is the daemon's own.
fn it_takes_systemds_sockets(scratch: &Scratch) {
    let socket = PathBuf::from(scratch.at("a.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    let inherited = rustix::io::dup(&listener).unwrap(); // without close-on-exec
    let script = format!("exec 3<&{}; export LISTEN_PID=$$; exec \"$@\"", inherited.as_raw_fd());
    let daemon = scratch.command("a");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash"]).arg(daemon.get_program()).args(daemon.get_args());
    command.args(["-H", "fd://"]).env("LISTEN_FDS", "1").stderr(Stdio::piped());
    let daemon = Daemon { child: command.spawn().unwrap(), socket: socket.clone() };
    drop((listener, inherited));
    until("the daemon answers", || daemon.ping().is_some());
    daemon.signal(Signal::TERM);
    let (status, text) = daemon.end();
    assert_eq!(status, Some(0), "{text}");
    assert!(socket.exists(), "systemd's own");
    let (text, status) = scratch.refusal("a", &["-H", "fd://"]);
    assert!(text.contains("no sockets found via socket activation") && status == Some(1), "{text}");
}

fn it_says_what_is_wrong(scratch: &Scratch) {
    let check = |file: &str, args: &[&str], expected: &str, code: i32| {
        std::fs::write(scratch.at("daemon.json"), file).unwrap();
        let (text, status) = scratch.refusal("a", args);
        assert!(text.contains(expected) && status == Some(code), "{text} {status:?}");
    };
    check("{}", &["--foo"], "See 'lighter daemon --help'.", 125);
    check(r#"{"foo": 1}"#, &[], "the following directives don't match any configuration option: foo", 1);
    check(r#"{"mtu": 1}"#, &[], "invalid default MTU: 1", 1);
    check("{}", &["-G", "no-such-group"], "failed to start daemon: group no-such-group not found", 1);
    check("{}", &["-H", "tcp://0.0.0.0:1"], "--tls=false", 1);
    std::fs::remove_file(scratch.at("lighter-shim")).unwrap();
    let free = format!("unix://{}", scratch.at("c.sock"));
    check("{}", &["-H", &free], "lighter-shim is missing beside", 1);
    assert!(!Path::new(&scratch.at("c.sock")).exists());
}

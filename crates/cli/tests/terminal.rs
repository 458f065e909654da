//! The user's terminal under `run -it`: raw while it lasts, and as it was before, however it ends.

mod recorder;

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use recorder::{Recorder, json};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A terminal's two ends, and a client that sits at it.
struct Seat {
    master: std::fs::File,
    slave: OwnedFd,
    child: Child,
    daemon: Recorder,
}

/// A daemon whose containers have a terminal that echoes what it gets.
fn daemon() -> Recorder {
    Recorder::answering(Box::new(|request| {
        let target = request.target.as_str();
        if target.contains("/attach") || target.contains("/exec/") && target.ends_with("/start") {
            let head = "HTTP/1.1 101 UPGRADED\r\nApi-Version: 1.55\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
            return Some(head.as_bytes().to_vec());
        }
        if target.contains("/wait") {
            return Some(json("200 OK", "{\"StatusCode\":7}"));
        }
        let verb = ["/start", "/kill", "/resize"].iter().any(|verb| target.contains(verb));
        verb.then(|| b"HTTP/1.1 204 No Content\r\nApi-Version: 1.55\r\n\r\n".to_vec())
    }))
}

impl Seat {
    fn take(words: &[&str]) -> Seat {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&slave, Winsize { ws_row: 33, ws_col: 111, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let daemon = daemon();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = Command::new(recorder::client())
            .args(words)
            .env("DOCKER_HOST", daemon.address())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Seat { master: std::fs::File::from(master), slave, child, daemon }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(self.slave.as_fd()).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    fn wait_until(&self, what: &str, mut condition: impl FnMut(&Seat) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited for: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn type_in(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the client does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the daemon was asked for this since the last time.
    fn asked(&self, part: &str) -> bool {
        self.daemon.take().iter().any(|request| request.target.contains(part))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn detach_keys_restore_it() {
    let mut seat = Seat::take(&["run", "-it", "img"]);
    seat.wait_until("raw mode", Seat::is_raw);
    assert!(seat.asked("/resize?h=33&w=111"));
    seat.type_in(b"abc\x10");
    seat.type_in(b"\x11");
    assert_eq!(seat.end().code(), Some(0));
    assert!(!seat.is_raw());
}

#[test]
fn the_end_of_the_streams_restores_it() {
    let mut seat = Seat::take(&["run", "-it", "--detach-keys=ctrl-a", "img"]);
    seat.wait_until("raw mode", Seat::is_raw);
    seat.type_in(recorder::HANG_UP);
    assert_eq!(seat.end().code(), Some(7));
    assert!(!seat.is_raw());
}

#[test]
fn signals_are_passed_on() {
    let mut seat = Seat::take(&["run", "-it", "img"]);
    seat.wait_until("raw mode", Seat::is_raw);
    seat.signal(Signal::TERM);
    seat.wait_until("the signal at the daemon", |seat| seat.asked("/kill?signal=TERM"));
    seat.signal(Signal::USR1);
    seat.wait_until("the signal at the daemon", |seat| seat.asked("/kill?signal=USR1"));
    tcsetwinsize(&seat.slave, Winsize { ws_row: 5, ws_col: 6, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    seat.signal(Signal::WINCH);
    seat.wait_until("the new size", |seat| seat.asked("/resize?h=5&w=6"));
    assert!(seat.is_raw());
    seat.type_in(recorder::HANG_UP);
    assert_eq!(seat.end().code(), Some(7));
    assert!(!seat.is_raw());
}

#[test]
fn without_proxy_a_signal_ends_us_and_restores_it() {
    use std::os::unix::process::ExitStatusExt;
    let mut seat = Seat::take(&["run", "-it", "--sig-proxy=false", "img"]);
    seat.wait_until("raw mode", Seat::is_raw);
    seat.signal(Signal::TERM);
    assert_eq!(seat.end().signal(), Some(15));
    assert!(!seat.is_raw());
}

#[test]
fn three_signals_force_us_out_and_restore_it() {
    let mut seat = Seat::take(&["run", "-it", "img"]);
    seat.wait_until("raw mode", Seat::is_raw);
    for _ in 0..3 {
        seat.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(seat.end().code(), Some(1));
    assert!(!seat.is_raw());
}

#[test]
fn an_exec_restores_it() {
    let mut seat = Seat::take(&["exec", "-it", "c", "sh"]);
    seat.wait_until("raw mode", Seat::is_raw);
    seat.type_in(b"\x10\x11");
    assert_eq!(seat.end().code(), Some(1));
    assert!(!seat.is_raw());
}

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// A client under a terminal of ours, as a person would have it.
pub struct Terminal {
    master: File,
    /// `None`: no more than the client has it.
    slave: Option<OwnedFd>,
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Runs `command` with a terminal of 80 columns and 24 rows as its three streams.
    pub fn run(command: Command) -> Self {
        Self::sized(command, 24, 80)
    }

    /// The same with another size.
    pub fn sized(mut command: Command, rows: u16, cols: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("pty");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        let name = ptsname(&master, Vec::new()).expect("ptsname");
        let slave: OwnedFd = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().expect("a pty's name"))
            .expect("open the pty")
            .into();
        resize(master.as_fd(), rows, cols);
        let stream = || Stdio::from(slave.try_clone().expect("dup"));
        command.stdin(stream()).stdout(stream()).stderr(stream()).env("TERM", "xterm");
        let child = command.spawn().expect("run the client");
        let master = File::from(master);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (master.try_clone().expect("dup"), seen.clone());
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                sink.lock().expect("screen").extend_from_slice(&buffer[..n]);
            }
        });
        Self { master, slave: Some(slave), child, seen, reader: Some(reader) }
    }

    /// Waits for the client's end, at most 20 seconds: its status, and everything that was printed.
    #[track_caller]
    pub fn ended(mut self) -> (i32, String) {
        let status = self.status();
        // nobody holds the terminal any more: the reader comes to its end
        self.slave = None;
        self.reader.take().map(JoinHandle::join).transpose().expect("read the terminal");
        (status, self.screen())
    }

    pub fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("type");
    }

    /// Everything that was printed so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("screen")).into_owned()
    }

    /// Waits until `text` has been printed, at most 20 seconds.
    #[track_caller]
    pub fn expect(&self, text: &str) {
        let begin = Instant::now();
        while !self.screen().contains(text) {
            assert!(begin.elapsed() < Duration::from_secs(20), "no {text:?} on the screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Forgets what was printed so far.
    pub fn clear(&self) {
        self.seen.lock().expect("screen").clear();
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        resize(self.master.as_fd(), rows, cols);
        // the client is not the session's leader, so the kernel tells nobody
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::WINCH);
    }

    /// The terminal's modes, to see whether they were restored.
    pub fn modes(&self) -> Termios {
        tcgetattr(self.slave.as_ref().expect("the terminal")).expect("tcgetattr")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the client's end, at most 20 seconds; its status.
    #[track_caller]
    pub fn status(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "the client does not end; screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn resize(master: std::os::fd::BorrowedFd<'_>, rows: u16, cols: u16) {
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("resize");
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

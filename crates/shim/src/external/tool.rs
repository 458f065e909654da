//! One call of the runtime program.

use crate::protocol;
use runtime::StartError;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitStatus};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use sys::clone::Child;
use sys::program::Strings;

/// <https://man7.org/linux/man-pages/man7/signal.7.html>
pub const SIGKILL: i32 = 9;
/// For a killed program to end.
const DEATH: Duration = Duration::from_secs(1);
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program with all that comes before a command.
pub struct Tool {
    program: CString,
    words: Vec<String>,
    /// What it logs, one JSON object a line.
    log: PathBuf,
}

/// Its standard streams.
pub enum Streams {
    Null,
    /// The container's: the program hands its own on.
    Container {
        stdin: Option<OwnedFd>,
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
}

impl Tool {
    /// Its state and log live in `directory`.
    pub fn new(external: &protocol::External, directory: &Path) -> Result<Self, StartError> {
        let log = directory.join("runtime.log");
        let mut words = vec![external.program.clone()];
        words.extend(external.args.iter().cloned());
        words.extend(["--root".into(), super::text(&directory.join("runtime"))]);
        words.extend(["--log".into(), super::text(&log), "--log-format".into(), "json".into()]);
        if external.systemd_cgroup {
            words.push("--systemd-cgroup".into());
        }
        let program = CString::new(external.program.as_str()).map_err(|e| StartError::other(e.to_string()))?;
        Ok(Self { program, words, log })
    }

    /// Runs a command to its end; the error is the last one that it logged.
    pub fn run(&self, command: &[String], streams: Streams, patience: Duration) -> Result<(), String> {
        let child = self.spawn(command, streams)?;
        match wait(&child.pidfd, Instant::now() + patience) {
            Some(status) => self.judge(&command[0], status),
            None => {
                end(&child);
                // One which the kernel does not let go is reaped with our other children.
                let _ = wait(&child.pidfd, Instant::now() + DEATH);
                Err(self.late(&command[0], patience))
            }
        }
    }

    /// Starts a command. Our end of the streams is closed with `streams`.
    pub fn spawn(&self, command: &[String], streams: Streams) -> Result<Child, String> {
        let _ = std::fs::remove_file(&self.log);
        let failed = |e: rustix::io::Errno| format!("cannot run {}: {e}", self.words[0]);
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let nul = |e| format!("cannot run {}: {e}", self.words[0]);
        let args = Strings::new(self.words.iter().chain(command).map(String::as_str)).map_err(nul)?;
        let env = Strings::new([PATH]).map_err(nul)?;
        let [stdin, stdout, stderr] = match &streams {
            Streams::Null => [null.as_fd(); 3],
            Streams::Container { stdin, stdout, stderr } => {
                [stdin.as_ref().map_or(null.as_fd(), AsFd::as_fd), stdout.as_fd(), stderr.as_fd()]
            }
        };
        sys::clone::spawn(&sys::clone::Clone::default(), || {
            if place(stdin, stdout, stderr).is_err() || sys::signal::reset_all().is_err() {
                return 126;
            }
            // Nobody but us would end it when it hangs.
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            // A group of its own, so that all of it can be ended.
            let _ = rustix::process::setsid();
            let _ = sys::program::execve(&self.program, &args, &env);
            127
        })
        .map_err(failed)
    }

    /// What an ended command's status (exit code, or 128 + signal) means.
    pub fn judge(&self, command: &str, status: i32) -> Result<(), String> {
        match status {
            0 => Ok(()),
            127 if !self.log.exists() => Err(format!("{}: the OCI runtime program cannot be executed", self.words[0])),
            _ => Err(self.last_error().unwrap_or_else(|| {
                format!("{} {command} did not terminate successfully: exit status {status}", self.words[0])
            })),
        }
    }

    /// What is said of one that had to be ended.
    pub fn late(&self, command: &str, patience: Duration) -> String {
        let time = match patience.as_secs() {
            1 => "1 second".to_owned(),
            seconds => format!("{seconds} seconds"),
        };
        format!("the OCI runtime {} has not finished `{command}` for {time} and was killed", self.words[0])
    }

    fn last_error(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Line {
            level: String,
            msg: String,
        }
        let text = std::fs::read_to_string(&self.log).ok()?;
        let lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        lines.into_iter().find(|line| matches!(line.level.as_str(), "error" | "fatal")).map(|line| line.msg)
    }
}

/// Ends a call and what it has started that is still of its group.
pub fn end(child: &Child) {
    if sys::signal::kill(-child.pid, SIGKILL).is_err() {
        let _ = sys::signal::send(&child.pidfd, SIGKILL);
    }
}

/// Exit code, or 128 + signal.
pub fn code(status: WaitStatus) -> i32 {
    status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(255)
}

fn place(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)
}

/// Reaps it; its exit code, or 128 + signal. None at the deadline.
fn wait(pidfd: &OwnedFd, until: Instant) -> Option<i32> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return None,
            Err(rustix::io::Errno::INTR) => {}
            _ => break,
        }
    }
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).ok().flatten();
    Some(status.and_then(|s| s.exit_status().or(s.terminating_signal().map(|signal| 128 + signal))).unwrap_or(255))
}

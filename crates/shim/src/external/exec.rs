//! Execs by an external runtime: begun at the request, finished when the program ends; the shim's loop goes on meanwhile.

use super::{Begun, EXEC_PATIENCE, External, console::ConsoleSocket, pid_in, text, tool};
use crate::pipes::Pipes;
use crate::protocol;
use runtime::{Running, StartError};
use rustix::fs::{Mode, OFlags};
use rustix::process::WaitStatus;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use sys::clone::Child;
use values::Timestamp;

/// An exec that the program is about to start.
pub struct Pending {
    /// The connection that asked.
    pub control: u32,
    pub order: protocol::Exec,
    /// It is a health probe: since when, and how long it may take.
    pub probe: Option<(Timestamp, Duration)>,
    pub deadline: Instant,
    child: Child,
    pipes: Pipes,
    console: Option<ConsoleSocket>,
    pid_file: PathBuf,
    process_file: PathBuf,
}

/// A child that ended before it was known whose it is.
pub struct Stray {
    pub pid: i32,
    pub status: WaitStatus,
    pub at: Timestamp,
}

impl Pending {
    pub(super) fn begin(
        external: &External,
        control: u32,
        order: protocol::Exec,
        container: &Running,
    ) -> Result<Self, StartError> {
        let file = |kind: &str| external.bundle.join(format!("{kind}.{}", order.id));
        let (pid_file, process_file) = (file("pid"), file("process"));
        let process = serde_json::to_vec(&process(&order, container)?).map_err(|e| StartError::other(e.to_string()))?;
        std::fs::write(&process_file, process)
            .map_err(|e| StartError::other(format!("{}: {e}", process_file.display())))?;
        let wants = &order.attach;
        let (pipes, theirs) = Pipes::new(order.terminal, [wants.stdin, wants.stdout, wants.stderr])
            .map_err(|e| StartError::other(format!("standard streams: {e}")))?;
        let mut words: Vec<String> = vec!["exec".into(), "--detach".into(), "--process".into(), text(&process_file)];
        words.extend(["--pid-file".into(), text(&pid_file)]);
        let (streams, console, _) = external.streams(theirs.into_stdio(order.rows, order.cols), &mut words)?;
        words.push(external.id.clone());
        let child = external.tool.spawn(&words, streams).map_err(StartError::other)?;
        let deadline = Instant::now() + EXEC_PATIENCE;
        Ok(Self { control, order, probe: None, deadline, child, pipes, console, pid_file, process_file })
    }

    /// Whether this ended child is our call.
    pub fn is(&self, pid: i32) -> bool {
        self.child.pid == pid
    }

    /// Its deadline has passed.
    pub fn give_up(self, external: &External) -> StartError {
        tool::end(&self.child);
        self.clean_up();
        StartError::other(external.tool.late("exec", EXEC_PATIENCE))
    }

    /// The program ended with this status.
    pub fn finish(mut self, external: &External, status: WaitStatus) -> Result<Begun, StartError> {
        let judged = external.tool.judge("exec", tool::code(status)).map_err(StartError::other);
        let pid = judged.and_then(|()| pid_in(&self.pid_file));
        self.clean_up();
        let pid = pid?;
        let raw = rustix::process::Pid::from_raw(pid).ok_or_else(|| StartError::other("no process"))?;
        let pidfd = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty());
        // One that ended already is told by its pidfd's like: see `Stray`.
        let pidfd = pidfd.or_else(|_| rustix::io::fcntl_dupfd_cloexec(&self.child.pidfd, 3));
        let pidfd = pidfd.map_err(|e| StartError::other(format!("exec's process {pid}: {e}")))?;
        let size = (self.order.rows, self.order.cols);
        let console = self.console.take().map(|socket| socket.accept(size)).transpose()?;
        let process = self.pipes.into_process(pid, pidfd, console, self.order.attach.stdin);
        let process = process.map_err(|e| StartError::other(format!("standard streams: {e}")))?;
        Ok(Begun { process, order: self.order })
    }

    fn clean_up(&self) {
        for file in [&self.pid_file, &self.process_file] {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// The process with its user as numbers, by the container's own files.
fn process(order: &protocol::Exec, container: &Running) -> Result<oci::runtime::Process, StartError> {
    let stopped = |_| StartError::other("cannot exec in a stopped container");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{}/root", container.pid), flags, Mode::empty()).map_err(stopped)?;
    sys::signal::send(&container.pidfd, 0).map_err(stopped)?;
    let exec = &order.process;
    let process = runtime::resolve(root.as_fd(), exec.user.as_deref(), &exec.additional_groups, &exec.process)?;
    Ok(oci::runtime::Process { terminal: order.terminal, ..process })
}

//! An external OCI runtime program (runc, crun, …) in the built-in runtime's place.
//!
//! It makes the container and ends; we are the nearest subreaper, so that its processes become our children and everything
//! else (streams, log, exit code, memory, sizes) is as with the built-in one. Each call of the program has a deadline:
//! one that hangs is killed, and only its container says so.
//!
//! Command line: <https://github.com/opencontainers/runtime-tools/blob/master/docs/command-line-interface.md>, and
//! runc(8) for `exec`, `--log` and `--systemd-cgroup`.

mod bundle;
mod console;
mod exec;
mod tool;

pub use exec::{Pending, Stray};

use crate::protocol;
use crate::session::Process;
use console::ConsoleSocket;
use runtime::{Launch, Running, StartError, Stdio};
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tool::{SIGKILL, Streams, Tool};

/// For each of `create`, `start` and `delete`.
const PATIENCE: Duration = Duration::from_secs(10);
/// For `kill`: the daemon takes a shim for stuck that has not killed within five seconds.
const KILL_PATIENCE: Duration = Duration::from_secs(3);
/// The same of one that the last signal hung at: several in a row and SIGKILL must be done before the daemon gives the shim up.
const DEAF_PATIENCE: Duration = Duration::from_secs(1);
/// For the whole start of an exec. The daemon waits a little longer for the answer.
const EXEC_PATIENCE: Duration = Duration::from_secs(15);

/// The container's runtime program and where it keeps its things.
pub struct External {
    tool: Tool,
    id: String,
    /// The bundle: `config.json`, and `rootfs`, mounted in our own mount namespace only.
    bundle: PathBuf,
    /// Kept open: the container's network namespace has its name by it.
    _netns: Option<OwnedFd>,
    /// A `kill` has hung: who is to end for good does not wait for another one.
    deaf: Cell<bool>,
}

/// Detached mounts that came along: see [`runtime::Fds`].
pub struct Mounts {
    pub lowest: Option<OwnedFd>,
    pub sources: Vec<OwnedFd>,
}

impl External {
    /// Makes the bundle in `directory`.
    pub fn prepare(
        external: &protocol::External,
        launch: &Launch,
        directory: &std::path::Path,
        netns: Option<OwnedFd>,
        mounts: &Mounts,
    ) -> Result<Self, StartError> {
        let bundle = directory.join("bundle");
        bundle::make(&bundle, launch, netns.as_ref(), mounts)?;
        let tool = Tool::new(external, directory)?;
        Ok(Self { tool, id: launch.id.clone(), bundle, _netns: netns, deaf: Cell::new(false) })
    }

    /// Creates and starts the container. On error nothing of it is left.
    pub fn launch(&self, launch: &Launch, cgroup: &str, stdio: Stdio) -> Result<Running, StartError> {
        self.create(launch, cgroup, stdio).inspect_err(|_| self.delete())
    }

    fn create(&self, launch: &Launch, cgroup: &str, stdio: Stdio) -> Result<Running, StartError> {
        let pid_file = self.bundle.join("pid");
        let mut words = vec!["create".into(), "--bundle".into(), text(&self.bundle)];
        words.extend(["--pid-file".into(), text(&pid_file)]);
        let (streams, console, size) = self.streams(stdio, &mut words)?;
        words.push(self.id.clone());
        self.tool.run(&words, streams, PATIENCE).map_err(StartError::other)?;
        let mut running = Running::open(pid_in(&pid_file)?, cgroup)?;
        running.console = console.map(|socket| socket.accept(size)).transpose()?;
        if launch.spec.process.as_ref().is_some_and(|process| process.terminal) != running.console.is_some() {
            return Err(StartError::other("the OCI runtime sent no terminal"));
        }
        self.tool.run(&["start".into(), self.id.clone()], Streams::Null, PATIENCE).map_err(StartError::other)?;
        Ok(running)
    }

    /// Streams for the program, and where it shall send the terminal it makes.
    fn streams(&self, stdio: Stdio, words: &mut Vec<String>) -> Result<StreamsAndConsole, StartError> {
        match stdio {
            Stdio::Pipes { stdin, stdout, stderr } => Ok((Streams::Container { stdin, stdout, stderr }, None, (0, 0))),
            Stdio::Terminal { rows, cols } => {
                let socket = ConsoleSocket::new(&self.bundle).map_err(|e| StartError::other(e.to_string()))?;
                words.extend(["--console-socket".into(), socket.address()]);
                Ok((Streams::Null, Some(socket), (rows, cols)))
            }
        }
    }

    /// Sends a signal to the container's first process; SIGKILL also where the program fails.
    pub fn kill(&self, signal: i32, pidfd: &OwnedFd) -> Result<(), String> {
        let directly = || sys::signal::send(pidfd, signal).map_err(|e| e.to_string());
        if signal == SIGKILL && self.deaf.get() {
            return directly();
        }
        let words = ["kill".into(), self.id.clone(), signal.to_string()];
        let patience = if self.deaf.get() { DEAF_PATIENCE } else { KILL_PATIENCE };
        let begin = Instant::now();
        let outcome = self.tool.run(&words, Streams::Null, patience);
        self.deaf.set(begin.elapsed() >= patience);
        match outcome {
            Err(_) if signal == SIGKILL => directly(),
            // who asked does not wait to hear it
            other => other.inspect_err(|error| eprintln!("lighter-shim: {}: {error}", self.id)),
        }
    }

    /// Has the program forget the container and clean up. What it leaves is ours to remove.
    pub fn delete(&self) {
        let words = ["delete".into(), "--force".into(), self.id.clone()];
        if let Err(error) = self.tool.run(&words, Streams::Null, PATIENCE) {
            eprintln!("lighter-shim: {}: {error}", self.id);
        }
        let _ = std::fs::remove_file(self.bundle.join("config.json"));
    }

    /// Begins an exec; [`Pending::finish`] ends it when the program has ended.
    pub fn exec(&self, control: u32, order: protocol::Exec, container: &Running) -> Result<Pending, StartError> {
        Pending::begin(self, control, order, container)
    }
}

type StreamsAndConsole = (Streams, Option<ConsoleSocket>, (u16, u16));

fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

fn pid_in(file: &std::path::Path) -> Result<i32, StartError> {
    let text = std::fs::read_to_string(file).map_err(|e| StartError::other(format!("{}: {e}", file.display())))?;
    text.trim().parse().map_err(|_| StartError::other(format!("{}: {text:?} is no process", file.display())))
}

/// An exec's process which the program has started.
pub struct Begun {
    pub process: Process,
    pub order: protocol::Exec,
}

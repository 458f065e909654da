//! The pipes between the shim and a process.

use crate::session::Process;
use runtime::Stdio;
use rustix::fs::{Mode, OFlags};
use rustix::io::ioctl_fionbio;
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use std::io;
use std::os::fd::OwnedFd;

/// The shim's ends. Empty for a terminal, which comes from the runtime.
pub struct Pipes {
    terminal: bool,
    input: Option<OwnedFd>,
    outputs: [Option<OwnedFd>; 2],
}

/// The process' ends.
pub enum Theirs {
    Pipes { stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd },
    Terminal,
}

impl Pipes {
    /// `wanted`: stdin, stdout, stderr. What is not wanted is the null device.
    pub fn new(terminal: bool, wanted: [bool; 3]) -> io::Result<(Self, Theirs)> {
        if terminal {
            return Ok((Self { terminal, input: None, outputs: [None, None] }, Theirs::Terminal));
        }
        let mut input = None;
        let mut stdin = None;
        if wanted[0] {
            let (theirs, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            ioctl_fionbio(&ours, true)?;
            (stdin, input) = (Some(theirs), Some(ours));
        }
        let (first, stdout) = output(wanted[1])?;
        let (second, stderr) = output(wanted[2])?;
        Ok((Self { terminal, input, outputs: [first, second] }, Theirs::Pipes { stdin, stdout, stderr }))
    }

    /// No input, and one pipe for both outputs: what is written to it stays in order.
    pub fn merged() -> io::Result<(Self, Theirs)> {
        let (first, stdout) = output(true)?;
        let stderr = rustix::io::fcntl_dupfd_cloexec(&stdout, 3)?;
        let ours = Self { terminal: false, input: None, outputs: [first, None] };
        Ok((ours, Theirs::Pipes { stdin: None, stdout, stderr }))
    }

    /// With the started process; `console` is the terminal's master.
    pub fn into_process(
        mut self,
        pid: i32,
        pidfd: OwnedFd,
        console: Option<OwnedFd>,
        wants_input: bool,
    ) -> io::Result<Process> {
        let mut terminal_peer = None;
        if let Some(console) = console {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            terminal_peer = Some(rustix::pty::ioctl_tiocgptpeer(&console, flags)?);
            ioctl_fionbio(&console, true)?;
            // Reading and writing are waited for separately, which epoll does by descriptor.
            self.input = if wants_input { Some(rustix::io::fcntl_dupfd_cloexec(&console, 3)?) } else { None };
            self.outputs = [Some(console), None];
        }
        Ok(Process { pid, pidfd, terminal: self.terminal, input: self.input, outputs: self.outputs, terminal_peer })
    }
}

impl Theirs {
    pub fn into_stdio(self, rows: u16, cols: u16) -> Stdio {
        match self {
            Self::Pipes { stdin, stdout, stderr } => Stdio::Pipes { stdin, stdout, stderr },
            Self::Terminal => Stdio::Terminal { rows, cols },
        }
    }
}

fn output(wanted: bool) -> io::Result<(Option<OwnedFd>, OwnedFd)> {
    if !wanted {
        return Ok((None, rustix::fs::open(c"/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?));
    }
    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    ioctl_fionbio(&ours, true)?;
    Ok((Some(ours), theirs))
}

//! What the daemon and a shim say to each other.
//!
//! Transport: a unix stream socket. A *frame* is a little-endian `u32` length and that many bytes of JSON (one
//! [`Request`] towards the shim, one [`Message`] towards the daemon). Length is at most [`MAX_FRAME`].
//!
//! Connections:
//! - The shim is spawned with one end of a socketpair as descriptor 0. The first frame on it is [`Request::Launch`]
//!   with the descriptors counted in [`Launch::fds`] attached by `SCM_RIGHTS`; the same connection then serves as a
//!   control connection which is subscribed already.
//! - Later daemons connect to the shim's socket (`<directory>/shim.sock`, mode 0600). Each such connection carries either
//!   control requests (answered in order by [`Message::Reply`]; after [`Request::Subscribe`] also [`Message::Fact`]s in
//!   between), or begins with [`Request::Attach`] or [`Request::Exec`] and turns into a byte stream after the reply.
//! - In a byte stream, bytes towards the shim are the process' stdin (shutdown of the writing side = end of input);
//!   bytes from the shim are raw output for a terminal, else Docker's frames (8 bytes: stream 1|2, 0, 0, 0, length
//!   big-endian `u32`; then the payload). The shim closes the stream when all wanted outputs have ended.
//!
//! Delivery: facts are numbered from 1. The shim keeps every fact until the daemon has acknowledged it by
//! [`Request::Ack`] and tells the unacknowledged ones again after each `Subscribe`: a fact may come twice, never not.
//!
//! Life: the shim lives until [`Request::Release`], even when its container ended and no daemon is there.

use runtime::Launch as ContainerLaunch;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use values::Timestamp;

/// Frames above this are refused: a spec with a custom seccomp profile is some 100 KiB.
pub const MAX_FRAME: usize = 8 << 20;
/// Name of the listening socket in the shim's directory.
pub const SOCKET: &str = "shim.sock";
/// Name of the file which holds the last [`Exited`] as JSON, written before the fact is sent. Until then it is there with
/// blanks in it: on a disk that is full when the container ends, the room is kept ([`Exited::note`]).
pub const EXIT_FILE: &str = "exit.json";
/// Name of the file which holds [`Started`] as JSON, written before the fact is sent: it lets a daemon that finds no
/// living shim end what is left.
pub const PID_FILE: &str = "started.json";

#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// First frame of a new shim. Answered by [`Reply::Started`] or [`Reply::Failed`] (after which the shim exits, having
    /// undone everything).
    Launch(Box<Launch>),
    /// This connection wants facts from now on (earlier subscribers get no more). Answered by [`Reply::State`].
    Subscribe,
    /// Facts up to and including this number are safe with the daemon. Not answered.
    Ack(u64),
    /// Sends a signal to the container's first process.
    Kill { signal: i32 },
    /// Sends SIGKILL to every process of the container (through its cgroup).
    KillAll,
    /// Size of the terminal; `exec` names one of its execs, else the container's own.
    Resize { exec: Option<String>, rows: u16, cols: u16 },
    /// Turns this connection into a byte stream of the container's own process.
    Attach(Attach),
    /// Starts a process in the container. Answered by [`Reply::Started`] or [`Reply::Failed`]. When any stream is
    /// wanted the connection becomes its byte stream, else it stays a control connection.
    Exec(Box<Exec>),
    /// Runs a health probe: a process without input, whose output is kept for [`Fact::Probed`]. Answered by
    /// [`Reply::Started`] or [`Reply::Failed`].
    Probe(Box<Probe>),
    /// Is there such a user (`USER[:GROUP]`) by the container's own files? Answered by [`Reply::Done`] or
    /// [`Reply::Failed`].
    FindUser { user: String },
    /// Sends a signal to an exec'd process.
    ExecKill { exec: String, signal: i32 },
    /// Closes the container's stdin.
    CloseStdin,
    /// The container has ended and its exit is recorded: clean up (cgroup, socket, files) and exit. Answered, then EOF.
    Release,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Launch {
    pub container: ContainerLaunch,
    /// The shim's directory: socket and exit file live there. It exists, mode 0700.
    pub directory: PathBuf,
    pub stdio: Stdio,
    pub log: Log,
    /// The program that makes the container; None: the runtime built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// Which descriptors come along, in this order: the network namespace, the user namespace, a mount of the root file
    /// system's lowest layer, those of the container's sources that have one, then one stream socket per attachment.
    pub fds: Fds,
}

/// An OCI runtime program, called as runc is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// An absolute path on the host.
    pub program: String,
    /// What comes before the command.
    pub args: Vec<String>,
    /// The specification's `cgroupsPath` is systemd's `SLICE:PREFIX:NAME`.
    pub systemd_cgroup: bool,
    /// Where the container's cgroup will be, below each hierarchy's root.
    pub cgroup: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Fds {
    pub netns: bool,
    /// The user namespace.
    #[serde(default)]
    pub userns: bool,
    /// A detached mount of the root file system's lowest layer, which all containers of an image share.
    #[serde(default)]
    pub lowest: bool,
    /// Clients that attached before the start.
    pub attached: Vec<Attach>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Stdio {
    pub terminal: bool,
    pub rows: u16,
    pub cols: u16,
    /// Keep stdin open (`-i`); else the process reads end of file at once.
    pub open_stdin: bool,
    /// Close stdin when the first client that was attached to it leaves.
    pub stdin_once: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Log {
    /// The current log file; rotated ones are `<path>.1` … . `None`: nothing is logged.
    pub path: Option<PathBuf>,
    /// Bytes after which the file is rotated; 0: never.
    pub max_size: u64,
    /// Files kept in all, the current one included; at least 1.
    pub max_files: u32,
    /// Rotated files are gzipped.
    pub compress: bool,
    /// JSON object text put into each line as `"attrs"`, e.g. `{"env":"x"}`.
    pub attrs: Option<String>,
    /// Bytes of lines that may wait for the disk before further ones are dropped; `None`: the container waits.
    #[serde(default)]
    pub buffer: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Attach {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Exec {
    pub id: String,
    pub process: runtime::Exec,
    pub attach: Attach,
    pub terminal: bool,
    pub rows: u16,
    pub cols: u16,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Probe {
    pub id: String,
    pub process: runtime::Exec,
    /// After this it is killed, with every process of its session that has not left its group.
    pub timeout_millis: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    Reply(Reply),
    Fact { number: u64, fact: Fact },
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    Done,
    Started(Started),
    Failed(Failed),
    State(State),
    /// The request cannot be carried out; the text is for the user.
    Refused(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Started {
    /// In the host's pid namespace.
    pub pid: i32,
    /// Start time of the process in clock ticks since boot (`/proc/PID/stat` field 22): tells a reused pid apart.
    pub birth: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The program (or a directory of its path) is not there: exit code 127.
    NotFound,
    /// It is there but cannot be executed: exit code 126.
    NotExecutable,
    Other,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failed {
    pub kind: FailureKind,
    /// In runc's words from `exec: …` on.
    pub message: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub started: Option<Started>,
    pub exited: Option<Exited>,
    pub oom: bool,
    /// Ids of execs which are running.
    pub execs: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Fact {
    /// A process of the container was killed for lack of memory.
    Oom,
    /// The container's first process ended, its outputs are drained and the log is written.
    Exited(Exited),
    ExecExited {
        id: String,
        code: i32,
        at: Timestamp,
    },
    /// A health probe ended.
    Probed(Probed),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    pub id: String,
    pub begun: Timestamp,
    pub at: Timestamp,
    /// As [`Exited::code`].
    pub code: i32,
    pub timed_out: bool,
    /// Both outputs in the order they came, the first 4096 bytes; `...` behind what was longer.
    pub output: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exited {
    /// 0–255; 128 + signal number when killed by one.
    pub code: i32,
    /// The signal that killed it; 0: it exited.
    #[serde(default)]
    pub signal: i32,
    pub oom: bool,
    /// With `oom`: the most memory its control group has held, bytes; 0 where the kernel does not say.
    #[serde(default)]
    pub memory_peak: u64,
    pub at: Timestamp,
}

/// Of [`EXIT_FILE`], bytes; an [`Exited`] is always shorter.
const NOTE: usize = 512;

impl Exited {
    /// What is in [`EXIT_FILE`] while the container runs.
    pub fn no_note() -> Vec<u8> {
        vec![b' '; NOTE]
    }

    /// What is in [`EXIT_FILE`] once it has ended: as long as [`Exited::no_note`], so that it can be written over it.
    pub fn note(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.resize(NOTE.max(text.len()), b' ');
        text
    }
}

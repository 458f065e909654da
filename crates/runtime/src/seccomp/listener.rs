//! Who answers for system calls (`SCMP_ACT_NOTIFY`): told of the process over a socket, and given its filter's descriptor.
//! <https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#containerprocessstate>

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use oci::runtime::State;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::PidfdGetfdFlags;
use serde::{Deserialize, Serialize};

use crate::StartError;

/// For the socket to take what is said: it is little.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the listener of a filter goes, and what is said of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Listener {
    /// A socket.
    pub(crate) path: String,
    pub(crate) metadata: String,
    pub(crate) id: String,
    pub(crate) bundle: String,
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerProcessState<'a> {
    oci_version: &'a str,
    fds: [&'a str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: State,
}

impl Listener {
    /// Takes the descriptor `fd` of a process and sends it, one connection for each.
    pub(crate) fn hand_over(&self, process: BorrowedFd<'_>, fd: i32, pid: i32, status: &str) -> Result<(), StartError> {
        let failed = |what: &str, why: String| {
            StartError::other(format!("unable to hand over the seccomp listener: {what}: {why}"))
        };
        let words = |errno: rustix::io::Errno| values::system_words(&errno);
        let listener = rustix::process::pidfd_getfd(process, fd, PidfdGetfdFlags::empty())
            .map_err(|errno| failed("pidfd_getfd", words(errno)))?;
        let state = ContainerProcessState {
            oci_version: oci::runtime::VERSION,
            fds: ["seccompFd"],
            pid,
            metadata: &self.metadata,
            state: State {
                oci_version: oci::runtime::VERSION.to_owned(),
                id: self.id.clone(),
                status: status.to_owned(),
                pid,
                bundle: self.bundle.clone(),
                annotations: self.annotations.clone(),
            },
        };
        let text = serde_json::to_vec(&state).map_err(|error| failed("state", error.to_string()))?;
        let mut socket = self.connect().map_err(|errno| failed(&self.path, words(errno)))?;
        let _ = socket.set_write_timeout(Some(PATIENCE));
        let sent = sys::scm::send(&socket, &text, &[listener.as_fd()]);
        let sent = sent.map_err(|errno| failed(&self.path, words(errno)))?;
        socket.write_all(&text[sent..]).map_err(|error| failed(&self.path, values::system_words(&error)))
    }

    /// One whose queue is full refuses at once.
    fn connect(&self) -> Result<UnixStream, rustix::io::Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(self.path.as_str())?)?;
        let socket = UnixStream::from(socket);
        let _ = socket.set_nonblocking(false);
        Ok(socket)
    }
}

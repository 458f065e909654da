use std::os::fd::OwnedFd;
use std::path::PathBuf;

use oci::runtime::Spec;
use serde::{Deserialize, Serialize};
use values::RootMount;

use crate::{SeccompProgram, Source, StartError};

/// Everything needed to create a container, as data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    pub id: String,
    /// `root.path` is not used (see `rootfs`); `root.readonly` is.
    pub spec: Spec,
    pub rootfs: RootMount,
    /// A compiled filter; when None, `spec.linux.seccomp` is compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompProgram>,
    /// Run our own small init as PID 1 which forks the program, forwards signals and reaps (`--init`).
    #[serde(default)]
    pub init: bool,
    /// `USER[:GROUP]`, resolved in the container's own files; overrides `spec.process.user`'s ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Group names or ids to be added (`--group-add`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_groups: Vec<String>,
    /// The ids on disk of the root file system are those inside the container's user namespace: it is mounted mapped.
    #[serde(default)]
    pub map_root: bool,
    /// Of binds whose source is not just a path of the host's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Where hooks find `config.json`, and `rootfs`, an empty directory: the root file system is there for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<PathBuf>,
}

/// What a process has as standard streams.
#[derive(Debug)]
pub enum Stdio {
    /// None for stdin: the container's /dev/null.
    Pipes { stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd },
    /// A pseudo-terminal of the container's own devpts; 0 × 0: size left alone.
    Terminal { rows: u16, cols: u16 },
}

impl Stdio {
    pub(crate) fn duplicate(&self) -> Result<Self, StartError> {
        let copy = |fd: &OwnedFd| {
            rustix::io::fcntl_dupfd_cloexec(fd, 3)
                .map_err(|errno| StartError::other(format!("dup: {}", crate::failure::text(errno))))
        };
        Ok(match self {
            Self::Pipes { stdin, stdout, stderr } => Self::Pipes {
                stdin: stdin.as_ref().map(copy).transpose()?,
                stdout: copy(stdout)?,
                stderr: copy(stderr)?,
            },
            Self::Terminal { rows, cols } => Self::Terminal { rows: *rows, cols: *cols },
        })
    }
}

/// Descriptors handed over.
#[derive(Debug)]
pub struct Fds {
    /// A ready network namespace to be joined; None: what the specification says.
    pub netns: Option<OwnedFd>,
    /// A ready user namespace with the specification's mappings; None: what the specification says.
    pub userns: Option<OwnedFd>,
    /// A detached mount of the root file system's lowest layer, see [`mount_root`](crate::mount_root).
    pub lowest: Option<OwnedFd>,
    /// The same for the launch's sources that have one, in their order.
    pub sources: Vec<OwnedFd>,
    pub stdio: Stdio,
}

impl From<Stdio> for Fds {
    /// None but these.
    fn from(stdio: Stdio) -> Self {
        Self { netns: None, userns: None, lowest: None, sources: Vec::new(), stdio }
    }
}

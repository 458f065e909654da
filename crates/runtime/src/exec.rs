use std::os::fd::OwnedFd;

use oci::runtime::Process;
use serde::{Deserialize, Serialize};

use crate::{Running, SeccompProgram, StartError, Stdio};

/// One more process in a running container.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Exec {
    /// `privileged` execs carry all capabilities here and no seccomp.
    pub process: Process,
    /// `USER[:GROUP]`, resolved in the container's own files; overrides `process.user`'s ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Group names or ids to be added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompProgram>,
}

/// An exec's process.
#[derive(Debug)]
pub struct ExecRunning {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub console: Option<OwnedFd>,
}

/// Starts a process in the container's namespaces and cgroup, a child of ours.
pub fn exec(_container: &Running, _exec: &Exec, _stdio: Stdio) -> Result<ExecRunning, StartError> {
    Err(StartError::other("being written"))
}

//! The OCI runtime: specification → pure plan → clone → init → exec.
//!
//! Single thread, blocking, no async: it runs in the shim and in `lighter-runtime`.

mod capability;
mod child;
mod failure;
mod link;
mod mount_options;
mod program;
mod reaper;
mod create;
mod defaults;
mod error;
mod exec;
mod launch;
pub mod seccomp;
pub mod user;

pub use create::{Created, Running, create};
pub use defaults::{all_capabilities, default_capabilities, default_devices, default_mounts, masked_paths, readonly_paths, device_rules};
pub use error::{StartError, StartErrorKind};
pub use exec::{Exec, ExecRunning, exec};
pub use launch::{Fds, Launch, Stdio};
pub use seccomp::SeccompProgram;

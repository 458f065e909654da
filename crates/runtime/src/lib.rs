//! The OCI runtime: specification → pure plan → clone → init → exec.
//!
//! Single thread, blocking, no async: it runs in the shim and in `lighter-runtime`.
//!
//! [`create`] decides everything in the parent (`program`: a list of steps on prepared strings and
//! descriptors), clones once, and the child (`child`) walks through the list without allocating. A step that fails comes
//! back over a socket (`link`) and is told in runc's words (`failure`). [`exec`] is the same with fewer steps.

mod capability;
mod child;
pub mod cli;
mod copy_up;
mod create;
mod defaults;
mod devices;
mod error;
mod exec;
mod failure;
mod foreign_tree;
mod hooks;
mod launch;
mod link;
mod memory_policy;
mod mount_options;
mod mounts;
mod namespaces;
mod net_devices;
mod own_program;
mod plain;
mod plan;
mod private_mounts;
mod process;
mod program;
mod reaper;
mod resctrl;
mod rootfs;
mod schedule;
pub mod seccomp;
mod source;
mod sysctl;
pub mod user;
mod user_namespace;

pub use create::{Created, Running, create};
pub use defaults::{
    all_capabilities, default_capabilities, default_devices, default_mounts, device_rules, masked_paths, readonly_paths,
};
pub use error::{StartError, StartErrorKind};
pub use exec::{Exec, ExecRunning, exec, find_user};
pub use launch::{Fds, Launch, Stdio};
pub use own_program::{protect_own_program, read_only_program};
pub use plain::{resolve, run_init};
pub use rootfs::mount_root;
pub use seccomp::SeccompProgram;
pub use source::{Source, SourceOptions, part_refused, with_lowest};

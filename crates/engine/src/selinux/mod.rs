//! SELinux: which label a container's processes and files have, where the daemon was told to label them (`selinux-enabled`)
//! and the kernel has it.
//!
//! The policy names the labels, in the file that was made for LXC; each container gets categories of its own beside them, so
//! that one is not let at another's files. What is labelled: processes (by the runtime, `process.selinuxLabel`), what is
//! mounted anew and the root (`linux.mountLabel`), the daemon's own files in `/etc`, and volumes on request (`:z`, `:Z`).
//!
//! Source: <https://github.com/SELinuxProject/selinux>, `selabel_lxc_contexts_path(3)`; Docker's manual on `--security-opt label`.

mod context;
mod labels;
mod policy;
mod relabel;

pub use labels::Labels;
pub use policy::Policy;
pub use relabel::{Reach, relabel, relabel_open};

//! Control groups, v1 and v2: one [`Cgroup`] per container, whatever the host mounts.
//!
//! - [`Host`] finds out what is mounted; a host with any controller on v1 ("hybrid") is treated as v1.
//! - [`plan`] is pure: limits in, files to write out.
//! - [`measure`] is pure too: the kernel's counters in, numbers out.
//! - [`Cgroup`] acts: create, join, freeze, kill, watch for memory exhaustion, remove. Nothing in it waits
//!   without a deadline.
//! - [`systemd`] tells systemd of groups, where it manages them.
//!
//! Source: <https://docs.kernel.org/admin-guide/cgroup-v1/> and <https://docs.kernel.org/admin-guide/cgroup-v2.html>.

mod children;
mod delegate;
mod devices;
mod foreign;
mod freeze;
mod group;
mod host;
mod oom;
mod parents;
mod plan;
mod remove;
pub mod systemd;
mod usage;

pub use children::children;
pub use foreign::remove_foreign;
pub use group::{Cgroup, View};
pub use host::{Hierarchy, Host};
pub use oom::OomWatch;
pub use parents::{missing_parents, remove_empty};
pub use plan::{Version, Write, plan, weight};
pub use usage::{CpuUsage, IoCount, MemoryUsage, PidsUsage, Usage, measure};

//! Scenarios against a private daemon.
//!
//! ```no_run
//! let daemon = testkit::Daemon::with_images(&["busybox"]);
//! daemon.run(&["run", "--rm", "busybox", "echo", "hi"]).ok().stdout("hi\n");
//! ```
//!
//! Each [`Daemon`] has its own roots, socket, bridge and table; when it is dropped, also by a failing test, its containers
//! are removed, it is stopped, and what it leaves on the machine (mounts, links, cgroups, processes, files) fails the test.

mod at_end;
mod daemon;
mod disk;
mod leftovers;
mod output;
mod pty;
mod registry;
mod tokens;
mod upload;
mod web;
pub mod world;

pub use at_end::AtEnd;
pub use daemon::{Cli, Daemon, binaries, real_docker, through_both};
pub use leftovers::{Leftovers, instance};
pub use output::Finished;
pub use pty::Terminal;
pub use registry::{Registry, RegistryOptions, certificates, free_port};
pub use tokens::TokenServer;
pub use upload::digest;
pub use web::{Asked, Told, Web};
pub use world::World;

use std::time::{Duration, Instant};

/// Waits until `ready` says yes, at most ten seconds; panics with `what` otherwise.
pub fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}: not within 10 seconds");
        std::thread::sleep(Duration::from_millis(10));
    }
}

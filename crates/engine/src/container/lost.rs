//! The end of a shim. When it is gone without a word: find out how its container ended, and end what is left of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shim::protocol::{EXIT_FILE, Exited, Request};
use sys::crash;
use values::{Error, Id, Signal, Timestamp};

use super::handle::{Container, Mail};
use super::state::{Exit, Fact};
use crate::shared::{Shared, blocking};
use crate::shim_link::{self, ShimLink};

/// For killed processes to end: they may have much memory to give back, or wait for a disk.
const DEATH: Duration = Duration::from_secs(10);
/// For an ended container's shim to clean up. With the time for what is left to die it is less than the next launch waits: the
/// next life of the container has the same control group.
const RELEASE: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(5);
/// 128 + SIGKILL.
const KILLED: i32 = 137;

/// Posts how the container ended.
pub async fn recover(shared: Arc<Shared>, container: Arc<Container>, directory: PathBuf) {
    let cgroup = shared.cgroup_path(&container.id);
    let fact = find_out(&container.id, cgroup, directory).await;
    container.post(Mail::Fact(fact));
}

/// How a container without a shim ended; ends what is left of it. The shim wrote the exit down before it told of it, so a
/// file there is the truth.
pub async fn find_out(id: &Id, cgroup: String, directory: PathBuf) -> Fact {
    let found = blocking(move || {
        let killed = end_cgroup(&cgroup);
        let fact = recorded_exit(&directory);
        let _ = std::fs::remove_dir_all(&directory);
        Ok((fact, killed))
    });
    let (fact, killed) = found.await.unwrap_or((None, false));
    fact.unwrap_or_else(|| {
        tracing::warn!("container {id}: its shim ended unexpectedly; the container was killed");
        let at = Timestamp::now();
        let exit = Exit { code: KILLED, signal: KILLED - 128, oom: false, memory_peak: 0, at };
        if killed { Fact::Exited(exit) } else { Fact::Lost { at } }
    })
}

/// Lets the shim of an ended container go: it cleans up and ends by itself. One that cannot is killed and cleaned up after.
pub async fn let_go(link: ShimLink, directory: PathBuf, cgroup: String) {
    crash::point("exited.shim-kept");
    let released = tokio::time::timeout(RELEASE, link.ask(Request::Release)).await;
    if let Err(e) = released.unwrap_or_else(|_| Err(Error::unavailable("it does not answer"))) {
        tracing::warn!("shim in {}: {e}", directory.display());
        if let Ok(stream) = shim_link::connect(&directory).await {
            shim_link::kill_peer(&stream);
        }
        let ended = blocking(move || Ok(end_cgroup(&cgroup)));
        let _ = ended.await;
    }
    crash::point("exited.shim-released");
    let _ = tokio::fs::remove_dir_all(&directory).await;
    crash::point("exited.shim-directory-gone");
}

/// The exit which the shim in `directory` wrote down.
pub fn recorded_exit(directory: &Path) -> Option<Fact> {
    let text = std::fs::read(directory.join(EXIT_FILE)).ok()?;
    let exited: Exited = serde_json::from_slice(&text).ok()?;
    Some(exit(&exited))
}

/// What a shim told or wrote down.
pub fn exit(exited: &Exited) -> Fact {
    let Exited { code, signal, oom, memory_peak, at } = *exited;
    Fact::Exited(Exit { code, signal, oom, memory_peak, at })
}

/// Kills what is in a container's cgroup and removes it; true when there was something to kill.
pub fn end_cgroup(path: &str) -> bool {
    let Ok(cgroup) = cgroup::Cgroup::open(path) else { return false };
    let alive = || cgroup.pids().is_ok_and(|pids| !pids.is_empty());
    let was_alive = alive();
    let killed = cgroup.kill_all();
    let until = Instant::now() + DEATH;
    while was_alive && alive() && Instant::now() < until {
        std::thread::sleep(PAUSE);
    }
    if let Err(e) = killed.and_then(|()| cgroup.remove()) {
        let stuck = cgroup.pids().unwrap_or_default().into_iter().map(sys::waiting::describe).next();
        tracing::warn!("cgroup {path}: {e}: {}", stuck.unwrap_or_default());
    }
    was_alive
}

/// Sends a signal to a container's process past its shim.
pub fn signal(pid: i32, birth: u64, signal: Signal) {
    let Some(process) = rustix::process::Pid::from_raw(pid) else { return };
    let Ok(pidfd) = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()) else { return };
    // the number may be somebody else's by now
    if shim::birth(pid) == birth {
        let _ = sys::signal::send(&pidfd, signal.number());
    }
}

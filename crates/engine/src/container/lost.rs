//! The end of a shim. When it is gone without a word: find out how its container ended, and end what is left of it.

use std::io::{ErrorKind, Write};
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
/// Of an end that could not be recorded: what the shim wrote down, out of its reach.
const KEPT_FILE: &str = "ended.json";
/// Between tries to remove a shim's directory: from this, doubled, to that.
const FORGET_AGAIN: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(30);
/// 128 + SIGKILL.
const KILLED: i32 = 137;

/// Posts how the container ended.
pub async fn recover(shared: Arc<Shared>, container: Arc<Container>, directory: PathBuf) {
    let cgroup = shared.cgroup_path(&container.id);
    let fact = find_out(&container.id, cgroup, directory).await;
    container.post(Mail::Fact(fact));
}

/// How a container without a shim ended; ends what is left of it. The shim wrote the exit down before it told of it, so a
/// file there is the truth. The directory stays until the end is recorded.
pub async fn find_out(id: &Id, cgroup: String, directory: PathBuf) -> Fact {
    let found = blocking(move || {
        let killed = end_cgroup(&cgroup);
        let recorded = recorded_exit(&directory);
        let at = Timestamp::now();
        let by_us = Exited { code: KILLED, signal: KILLED - 128, oom: false, memory_peak: 0, at };
        if recorded.is_none() && killed {
            note_exit(&directory, &by_us);
        }
        Ok(recorded.ok_or_else(|| if killed { exit(&by_us) } else { Fact::Lost { at } }))
    });
    found.await.unwrap_or_else(|_| Err(Fact::Lost { at: Timestamp::now() })).unwrap_or_else(|fact| {
        tracing::warn!("container {id}: its shim ended unexpectedly; the container was killed");
        fact
    })
}

/// Writes in a dead shim's stead, for a daemon that comes after this one. Where that fails, only that one will not know.
fn note_exit(directory: &Path, exited: &Exited) {
    let file = std::fs::OpenOptions::new().write(true).open(directory.join(EXIT_FILE));
    let _ = file.and_then(|mut file| file.write_all(&exited.note()));
}

/// Keeps what the shim wrote down of the end although the shim is to be let go: the daemon could not record it.
pub fn keep_exit(directory: &Path) {
    if let Err(e) = std::fs::rename(directory.join(EXIT_FILE), directory.join(KEPT_FILE))
        && e.kind() != ErrorKind::NotFound
    {
        tracing::warn!("{}: the end of its container may be forgotten: {e}", directory.display());
    }
}

/// Moves what is known of an earlier end into the directory of the launch which followed, if nothing is known of that.
pub fn pass_on(earlier: &Path, later: &Path) {
    let moved = |name| std::fs::rename(earlier.join(name), later.join(KEPT_FILE));
    if recorded_exit(later).is_none() && recorded_exit(earlier).is_some() {
        // the shim's own, unless it was kept already
        let done = moved(KEPT_FILE).or_else(|_| moved(EXIT_FILE));
        done.unwrap_or_else(|e| {
            tracing::warn!("{}: the end of its container may be forgotten: {e}", earlier.display())
        });
    }
}

/// Lets the shim of an ended container go: it cleans up and ends by itself. One that cannot is killed and cleaned up after.
/// With `keep` the directory stays.
pub async fn let_go(link: ShimLink, directory: PathBuf, cgroup: String, keep: bool) {
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
    if !keep {
        forget(directory).await;
    }
    crash::point("exited.shim-directory-gone");
}

/// Removes a shim's directory: the end of its container is recorded. Where that fails (it takes a descriptor, and there may be
/// none) it is tried again.
pub async fn forget(directory: PathBuf) {
    let removed = tokio::fs::remove_dir_all(&directory).await;
    unless_gone(directory, removed);
}

/// The same from where nothing can be waited for.
pub fn forget_now(directory: PathBuf) {
    let removed = std::fs::remove_dir_all(&directory);
    unless_gone(directory, removed);
}

fn unless_gone(directory: PathBuf, removed: std::io::Result<()>) {
    let Err(error) = removed else { return };
    if error.kind() == ErrorKind::NotFound {
        return;
    }
    tracing::warn!("{} cannot be removed yet: {error}", directory.display());
    // without a runtime the daemon ends, and the next one sweeps
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        let (mut pause, most) = FORGET_AGAIN.into_inner();
        while tokio::fs::try_exists(&directory).await.unwrap_or(true) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(most);
            let _ = tokio::fs::remove_dir_all(&directory).await;
        }
    });
}

/// The exit which the shim in `directory` wrote down.
pub fn recorded_exit(directory: &Path) -> Option<Fact> {
    let read = |name| serde_json::from_slice(&std::fs::read(directory.join(name)).ok()?).ok();
    read(EXIT_FILE).or_else(|| read(KEPT_FILE)).map(|exited| exit(&exited))
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
    if sys::stat::birth(pid) == birth {
        let _ = sys::signal::send(&pidfd, signal.number());
    }
}

#[cfg(test)]
mod tests {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_removed_now_is_removed_later() {
        for at_once in [true, false] {
            let directory = std::env::temp_dir().join(format!("lighter-forget-{}-{at_once}", std::process::id()));
            std::fs::create_dir(&directory).unwrap();
            // what something is mounted on stays
            mount("none", &directory, "tmpfs", MountFlags::empty(), None).unwrap();
            match at_once {
                true => forget_now(directory.clone()),
                false => forget(directory.clone()).await,
            }
            assert!(directory.exists());
            unmount(&directory, UnmountFlags::empty()).unwrap();
            let gone = async {
                while directory.exists() {
                    tokio::time::sleep(PAUSE).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
        }
    }
}

//! The root directory of a container, by a descriptor.
//!
//! - *It runs*: `/proc/PID/root`, which is its tree with all mounts in it, and works from our own namespace.
//! - *It does not*: its root filesystem is mounted by a thread of its own in a mount namespace of its own, with the binds
//!   that a start would make, and goes with that thread.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::{IdRange, Ids, Root};
use image::Inside;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, OpenTreeFlags};
use sys::mount::{Attributes, Propagation};
use sys::namespace::Kinds;
use values::{Error, ErrorKind, Result, ResultExt, RootMount};

use crate::container::Container;
use crate::container::mounts::{self, Resolved};
use crate::container::record::Record;
use crate::container::state::{Phase, State};
use crate::oci;
use crate::shared::{Shared, blocking, in_own_thread};

/// How long a copy into a container that does not run waits for its start to be over, and the other way round.
pub const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// While it lasts, a container that does not run cannot be started.
    Write,
}

/// Does `work` on the container's root directory, on a thread that may block.
///
/// # Errors
/// Those of `work`; `Conflict` when the container is just being started; `NotFound` when it was removed meanwhile.
pub async fn with_root<T: Send + 'static>(
    shared: &Arc<Shared>,
    container: &Arc<Container>,
    access: Access,
    work: impl FnOnce(&Root, &Ids) -> Result<T> + Send + 'static,
) -> Result<T> {
    unless_removed(container, reach(shared, container, access, work).await)
}

async fn reach<T: Send + 'static>(
    shared: &Arc<Shared>,
    container: &Arc<Container>,
    access: Access,
    work: impl FnOnce(&Root, &Ids) -> Result<T> + Send + 'static,
) -> Result<T> {
    let record = container.record();
    let (s, layers) = (shared.clone(), record.all_layers().cloned().collect::<Vec<_>>());
    let work = move |root: &Root, ids: &Ids| {
        // it may end while we are at it: its layers must stay all the same
        let _inside = s.images.enter(&layers)?;
        work(root, ids)
    };
    if let Some((root, _)) = running(container).await? {
        return in_running(root, ids(shared, &record), work).await;
    }
    let mut binds = mounts::of(shared, &record)?;
    // what binds are mounted on may have to be made
    let access = if binds.iter().any(|b| b.is_tree()) { Access::Write } else { access };
    let busy = || Error::conflict(format!("container {} is being started: try again", container.id));
    let guard = match access {
        Access::Read => None,
        Access::Write => {
            let files = container.files.clone().write_owned();
            Some(tokio::time::timeout(PATIENCE, files).await.map_err(|_| busy())?)
        }
    };
    // it may have been started while we waited
    if guard.is_some()
        && let Some((root, _)) = running(container).await?
    {
        return in_running(root, ids(shared, &record), work).await;
    }
    mounts::reach(shared, &binds).await?;
    let (s, id) = (shared.clone(), container.id.clone());
    in_own_thread(move || {
        let _guard = guard;
        let _inside = s.images.enter(&record.layers)?;
        let mount = match access {
            Access::Read => s.snapshots.current(id.as_str(), &record.layers)?,
            Access::Write => s.snapshots.mounts(id.as_str(), &record.layers, record.snapshot_options())?,
        };
        let mounted = mounts::images::open(&s, &id, &mut binds)?;
        let place = s.config.run_root.join("files");
        let lowest = s.snapshots.lowest(&record.layers)?;
        // on the disk owners are as inside
        work(&Root::of(stopped(&mount, lowest.as_ref(), &binds, &mounted.lowest, &place)?), &Ids::default())
    })
    .await
}

async fn in_running<T: Send + 'static>(
    root: OwnedFd,
    ids: Ids,
    work: impl FnOnce(&Root, &Ids) -> Result<T> + Send + 'static,
) -> Result<T> {
    let root = Root::of(root);
    in_own_thread(move || {
        if ids != Ids::default() {
            // nobody who is not mapped can make files there
            let (uid, gid) = ids.outside(0, 0).map_err(failed)?;
            sys::identity::set_file_owner(uid, gid).map_err(failed)?;
        }
        work(&root, &ids)
    })
    .await
}

/// How owners are seen through the mounts of a container that runs in a user namespace.
pub fn ids(shared: &Shared, record: &Record) -> Ids {
    let range =
        |map: &::oci::runtime::IdMapping| IdRange { inside: map.container_id, outside: map.host_id, size: map.size };
    let remap = oci::of_remap(&record.host, &shared.config.defaults);
    remap.map_or_else(Ids::default, |remap| Ids {
        uids: remap.uids.iter().map(range).collect(),
        gids: remap.gids.iter().map(range).collect(),
    })
}

/// What was wrong with the files of a container that is gone now, or on its way, is that they are.
fn unless_removed<T>(container: &Container, outcome: Result<T>) -> Result<T> {
    match outcome {
        Err(e) if e.kind == ErrorKind::Internal && is_leaving(container) => Err(container.gone()),
        other => other,
    }
}

fn is_leaving(container: &Container) -> bool {
    matches!(container.state().phase, Phase::Removing | Phase::Gone | Phase::Dead)
}

/// `/proc/PID/root` of the first process, with the state it was found in; `None`: the container does not run. One whose
/// process has ended will say so in a moment.
async fn running(container: &Container) -> Result<Option<(OwnedFd, State)>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = container.state();
        if !state.is_running() {
            return Ok(None);
        }
        if let Some(root) = root_of(&state) {
            return Ok(Some((root, state)));
        }
        let told = container.until(|s| s.exits > state.exits || !s.is_running());
        if tokio::time::timeout_at(until.into(), told).await.is_err() {
            return Err(Error::conflict(format!("container {} is ending: try again", container.id)));
        }
    }
}

/// `None`: the process has ended, whoever has its number by now.
fn root_of(state: &State) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(state.pid)?;
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{}/root", state.pid), flags, Mode::empty()).ok()?;
    // while its pidfd is not readable the process is there, and the number is its own
    (sys::stat::birth(state.pid) == state.birth && is_alive(&pidfd)).then_some(root)
}

fn is_alive(pidfd: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(0))
}

/// The root filesystem alone, without what is mounted in it: as it is for a container that runs. Its layers stay as they
/// are while the last of the three is held.
///
/// # Errors
/// `Internal` with the kernel's words.
pub async fn bare(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<(Root, Ids, Inside)> {
    unless_removed(container, bare_now(shared, container).await)
}

async fn bare_now(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<(Root, Ids, Inside)> {
    let (s, record) = (shared.clone(), container.record());
    let layers = record.layers.clone();
    let inside = blocking(move || s.images.enter(&layers)).await?;
    if let Some((root, state)) = running(container).await? {
        // it may end now; its namespace stays as long as it is held
        let namespace = File::open(format!("/proc/{}/ns/mnt", state.pid));
        if let (Ok(namespace), true) = (namespace, root_of(&state).is_some()) {
            let ids = ids(shared, &record);
            let root = in_own_thread(move || cloned(root.as_fd(), namespace.as_fd()).map_err(failed)).await?;
            return Ok((Root::of(root), ids, inside));
        }
    }
    let mount = shared.snapshots.current(container.id.as_str(), &record.layers)?;
    let lowest = shared.snapshots.lowest(&record.layers)?;
    let root = in_own_thread(move || {
        alone()?;
        runtime::mount_root(&mount, lowest.as_ref().map(AsFd::as_fd), "").map_err(|e| Error::internal(e.message))
    });
    Ok((Root::of(root.await?), Ids::default(), inside))
}

/// The files of a container that was only just prepared. To be called by a thread that ends thereafter.
///
/// # Errors
/// `Internal` with the kernel's words.
pub fn unstarted(shared: &Shared, record: &Record) -> Result<Root> {
    alone()?;
    let mount = shared.snapshots.current(record.id.as_str(), &record.layers)?;
    let lowest = shared.snapshots.lowest(&record.layers)?;
    let root = runtime::mount_root(&mount, lowest.as_ref().map(AsFd::as_fd), "");
    root.map(Root::of).map_err(|e| Error::internal(e.message))
}

/// A detached clone of the mount that `root` is. Only who is in its mount namespace may make one; so the calling thread
/// goes there, and must end thereafter.
fn cloned(root: std::os::fd::BorrowedFd<'_>, namespace: std::os::fd::BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    sys::namespace::unshare_directories()?;
    sys::namespace::join(namespace, Kinds::MOUNT)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(root, c"", flags)
}

/// A working directory of the thread's own: mounting long stacks of layers on old kernels changes it.
fn alone() -> Result<()> {
    sys::namespace::unshare_directories().map_err(failed)
}

fn failed(errno: Errno) -> Error {
    Error::internal(format!("cannot open the container's files: {}", values::system_words(&errno)))
}

/// Mounts in a new namespace of the calling thread, which must end thereafter. `place` is any directory.
fn stopped(
    mount: &RootMount,
    lowest: Option<&OwnedFd>,
    binds: &[Resolved],
    images: &[OwnedFd],
    place: &PathBuf,
) -> Result<OwnedFd> {
    std::fs::create_dir_all(place).during(|| place.display())?;
    sys::namespace::unshare(Kinds::MOUNT).map_err(failed)?;
    let private = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
    sys::mount::set_attributes(rustix::fs::CWD, c"/", true, &private).map_err(failed)?;
    let tree = runtime::mount_root(mount, lowest.map(AsFd::as_fd), "").map_err(|e| Error::internal(e.message))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&tree, c"", rustix::fs::CWD, place, flags).map_err(failed)?;
    let mut images = images.iter();
    for bind in binds.iter().filter(|b| b.is_tree()) {
        attach(&tree, &source(bind, &mut images)?, bind)
            .map_err(|errno| failed(errno).context(bind.destination.clone()))?;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(&tree, c".", flags, Mode::empty()).map_err(failed)
}

/// `images`: mounts of the images' lowest layers, the next one first.
fn source<'a>(bind: &Resolved, images: &mut impl Iterator<Item = &'a OwnedFd>) -> Result<OwnedFd> {
    if let Some(source) = bind.runtime_source() {
        let lowest = if source.has_lowest { images.next().map(AsFd::as_fd) } else { None };
        let options = runtime::SourceOptions { recursive: bind.recursive, lowest, label: "" };
        return source.open(options).map_err(|e| mounts::part_error(e.message));
    }
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if bind.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(rustix::fs::CWD, bind.host_path(), flags)
        .map_err(|errno| failed(errno).context(bind.destination.clone()))
}

fn attach(root: &OwnedFd, tree: &OwnedFd, bind: &Resolved) -> Result<(), Errno> {
    if bind.read_only {
        let change = Attributes { set: Some(MountAttrFlags::MOUNT_ATTR_RDONLY), ..Attributes::default() };
        sys::mount::set_attributes(tree.as_fd(), c"", bind.recursive, &change)?;
    }
    let target = match FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode) {
        FileType::Directory => sys::path::mkdir_all_in_root(root, bind.destination.as_str(), Mode::from(0o755))?,
        _ => sys::path::create_file_in_root(root, bind.destination.as_str(), Mode::from(0o644))?,
    };
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, c"", &target, c"", flags)
}

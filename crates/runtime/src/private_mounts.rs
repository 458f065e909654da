//! Work in a copy of the host's mounts that nobody else sees and that is gone afterwards.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};
use sys::mount::{Attributes, Propagation};
use sys::namespace::{self, Kinds};

/// Runs `work` on a thread whose mounts are its own. What it mounts by path ends with it; descriptors of detached mounts
/// live on.
pub(crate) fn within<T: Send>(work: impl FnOnce() -> Result<T, Errno> + Send) -> Result<T, Errno> {
    let own = || {
        namespace::unshare(Kinds::MOUNT)?;
        let private = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
        sys::mount::set_attributes(CWD, c"/", true, &private)?;
        work()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, own);
        let thread = thread.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        thread.join().unwrap_or(Err(Errno::INVAL))
    })
}

/// Mounts a detached tree at a path.
pub(crate) fn attach(tree: &OwnedFd, place: &Path) -> Result<(), Errno> {
    rustix::mount::move_mount(tree, c"", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// A detached copy of the mount at `path` in which the ids on disk are those inside `user`.
pub(crate) fn mapped(path: &Path, user: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let tree = rustix::mount::open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    sys::mount::map_ids(tree.as_fd(), user, false)?;
    Ok(tree)
}

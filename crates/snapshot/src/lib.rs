//! Snapshots: unpacked layers and containers' writable root filesystems.
//!
//! A [`Snapshotter`] keeps two kinds of things below its root directory. *Layers* are read-only, named by their chain id
//! (the digest of a layer and all below it), made once by [`Snapshotter::stage`], [`Stage::apply`] and [`Snapshotter::commit`] and shared by
//! all who stand on them. *Root filesystems* belong to one container each, named by its id, made by
//! [`Snapshotter::prepare`] in microseconds. Nobody above this crate may assume that a layer is a directory: what can be
//! had of one is a [`RootMount`], data that says what to mount, and the caller is the one who mounts.
//!
//! Drivers: [`Overlay`], as `erofs` (a layer is its tar and an index over it, docs/adr/0021) or as `overlay` (a layer is a
//! directory), both put together by overlayfs, and [`Native`] (full copies, for filesystems overlayfs cannot work on). All
//! pass the suite in `suite.rs`. [`open`] picks one by trying what the kernel can do.
//!
//! Rules that hold for every driver:
//! - A layer is there whole or not at all, also after a power cut: it is written in a staging directory, synced with its
//!   filesystem, and renamed. What a crash leaves in staging is thrown away at the next opening.
//! - Removing is a rename into the trash; a thread empties that, the caller never waits ([`Trash`]).
//! - Nothing is mounted on the host.

mod change;
mod compare;
mod init_layer;
mod layout;
mod merged;
mod native;
mod overlay;
mod packed;
mod places;
mod probe;
mod quota;
mod settle;
mod shared;
mod stage;
#[cfg(test)]
mod suite;
mod trash;
mod tree;

use std::{io::Write, os::fd::OwnedFd, path::Path, sync::Arc};

use values::{Digest, Result, RootMount};

pub use change::{Change, ChangeKind};
pub use native::Native;
pub use overlay::Overlay;
pub use stage::{Applied, Stage};
pub use trash::Trash;
pub use tree::{Usage, usage as usage_below};

/// How a container's root filesystem is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Never sync what is written (`--rm`): after a power cut it is gone anyway.
    pub volatile: bool,
}

/// What [`Snapshotter::view`] returns.
#[derive(Debug)]
pub struct View {
    pub root: RootMount,
    /// As [`Snapshotter::lowest`] for it.
    pub lowest: Option<OwnedFd>,
}

/// A driver. All calls block and may come from any thread; layers are lists of chain ids, **lowest first**.
pub trait Snapshotter: Send + Sync {
    /// `erofs`, `overlay` or `native`.
    fn driver(&self) -> &'static str;

    /// What `info` tells of it: rows of a name and a value, Docker's names where it has them.
    fn status(&self) -> Vec<[String; 2]>;

    /// Whether a layer can be written before those below it are committed.
    fn is_parallel(&self) -> bool;

    /// Begins a layer on top of `below`. Where [`Snapshotter::is_parallel`] says no, those must be committed.
    fn stage(&self, below: &[Digest]) -> Result<Stage>;

    /// Makes staged layers durable and visible under their chain ids. What a layer stands on is there or comes before it in
    /// the list. One that exists already stays as it was.
    fn commit(&self, layers: Vec<(Stage, Digest)>) -> Result<()>;

    /// Makes ahead of time what root filesystems on `layers` will share, so that the first start of an image is as fast as the
    /// others.
    fn ready(&self, layers: &[Digest]) -> Result<()>;

    /// Whether the topmost of these layers is there, and can be used on top of the others.
    fn has(&self, layers: &[Digest]) -> bool;

    /// Begins a layer once more that is there, in the form in which it is, to be compared with it.
    fn stage_again(&self, layer: &Digest, below: &[Digest]) -> Result<Stage>;

    /// The first thing in which the layer that is there is not what the stage, begun again and given the same tar, is; `None`:
    /// nothing. The stage can still be committed.
    ///
    /// # Errors
    /// Of the stage, and `NotFound` where a layer below is missing: what cannot be read of the layer itself is a difference.
    fn compare(&self, stage: Stage, layer: &Digest) -> Result<(Option<String>, Stage)>;

    /// The layer's plain tar was put anew where [`Stage::stored_at`] was told it is: what was linked to it before may be
    /// damaged. Who uses the layer goes on with what he has.
    fn stored_anew(&self, layer: &Digest, tar: &Path) -> Result<()>;

    /// All layers that are there.
    fn layers(&self) -> Result<Vec<Digest>>;

    /// Throws a layer away. It must be below no other layer and in no root filesystem's use.
    fn remove_layer(&self, layer: &Digest) -> Result<()>;

    /// Makes the writable root filesystem of container `id` on top of `layers`.
    ///
    /// Files and directories that every container's mounts need (`/proc`, `/dev/pts`, `/etc/hosts`, …) are there without
    /// being written to it.
    fn prepare(&self, id: &str, layers: &[Digest], options: Options) -> Result<RootMount>;

    /// The files of `layers` alone, for as long as `id` is not removed. Whoever mounts it does so read-only.
    fn view(&self, id: &str, layers: &[Digest]) -> Result<View>;

    /// The mount of a prepared root filesystem once more, say after a restart. What a power cut took of it is made anew.
    fn mounts(&self, id: &str, layers: &[Digest], options: Options) -> Result<RootMount>;

    /// The container's files as they are now, read-only: whether it runs or not, the mount is another one than its own and
    /// never in its way.
    fn current(&self, id: &str, layers: &[Digest]) -> Result<RootMount>;

    /// A detached mount of the lowest layer in what [`Snapshotter::mounts`] and [`Snapshotter::current`] return, for who mounts
    /// them: all use the same one, and so share its files in memory. `None`: there is nothing to be shared.
    fn lowest(&self, layers: &[Digest]) -> Result<Option<OwnedFd>>;

    /// What the container changed, sorted by path.
    fn changes(&self, id: &str, layers: &[Digest]) -> Result<Vec<Change>>;

    /// Whether [`Snapshotter::changes`] has anything.
    fn is_changed(&self, id: &str, layers: &[Digest]) -> Result<bool>;

    /// Writes what the container changed as a layer's tar (image-spec layer.md).
    fn diff(&self, id: &str, layers: &[Digest], out: &mut dyn Write) -> Result<()>;

    /// Limits what container `id` may write to so many bytes, from now on.
    ///
    /// # Errors
    /// `InvalidArgument` where the filesystem below cannot.
    fn limit(&self, id: &str, bytes: u64) -> Result<()>;

    /// Throws a root filesystem or view away; nothing happens where there is none.
    fn remove(&self, id: &str) -> Result<()>;

    /// All prepared root filesystems and views.
    fn prepared(&self) -> Result<Vec<String>>;

    /// What container `id` has written itself.
    fn usage(&self, id: &str) -> Result<Usage>;

    /// What a layer takes.
    fn layer_usage(&self, layer: &Digest) -> Result<Usage>;

    /// The trash of this root directory.
    fn trash(&self) -> &Arc<Trash>;
}

/// Opens the snapshots below `root` with the driver of that name, or, without one, with the first that works there: `erofs`,
/// `overlay`, `native`.
///
/// # Errors
/// `InvalidArgument` for an unknown driver, `NotImplemented` for one that the kernel or filesystem cannot have.
pub fn open(root: &Path, driver: Option<&str>) -> Result<Arc<dyn Snapshotter>> {
    match driver {
        Some("erofs") => Ok(Arc::new(Overlay::open_erofs(root)?)),
        Some("overlay" | "overlay2" | "overlayfs") => Ok(Arc::new(Overlay::open(root)?)),
        Some("native" | "vfs") => Ok(Arc::new(Native::open(root)?)),
        Some(other) => Err(values::Error::invalid(format!("driver not supported: {other}"))),
        None => {
            for name in ["erofs", "overlay"] {
                match open(root, Some(name)) {
                    Err(e) if e.kind == values::ErrorKind::NotImplemented => {}
                    other => return other,
                }
            }
            open(root, Some("native"))
        }
    }
}

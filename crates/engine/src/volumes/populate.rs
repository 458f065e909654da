//! What an image has where a volume is mounted goes into the volume, if that is empty.

use std::io::{BufReader, BufWriter};
use std::os::fd::{AsFd, OwnedFd};

use archive::pack::{Marks, Packer};
use archive::unpack::{Copy, copy_attributes, unpack_copy};
use archive::{Ids, Root};
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;
use values::{Error, ErrorKind, Result, ResultExt};

use crate::container::files;
use crate::container::mounts::Resolved;
use crate::container::record::Record;
use crate::shared::Shared;

/// For a container that is being made: its root filesystem is prepared, it is not supervised yet.
///
/// # Errors
/// `Internal` naming the volume.
pub fn populate(shared: &Shared, record: &Record, mounts: &[Resolved]) -> Result<()> {
    let mut wanted = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.volume.as_ref().is_some_and(|volume| volume.copy)) {
        wanted.extend(empty_directory(mount)?.map(|target| (mount, target)));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let work = || {
        let root = files::unstarted(shared, record)?;
        let ids = files::ids(shared, record);
        wanted.into_iter().try_for_each(|(mount, target)| {
            let failed = || format!("failed to copy the image's files to volume {}", mount.source);
            fill(&root, &mount.destination, target, &ids).during(failed)
        })
    };
    // it changes what a thread's paths are relative to
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.map_err(|_| Error::internal("copying to a volume failed unexpectedly"))?
}

/// What of a volume is mounted, if that is a directory with nothing in it. One that cannot be looked at (a server's, which
/// lets nobody) gets nothing.
fn empty_directory(mount: &Resolved) -> Result<Option<OwnedFd>> {
    let place = match mount.open() {
        // a part that is not there is no reason for a container not to be made, but for it not to be started
        Err(e) if !mount.part.is_empty() && e.kind != ErrorKind::NotFound => return Err(e),
        Err(_) => return Ok(None),
        Ok(place) => place,
    };
    Ok(open_empty(&place).ok().flatten())
}

fn open_empty(place: &OwnedFd) -> rustix::io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(place, c".", flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(None);
        }
    }
    Ok(Some(directory))
}

fn fill(root: &Root, from: &str, target: OwnedFd, ids: &Ids) -> Result<()> {
    let source = match root.dir(from.as_bytes()) {
        Ok(source) => source,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(errno) => return Err(std::io::Error::from(errno).into()),
    };
    let target = Root::of(target);
    let (reader, writer) = std::io::pipe()?;
    let from = source.try_clone()?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut packer = Packer::new(BufWriter::new(writer), Marks::Plain);
            packer.tree(from, b"")?;
            packer.finish()?.into_inner().map(drop).map_err(|e| e.into_error())
        });
        let copy = Copy { ids: ids.clone(), ..Copy::default() };
        let unpacked = unpack_copy(BufReader::new(reader), &target, &copy);
        let packed = packing.join().map_err(|_| Error::internal("reading the image's files failed unexpectedly"))?;
        unpacked?;
        packed.map_err(Error::from)
    })?;
    copy_attributes(source.as_fd(), target.as_fd())?;
    let stat = rustix::fs::fstat(&source).map_err(std::io::Error::from)?;
    let (uid, gid) = ids.outside(stat.st_uid, stat.st_gid).map_err(std::io::Error::from)?;
    std::os::unix::fs::fchown(target.as_fd(), Some(uid), Some(gid))?;
    Ok(())
}

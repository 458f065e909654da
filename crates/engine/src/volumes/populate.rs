//! What an image has where a volume is mounted goes into the volume, if that is empty.

use std::fs;
use std::io::{BufReader, BufWriter};
use std::os::fd::AsFd;
use std::path::Path;

use archive::pack::{Marks, Packer};
use archive::unpack::{Copy, copy_attributes, unpack_copy};
use archive::{Ids, Root};
use rustix::io::Errno;
use values::{Error, Result, ResultExt};

use crate::container::files;
use crate::container::mounts::Resolved;
use crate::container::record::Record;
use crate::shared::Shared;

/// For a container that is being made: its root filesystem is prepared, it is not supervised yet.
///
/// # Errors
/// `Internal` naming the volume.
pub fn populate(shared: &Shared, record: &Record, mounts: &[Resolved]) -> Result<()> {
    let wanted: Vec<&Resolved> = mounts.iter().filter(|mount| wants_copy(mount)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let work = || {
        let root = files::unstarted(shared, record)?;
        let ids = files::ids(shared, record);
        wanted.iter().try_for_each(|mount| {
            fill(&root, mount, &ids).during(|| format!("failed to copy the image's files to volume {}", mount.source))
        })
    };
    // it changes what a thread's paths are relative to
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.map_err(|_| Error::internal("copying to a volume failed unexpectedly"))?
}

fn wants_copy(mount: &Resolved) -> bool {
    let is_empty = |path: &str| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    mount.volume.as_ref().is_some_and(|volume| volume.copy) && is_empty(mount.host_path())
}

fn fill(root: &Root, mount: &Resolved, ids: &Ids) -> Result<()> {
    let source = match root.dir(mount.destination.as_bytes()) {
        Ok(source) => source,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(errno) => return Err(std::io::Error::from(errno).into()),
    };
    let target = Root::open(Path::new(mount.host_path())).map_err(std::io::Error::from)?;
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
    std::os::unix::fs::chown(mount.host_path(), Some(uid), Some(gid))?;
    Ok(())
}

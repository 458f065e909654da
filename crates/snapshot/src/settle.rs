//! What a layer that was unpacked by itself takes from those below it, once they are there.
//!
//! A tar may leave out the directories its entries lie in: they keep the attributes they have below. And it may link
//! to a file it does not have: then that file is copied up, as overlayfs does when somebody links it in a container.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use archive::{
    Root, split,
    unpack::{Orphan, Unpacked, copy_attributes, copy_entry, is_whiteout, stat_times},
};
use rustix::fs::{self, AtFlags, Mode, Timestamps};
use values::{Error, Result, ResultExt};

use crate::merged::{Found, Merged};

pub(crate) fn settle(dir: &Path, unpacked: &mut Unpacked, below: &Merged) -> Result<()> {
    let root = Root::open(dir).map_err(io::Error::from).during(|| dir.display())?;
    for orphan in std::mem::take(&mut unpacked.orphans) {
        let shown = || format!("hard link {}", String::from_utf8_lossy(&orphan.path));
        adopt(&root, below, &orphan, &mut unpacked.implied).during(shown)?;
    }
    // parents after what is in them: a directory's time is set when all is made
    unpacked.implied.sort_unstable_by(|a, b| b.cmp(a));
    for path in std::mem::take(&mut unpacked.implied) {
        inherit(&root, below, &path).during(|| String::from_utf8_lossy(&path).into_owned())?;
    }
    Ok(())
}

/// The attributes of the directory below.
fn inherit(root: &Root, below: &Merged, path: &[u8]) -> io::Result<()> {
    let Some(found) = below.find(path)?.filter(Found::is_dir) else { return Ok(()) };
    copy_attributes(found.layer.real_dir(path)?.as_fd(), root.dir(path)?.as_fd())
}

/// Makes the link, with a copy of what it links to.
fn adopt(root: &Root, below: &Merged, orphan: &Orphan, implied: &mut Vec<Vec<u8>>) -> Result<()> {
    let target = &orphan.target;
    let missing = || Error::invalid(format!("its target {:?} is not there", String::from_utf8_lossy(target)));
    let found = below.find(target)?.filter(|found| !found.is_dir()).ok_or_else(missing)?;
    let (from_parent, from_name) = split(target);
    let from = found.layer.real_dir(from_parent).map_err(io::Error::from)?;
    let (parent, name) = split(&orphan.path);
    let to = Keeping::open(root, parent)?;
    let here = match root.stat(target, false) {
        Ok(stat) if is_whiteout(&stat) => {
            // The layer deletes the target: the link is all that stays of it.
            return Ok(copy_entry(from.as_fd(), from_name, to.fd.as_fd(), name)?);
        }
        Ok(_) => root.real_dir(from_parent).map_err(io::Error::from)?,
        Err(_) => {
            make_dirs(root, from_parent, implied)?;
            let here = Keeping::open(root, from_parent)?;
            copy_entry(from.as_fd(), from_name, here.fd.as_fd(), from_name)?;
            root.real_dir(from_parent).map_err(io::Error::from)?
        }
    };
    Ok(fs::linkat(&here, from_name, &to.fd, name, AtFlags::empty()).map_err(io::Error::from)?)
}

fn make_dirs(root: &Root, path: &[u8], implied: &mut Vec<Vec<u8>>) -> Result<()> {
    if path.is_empty() || root.real_dir(path).is_ok() {
        return Ok(());
    }
    let (parent, name) = split(path);
    make_dirs(root, parent, implied)?;
    let dir = Keeping::open(root, parent)?;
    fs::mkdirat(&dir.fd, name, Mode::from(0o755)).map_err(io::Error::from)?;
    implied.push(path.to_vec());
    Ok(())
}

/// An open directory which has its old times again when we are done with it.
struct Keeping {
    fd: OwnedFd,
    times: Timestamps,
}

impl Keeping {
    fn open(root: &Root, path: &[u8]) -> io::Result<Self> {
        let fd = root.dir(path)?;
        let times = stat_times(&fs::fstat(&fd)?);
        Ok(Self { fd, times })
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        // a directory of ours, on a filesystem that took times a moment ago
        let _ = fs::futimens(&self.fd, &self.times);
    }
}

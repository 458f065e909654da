//! Into a container: a tar, unpacked at a path.

use std::io::{BufReader, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use archive::unpack::{Copy, unpack_copy};
use archive::{Ids, Root, decompress};
use rustix::io::Errno;
use values::{Error, Result};

use super::path::{Place, resolve};
use super::root::{Access, with_root};
use super::stat::missing;
use crate::container::Container;
use crate::container::mounts::{self, Resolved};
use crate::shared::Shared;

#[derive(Clone, Copy, Debug, Default)]
pub struct CopyOptions {
    /// A directory does not replace anything else, nor the other way round.
    pub keep_kinds: bool,
    /// Everything belongs to the container's user.
    pub owned_by_user: bool,
}

/// # Errors
/// `NotFound` and `InvalidArgument` in Docker's words. What was unpacked until then stays.
pub async fn copy_in(
    shared: &Arc<Shared>,
    container: &Arc<Container>,
    path: &str,
    mut tar: Box<dyn Read + Send>,
    options: CopyOptions,
) -> Result<()> {
    let record = container.record();
    let (name, path) = (container.name(), path.to_owned());
    let binds = mounts::of(shared, &record)?;
    let work = move |root: &Root, ids: &Ids| {
        let base = destination(root, &path, &name)?;
        refuse_read_only(&base, &binds, record.host.readonly_rootfs)?;
        let owner = match options.owned_by_user && !record.config.user.is_empty() {
            true => {
                let user = runtime::user::resolve(root.as_fd(), &record.config.user);
                Some(user.map(|user| (user.uid, user.gid)).map_err(|e| Error::invalid(e.message))?)
            }
            false => None,
        };
        let (_, tar) = decompress(BufReader::new(&mut *tar))?;
        unpack_copy(tar, root, &Copy { base, owner, ids: ids.clone(), keep_kinds: options.keep_kinds, rename: None })?;
        Ok(())
    };
    with_root(shared, container, Access::Write, work).await?;
    shared.emit_container("extract-to-dir", container);
    Ok(())
}

/// The directory a path leads to, all links followed, without slashes around it.
fn destination(root: &Root, path: &str, container: &str) -> Result<Vec<u8>> {
    let whole = Place::parse(path).whole();
    match root.dir(&whole) {
        Ok(_) => {}
        Err(Errno::NOTDIR) => return Err(Error::invalid("extraction point is not a directory")),
        Err(errno) => return Err(missing(errno, path, container)),
    }
    let resolved = resolve(root, &whole).map_err(|errno| missing(errno, path, container))?;
    Ok(resolved[1..].to_vec())
}

fn refuse_read_only(base: &[u8], binds: &[Resolved], read_only_root: bool) -> Result<()> {
    let below = |mount: &&Resolved| {
        let at = mount.destination.trim_matches('/').as_bytes();
        base == at || base.strip_prefix(at).is_some_and(|rest| rest.starts_with(b"/"))
    };
    match binds.iter().filter(below).max_by_key(|mount| mount.destination.len()) {
        Some(mount) if mount.read_only => Err(Error::invalid("mounted volume is marked read-only")),
        None if read_only_root => Err(Error::invalid("container rootfs is marked read-only")),
        _ => Ok(()),
    }
}

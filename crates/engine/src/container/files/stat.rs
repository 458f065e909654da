//! What is at a path.

use std::sync::Arc;

use api::types::PathStat;
use archive::Root;
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use values::{Error, Result, Timestamp, system_words};

use super::path::{Place, is_link, resolve};
use super::root::{Access, with_root};
use crate::container::Container;
use crate::shared::Shared;

/// # Errors
/// `NotFound` in Docker's words.
pub async fn stat(shared: &Arc<Shared>, container: &Arc<Container>, path: &str) -> Result<PathStat> {
    let (name, path) = (container.name(), path.to_owned());
    with_root(shared, container, Access::Read, move |root, _| look(root, &name, &path)).await
}

pub fn look(root: &Root, container: &str, path: &str) -> Result<PathStat> {
    let place = Place::parse(path);
    let stat = find(root, &place).map_err(|errno| missing(errno, path, container))?;
    let link_target = if is_link(&stat) {
        let target = resolve(root, &place.whole()).map_err(|errno| missing(errno, path, container))?;
        String::from_utf8_lossy(&target).into_owned()
    } else {
        String::new()
    };
    Ok(PathStat {
        name: String::from_utf8_lossy(place.name()).into_owned(),
        size: stat.st_size,
        mode: go_mode(stat.st_mode),
        mtime: Timestamp { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
        link_target,
    })
}

fn find(root: &Root, place: &Place) -> Result<Stat, Errno> {
    let parent = place.open_parent(root)?;
    if place.is_entry() {
        rustix::fs::statat(parent, &place.last[..], AtFlags::SYMLINK_NOFOLLOW)
    } else {
        rustix::fs::fstat(parent)
    }
}

/// Docker's words for a path that cannot be had.
pub fn missing(errno: Errno, path: &str, container: &str) -> Error {
    match errno {
        Errno::NOENT => Error::not_found(format!("Could not find the file {path} in container {container}")),
        other => Error::internal(format!("lstat {path}: {}", system_words(&other))),
    }
}

/// The bits of Go's `os.FileMode` (<https://pkg.go.dev/io/fs#FileMode>).
fn go_mode(mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => 1 << 31,
        FileType::Symlink => 1 << 27,
        FileType::BlockDevice => 1 << 26,
        FileType::CharacterDevice => 1 << 26 | 1 << 21,
        FileType::Fifo => 1 << 25,
        FileType::Socket => 1 << 24,
        _ => 0,
    };
    let bit = |set: u32, go: u32| if mode & set != 0 { 1 << go } else { 0 };
    mode & 0o777 | kind | bit(0o4000, 23) | bit(0o2000, 22) | bit(0o1000, 20)
}

#[cfg(test)]
mod tests {
    use super::go_mode;

    #[test]
    fn modes_are_gos() {
        // `os.FileMode` of what Go's Lstat gives
        for (mode, expected) in [
            (0o100644, 0o644),
            (0o120777, 134_218_239),
            (0o040755, 2_147_484_141),
            (0o041777, 2_148_532_735),
            (0o104755, 8_389_101),
            (0o020666, 69_206_454),
        ] {
            assert_eq!(go_mode(mode), expected, "{mode:o}");
        }
    }
}

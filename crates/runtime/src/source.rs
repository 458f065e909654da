//! Sources of bind mounts that no path on the host is enough for: a part of a directory whose owner may not be trusted, or a
//! file system that is mounted for this one container.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use serde::{Deserialize, Serialize};
use values::RootMount;

use crate::failure::text;
use crate::user_namespace::UserNamespace;
use crate::{StartError, mount_root, private_mounts, rootfs};

const NOT_ACCESSIBLE: &str = "cannot access path ";
const ESCAPES: &str = "path concatenation escapes the base directory";

/// Whether an error is that a part ([`Source::part`]) is not there, or outside: Docker's words, which stand alone.
pub fn is_part_refused(message: &str) -> bool {
    message.starts_with(NOT_ACCESSIBLE) || message.starts_with(ESCAPES)
}

/// What a bind mount has instead of the `source` in its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The mount it belongs to, by its destination in the specification.
    pub destination: String,
    pub root: RootMount,
    /// What of it is mounted, relative; links in it must not lead outside. Empty: all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// The ids on its disk are those inside the container's user namespace: it is mounted mapped.
    #[serde(default)]
    pub map_ids: bool,
}

impl Source {
    /// A detached mount of it, for a container without a user namespace. `recursive`: with what is mounted below.
    ///
    /// # Errors
    /// `Other` names what cannot be mounted.
    pub fn open(&self, recursive: bool) -> Result<OwnedFd, StartError> {
        self.mount(recursive, None)
    }

    pub(crate) fn mount(&self, recursive: bool, user: Option<&UserNamespace>) -> Result<OwnedFd, StartError> {
        let user = user.filter(|_| self.map_ids);
        match (&self.root, user) {
            (RootMount::Directory { path }, None) if !self.part.is_empty() => self.part_of_directory(path, recursive),
            (root, user) => {
                let whole = match user {
                    Some(user) => rootfs::mount_mapped(root, None, user, "")?,
                    None => mount_root(root, None, "")?,
                };
                if self.part.is_empty() { Ok(whole) } else { self.part_of_mount(&whole) }
            }
        }
    }

    fn part_of_directory(&self, path: &Path, recursive: bool) -> Result<OwnedFd, StartError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty())
            .and_then(|directory| clone_below(&directory, &self.part, recursive))
            .map_err(|errno| self.inaccessible(path, errno))
    }

    /// Nothing is cloned from a mount that is attached nowhere: where only a thread sees it, it may be anywhere.
    fn part_of_mount(&self, whole: &OwnedFd) -> Result<OwnedFd, StartError> {
        private_mounts::within(|| {
            private_mounts::attach(whole, Path::new("/"))?;
            clone_below(whole, &self.part, false)
        })
        .map_err(|errno| self.inaccessible(Path::new("/"), errno))
    }

    fn inaccessible(&self, base: &Path, errno: Errno) -> StartError {
        let path = base.join(&self.part);
        let path = path.display();
        StartError::other(match errno {
            Errno::XDEV => {
                let (base, part) = (base.display(), &self.part);
                format!("{ESCAPES}, base: {base}, subpath: {part}")
            }
            _ => format!("{NOT_ACCESSIBLE}{path}: lstat {path}: {}", text(errno)),
        })
    }
}

fn clone_below(base: impl AsFd, part: &str, recursive: bool) -> Result<OwnedFd, Errno> {
    let place = sys::path::open_beneath(base, part, OFlags::PATH | OFlags::CLOEXEC)?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(&place, c"", flags)
}

//! Sources of bind mounts that no path on the host is enough for: a part of a directory whose owner may not be trusted, or the
//! files of an image.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci::runtime::Mount as OciMount;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use serde::{Deserialize, Serialize};
use values::{ErrorKind, RootMount};

use crate::failure::text;
use crate::user_namespace::UserNamespace;
use crate::{StartError, mount_root, private_mounts, rootfs};

const NOT_ACCESSIBLE: &str = "cannot access path ";
const ESCAPES: &str = "path concatenation escapes the base directory";

/// Whether an error is that a part ([`Source::part`]) is not there, or outside: Docker's words, which stand alone.
pub fn part_refused(message: &str) -> Option<ErrorKind> {
    match message {
        _ if message.starts_with(NOT_ACCESSIBLE) => Some(ErrorKind::NotFound),
        _ if message.starts_with(ESCAPES) => Some(ErrorKind::InvalidArgument),
        _ => None,
    }
}

/// What a bind mount has behind the `source` in its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The mount it belongs to, by its destination and its `source` in the specification. Errors tell the latter.
    pub destination: String,
    pub name: String,
    pub root: RootMount,
    /// What of it is mounted, relative; links in it must not lead outside. Empty: all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// It is an image's: the ids on its disk are those inside the container's user namespace, and its files have the
    /// container's SELinux label.
    #[serde(default)]
    pub is_image: bool,
    /// A detached mount of its lowest layer comes along: see [`Fds`](crate::Fds).
    #[serde(default)]
    pub has_lowest: bool,
}

/// How it is to be mounted.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceOptions<'a> {
    /// With what is mounted below.
    pub recursive: bool,
    /// As for [`mount_root`].
    pub lowest: Option<BorrowedFd<'a>>,
    /// As for [`mount_root`].
    pub label: &'a str,
}

impl Source {
    /// Whether it is behind this mount.
    pub fn is_of(&self, mount: &OciMount) -> bool {
        self.destination == mount.destination && self.name == mount.source
    }

    /// A detached mount of it, for a container without a user namespace.
    ///
    /// # Errors
    /// `Other` names what cannot be mounted; [`part_refused`] tells what of them is about the part.
    pub fn open(&self, options: SourceOptions<'_>) -> Result<OwnedFd, StartError> {
        self.mount(options, None)
    }

    pub(crate) fn mount(
        &self,
        options: SourceOptions<'_>,
        user: Option<&UserNamespace>,
    ) -> Result<OwnedFd, StartError> {
        if self.is_image {
            let whole = match user {
                Some(user) => rootfs::mount_mapped(&self.root, options.lowest, user, options.label)?,
                None => mount_root(&self.root, options.lowest, options.label)?,
            };
            return if self.part.is_empty() { Ok(whole) } else { self.part_of_mount(&whole) };
        }
        match &self.root {
            RootMount::Directory { path } if !self.part.is_empty() => self.part_of_directory(path, options.recursive),
            root => mount_root(root, None, ""),
        }
    }

    fn part_of_directory(&self, path: &Path, recursive: bool) -> Result<OwnedFd, StartError> {
        let mut how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if !recursive {
            // what is mounted there is no part of it
            how |= ResolveFlags::NO_XDEV;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| self.refused(errno, &|_| false))?;
        match clone_below(&directory, &self.part, how, recursive) {
            Err(Errno::XDEV) if !recursive => {
                let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
                let whole = rustix::mount::open_tree(CWD, path, flags);
                self.part_of_mount(&whole.map_err(|errno| self.refused(errno, &|_| false))?)
            }
            cloned => cloned.map_err(|errno| self.refused(errno, &|part| is_there(&directory, part))),
        }
    }

    /// Before Linux 6.15 nothing is cloned from a mount that is attached nowhere: where only a thread sees it, it may be
    /// anywhere.
    fn part_of_mount(&self, whole: &OwnedFd) -> Result<OwnedFd, StartError> {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let cloned = match clone_below(whole, &self.part, how, false) {
            Err(Errno::INVAL) => private_mounts::within(|| {
                private_mounts::attach(whole, Path::new("/"))?;
                clone_below(whole, &self.part, how, false)
            }),
            cloned => cloned,
        };
        cloned.map_err(|errno| self.refused(errno, &|part| is_there(whole, part)))
    }

    /// `is_there`: whether a beginning of the part is; the first that is not is told, as Docker does.
    fn refused(&self, errno: Errno, is_there: &dyn Fn(&str) -> bool) -> StartError {
        let (base, part) = (&self.name, &self.part);
        if errno == Errno::XDEV {
            return StartError::other(format!("{ESCAPES}, base: {base}, subpath: {part}"));
        }
        let ends = part.match_indices('/').map(|(end, _)| end).chain([part.len()]);
        let first = ends.map(|end| &part[..end]).find(|part| !is_there(part)).unwrap_or(part);
        StartError::other(format!("{NOT_ACCESSIBLE}{base}/{part}: lstat {base}/{first}: {}", text(errno)))
    }
}

fn is_there(base: &OwnedFd, part: &str) -> bool {
    sys::path::open_beneath(base, part, OFlags::PATH | OFlags::CLOEXEC).is_ok()
}

fn clone_below(base: impl AsFd, part: &str, how: ResolveFlags, recursive: bool) -> Result<OwnedFd, Errno> {
    let place = sys::path::open_with(base, part, OFlags::PATH | OFlags::CLOEXEC, how)?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(&place, c"", flags)
}

/// Each source with the mount that came along for it.
///
/// # Errors
/// Where there are not as many as the sources say.
pub fn with_lowest<'a>(
    sources: &'a [Source],
    mounts: &'a [OwnedFd],
) -> Result<Vec<(&'a Source, Option<BorrowedFd<'a>>)>, StartError> {
    let mut left = mounts.iter();
    let mut pairs = Vec::with_capacity(sources.len());
    for source in sources {
        let lowest = if source.has_lowest { Some(left.next().ok_or_else(too_few)?.as_fd()) } else { None };
        pairs.push((source, lowest));
    }
    if left.next().is_some() { Err(too_few()) } else { Ok(pairs) }
}

fn too_few() -> StartError {
    StartError::other("the mounts that came along are not those of the sources")
}

//! What a container changed of its image's files.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use archive::{
    Root,
    unpack::{is_opaque, is_whiteout},
};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::merged::Merged;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Modified,
    Added,
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    /// From the root, without a leading slash.
    pub path: Vec<u8>,
}

/// As deep as paths go.
const DEPTH_MAX: usize = 2048;

/// What the directory `upper`, with overlayfs' marks in it, changes of what is `below`. Sorted by path.
///
/// A directory that is there only because something in it changed counts as changed too, as Docker lists it.
pub(crate) fn of_upper(upper: &Root, below: &Merged) -> io::Result<Vec<Change>> {
    let mut changes = vec![];
    each_of_upper(upper, below, &mut |change| {
        changes.push(change);
        true
    })?;
    Ok(changes)
}

/// Whether [`of_upper`] finds anything; it ends with the first one.
pub(crate) fn is_any_of_upper(upper: &Root, below: &Merged) -> io::Result<bool> {
    let mut any = false;
    each_of_upper(upper, below, &mut |_| {
        any = true;
        false
    })?;
    Ok(any)
}

/// Until `found` says that it has seen enough.
fn each_of_upper(upper: &Root, below: &Merged, found: &mut dyn FnMut(Change) -> bool) -> io::Result<()> {
    walk(upper.real_dir(b"")?, &mut |dir, path, stat| {
        let kind = if is_whiteout(stat) {
            ChangeKind::Deleted
        } else {
            match below.find(path)? {
                None => ChangeKind::Added,
                Some(old) if is_untouched(&old.stat, stat) && !holds_changes(dir, path)? => return Ok(Next::Past),
                Some(_) => ChangeKind::Modified,
            }
        };
        match found(Change { kind, path: path.to_vec() }) {
            true => Ok(Next::within(stat)),
            false => Ok(Next::End),
        }
    })
}

/// A directory that lies in the upper one with nothing in it and hides nothing: somebody looked for a way to write there.
fn holds_changes(parent: BorrowedFd<'_>, path: &[u8]) -> io::Result<bool> {
    let dir = open_dir(parent, archive::split(path).1)?;
    if is_opaque(dir.as_fd()) {
        return Ok(true);
    }
    Ok(!names(&dir)?.is_empty())
}

/// How the whole tree `now` differs from the tree `before`. Sorted by path.
pub(crate) fn between(before: &Root, now: &Root) -> io::Result<Vec<Change>> {
    let mut changes = vec![];
    walk(now.real_dir(b"")?, &mut |_, path, stat| {
        match before.stat(path, false) {
            Ok(old) if is_same(&old, stat) => {}
            Ok(_) => changes.push(Change { kind: ChangeKind::Modified, path: path.to_vec() }),
            Err(_) => changes.push(Change { kind: ChangeKind::Added, path: path.to_vec() }),
        }
        Ok(Next::within(stat))
    })?;
    walk(before.real_dir(b"")?, &mut |_, path, stat| {
        let there = now.stat(path, false);
        if there.is_err() {
            changes.push(Change { kind: ChangeKind::Deleted, path: path.to_vec() });
        }
        Ok(if there.is_ok_and(|now| is_dir(&now)) { Next::within(stat) } else { Next::Past })
    })?;
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// A directory in the upper one that is as it was below.
fn is_untouched(old: &Stat, new: &Stat) -> bool {
    is_dir(old) && is_dir(new) && is_same(old, new)
}

fn is_same(old: &Stat, new: &Stat) -> bool {
    let key = |s: &Stat| (s.st_mode, s.st_uid, s.st_gid, s.st_rdev, s.st_mtime, s.st_mtime_nsec);
    key(old) == key(new) && (is_dir(old) || old.st_size == new.st_size)
}

/// Where a walk goes from an entry.
enum Next {
    In,
    Past,
    End,
}

impl Next {
    fn within(stat: &Stat) -> Self {
        if is_dir(stat) { Self::In } else { Self::Past }
    }
}

/// Calls `see` with each entry, its directory and its path, parents first and names in order.
fn walk(top: OwnedFd, see: &mut impl FnMut(BorrowedFd<'_>, &[u8], &Stat) -> io::Result<Next>) -> io::Result<()> {
    let left = names(&top)?;
    let mut levels = vec![(top, Vec::new(), left)];
    while let Some((dir, path, left)) = levels.last_mut() {
        let Some(name) = left.pop() else {
            levels.pop();
            continue;
        };
        let inner = if path.is_empty() { name.clone() } else { [&path[..], b"/", &name].concat() };
        let Ok(stat) = fs::statat(&*dir, &name[..], AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match see(dir.as_fd(), &inner, &stat)? {
            Next::In => {}
            Next::Past => continue,
            Next::End => return Ok(()),
        }
        if levels.len() == DEPTH_MAX {
            return Err(io::Error::other("directories lie too deep in each other"));
        }
        let parent = levels.last().map(|level| level.0.as_fd());
        if let Some(Ok(dir)) = parent.map(|parent| open_dir(parent, &name)) {
            let left = names(&dir)?;
            levels.push((dir, inner, left));
        }
    }
    Ok(())
}

fn open_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(parent, name, flags, Mode::empty())?)
}

/// The last one first.
fn names(dir: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(&name[..], b"." | b"..") {
            names.insert(name);
        }
    }
    Ok(names.into_iter().rev().collect())
}

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags},
    io::{Errno, Result},
};

/// Depth from which on a directory is first moved up, so that neither descriptors nor path lengths run out however deep
/// somebody nested them.
const DEPTH_MAX: usize = 64;

/// Deletes entry `name` of `dir`, whatever it is and whatever is below it. Symlinks are deleted, not followed; mounts are not
/// crossed (`EBUSY`). Nothing happens where there is none.
pub fn remove_tree(dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    match fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e),
    }
    let top = open(dir, name)?;
    let mut moved = 0u64;
    empty(top.as_fd(), top.as_fd(), 0, &mut moved)?;
    drop(top);
    fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

fn open(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    fs::openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn empty(dir: BorrowedFd<'_>, top: BorrowedFd<'_>, depth: usize, moved: &mut u64) -> Result<()> {
    // Directories moved up may come after what this pass of the listing has seen.
    loop {
        let mut any = false;
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            any = true;
            remove_entry(dir, name, entry.file_type(), top, depth, moved)?;
        }
        if !any {
            return Ok(());
        }
    }
}

fn remove_entry(
    dir: BorrowedFd<'_>,
    name: &[u8],
    kind: FileType,
    top: BorrowedFd<'_>,
    depth: usize,
    moved: &mut u64,
) -> Result<()> {
    if !matches!(kind, FileType::Directory | FileType::Unknown) {
        return ignore_missing(fs::unlinkat(dir, name, AtFlags::empty()));
    }
    match fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR) => return ignore_missing(fs::unlinkat(dir, name, AtFlags::empty())),
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        Err(e) => return Err(e),
    }
    if depth == DEPTH_MAX {
        *moved += 1;
        return fs::renameat(dir, name, top, format!(".lighter-deep-{moved}"));
    }
    let inner = open(dir, name)?;
    empty(inner.as_fd(), top, depth + 1, moved)?;
    drop(inner);
    ignore_missing(fs::unlinkat(dir, name, AtFlags::REMOVEDIR))
}

fn ignore_missing(result: Result<()>) -> Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs as std_fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn removes_deep_and_odd_trees() {
        let base = std::env::temp_dir().join(format!("lighter-remove-{}", std::process::id()));
        std_fs::create_dir_all(base.join("t/a/b")).unwrap();
        std_fs::write(base.join("kept"), "x").unwrap();
        symlink("../kept", base.join("t/link")).unwrap();
        std_fs::write(base.join("t/a/file"), "x").unwrap();
        let root = fs::open(&base, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        // 3000 levels: far beyond PATH_MAX and the number of descriptors a recursion could hold
        let mut at = fs::openat(&root, "t", OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..3000 {
            fs::mkdirat(&at, "deep-directory", Mode::from(0o755)).unwrap();
            at = fs::openat(&at, "deep-directory", OFlags::PATH, Mode::empty()).unwrap();
        }
        remove_tree(root.as_fd(), b"t").unwrap();
        remove_tree(root.as_fd(), b"t").unwrap();
        assert!(!base.join("t").exists());
        remove_tree(root.as_fd(), b"kept").unwrap();
        std_fs::remove_dir(&base).unwrap();
    }
}

//! Paths below a root that we do not trust: the one module for it.
//!
//! A container (or an image, or a build context) decides what is below its root, symbolic links to `/etc/shadow` and `..`
//! included. Everything here resolves with `openat2(2)`
//! (<https://man7.org/linux/man-pages/man2/openat2.2.html>): the kernel itself keeps the walk in the root.
//! Nothing allocates, so that it can be used between clone and exec.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::path::Arg;

use crate::{Errno, Result};

/// As many symbolic links as the kernel follows.
const MAX_LINKS: u32 = 40;

/// Opens `path` as a process chrooted to `root` would: absolute links and `..` stay inside. Magic links are refused.
pub fn open_in_root(root: impl AsFd, path: impl Arg, flags: OFlags) -> Result<OwnedFd> {
    open_with(root, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

/// Opens `path` below `dir`; a walk that would leave it fails (EXDEV). Magic links are refused.
pub fn open_beneath(dir: impl AsFd, path: impl Arg, flags: OFlags) -> Result<OwnedFd> {
    open_with(dir, path, flags, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
}

/// Opens `path` below `dir` and follows no link at all (ELOOP).
pub fn open_no_links(dir: impl AsFd, path: impl Arg, flags: OFlags) -> Result<OwnedFd> {
    open_with(dir, path, flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)
}

/// Opens with `openat2` and retries where the kernel asks for it (a rename raced with the walk).
pub fn open_with(root: impl AsFd, path: impl Arg, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd> {
    path.into_with_c_str(|path| {
        let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
        let path = if path.is_empty() { c"." } else { path };
        for _ in 0..128 {
            match rustix::fs::openat2(&root, path, flags | OFlags::CLOEXEC, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    })
}

/// What to make of the last component of a path that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Directory(Mode),
    File(Mode),
}

/// The directory `path` in `root`, made with its parents where missing; an `O_PATH` descriptor.
/// Links are followed inside the root, dangling ones too: their targets are made.
pub fn mkdir_all_in_root(root: impl AsFd, path: impl Arg, mode: Mode) -> Result<OwnedFd> {
    path.into_with_c_str(|path| ensure(&root, path, Missing::Directory(mode)))
}

/// The file `path` in `root`, made empty where missing (parents 0755); an `O_PATH` descriptor. What exists
/// already may be anything but a directory.
pub fn create_file_in_root(root: impl AsFd, path: impl Arg, mode: Mode) -> Result<OwnedFd> {
    path.into_with_c_str(|path| ensure(&root, path, Missing::File(mode)))
}

fn ensure(root: &impl AsFd, path: &CStr, missing: Missing) -> Result<OwnedFd> {
    let fd = match open_in_root(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => Walk::new(root, missing).run(path)?,
        other => other?,
    };
    let is_dir = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).is_dir();
    match missing {
        Missing::Directory(_) if !is_dir => Err(Errno::NOTDIR),
        Missing::File(_) if is_dir => Err(Errno::ISDIR),
        _ => Ok(fd),
    }
}

/// A walk that makes what is missing. `done` is what was walked, free of links and `..`; `todo` is the rest.
struct Walk<'a, Root: AsFd> {
    root: &'a Root,
    missing: Missing,
    done: Text,
    todo: Text,
    links: u32,
}

impl<'a, Root: AsFd> Walk<'a, Root> {
    fn new(root: &'a Root, missing: Missing) -> Self {
        Self { root, missing, done: Text::new(), todo: Text::new(), links: 0 }
    }

    fn run(mut self, path: &CStr) -> Result<OwnedFd> {
        self.todo.append(path.to_bytes())?;
        let mut component = Text::new();
        while self.todo.take_component(&mut component)? {
            match component.bytes() {
                b"." => {}
                b".." => self.done.pop(),
                name => {
                    let before = self.done.len;
                    self.done.push(name)?;
                    self.step(before)?;
                }
            }
        }
        self.open(OFlags::PATH)
    }

    /// Looks at the component just pushed on `done` (which was `before` long): makes it, or follows it.
    fn step(&mut self, before: usize) -> Result<()> {
        match self.open(OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => self.follow(&fd, before),
            Err(Errno::NOENT) => self.make(before),
            Err(error) => Err(error),
        }
    }

    fn follow(&mut self, fd: &OwnedFd, before: usize) -> Result<()> {
        if !rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode).is_symlink() {
            return Ok(());
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let mut target = Text::new();
        target.len = rustix::fs::readlinkat_raw(fd, c"", &mut target.bytes[..])?;
        if target.len == target.bytes.len() {
            return Err(Errno::NAMETOOLONG);
        }
        self.done.truncate(if target.bytes().first() == Some(&b'/') { 0 } else { before });
        target.push(self.todo.bytes())?;
        self.todo = target;
        Ok(())
    }

    fn make(&mut self, before: usize) -> Result<()> {
        let (mut name, mut parent) = (Text::new(), Text::new());
        // Behind the slash with which the component was pushed.
        name.append(&self.done.bytes()[before + 1..])?;
        parent.append(&self.done.bytes()[..before])?;
        let parent = open_no_links(self.root, parent.path(), OFlags::PATH | OFlags::DIRECTORY)?;
        let name = name.path();
        let last = self.todo.bytes().iter().all(|byte| *byte == b'/');
        let made = match self.missing {
            Missing::File(mode) if last => {
                rustix::fs::mknodat(&parent, name, rustix::fs::FileType::RegularFile, mode, 0)
            }
            Missing::Directory(mode) => rustix::fs::mkdirat(&parent, name, mode),
            Missing::File(_) => rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)),
        };
        match made {
            // Somebody else made it meanwhile; the next step looks at it without following links.
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn open(&self, flags: OFlags) -> Result<OwnedFd> {
        open_no_links(self.root, self.done.path(), flags)
    }
}

/// A path on the stack, always with a NUL behind its end.
struct Text {
    bytes: [u8; libc::PATH_MAX as usize],
    len: usize,
}

impl Text {
    fn new() -> Self {
        Self { bytes: [0; libc::PATH_MAX as usize], len: 0 }
    }
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
    fn path(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
    fn truncate(&mut self, len: usize) {
        self.len = len;
        self.bytes[len] = 0;
    }
    fn append(&mut self, more: &[u8]) -> Result<()> {
        let end = self.len + more.len();
        if end >= self.bytes.len() {
            return Err(Errno::NAMETOOLONG);
        }
        self.bytes[self.len..end].copy_from_slice(more);
        self.truncate(end);
        Ok(())
    }
    /// Adds a component after a slash.
    fn push(&mut self, name: &[u8]) -> Result<()> {
        self.append(b"/")?;
        self.append(name)
    }
    /// Removes the last component; the root stays.
    fn pop(&mut self) {
        self.truncate(self.bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0));
    }
    /// Moves the first component to `into`; false at the end.
    fn take_component(&mut self, into: &mut Self) -> Result<bool> {
        let start = self.bytes().iter().take_while(|byte| **byte == b'/').count();
        let end = self.bytes()[start..].iter().position(|byte| *byte == b'/').map_or(self.len, |at| start + at);
        into.truncate(0);
        into.append(&self.bytes[start..end])?;
        self.bytes.copy_within(end..self.len, 0);
        self.truncate(self.len - end);
        Ok(into.len > 0)
    }
}

/// An error (EXDEV) when the working directory lies outside of the process' root, where a descriptor's magic link can lead:
/// then the kernel's `getcwd(2)` (<https://man7.org/linux/man-pages/man2/getcwd.2.html>) does not begin with a slash.
pub fn working_directory_is_reachable(buffer: &mut [u8]) -> Result<()> {
    // SAFETY: the kernel writes at most the length told.
    crate::check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    if buffer.first() == Some(&b'/') { Ok(()) } else { Err(Errno::XDEV) }
}

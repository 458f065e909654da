//! The path module against hostile trees.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Mode, OFlags};
use sys::Errno;
use sys::path::{create_file_in_root, mkdir_all_in_root, open_beneath, open_in_root, open_no_links};

/// A directory with a root in it, and a file outside of the root.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lighter-path-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(path.join("root/dir/deep")).unwrap();
        std::fs::write(path.join("secret"), "secret").unwrap();
        std::fs::write(path.join("root/file"), "file").unwrap();
        Self(path)
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    fn open(&self) -> OwnedFd {
        rustix::fs::open(self.root(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    fn link(&self, name: &str, target: impl AsRef<Path>) {
        symlink(target, self.root().join(name)).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a descriptor is, below the root.
fn place(tree: &Tree, fd: impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())).unwrap();
    let root = tree.root();
    format!("/{}", path.strip_prefix(&root).unwrap_or_else(|_| panic!("{} is outside", path.display())).display())
}

#[test]
fn nothing_opens_outside() {
    let tree = Tree::new();
    tree.link("up", "../secret");
    tree.link("absolute", tree.0.join("secret"));
    tree.link("loop", "loop");
    tree.link("in", "/dir/../file");
    tree.link("magic", "/proc/self/root");
    let root = tree.open();
    for (path, expected) in [
        ("file", Ok("/file")),
        ("/file", Ok("/file")),
        ("../../file", Ok("/file")),
        ("dir/../../file", Ok("/file")),
        ("in", Ok("/file")),
        ("", Ok("/")),
        ("up", Err(Errno::NOENT)),
        ("absolute", Err(Errno::NOENT)),
        ("magic", Err(Errno::NOENT)),
        ("loop", Err(Errno::LOOP)),
    ] {
        let found = open_in_root(&root, path, OFlags::PATH).map(|fd| place(&tree, fd));
        assert_eq!(found, expected.map(str::to_owned), "{path}");
    }
    for path in ["..", "/file", "up", "absolute", "dir/../../secret"] {
        assert_eq!(open_beneath(&root, path, OFlags::PATH).unwrap_err(), Errno::XDEV, "{path}");
    }
    assert_eq!(open_no_links(&root, "in", OFlags::PATH).unwrap_err(), Errno::LOOP);
}

#[test]
fn what_is_missing_is_made_inside() {
    let tree = Tree::new();
    tree.link("dangling", "/not/there/yet");
    tree.link("escape", "../../../../tmp/lighter-path-outside");
    tree.link("dir/back", "../../..");
    tree.link("hop", "dangling/more");
    tree.link("circle-a", "circle-b/x");
    tree.link("circle-b", "circle-a/x");
    tree.link("long", "a/".repeat(1500));
    let root = tree.open();
    let mode = Mode::from_raw_mode(0o755);
    for (path, expected) in [
        ("a/b//c/./d/", Ok("/a/b/c/d")),
        ("/dir/deep/../new", Ok("/dir/new")),
        ("dangling", Ok("/not/there/yet")),
        ("escape", Ok("/tmp/lighter-path-outside")),
        ("dir/back/x", Ok("/x")),
        ("hop/end", Ok("/not/there/yet/more/end")),
        ("../../y", Ok("/y")),
        ("file", Err(Errno::NOTDIR)),
        ("file/x", Err(Errno::NOTDIR)),
        ("circle-a", Err(Errno::LOOP)),
    ] {
        let found = mkdir_all_in_root(&root, path, mode).map(|fd| place(&tree, fd));
        assert_eq!(found, expected.map(str::to_owned), "{path}");
    }
    for (path, expected) in
        [("f/g/h", Ok("/f/g/h")), ("file", Ok("/file")), ("dir", Err(Errno::ISDIR)), ("/../z", Ok("/z"))]
    {
        let found = create_file_in_root(&root, path, Mode::from_raw_mode(0o644)).map(|fd| place(&tree, fd));
        assert_eq!(found, expected.map(str::to_owned), "{path}");
    }
    assert!(!Path::new("/tmp/lighter-path-outside").exists());
    assert!(mkdir_all_in_root(&root, "long", mode).is_ok());
    let name = "n".repeat(300);
    assert_eq!(mkdir_all_in_root(&root, name.as_str(), mode).unwrap_err(), Errno::NAMETOOLONG);
}

#[test]
fn procfs_is_checked() {
    let procfs = sys::procfs::Procfs::private().unwrap();
    assert!(procfs.open("self/status", OFlags::RDONLY).is_ok());
    assert!(procfs.open("self/root", OFlags::PATH | OFlags::DIRECTORY).is_err(), "a magic link");
    assert!(procfs.open("../etc/passwd", OFlags::RDONLY).is_err());
    let other = rustix::fs::open("/tmp", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    assert_eq!(sys::procfs::Procfs::checked(other).unwrap_err(), Errno::XDEV);
    let below = rustix::fs::open("/proc/self", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    assert_eq!(sys::procfs::Procfs::checked(below).unwrap_err(), Errno::XDEV);
}

#[test]
fn descriptors_travel() {
    let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
    let file = std::fs::File::open("/etc/passwd").unwrap();
    assert_eq!(sys::scm::send(&a, b"hello", &[file.as_fd(), a.as_fd()]), Ok(5));
    let (mut data, mut fds) = ([0u8; 16], Vec::new());
    assert_eq!(sys::scm::receive(&b, &mut data, &mut fds), Ok(5));
    assert_eq!((&data[..5], fds.len()), (&b"hello"[..], 2));
    let same = rustix::fs::fstat(&fds[0]).unwrap().st_ino == rustix::fs::fstat(&file).unwrap().st_ino;
    assert!(same && rustix::io::fcntl_getfd(&fds[0]).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn children_end_with_their_status() {
    let child = sys::clone::spawn(&sys::clone::Clone::default(), || 7).unwrap();
    let wait = rustix::process::waitid(
        rustix::process::WaitId::PidFd(child.pidfd.as_fd()),
        rustix::process::WaitIdOptions::EXITED,
    );
    assert_eq!(wait.unwrap().unwrap().exit_status(), Some(7));
}

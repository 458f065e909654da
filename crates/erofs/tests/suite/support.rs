//! Scratch directories, mounts that nobody else sees, generated cases.

use std::{
    fs,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use erofs::{Device, Tree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rustix::{
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
        fsopen,
    },
};

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lighter-erofs-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// An empty directory in it.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A mount in no directory: it goes when this does.
pub struct Mount(OwnedFd);

impl Mount {
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/", self.0.as_raw_fd()))
    }
}

/// An index with its devices. `None` where the kernel has no EROFS of files, or not here (on tmpfs).
pub fn mount(index: &Path, devices: &[PathBuf]) -> Option<Mount> {
    let mut options = vec![("source", index)];
    options.extend(devices.iter().map(|device| ("device", device.as_path())));
    match mount_options("erofs", &options, true) {
        Ok(mount) => Some(mount),
        Err(e @ (Errno::NODEV | Errno::NOTBLK)) => {
            eprintln!("skipped: no mounting of EROFS from files here ({e})");
            None
        }
        Err(e) => panic!("mounting {}: {e}", index.display()),
    }
}

/// overlayfs of directories, topmost first.
pub fn overlay(dirs: &[PathBuf]) -> Mount {
    let options: Vec<(&str, &Path)> = dirs.iter().map(|dir| ("lowerdir+", dir.as_path())).collect();
    mount_options("overlay", &options, false).unwrap()
}

fn mount_options(kind: &str, options: &[(&str, &Path)], is_read_only: bool) -> Result<Mount, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    if is_read_only {
        fsconfig_set_flag(&context, "ro")?;
    }
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value)?;
    }
    fsconfig_create(&context)?;
    Ok(Mount(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)?))
}

/// A device of that tag, of whatever length the tar turns out to have.
pub fn device(tag: &str) -> Device {
    Device::new(tag, 0).unwrap()
}

/// For trees whose data never has to be copied.
pub fn no_data(_: &Device, _: u64, _: &mut [u8]) -> std::io::Result<()> {
    Err(std::io::Error::other("data was asked for"))
}

/// Writes an index, a new file, and reads it back.
pub fn write(tree: &Tree, data: &dyn erofs::Data, path: &Path) -> Tree {
    let _ = fs::remove_file(path);
    let mut file = fs::File::options().read(true).write(true).create_new(true).open(path).unwrap();
    erofs::write(tree, data, &mut file).unwrap();
    erofs::read(&file, "index").unwrap()
}

/// A file in memory.
pub fn memory() -> fs::File {
    rustix::fs::memfd_create("index", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into()
}

/// What is read of the tree's index.
pub fn round_trip(tree: &Tree) -> Tree {
    let mut file = memory();
    erofs::write(tree, &no_data, &mut file).unwrap();
    erofs::read(&file, "index").unwrap()
}

/// The same cases in each run; other ones, and as many as it says, with `PROPTEST_CASES` set.
pub fn runner(cases: u32) -> TestRunner {
    let config = |cases| Config { cases, failure_persistence: None, ..Config::default() };
    match std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()) {
        Some(cases) => TestRunner::new(config(cases)),
        None => TestRunner::new_with_rng(config(cases), TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

//! What every driver must do, on the real filesystem. Needs root.

mod forms;

use std::{
    collections::BTreeMap,
    fs,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use archive::tar::{Entry, Kind, Writer};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_string, fsmount, fsopen,
};
use values::{Digest, ErrorKind, Lower, RootMount, Timestamp};

use crate::{ChangeKind, Native, Options, Overlay, Snapshotter};

/// A directory that goes away with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lighter-snapshot-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A root filesystem one can look into: mounted detached, so that nobody else sees it and it ends with this value.
struct Mounted {
    path: PathBuf,
    _mount: Option<OwnedFd>,
}

impl Mounted {
    fn new(root: &RootMount) -> Self {
        match root {
            RootMount::Directory { path } => Self { path: path.clone(), _mount: None },
            RootMount::Stack { lower } if let [Lower::Erofs(only)] = &lower[..] => {
                let mount = sys::erofs::mount(&only.index, &only.devices).unwrap();
                Self { path: format!("/proc/self/fd/{}", mount.as_raw_fd()).into(), _mount: Some(mount) }
            }
            RootMount::Stack { lower } => {
                let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
                let _lower = add_lower(&overlay, lower);
                fsconfig_create(&overlay).unwrap();
                let mount = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
                Self { path: format!("/proc/self/fd/{}", mount.as_raw_fd()).into(), _mount: Some(mount) }
            }
            RootMount::Overlay { lower, upper, work, .. } => {
                let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
                let _lower = add_lower(&overlay, lower);
                fsconfig_set_string(&overlay, "upperdir", upper).unwrap();
                fsconfig_set_string(&overlay, "workdir", work).unwrap();
                fsconfig_create(&overlay).unwrap();
                let mount = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
                Self { path: format!("/proc/self/fd/{}", mount.as_raw_fd()).into(), _mount: Some(mount) }
            }
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    /// Every path with what it is.
    fn list(&self) -> BTreeMap<String, char> {
        let mut out = BTreeMap::new();
        let mut todo = vec![self.path.join(".")];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                let name = entry.path().strip_prefix(self.path.join(".")).unwrap().display().to_string();
                let shown = if kind.is_dir() {
                    'd'
                } else if kind.is_symlink() {
                    'l'
                } else if kind.is_char_device() {
                    'c'
                } else {
                    'f'
                };
                out.insert(name, shown);
                if kind.is_dir() {
                    todo.push(entry.path());
                }
            }
        }
        out
    }
}

/// What must stay until the overlay is made.
fn add_lower(overlay: &OwnedFd, lower: &[Lower]) -> Vec<OwnedFd> {
    let mut mounts = Vec::new();
    for layer in lower {
        match layer {
            Lower::Directory(dir) => fsconfig_set_string(overlay, "lowerdir+", dir).unwrap(),
            Lower::Erofs(erofs) => {
                let mount = sys::erofs::mount(&erofs.index, &erofs.devices).unwrap();
                fsconfig_set_fd(overlay, "lowerdir+", &mount).unwrap();
                mounts.push(mount);
            }
        }
    }
    mounts
}

fn digest(n: u8) -> Digest {
    Digest::from_sha256(&[n; 32])
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for entry in entries {
        match entry.kind {
            // files hold their own name
            Kind::File if entry.link.is_empty() => writer.file(entry, &entry.path.clone()).unwrap(),
            Kind::File => writer.file(&Entry { link: Vec::new(), ..entry.clone() }, &entry.link.clone()).unwrap(),
            _ => writer.entry(entry).unwrap(),
        }
    }
    writer.finish().unwrap()
}

fn file(path: &str) -> Entry {
    Entry::new(Kind::File, path)
}

/// A file with that text.
fn text(path: &str, text: &str) -> Entry {
    Entry { link: text.into(), ..Entry::new(Kind::File, path) }
}

fn dir(path: &str, mode: u32) -> Entry {
    Entry { mode, mtime: Timestamp { secs: 1000, nanos: 7 }, ..Entry::new(Kind::Directory, path) }
}

fn link(kind: Kind, path: &str, target: &str) -> Entry {
    Entry { link: target.into(), ..Entry::new(kind, path) }
}

/// Makes layers 1, 2, … of the tars, each on top of the one before.
fn make_layers(driver: &dyn Snapshotter, tars: &[Vec<u8>]) -> Vec<Digest> {
    let chain: Vec<Digest> = (1..=tars.len()).map(|n| digest(n as u8)).collect();
    let apply = |i: usize| {
        let mut stage = driver.stage(&chain[..i]).unwrap();
        stage.apply(&tars[i][..]).unwrap();
        (stage, chain[i].clone())
    };
    if driver.is_parallel() {
        // topmost first, as nothing promises an order
        let mut staged: Vec<_> = (0..tars.len()).rev().map(apply).collect();
        staged.reverse();
        driver.commit(staged).unwrap();
    } else {
        for i in 0..tars.len() {
            driver.commit(vec![apply(i)]).unwrap();
        }
    }
    chain
}

fn base() -> Vec<u8> {
    let owned = Entry { uid: 12, gid: 34, ..dir("srv", 0o2750) };
    tar(&[
        dir("./", 0o711),
        dir("etc", 0o751),
        file("etc/passwd"),
        text("etc/hostname", "image's own"),
        dir("tmp", 0o1777),
        owned,
        file("srv/a"),
        file("srv/b"),
        dir("opt", 0o755),
        file("opt/old"),
        dir("opt/sub", 0o755),
        file("opt/sub/old"),
        dir("usr", 0o755),
        dir("usr/bin", 0o755),
        file("usr/bin/tool"),
        link(Kind::Symlink, "bin", "usr/bin"),
    ])
}

fn change() -> Vec<u8> {
    tar(&[
        // no entries for tmp, srv and the root: theirs are those below
        file("tmp/new"),
        file("srv/.wh.a"),
        text("srv/b", "changed"),
        file("opt/.wh..wh..opq"),
        file("opt/new"),
        // a link to a file of the layer below
        link(Kind::HardLink, "usr/local/tool", "usr/bin/tool"),
    ])
}

fn run(open: fn(&Path) -> Box<dyn Snapshotter>) {
    layers_are_merged(open);
    a_container_writes_its_own(open);
    changes_make_a_layer(open);
    mount_points_are_there(open);
    odd_images_get_mount_points_too(open);
    staging_is_swept_and_layers_survive(open);
    broken_layers_leave_nothing(open);
    conflicts_and_absences(open);
    parallel_use(open);
    layers_are_compared_with_their_tars(open);
    a_layer_may_hide_all_below_it(open);
    nothing_is_inherited_from_the_host(open);
}

#[test]
fn overlay_passes() {
    run(|root| Box::new(Overlay::open(root).unwrap()));
}

#[test]
fn erofs_passes() {
    run(|root| Box::new(Overlay::open_erofs(root).unwrap()));
}

#[test]
fn native_passes() {
    run(|root| Box::new(Native::open(root).unwrap()));
}

fn a_layer_may_hide_all_below_it(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let hiding = tar(&[file(".wh..wh..opq"), dir("usr", 0o755), file("usr/only")]);
    let chain = make_layers(&*driver, &[base(), hiding, tar(&[file("above")])]);
    let root = Mounted::new(&driver.prepare("c1", &chain, Options::default()).unwrap());
    let shown = |path: &str| root.read(path).is_some();
    assert_eq!(["above", "usr/only", "usr/bin/tool", "srv/a"].map(shown), [true, true, false, false]);
}

fn nothing_is_inherited_from_the_host(open: fn(&Path) -> Box<dyn Snapshotter>) {
    const ACLS: [&str; 2] = ["system.posix_acl_default", "system.posix_acl_access"];
    let scratch = Scratch::new();
    // u::rwx,u:1000:rwx,g::r-x,m::rwx,o::r-x (linux/posix_acl_xattr.h)
    let entries = [(1_u16, 7_u16, u32::MAX), (2, 7, 1000), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 5, u32::MAX)];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        acl.extend([&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    match rustix::fs::setxattr(scratch.path(), ACLS[0], &acl, rustix::fs::XattrFlags::empty()) {
        Err(rustix::io::Errno::OPNOTSUPP) => return,
        set => set.unwrap(),
    }
    let driver = open(&scratch.path().join("root"));
    let chain = make_layers(&*driver, &[base(), change()]);
    let root = Mounted::new(&driver.prepare("c1", &chain, Options::default()).unwrap());
    fs::write(root.at("new"), "").unwrap();
    for path in [".", "etc", "etc/passwd", "usr/bin", "usr/local", "new"] {
        for acl in ACLS {
            let found = rustix::fs::getxattr(root.at(path), acl, &mut [0_u8; 100][..]);
            assert!(found.is_err(), "{path} has {acl}");
        }
    }
}

fn layers_are_merged(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base(), change()]);
    let root = Mounted::new(&driver.prepare("c1", &chain, Options::default()).unwrap());
    let found = root.list();
    let missing = ["srv/a", "opt/old", "opt/sub", "opt/sub/old"];
    assert!(missing.iter().all(|path| !found.contains_key(*path)), "{found:?}");
    for (path, kind) in [("srv/b", 'f'), ("opt/new", 'f'), ("tmp/new", 'f'), ("bin", 'l'), ("usr/local/tool", 'f')] {
        assert_eq!(found.get(path), Some(&kind), "{path}: {found:?}");
    }
    assert_eq!(root.read("srv/b").unwrap(), "changed");
    assert_eq!(root.read("usr/local/tool").unwrap(), "usr/bin/tool");
    let meta = |path: &str| fs::metadata(root.at(path)).unwrap();
    assert_eq!(meta("usr/local/tool").ino(), meta("usr/bin/tool").ino());
    assert_eq!(meta("tmp").mode() & 0o7777, 0o1777);
    assert_eq!((meta("srv").mode() & 0o7777, meta("srv").uid(), meta("srv").gid()), (0o2750, 12, 34));
    assert_eq!((meta("srv").mtime(), meta("srv").mtime_nsec()), (1000, 7));
    // the image's is 0711
    assert_eq!(meta(".").mode() & 0o7777, 0o755);
    assert_eq!(meta("etc").mode() & 0o7777, 0o751);
    assert!(driver.has(&chain[..1]) && driver.has(&chain));
    assert!(driver.layer_usage(&chain[0]).unwrap().bytes > 0);
    let view = Mounted::new(&driver.view("v1", &chain).unwrap().root);
    assert_eq!(view.read("srv/b").unwrap(), "changed");
    assert!(!view.at("proc").exists());
    assert_eq!(fs::metadata(view.at(".")).unwrap().mode() & 0o7777, 0o755);
    driver.view("v1", &chain).unwrap();
}

fn a_container_writes_its_own(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base(), change()]);
    let one = driver.prepare("c1", &chain, Options::default()).unwrap();
    let two = driver.prepare("c2", &chain, Options { volatile: true }).unwrap();
    if let RootMount::Overlay { volatile, upper, .. } = &two {
        assert!(volatile);
        assert_eq!(fs::read_dir(upper).unwrap().count(), 0, "a start must write nothing");
    }
    let before = driver.usage("c1").unwrap();
    {
        let root = Mounted::new(&one);
        fs::write(root.at("etc/passwd"), "mine").unwrap();
        fs::remove_file(root.at("srv/b")).unwrap();
        fs::write(root.at("big"), vec![0; 100_000]).unwrap();
    }
    let grown = driver.usage("c1").unwrap().bytes - before.bytes;
    assert!((99_000..101_000).contains(&grown), "{grown}");
    let other = Mounted::new(&two);
    assert_eq!(other.read("etc/passwd").unwrap(), "etc/passwd");
    assert!(other.at("srv/b").exists() && !other.at("big").exists());
    // after a restart of the daemon
    drop(other);
    drop(driver);
    let driver = open(scratch.path());
    let again = driver.mounts("c1", &chain, Options::default()).unwrap();
    assert_eq!(again, one);
    let root = Mounted::new(&again);
    assert_eq!(root.read("etc/passwd").unwrap(), "mine");
    assert!(!root.at("srv/b").exists());
    let mut prepared = driver.prepared().unwrap();
    prepared.sort();
    assert_eq!(prepared, ["c1", "c2"]);
    drop(root);
    driver.remove("c1").unwrap();
    driver.remove("c1").unwrap();
    assert_eq!(driver.prepared().unwrap(), ["c2"]);
    driver.trash().wait();
    assert_eq!(fs::read_dir(scratch.path().join("trash")).unwrap().count(), 0);
}

/// What a container did is listed, and the layer made of it does the same to another container.
fn changes_make_a_layer(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base(), change()]);
    let mount = driver.prepare("c1", &chain, Options::default()).unwrap();
    assert_eq!(driver.changes("c1", &chain).unwrap(), []);
    assert!(!driver.is_changed("c1", &chain).unwrap());
    let expected = {
        let root = Mounted::new(&mount);
        fs::write(root.at("etc/passwd"), "mine").unwrap();
        fs::remove_file(root.at("srv/b")).unwrap();
        fs::remove_dir_all(root.at("opt")).unwrap();
        fs::create_dir_all(root.at("opt/fresh")).unwrap();
        fs::write(root.at("opt/fresh/x"), "x").unwrap();
        fs::hard_link(root.at("opt/fresh/x"), root.at("opt/fresh/y")).unwrap();
        std::os::unix::fs::symlink("x", root.at("opt/fresh/link")).unwrap();
        assert_eq!(Mounted::new(&driver.current("c1", &chain).unwrap()).list(), root.list());
        root.list()
    };
    let changes = driver.changes("c1", &chain).unwrap();
    assert!(driver.is_changed("c1", &chain).unwrap());
    let kind = |path: &str| changes.iter().find(|c| c.path == path.as_bytes()).map(|c| c.kind);
    for (path, expected) in [
        ("etc/passwd", Some(ChangeKind::Modified)),
        ("srv/b", Some(ChangeKind::Deleted)),
        ("opt/fresh/x", Some(ChangeKind::Added)),
        ("usr", None),
    ] {
        assert_eq!(kind(path), expected, "{path}: {changes:?}");
    }
    assert!(changes.is_sorted_by(|a, b| a.path < b.path), "{changes:?}");
    let mut tar = vec![];
    driver.diff("c1", &chain, &mut tar).unwrap();
    let mut stage = driver.stage(&chain).unwrap();
    stage.apply(&tar[..]).unwrap();
    let top = digest(99);
    driver.commit(vec![(stage, top.clone())]).unwrap();
    let chain = [&chain[..], &[top]].concat();
    let root = Mounted::new(&driver.prepare("c2", &chain, Options::default()).unwrap());
    assert_eq!(root.list(), expected);
    assert_eq!(root.read("etc/passwd").unwrap(), "mine");
    assert_eq!(fs::metadata(root.at("opt/fresh/x")).unwrap().nlink(), 2);
}

fn mount_points_are_there(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base()]);
    let root = Mounted::new(&driver.prepare("c1", &chain, Options::default()).unwrap());
    let found = root.list();
    for (path, kind) in [
        (".dockerenv", 'f'),
        ("dev/console", 'f'),
        ("dev/pts", 'd'),
        ("dev/shm", 'd'),
        ("etc/hosts", 'f'),
        ("etc/resolv.conf", 'f'),
        ("etc/mtab", 'l'),
        ("proc", 'd'),
        ("sys", 'd'),
    ] {
        assert_eq!(found.get(path), Some(&kind), "{path}");
    }
    // the image's own stays
    assert_eq!(root.read("etc/hostname").unwrap(), "image's own");
    assert_eq!(fs::metadata(root.at("etc")).unwrap().permissions().mode() & 0o7777, 0o751);
}

/// No layers at all; directories that are symlinks or files.
fn odd_images_get_mount_points_too(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let root = Mounted::new(&driver.prepare("empty", &[], Options::default()).unwrap());
    assert!(root.at("proc").is_dir() && root.at("etc/hosts").is_file());
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let etc = link(Kind::Symlink, "etc", outside.to_str().unwrap());
    let chain = make_layers(&*driver, &[tar(&[etc, file("dev")])]);
    let root = Mounted::new(&driver.prepare("odd", &chain, Options::default()).unwrap());
    assert!(root.at("proc").is_dir());
    assert_eq!(root.list().get("etc"), Some(&'l'));
    assert_eq!(root.read("dev").unwrap(), "dev");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

fn staging_is_swept_and_layers_survive(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base()]);
    let mut stage = driver.stage(&chain).unwrap();
    stage.apply(&change()[..]).unwrap();
    // as after a crash: no destructor runs
    std::mem::forget(stage);
    drop(driver);
    assert_eq!(fs::read_dir(scratch.path().join("staging")).unwrap().count(), 1);
    let driver = open(scratch.path());
    assert_eq!(fs::read_dir(scratch.path().join("staging")).unwrap().count(), 0);
    assert_eq!(driver.layers().unwrap(), chain);
    driver.remove_layer(&chain[0]).unwrap();
    assert!(!driver.has(&chain));
    driver.trash().wait();
}

fn broken_layers_leave_nothing(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base()]);
    let good = change();
    for bad in [good[..good.len() / 2 - 100].to_vec(), tar(&[file("../x")]), vec![1; 2048]] {
        let mut stage = driver.stage(&chain).unwrap();
        assert_eq!(stage.apply(&bad[..]).unwrap_err().kind, ErrorKind::InvalidArgument);
    }
    let mut stage = driver.stage(&chain).unwrap();
    // nothing below has the target: known at once or at the commit
    let applied = stage.apply(&tar(&[link(Kind::HardLink, "h", "no/such")])[..]);
    let result = applied.and_then(|_| driver.commit(vec![(stage, digest(9))]));
    assert!(result.unwrap_err().message.contains("not there"));
    assert!(!driver.has(&[digest(9)]));
    driver.trash().wait();
    assert_eq!(fs::read_dir(scratch.path().join("staging")).unwrap().count(), 0);
}

fn layers_are_compared_with_their_tars(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let tars = [base(), change()];
    let chain = make_layers(&*driver, &tars);
    let compared = |i: usize, tar: &[u8]| {
        let mut stage = driver.stage_again(&chain[i], &chain[..i]).unwrap();
        stage.apply(tar).unwrap();
        driver.compare(stage, &chain[i]).unwrap().0
    };
    for (i, made_of) in tars.iter().enumerate() {
        assert_eq!(compared(i, made_of), None);
    }
    assert!(compared(0, &tar(&[file("other")])).is_some() && compared(1, &base()).is_some());
    driver.remove_layer(&chain[1]).unwrap();
    assert!(compared(1, &change()).is_some());
    // what was compared can take its place
    let mut stage = driver.stage(&chain[..1]).unwrap();
    stage.apply(&change()[..]).unwrap();
    let (_, stage) = driver.compare(stage, &chain[1]).unwrap();
    driver.commit(vec![(stage, chain[1].clone())]).unwrap();
    assert_eq!(compared(1, &change()), None);
}

fn conflicts_and_absences(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base()]);
    driver.prepare("c1", &chain, Options::default()).unwrap();
    let kind = |r: values::Result<RootMount>| r.unwrap_err().kind;
    assert_eq!(kind(driver.prepare("c1", &chain, Options::default())), ErrorKind::Conflict);
    assert_eq!(kind(driver.prepare("c2", &[digest(77)], Options::default())), ErrorKind::NotFound);
    for bad in ["", ".", "..", "a/b", "../x"] {
        assert_eq!(kind(driver.prepare(bad, &chain, Options::default())), ErrorKind::InvalidArgument, "{bad}");
        assert!(driver.remove(bad).is_err(), "{bad}");
    }
    // the same layer twice: the second is thrown away
    let mut stage = driver.stage(&[]).unwrap();
    stage.apply(&base()[..]).unwrap();
    driver.commit(vec![(stage, chain[0].clone())]).unwrap();
    driver.trash().wait();
    assert_eq!(driver.layers().unwrap(), chain);
}

fn parallel_use(open: fn(&Path) -> Box<dyn Snapshotter>) {
    let scratch = Scratch::new();
    let driver = open(scratch.path());
    let chain = make_layers(&*driver, &[base(), change()]);
    std::thread::scope(|scope| {
        for t in 0..8 {
            let (driver, chain) = (&driver, &chain);
            scope.spawn(move || {
                for i in 0..10 {
                    let id = format!("c{t}-{i}");
                    driver.prepare(&id, chain, Options { volatile: true }).unwrap();
                    driver.remove(&id).unwrap();
                }
            });
        }
    });
    assert!(driver.prepared().unwrap().is_empty());
}

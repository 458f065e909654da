//! Unpacking on the real filesystem: attributes, deletions, hostile archives. Needs root.

mod material;

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use archive::{
    tar::{Entry, Kind},
    unpack::{Deletions, OPAQUE, Unpacked, unpack},
};
use material::{Tar, hostile};
use values::{Result, Timestamp};

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lighter-unpack-{}-{n}", std::process::id()));
        fs::create_dir_all(path.join("root")).unwrap();
        Self(path)
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

trait Unpack {
    fn unpack(self, dir: &Path, deletions: Deletions) -> Result<Unpacked>;
}

impl Unpack for Tar {
    fn unpack(self, dir: &Path, deletions: Deletions) -> Result<Unpacked> {
        unpack(&self.bytes()[..], dir, deletions)
    }
}

/// `path` of every entry below `dir`, directories with `/`, in order.
fn list(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, base: &Path, out: &mut Vec<String>) {
        let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(base).unwrap().display().to_string();
            if path.symlink_metadata().unwrap().is_dir() {
                out.push(name + "/");
                walk(&path, base, out);
            } else {
                out.push(name);
            }
        }
    }
    let mut out = Vec::new();
    walk(dir, dir, &mut out);
    out
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 256];
    let n = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
    Some(value[..n].to_vec())
}

#[test]
fn attributes_come_out_as_written() {
    let dir = Scratch::new();
    let time = |secs, nanos| Timestamp { secs, nanos };
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    let file = Entry {
        uid: 70_000,
        gid: 4_000_000_000,
        mode: 0o6751,
        mtime: time(1_600_000_000, 123_456_789),
        xattrs: vec![
            (b"security.capability".to_vec(), capability.clone()),
            (b"user.color".to_vec(), b"red".to_vec()),
            (b"trusted.overlay.opaque".to_vec(), b"y".to_vec()),
            (b"security.selinux".to_vec(), b"label".to_vec()),
        ],
        ..Entry::new(Kind::File, *b"d/file")
    };
    let sticky = Entry { mode: 0o1777, mtime: time(5, 6), ..Entry::new(Kind::Directory, *b"d/") };
    let link =
        Entry { link: b"/nowhere".to_vec(), uid: 7, mtime: time(-3, 0), ..Entry::new(Kind::Symlink, *b"d/link") };
    let device = Entry { device: (1, 3), mode: 0o666, ..Entry::new(Kind::CharDevice, *b"d/null") };
    let fifo = Entry { mode: 0o622, mtime: time(9, 9), ..Entry::new(Kind::Fifo, *b"d/fifo") };
    let root = Entry { mode: 0o750, uid: 3, mtime: time(11, 0), ..Entry::new(Kind::Directory, *b"./") };
    let tar = Tar::default().with(root, b"").with(sticky, b"").with(file, b"data").with(link, b"").with(device, b"");
    let done = tar.with(fifo, b"").hardlink("d/same", "d/file").unpack(&dir.root(), Deletions::Mark).unwrap();
    assert_eq!((done.bytes, done.entries, done.implied.len(), done.orphans.len()), (4, 7, 0, 0));

    let at = |name: &str| dir.root().join(name);
    let meta = |name: &str| fs::symlink_metadata(at(name)).unwrap();
    let f = meta("d/file");
    assert_eq!((f.uid(), f.gid(), f.mode() & 0o7777, f.nlink()), (70_000, 4_000_000_000, 0o6751, 2));
    assert_eq!((f.mtime(), f.mtime_nsec(), f.atime()), (1_600_000_000, 123_456_789, 1_600_000_000));
    assert_eq!(xattr(&at("d/file"), "user.color").unwrap(), b"red");
    assert_eq!(xattr(&at("d/file"), "security.capability").unwrap(), capability);
    assert_eq!(xattr(&at("d/file"), "trusted.overlay.opaque"), None);
    assert_ne!(xattr(&at("d/file"), "security.selinux").as_deref(), Some(&b"label"[..]));
    assert_eq!(f.ino(), meta("d/same").ino());
    let d = meta("d");
    assert_eq!((d.mode() & 0o7777, d.mtime(), d.mtime_nsec()), (0o1777, 5, 6));
    let l = meta("d/link");
    assert_eq!(
        (l.uid(), l.mtime(), fs::read_link(at("d/link")).unwrap().as_os_str().as_bytes()),
        (7, -3, &b"/nowhere"[..])
    );
    let n = meta("d/null");
    assert!(n.file_type().is_char_device());
    assert_eq!((n.rdev(), n.mode() & 0o7777), (rustix::fs::makedev(1, 3), 0o666));
    assert!(meta("d/fifo").file_type().is_fifo());
    let r = fs::metadata(dir.root()).unwrap();
    assert_eq!((r.mode() & 0o7777, r.uid(), r.mtime()), (0o750, 3, 11));
}

#[test]
fn a_set_group_id_directory_gives_its_group_to_nobody() {
    let dir = Scratch::new();
    let mail = Entry { mode: 0o2775, gid: 8, ..Entry::new(Kind::Directory, *b"mail/") };
    Tar::default().with(mail, b"").file("mail/root", "x").dir("mail/d").unpack(&dir.root(), Deletions::Mark).unwrap();
    for (name, gid, mode) in [("mail", 8, 0o2775), ("mail/root", 0, 0o644), ("mail/d", 0, 0o755)] {
        let meta = fs::metadata(dir.root().join(name)).unwrap();
        assert_eq!((meta.gid(), meta.mode() & 0o7777), (gid, mode), "{name}");
    }
}

#[test]
fn a_directorys_time_outlives_what_is_written_into_it_later() {
    let dir = Scratch::new();
    let mut tar = Tar::default();
    for i in 0..40 {
        let entry =
            Entry { mtime: Timestamp { secs: 100 + i, nanos: 5 }, ..Entry::new(Kind::Directory, format!("d{i}/")) };
        tar = tar.with(entry, b"");
    }
    for i in 0..40 {
        tar = tar.file(&format!("d{i}/a"), "x").file(&format!("d{}/b", 39 - i), "x").file(&format!("d{i}/a"), "again");
    }
    tar.unpack(&dir.root(), Deletions::Mark).unwrap();
    for i in 0..40 {
        let meta = fs::metadata(dir.root().join(format!("d{i}"))).unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (100 + i, 5), "d{i}");
    }
}

#[test]
fn later_entries_replace_earlier_ones() {
    let dir = Scratch::new();
    let tar = Tar::default().file("a", "1").dir("b").file("b/x", "1").symlink("c", "b").file("e", "file");
    let tar = tar.file("a", "2").file("b", "now a file").dir("c").file("c/y", "in c").dir("e").dir("c");
    tar.unpack(&dir.root(), Deletions::Mark).unwrap();
    assert_eq!(list(&dir.root()), ["a", "b", "c/", "c/y", "e/"]);
    assert_eq!(fs::read_to_string(dir.root().join("a")).unwrap(), "2");
}

#[test]
fn deletions_are_marked_for_overlayfs() {
    let dir = Scratch::new();
    let tar = Tar::default().file("etc/.wh.gone", "").file("etc/.wh..wh..opq", "").file(".wh..wh.plnk", "");
    // deleted and made anew, in both orders
    let tar = tar.file(".wh.first", "").file("first/a", "x").dir("second").file("second/b", "x").file(".wh.second", "");
    let tar = tar.file("kept", "x").file(".wh.kept", "").file(".wh.third", "").dir("third");
    let done = tar.unpack(&dir.root(), Deletions::Mark).unwrap();
    let at = |name: &str| dir.root().join(name);
    assert_eq!(list(&dir.root()), ["etc/", "etc/gone", "first/", "first/a", "kept", "second/", "second/b", "third/"]);
    let gone = fs::symlink_metadata(at("etc/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    for opaque in ["etc", "first", "second", "third"] {
        assert_eq!(xattr(&at(opaque), OPAQUE).as_deref(), Some(&b"y"[..]), "{opaque}");
    }
    assert_eq!(done.implied, [&b""[..], b"etc", b"first"]);
}

#[test]
fn deletions_are_done_in_a_whole_tree() {
    let dir = Scratch::new();
    let base = Tar::default().file("etc/a", "1").file("etc/b", "1").file("etc/sub/c", "1").file("var/x", "1");
    base.file("opt/deep/er/old", "1").file("opt/deep/keep", "1").unpack(&dir.root(), Deletions::Do).unwrap();
    let layer =
        Tar::default().file(".wh.var", "").file("etc/.wh.a", "").file("etc/.wh.missing", "").file("no/.wh.x", "");
    let layer =
        layer.file("opt/new", "2").file("opt/deep/er/new", "2").file("opt/.wh..wh..opq", "").file("opt/late", "2");
    let done = layer.unpack(&dir.root(), Deletions::Do).unwrap();
    assert_eq!(
        list(&dir.root()),
        [
            "etc/",
            "etc/b",
            "etc/sub/",
            "etc/sub/c",
            "opt/",
            "opt/deep/",
            "opt/deep/er/",
            "opt/deep/er/new",
            "opt/late",
            "opt/new"
        ]
    );
    assert!(done.implied.is_empty());
}

#[test]
fn hard_links_to_lower_layers_are_told() {
    let dir = Scratch::new();
    let done = Tar::default().file("a", "x").hardlink("b", "./a").hardlink("d/c", "lower/file").hardlink("e", "/a");
    let done = done.unpack(&dir.root(), Deletions::Mark).unwrap();
    assert_eq!(done.orphans.len(), 1);
    assert_eq!((&done.orphans[0].path[..], &done.orphans[0].target[..]), (&b"d/c"[..], &b"lower/file"[..]));
    assert_eq!(fs::metadata(dir.root().join("a")).unwrap().nlink(), 3);
    let e = Tar::default().hardlink("b", "lower").unpack(&dir.root(), Deletions::Do).unwrap_err();
    assert!(e.message.contains("not there"), "{e}");
}

/// Whatever the archive says, nothing outside of the directory changes: contained or refused.
#[test]
fn hostile_archives_stay_inside() {
    for deletions in [Deletions::Mark, Deletions::Do] {
        for (name, tar, good) in &hostile() {
            let dir = Scratch::new();
            let outside = dir.0.join("outside");
            fs::create_dir(&outside).unwrap();
            fs::write(outside.join("victim"), "untouched").unwrap();
            fs::set_permissions(&outside, fs::Permissions::from_mode(0o711)).unwrap();
            let text = outside.display().to_string();
            let put = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("OUTSIDE", &text).into_bytes();
            let entries = tar.0.iter().map(|(e, d)| (Entry { link: put(&e.link), ..e.clone() }, d.clone())).collect();
            let result = Tar(entries).unpack(&dir.root(), deletions);
            // With the lower layers in place a missing target is final, and nothing to delete is no error.
            let differs = deletions == Deletions::Do && (name.starts_with("hard link") || name.starts_with("whiteout"));
            if !differs && *name != "dangling link" {
                assert_eq!(result.is_ok(), *good, "{name}: {result:?}");
            }
            assert_eq!(list(&outside), ["victim"], "{name}");
            assert_eq!(fs::read_to_string(outside.join("victim")).unwrap(), "untouched", "{name}");
            assert_eq!(fs::metadata(&outside).unwrap().mode() & 0o7777, 0o711, "{name}");
            assert_eq!(fs::metadata(outside.join("victim")).unwrap().nlink(), 1, "{name}");
            let mut beside: Vec<_> = fs::read_dir(&dir.0).unwrap().map(|e| e.unwrap().file_name()).collect();
            beside.sort();
            assert_eq!(beside, ["outside", "root"], "{name}");
        }
    }
}

#[test]
fn sparse_files_keep_their_holes() {
    let dir = Scratch::new();
    let source = dir.0.join("source");
    fs::create_dir(&source).unwrap();
    let file = fs::File::create(source.join("sparse")).unwrap();
    file.set_len(1 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"middle", 500 << 20).unwrap();
    let tar = std::process::Command::new("tar").args(["-S", "-C"]).arg(&source).args(["-cf", "-", "sparse"]).output();
    let Ok(tar) = tar else { return };
    let done = unpack(&tar.stdout[..], &dir.root(), Deletions::Mark).unwrap();
    let meta = fs::metadata(dir.root().join("sparse")).unwrap();
    assert_eq!((meta.len(), done.bytes), (1 << 30, 1 << 30));
    assert!(meta.blocks() < 1000);
    let mut text = [0; 6];
    let file = fs::File::open(dir.root().join("sparse")).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut text, 500 << 20).unwrap();
    assert_eq!(&text, b"middle");
}

#[test]
fn zeros_need_no_room() {
    let dir = Scratch::new();
    let data = [b"begin".to_vec(), vec![0; 3 << 20], b"end".to_vec()].concat();
    let small = vec![0; 5000];
    let mut tar = archive::tar::Writer::new(Vec::new());
    for (name, data) in [("large", &data), ("small", &small)] {
        tar.file(&Entry::new(Kind::File, name), data).unwrap();
    }
    unpack(&tar.finish().unwrap()[..], &dir.root(), Deletions::Mark).unwrap();
    assert!(
        fs::read(dir.root().join("large")).unwrap() == data && fs::read(dir.root().join("small")).unwrap() == small
    );
    assert!(fs::metadata(dir.root().join("large")).unwrap().blocks() * 512 <= 128 << 10);
}

#[test]
fn a_size_that_lies_is_an_error() {
    let dir = Scratch::new();
    let tar = Tar::default().file("a", &"x".repeat(5000)).bytes();
    let e = unpack(&tar[..2048], &dir.root(), Deletions::Mark).unwrap_err();
    assert_eq!(e.message, "a: unexpected EOF");
}

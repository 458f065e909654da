//! Packing a directory: what GNU tar reads of it, and that unpacking gives the same tree.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use archive::Root;
use archive::pack::{Marks, Packer};
use archive::unpack::{Copy, Deletions, unpack, unpack_copy};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lighter-pack-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pack(dir: &Path, name: &[u8], marks: Marks) -> Vec<u8> {
    let mut packer = Packer::new(vec![], marks);
    packer.tree(Root::open(dir).unwrap().real_dir(b"").unwrap(), name).unwrap();
    packer.finish().unwrap()
}

fn tree(dir: &Path) {
    fs::create_dir_all(dir.join("a/b")).unwrap();
    fs::write(dir.join("a/file"), "content").unwrap();
    fs::hard_link(dir.join("a/file"), dir.join("a/same")).unwrap();
    symlink("../../x", dir.join("a/b/link")).unwrap();
    fs::write(dir.join(format!("long-{}", "x".repeat(200))), "long").unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, dir.join("fifo"), rustix::fs::FileType::Fifo, 0o640.into(), 0).unwrap();
    std::os::unix::fs::chown(dir.join("a/file"), Some(70_000), Some(3_000_000)).unwrap();
    fs::set_permissions(dir.join("a"), fs::Permissions::from_mode(0o1750)).unwrap();
    std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let (from, to) = (Scratch::new("from"), Scratch::new("to"));
    tree(&from.0);
    unpack(&pack(&from.0, b"", Marks::Plain)[..], &to.0, Deletions::Mark).unwrap();
    let meta = |dir: &Scratch, path: &str| {
        let m = fs::symlink_metadata(dir.0.join(path)).unwrap();
        (m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec(), m.nlink())
    };
    let long = format!("long-{}", "x".repeat(200));
    for path in ["a", "a/b", "a/file", "a/same", "a/b/link", "fifo", &long] {
        assert_eq!(meta(&from, path), meta(&to, path), "{path}");
    }
    assert_eq!(fs::read_to_string(to.0.join("a/same")).unwrap(), "content");
    assert!(!to.0.join("socket").exists());
}

#[test]
fn names_are_as_asked_and_in_order() {
    let from = Scratch::new("names");
    fs::create_dir_all(from.0.join("b/c")).unwrap();
    fs::write(from.0.join("a"), "").unwrap();
    let names = |name: &[u8]| {
        let tar = pack(&from.0, name, Marks::Plain);
        let mut reader = archive::tar::Reader::new(&tar[..]);
        let mut names = vec![];
        while let Some(entry) = reader.next_entry().unwrap() {
            names.push(String::from_utf8(entry.path).unwrap());
        }
        names
    };
    assert_eq!(names(b""), ["a", "b/", "b/c/"]);
    assert_eq!(names(b"x"), ["x/", "x/a", "x/b/", "x/b/c/"]);
    assert_eq!(names(b"."), ["./", "./a", "./b/", "./b/c/"]);
    assert_eq!(names(b"/"), ["/", "/a", "/b/", "/b/c/"]);
}

#[test]
fn a_copy_merges_directories_and_keeps_kinds() {
    let (from, to) = (Scratch::new("copy-from"), Scratch::new("copy-to"));
    fs::create_dir_all(from.0.join("d")).unwrap();
    fs::write(from.0.join("d/.wh.name"), "no whiteout").unwrap();
    fs::create_dir_all(to.0.join("base/d")).unwrap();
    fs::write(to.0.join("base/d/old"), "old").unwrap();
    fs::write(to.0.join("base/name"), "stays").unwrap();
    let copy = Copy { base: b"base".to_vec(), keep_kinds: true, owner: Some((7, 8)), ..Copy::default() };
    let root = Root::open(&to.0).unwrap();
    let tar = pack(&from.0, b"", Marks::Plain);
    unpack_copy(&tar[..], &root, &copy).unwrap();
    let meta = fs::metadata(to.0.join("base/d/.wh.name")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (7, 8));
    assert!(to.0.join("base/d/old").exists() && to.0.join("base/name").exists());
    let renamed = Copy { rename: Some((b"d".to_vec(), b"e".to_vec())), ..copy.clone() };
    unpack_copy(&tar[..], &root, &renamed).unwrap();
    assert!(to.0.join("base/e/.wh.name").exists());
    fs::remove_dir_all(to.0.join("base/d")).unwrap();
    fs::write(to.0.join("base/d"), "a file").unwrap();
    let error = unpack_copy(&tar[..], &root, &copy).unwrap_err();
    assert!(error.message.contains("cannot overwrite non-directory"), "{error:?}");
    assert_eq!(fs::read_to_string(to.0.join("base/d")).unwrap(), "a file");
}

#[test]
fn deep_trees_are_refused_not_fatal() {
    let from = Scratch::new("deep");
    let mut dir = std::fs::File::open(&from.0).map(std::os::fd::OwnedFd::from).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&dir, "d", 0o755.into()).unwrap();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        dir = rustix::fs::openat(&dir, "d", flags, rustix::fs::Mode::empty()).unwrap();
    }
    let mut packer = Packer::new(std::io::sink(), Marks::Plain);
    let outcome = packer.tree(Root::open(&from.0).unwrap().real_dir(b"").unwrap(), b"");
    archive::remove_tree(std::os::fd::AsFd::as_fd(&Root::open(&from.0).unwrap()), b"d").unwrap();
    // at its own limit, or at that of descriptors
    assert!(outcome.is_err());
}

#[test]
fn holes_are_zeros_in_an_archive() {
    use std::os::unix::fs::FileExt;
    let from = Scratch::new("holes");
    let hole = 1 << 20;
    for (name, size, data) in [
        ("all", 5 * hole, &[][..]),
        ("middle", 5 * hole + 3, &[(2 * hole, 5000)][..]),
        ("ends", 4 * hole, &[(0, 10), (4 * hole - 7, 7)]),
    ] {
        let file = fs::File::create(from.0.join(name)).unwrap();
        file.set_len(size).unwrap();
        data.iter().for_each(|(at, len)| file.write_all_at(&vec![7; *len], *at).unwrap());
    }
    let to = Scratch::new("holes-to");
    unpack(&pack(&from.0, b"", Marks::Plain)[..], &to.0, Deletions::Mark).unwrap();
    for name in ["all", "middle", "ends"] {
        let (was, is) = (from.0.join(name), to.0.join(name));
        assert!(fs::read(&was).unwrap() == fs::read(&is).unwrap(), "{name}");
        assert!(fs::metadata(&is).unwrap().blocks() * 512 <= 256 << 10, "{name}");
    }
}

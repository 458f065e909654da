//! What the kernel shows of an index, against GNU tar's extraction of the same tar.

use std::{
    ffi::CString,
    fs,
    io::{BufReader, ErrorKind},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown, symlink},
    },
    path::{Path, PathBuf},
    process::Command,
};

use erofs::{Content, Device, Extent, File, Meta, Tree, Whiteouts};
use proptest::prelude::*;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, makedev, mknodat, setxattr, utimensat,
};

use crate::{
    hostile::{entry, taken, tar},
    seen::{self, Seen},
    support::{Mount, Scratch, device, mount, no_data, overlay, runner, write},
};

const DEBIAN: &str = "/var/cache/lighter-tests/debian.tar";

/// Indexes a tar; the tree, and what the kernel shows of it.
fn mounted(tar: &Path, index: &Path) -> Option<(Tree, Mount)> {
    let data = fs::File::open(tar).unwrap();
    let layer = erofs::index(BufReader::new(&data), device("tar")).unwrap();
    let from = |_: &Device, at: u64, buffer: &mut [u8]| data.read_exact_at(buffer, at);
    let read = write(&layer.tree, &from, index);
    // a second device where data was copied
    assert!(read == layer.tree || read.devices.len() == 2);
    Some((layer.tree, mount(index, &[tar.to_owned()])?))
}

/// GNU tar with all it can keep.
fn gnu_tar(arguments: &[&str], tar: &Path, dir: &Path) {
    let all = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-p"];
    let mut command = Command::new("tar");
    command.args(arguments).args(all).arg("-f").arg(tar).arg("-C").arg(dir).env("LC_ALL", "C");
    if arguments.contains(&"-c") {
        command.arg(".");
    }
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn debian_is_as_gnu_tar_extracts_it() {
    let scratch = Scratch::new();
    if !Path::new(DEBIAN).exists() {
        eprintln!("skipped: {DEBIAN} is not there");
        return;
    }
    let Some((_, mount)) = mounted(Path::new(DEBIAN), &scratch.path().join("index")) else { return };
    let dir = scratch.dir("root");
    gnu_tar(&["-x"], Path::new(DEBIAN), &dir);
    let mut theirs = seen::on_disk(&dir);
    theirs.retain(|path, _| !path.is_empty());
    let mut ours = seen::on_disk(&mount.path());
    ours.retain(|path, _| !path.is_empty());
    assert!(ours.len() > 5000);
    seen::assert_same("debian", &ours, &theirs);
    lookups_work(&mount.path(), &ours);
}

/// Names that are there are found, names beside them are not.
fn lookups_work(root: &Path, seen: &Seen) {
    for path in seen.keys().filter(|path| !path.is_empty()) {
        let at = |path: &[u8]| fs::symlink_metadata(root.join(std::ffi::OsStr::from_bytes(path)));
        assert!(at(path).is_ok());
        let mut before = path.clone();
        let last = before.len() - 1;
        before[last] -= 1;
        for other in [before, [path, &b"\x01"[..]].concat(), path[..last].to_vec()] {
            let is_name = !other.ends_with(b"/") && !other.ends_with(b".") && !other.is_empty();
            if !is_name || seen.contains_key(&other) || archive::split(&other).1.len() > 255 || other.contains(&0) {
                continue;
            }
            let error = at(&other).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{}", String::from_utf8_lossy(&other));
        }
    }
}

fn set_times(path: &Path, secs: i64, nanos: i64) {
    let time = Timespec { tv_sec: secs, tv_nsec: nanos };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// All that is rare in an image, in one directory.
fn odd(dir: &Path) {
    let at = |name: &str| dir.join(name);
    let file = |name: &str, data: &[u8]| fs::write(at(name), data).unwrap();
    for size in [0, 1, 511, 512, 513, 4095, 4096, 4097, 1_000_003] {
        file(&format!("size{size}"), &vec![b'x'; size]);
    }
    for name in [
        &b"\xff\xfe not utf-8"[..],
        b" ",
        b"!",
        b"-dash",
        b".hidden",
        b"..twodots",
        b"...",
        b"new\nline",
        b"back\\slash",
    ] {
        fs::write(dir.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    file(&"n".repeat(255), b"long");
    let mut deep = dir.to_owned();
    for _ in 0..120 {
        deep.push("deeper-and-deeper");
        fs::create_dir(&deep).unwrap();
    }
    fs::write(deep.join("bottom"), "x").unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::create_dir(at("many")).unwrap();
    for i in 0..20_000 {
        fs::write(at("many").join(format!("{i:x}-name")), "").unwrap();
    }
    for (name, len) in [("link1", 1), ("link400", 400), ("link512", 512), ("link600", 600), ("link4000", 4000)] {
        symlink("t".repeat(len), at(name)).unwrap();
    }
    lchown(at("link1"), Some(4_000_000_000), Some(70_000)).unwrap();
    fs::hard_link(at("size513"), at("empty/hard1")).unwrap();
    fs::hard_link(at("size513"), at("hard2")).unwrap();
    fs::hard_link(at("link600"), at("hardlink600")).unwrap();
    let node = |name: &str, kind, major, minor| {
        mknodat(CWD, at(name), kind, Mode::from(0o640), makedev(major, minor)).unwrap();
    };
    node("null", FileType::CharacterDevice, 1, 3);
    node("far", FileType::CharacterDevice, 4000, 1_000_000);
    node("disk", FileType::BlockDevice, 259, 70_000);
    node("fifo", FileType::Fifo, 0, 0);
    for (name, uid, gid, mode) in
        [("size1", 65_535, 65_536, 0o4755), ("size511", 4_294_967_294, 1, 0o2711), ("empty", 5, 70_000, 0o3777)]
    {
        chown(at(name), Some(uid), Some(gid)).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let capability = [&[1, 0, 0, 2, 0, 0x20], &[0; 14][..]].concat();
    let acl = [
        &[2, 0, 0, 0, 1, 0, 7, 0],
        &[255; 4][..],
        &[2, 0, 6, 0, 232, 3, 0, 0, 4, 0, 5, 0],
        &[255; 4],
        &[16, 0, 7, 0],
        &[255; 4],
    ];
    let acl = [&acl.concat()[..], &[32, 0, 4, 0], &[255; 4]].concat();
    for (name, attribute, value) in [
        ("size513", "user.color", &b"red"[..]),
        ("size513", "user.empty", b""),
        ("size513", "user.big", &[b'v'; 3000]),
        ("size512", "security.capability", &capability),
        ("size512", "trusted.thing", b"\0\xff"),
        ("size512", "user.\u{e9}", b"name"),
        ("many", "user.on.a.directory", b"yes"),
        ("link400", "trusted.on.a.link", b"yes"),
        ("fifo", "trusted.on.a.fifo", b"yes"),
        ("size4096", "system.posix_acl_access", &acl),
    ] {
        let name = CString::new(at(name).as_os_str().as_bytes()).unwrap();
        rustix::fs::lsetxattr(&*name, attribute, value, XattrFlags::empty()).unwrap();
    }
    setxattr(at("empty"), "user.x", b"1", XattrFlags::empty()).unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(12 << 30).unwrap();
    for (at, data) in [
        (0, &b"begin"[..]),
        ((5 << 30) + 8192, &[7; 10_000]),
        ((12 << 30) - 4096, b"last block"),
        ((12 << 30) - 3, b"end"),
    ] {
        sparse.write_all_at(data, at).unwrap();
    }
    fs::File::create(at("hole")).unwrap().set_len(3 << 30).unwrap();
    for (name, secs, nanos) in [
        ("size0", -5, 999_999_999),
        ("size1", 0, 0),
        ("size511", 8_000_000_000, 1),
        ("link1", 1_234_567_890, 123_456_789),
        ("fifo", 1, 1),
        ("many", 77, 500),
        ("empty", 1_600_000_000, 7),
    ] {
        set_times(&at(name), secs, nanos);
    }
}

/// One tar of each form that GNU tar has.
#[test]
fn odd_files_are_as_gnu_tar_extracts_them() {
    let scratch = Scratch::new();
    let source = scratch.dir("source");
    odd(&source);
    for (i, arguments) in [&["-c", "-S", "--format=posix"][..], &["-c", "-S", "--format=posix", "--sparse-version=0.1"]]
        .into_iter()
        .enumerate()
    {
        let tar = scratch.path().join(format!("{i}.tar"));
        gnu_tar(arguments, &tar, &source);
        let Some((_, mount)) = mounted(&tar, &scratch.path().join("index")) else { return };
        let dir = scratch.dir(&format!("root{i}"));
        gnu_tar(&["-x"], &tar, &dir);
        let ours = seen::on_disk(&mount.path());
        seen::assert_same("odd", &ours, &seen::on_disk(&dir));
        if i == 0 {
            lookups_work(&mount.path(), &ours);
        }
        let meta = fs::metadata(mount.path().join("sparse")).unwrap();
        assert_eq!(meta.len(), 12 << 30);
    }
}

/// Trees are shown as they are.
#[test]
fn generated_layers_are_shown_as_they_are() {
    let scratch = Scratch::new();
    let (tar_path, index) = (scratch.path().join("tar"), scratch.path().join("index"));
    let entries = prop::collection::vec(entry(), 1..40);
    runner(60)
        .run(&entries, |entries| {
            let tar = tar(&taken(entries));
            fs::write(&tar_path, &tar).unwrap();
            let Some((tree, mount)) = mounted(&tar_path, &index) else { return Ok(()) };
            let ours = seen::in_tree(&tree, &|_, at, buffer| {
                buffer.copy_from_slice(&tar[at as usize..at as usize + buffer.len()]);
            });
            seen::assert_same("generated", &ours, &seen::on_disk(&mount.path()));
            Ok(())
        })
        .unwrap();
}

/// Many names, deep paths, huge files, data that had to be copied: what no tar at hand has.
#[test]
fn trees_at_the_limits() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    let bytes: Vec<u8> = (0..1 << 20).map(|i: u32| (i * 11 + i / 509) as u8).collect();
    fs::write(&data, &bytes).unwrap();
    let mut tree = Tree::new(Meta::new(0o755));
    tree.devices.push(Device::new("data", 1 << 20).unwrap());
    let many = tree.add_directory(Tree::ROOT, b"many", Meta::new(0o755)).unwrap();
    let one = tree.add(Tree::ROOT, b"one", Meta::new(0o644), Content::Fifo).unwrap();
    for i in 0..100_000 {
        // names of one file: more links than 16 bits hold
        tree.link(many, format!("{i}").as_bytes(), one).unwrap();
    }
    let dirs = tree.add_directory(Tree::ROOT, b"dirs", Meta::new(0o755)).unwrap();
    for i in 0..70_000 {
        tree.add_directory(dirs, format!("d{i}").as_bytes(), Meta::new(0o755)).unwrap();
    }
    let extent = |offset, len, at| Extent { offset, len, device: 0, at };
    let cases: [(&str, u64, &[Extent]); 6] = [
        ("unaligned", 300_000, &[extent(0, 300_000, 77)]),
        ("sparse", 40_000, &[extent(4096, 512, 512), extent(20_480, 19_520, 4096)]),
        ("between", 10_000, &[extent(100, 50, 612), extent(700, 1, 5), extent(9000, 1000, 9512)]),
        ("far", 1 << 42, &[extent(100, 50, 3), extent(1 << 41, 4096, 8192)]),
        ("whole", 1 << 20, &[extent(0, 1 << 20, 0)]),
        ("hole", i64::MAX as u64 >> 8, &[]),
    ];
    for (name, size, extents) in cases {
        let content = Content::File(File::new(size, extents.iter().copied()).unwrap());
        tree.add(Tree::ROOT, name.as_bytes(), Meta::new(0o600), content).unwrap();
    }
    let from = |_: &Device, at: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    let index = scratch.path().join("index");
    erofs::write(&tree, &from, &mut fs::File::create(&index).unwrap()).unwrap();
    let Some(mount) = mount(&index, &[data]) else { return };
    let at = |name: &str| mount.path().join(name);
    assert_eq!(fs::metadata(at("many/99999")).unwrap().nlink(), 100_001);
    assert_eq!(fs::metadata(at("dirs")).unwrap().nlink(), 70_002);
    assert_eq!(fs::read_dir(at("many")).unwrap().count(), 100_000);
    for i in (0..100_000).step_by(997) {
        assert!(fs::symlink_metadata(at(&format!("many/{i}"))).is_ok(), "{i}");
        assert!(fs::symlink_metadata(at(&format!("many/{i}x"))).is_err(), "{i}");
    }
    for (name, size, extents) in cases {
        let file = fs::File::open(at(name)).unwrap();
        assert_eq!(file.metadata().unwrap().len(), size, "{name}");
        for extent in extents {
            // a little before and behind it too, where the file has a hole
            let start = extent.offset.saturating_sub(30);
            let end = (extent.offset + extent.len + 30).min(size);
            let mut found = vec![1; (end - start) as usize];
            file.read_exact_at(&mut found, start).unwrap();
            let mut expected = vec![0; found.len()];
            for part in extents {
                for i in 0..part.len {
                    if (start..end).contains(&(part.offset + i)) {
                        expected[(part.offset + i - start) as usize] = bytes[(part.at + i) as usize];
                    }
                }
            }
            assert!(found == expected, "{name}");
        }
    }
    let read = erofs::read(&fs::File::open(&index).unwrap(), "").unwrap();
    assert_eq!((read.len(), read.links(read.find(b"one").unwrap())), (tree.len(), 100_001));
}

/// Several layers in one mount; and each by itself, put together by overlayfs.
#[test]
fn layers_as_devices_of_one_mount_and_below_overlayfs() {
    use crate::material::Tar;
    let scratch = Scratch::new();
    let layers = [
        Tar::default()
            .dir("etc")
            .file("etc/a", "lowest")
            .file("etc/b", "lowest")
            .file("opt/x", "1")
            .dir("gone")
            .file("gone/f", "1"),
        Tar::default().file("etc/a", "middle").file("opt/.wh..wh..opq", "").file("opt/y", "2").file(".wh.gone", ""),
        Tar::default().file("etc/.wh.b", "").hardlink("etc/link", "etc/a").file("opt/z", "3").dir("gone"),
    ];
    let mut paths = Vec::new();
    let mut trees = Vec::new();
    for (i, layer) in layers.into_iter().enumerate() {
        let path = scratch.path().join(format!("{i}.tar"));
        fs::write(&path, layer.bytes()).unwrap();
        let tag = format!("{i:064}");
        trees.push(erofs::index(BufReader::new(fs::File::open(&path).unwrap()), device(&tag)).unwrap().tree);
        paths.push(path);
    }
    let index = scratch.path().join("merged");
    let merged = Tree::flatten(&trees).unwrap();
    assert_eq!(write(&merged, &no_data, &index), merged);
    let tags: Vec<_> =
        erofs::devices(&fs::File::open(&index).unwrap()).unwrap().iter().map(|d| d.tag().to_vec()).collect();
    assert_eq!(tags, [0, 1, 2].map(|i| format!("{i:064}").into_bytes()));
    let Some(whole) = mount(&index, &paths) else { return };
    let read = |mount: &Path, name: &str| fs::read_to_string(mount.join(name)).ok();
    let expected = [
        ("etc/a", Some("middle")),
        ("etc/b", None),
        ("etc/link", Some("middle")),
        ("opt/x", None),
        ("opt/y", Some("2")),
    ];
    for (name, text) in expected.into_iter().chain([("opt/z", Some("3")), ("gone/f", None)]) {
        assert_eq!(read(&whole.path(), name).as_deref(), text, "{name}");
    }
    // each settled on those below it, mounted with their tars where it links to their files
    let mut mounts = Vec::new();
    let mut below = Tree::new(Meta::new(0o755));
    for (i, tree) in trees.iter_mut().enumerate() {
        tree.settle(&below).unwrap();
        below = Tree::merge(below, tree, Whiteouts::Apply).unwrap();
        let index = scratch.path().join(format!("{i}.index"));
        assert_eq!(write(tree, &no_data, &index), *tree);
        let devices: Vec<PathBuf> = tree.devices.iter().map(|d| paths[usize::from(d.tag[63] - b'0')].clone()).collect();
        mounts.push(mount(&index, &devices).unwrap());
    }
    let dirs: Vec<PathBuf> = mounts.iter().rev().map(Mount::path).collect();
    let stacked = overlay(&dirs);
    let bare = |seen: Seen| -> Seen {
        // overlayfs counts links its own way
        let item = |item: seen::Item| seen::Item { links: 0, first: Vec::new(), ..item };
        seen.into_iter().map(|(path, it)| (path, item(it))).collect()
    };
    seen::assert_same("stacked", &bare(seen::on_disk(&whole.path())), &bare(seen::on_overlay(&stacked.path())));
}

//! The builder against [`archive::unpack`] on the same tars.

use std::fs;

use archive::{
    tar::{Entry, Kind, Writer},
    unpack::{Deletions, unpack},
};
use erofs::{Layer, Tree};
use proptest::{prelude::*, test_runner::TestError};
use values::{Result, Timestamp};

use crate::{
    material::{Tar, hostile},
    seen::{self, Seen},
    support::{Scratch, device, runner},
};

fn index(tar: &[u8]) -> Result<Layer> {
    erofs::index(tar, device("tar"))
}

fn tree_seen(tree: &Tree, tar: &[u8]) -> Seen {
    seen::in_tree(tree, &|_, at, buffer| buffer.copy_from_slice(&tar[at as usize..at as usize + buffer.len()]))
}

/// Both take it and see the same, or both refuse it.
fn compare(what: &str, tar: &[u8]) -> bool {
    let scratch = Scratch::new();
    let root = scratch.dir("root");
    let theirs = unpack(tar, &root, Deletions::Mark);
    let ours = index(tar);
    match (&ours, &theirs) {
        (Ok(layer), Ok(unpacked)) => {
            assert_eq!((layer.bytes, layer.entries), (unpacked.bytes, unpacked.entries), "{what}");
            seen::assert_same(what, &tree_seen(&layer.tree, tar), &seen::on_disk(&root));
        }
        (Err(ours), Err(theirs)) => assert_eq!(ours.message, theirs.message, "{what}"),
        _ => panic!("{what}: ours {:?}, theirs {theirs:?}", ours.map(|layer| layer.entries)),
    }
    theirs.is_ok()
}

#[test]
fn hostile_layers_are_refused_or_contained_alike() {
    for (name, tar, good) in hostile() {
        let is_taken = compare(name, &tar.bytes());
        // a link to OUTSIDE is here a link to nothing
        assert!(is_taken == good || name == "dangling link", "{name}");
    }
}

#[test]
fn cut_and_broken_tars_are_refused_alike() {
    let tar = Tar::default().dir("d").file("d/f", &"x".repeat(700)).hardlink("g", "d/f").symlink("s", "d").bytes();
    for len in (0..tar.len()).step_by(97) {
        compare("cut", &tar[..len]);
    }
    for at in (0..tar.len()).step_by(41) {
        let mut broken = tar.clone();
        broken[at] ^= 0x11;
        compare("broken", &broken);
    }
}

#[test]
fn what_is_left_to_lower_layers_is_told() {
    let tar = Tar::default().file("a", "x").hardlink("b", "./a").hardlink("d/c", "lower/file").hardlink("e", "/a");
    let tar = tar.hardlink("d/again", "d/c").file("etc/.wh.gone", "").file("var/.wh..wh..opq", "").dir("var/log");
    let tar = tar.hardlink("d/late", "later").file("later", "y").dir("var").bytes();
    let layer = index(&tar).unwrap();
    let tree = &layer.tree;
    let implied = |path: &str| tree.is_implied(tree.find(path.as_bytes()).unwrap());
    assert!(implied("") && implied("d") && implied("etc") && !implied("var") && !implied("var/log"));
    assert_eq!(tree.links(tree.find(b"a").unwrap()), 3);
    let orphan = |path: &str| match tree.inode(tree.find(path.as_bytes()).unwrap()).content() {
        erofs::Content::Orphan(target) => String::from_utf8(target.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!([orphan("d/c"), orphan("d/again"), orphan("d/late")], ["lower/file", "lower/file", "later"]);
    assert_eq!(tree.find(b"d/c"), tree.find(b"d/again"));
    assert!(tree.inode(tree.find(b"var").unwrap()).is_opaque());
    assert!(tree.inode(tree.find(b"etc/gone").unwrap()).is_whiteout());
    assert_eq!(layer.entries, 11);
}

#[test]
fn an_archive_cannot_ask_for_endless_memory() {
    let mut builder = erofs::TreeBuilder::new(device("tar"));
    let big = vec![(b"user.big".to_vec(), vec![b'x'; 60_000])];
    let refused = (0..20_000).find_map(|i| {
        let entry = Entry { xattrs: big.clone(), ..Entry::new(Kind::File, format!("f{}", i % 7)) };
        builder.entry(&entry, 0).err()
    });
    assert!(refused.unwrap().message.contains("too many to be kept"));
}

/// A component of a path.
fn component() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just("a"),
        6 => Just("b"),
        4 => Just("s"),
        1 => Just(".."),
        1 => Just("."),
        1 => Just(""),
    ]
}

fn last() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => component(),
        1 => Just(".wh.a"),
        1 => Just(".wh.b"),
        1 => Just(".wh.s"),
        1 => Just(".wh..wh..opq"),
    ]
}

fn path() -> impl Strategy<Value = String> {
    (prop::collection::vec(component(), 0..3), last()).prop_map(|(dirs, last)| {
        let mut path = dirs.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path + last
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::File),
        4 => Just(Kind::Directory),
        3 => Just(Kind::Symlink),
        3 => Just(Kind::HardLink),
        1 => Just(Kind::CharDevice),
        1 => Just(Kind::BlockDevice),
        1 => Just(Kind::Fifo),
    ]
}

fn acl(mode: u16) -> Vec<u8> {
    let entries = [(1, mode >> 6 & 7, u32::MAX), (2, 7, 1000), (4, 5, u32::MAX), (16, mode >> 3 & 7, u32::MAX)];
    let mut out = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries.into_iter().chain([(32, mode & 7, u32::MAX)]) {
        let tag: u16 = tag;
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&permissions.to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
    }
    out
}

fn xattr() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let name = |name: &'static str| name.as_bytes().to_vec();
    prop_oneof![
        (Just(name("user.a")), prop::collection::vec(any::<u8>(), 0..9)),
        (Just(name("trusted.b")), prop::collection::vec(any::<u8>(), 0..9)),
        Just((name("trusted.overlay.opaque"), b"y".to_vec())),
        Just((name("security.selinux"), b"label".to_vec())),
        (any::<u16>()).prop_map(move |mode| (name("system.posix_acl_access"), acl(mode))),
    ]
}

pub fn entry() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let attributes = (0u32..0o10000, 0u32..3, 0u32..3, -5i64..2_000_000_000, 0u32..1_000_000_000);
    let data = (0usize..1100, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
    let xattrs = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(xattr(), 1..3)];
    (kind(), path(), path(), attributes, data, xattrs).prop_map(|(kind, path, link, attributes, data, xattrs)| {
        let (mode, uid, gid, secs, nanos) = attributes;
        let mtime = Timestamp { secs, nanos };
        let link = if matches!(kind, Kind::Symlink | Kind::HardLink) { link.into_bytes() } else { Vec::new() };
        let device = if matches!(kind, Kind::CharDevice | Kind::BlockDevice) { (uid, gid * 300) } else { (0, 0) };
        (Entry { mode, uid, gid, mtime, link, device, xattrs, ..Entry::new(kind, path) }, data)
    })
}

pub fn tar(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in entries {
        match entry.kind {
            Kind::File => writer.file(entry, data).unwrap(),
            _ => writer.entry(entry).unwrap(),
        }
    }
    writer.finish().unwrap()
}

/// Entries for a message.
pub fn told(entries: &[(Entry, Vec<u8>)]) -> String {
    let line = |(entry, data): &(Entry, Vec<u8>)| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let xattrs: Vec<String> = entry.xattrs.iter().map(|(name, _)| text(name)).collect();
        let (path, link, mode) = (text(&entry.path), text(&entry.link), entry.mode);
        format!("{:?} {path} -> {link} {mode:o} {xattrs:?} {}", entry.kind, data.len())
    };
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Leaves out every entry that is refused, after both have refused it, and deletions of links to lower layers: ours keeps
/// the link, on a disk neither can be.
pub fn taken(entries: Vec<(Entry, Vec<u8>)>) -> Vec<(Entry, Vec<u8>)> {
    let mut taken = Vec::new();
    let mut tree = index(&tar(&[])).unwrap().tree;
    for entry in entries {
        if deletes_orphan(&tree, &entry.0) {
            continue;
        }
        taken.push(entry);
        match index(&tar(&taken)) {
            Ok(layer) => tree = layer.tree,
            Err(_) => {
                assert!(!compare("generated", &tar(&taken)));
                taken.pop();
            }
        }
    }
    taken
}

fn deletes_orphan(tree: &Tree, entry: &Entry) -> bool {
    let path = archive::clean(&entry.path).unwrap_or_default();
    let (parent, last) = archive::split(&path);
    let Some(name) = last.strip_prefix(b".wh.") else { return false };
    let there = tree.resolve(parent).ok().and_then(|dir| tree.child(dir, name));
    there.is_some_and(|id| tree.inode(id).is_orphan())
}

#[test]
fn generated_layers_come_out_alike() {
    let entries = prop::collection::vec(entry(), 1..24);
    let result = runner(200).run(&entries, |entries| {
        assert!(compare("generated", &tar(&taken(entries))));
        Ok(())
    });
    match result {
        Err(TestError::Fail(reason, entries)) => panic!("{reason}\n{}", told(&entries)),
        other => other.unwrap(),
    }
}

#[test]
fn sparse_files_of_every_form() {
    let scratch = Scratch::new();
    let source = scratch.dir("source");
    let file = fs::File::create(source.join("sparse")).unwrap();
    for i in 0..9u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, &[i as u8 + 1; 5000], i * (1 << 20)).unwrap();
    }
    file.set_len(20 << 20).unwrap();
    for form in ["gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1", "posix --sparse-version=1.0"] {
        let mut command = std::process::Command::new("tar");
        command.args(format!("--format={form}").split(' ')).arg("-S").arg("-C").arg(&source).args(["-cf", "-", "."]);
        let Ok(out) = command.output() else {
            eprintln!("skipped: no tar program");
            return;
        };
        assert!(compare(form, &out.stdout));
        let layer = index(&out.stdout).unwrap();
        let erofs::Content::File(file) = layer.tree.inode(layer.tree.find(b"sparse").unwrap()).content() else {
            panic!("no file")
        };
        assert_eq!(file.extents().len(), 9, "{form}");
    }
}

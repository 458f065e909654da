//! Layers on top of each other, against what overlayfs shows of them and what they make of one directory.

use std::{collections::HashSet, path::PathBuf};

use archive::{
    tar::{Entry, Kind},
    unpack::{Deletions, unpack},
};
use erofs::{Content, Tree, Whiteouts};
use proptest::{prelude::*, test_runner::TestError};
use values::Timestamp;

use crate::{
    hostile::{self, entry, tar},
    material::Tar,
    seen::{self, Seen},
    support::{Scratch, device, overlay, runner},
};

/// Trees of tars in devices `0`, `1`, …
fn trees(tars: &[Vec<u8>]) -> Vec<Tree> {
    let tree = |(i, tar): (usize, &Vec<u8>)| erofs::index(&tar[..], device(&i.to_string())).unwrap().tree;
    tars.iter().enumerate().map(tree).collect()
}

fn tree_seen(tree: &Tree, tars: &[Vec<u8>]) -> Seen {
    seen::in_tree(tree, &|device, at, buffer| {
        let number: usize = std::str::from_utf8(device.tag()).unwrap().parse().unwrap();
        buffer.copy_from_slice(&tars[number][at as usize..at as usize + buffer.len()]);
    })
}

/// What a later layer changes and what it leaves, by name.
#[test]
fn a_layer_changes_what_it_says_and_nothing_else() {
    let with = |mode, uid, entry: Entry| Entry { mode, uid, mtime: Timestamp { secs: 5, nanos: 6 }, ..entry };
    let dir = |path: &str| with(0o1711, 7, Entry::new(Kind::Directory, path));
    let lower = Tar::default().with(dir("./"), b"").with(dir("etc"), b"").file("etc/a", "1").file("etc/b", "1");
    let lower =
        lower.with(dir("opt"), b"").with(dir("opt/deep"), b"").file("opt/deep/x", "1").dir("gone").file("gone/x", "1");
    let lower = lower.file("file", "1").hardlink("same", "file").file(".wh.nothing", "").dir("was").file("was/x", "1");
    let upper =
        Tar::default().file("etc/.wh.a", "").file("etc/c", "2").file("opt/.wh..wh..opq", "").file("opt/deep/y", "2");
    let upper = upper.file(".wh.gone", "").file("gone/new", "2").hardlink("link", "etc/b").hardlink("more", "file");
    let upper = upper.file(".wh.file", "").file("was", "now a file").file("x/y", "2");
    let tars = [lower.bytes(), upper.bytes()];
    let layers = trees(&tars);
    let tree = Tree::flatten(&layers).unwrap();
    let seen = tree_seen(&tree, &tars);
    let paths: Vec<&str> = seen.keys().map(|path| std::str::from_utf8(path).unwrap()).collect();
    assert_eq!(
        paths,
        [
            "",
            "etc",
            "etc/b",
            "etc/c",
            "gone",
            "gone/new",
            "link",
            "more",
            "opt",
            "opt/deep",
            "opt/deep/y",
            "same",
            "was",
            "x",
            "x/y"
        ]
    );
    let of = |path: &str| &seen[path.as_bytes()];
    for inherited in ["", "etc", "opt", "opt/deep"] {
        assert_eq!(
            (of(inherited).mode, of(inherited).owner.0, of(inherited).mtime),
            (0o1711, 7, Some((5, 6))),
            "{inherited}"
        );
    }
    assert!(seen.values().all(|item| item.xattrs.is_empty()));
    assert_eq!((of("link").first.as_slice(), of("etc/b").links), (&b"etc/b"[..], 2));
    // one name of the file was deleted, two are left of three
    assert_eq!((of("same").first.as_slice(), of("same").links), (&b"more"[..], 2));
    assert_eq!(tree.devices.len(), 2);
    let mut walk = tree.walk();
    while let Some(id) = walk.step() {
        assert!(!tree.is_implied(id));
    }
}

#[test]
fn a_link_to_nothing_is_an_error() {
    let layers = trees(&[Tar::default().dir("d").bytes(), Tar::default().hardlink("a", "d/missing").bytes()]);
    let e = Tree::flatten(&layers).unwrap_err();
    assert_eq!(e.message, "hard link a: its target \"d/missing\" is not there");
    let mut upper = layers[1].clone();
    assert_eq!(upper.settle(&layers[0]).unwrap_err().message, e.message);
    let layers = trees(&[Tar::default().bytes(), Tar::default().hardlink("a", "b").hardlink("b", "a").bytes()]);
    assert!(Tree::flatten(&layers).is_err());
}

/// Settled, a layer has what its links are to, as overlayfs copies it up.
#[test]
fn a_settled_layer_stands_for_itself() {
    let lower = Tar::default().with(Entry { mode: 0o711, gid: 9, ..Entry::new(Kind::Directory, *b"d") }, b"");
    let lower = lower.file("d/target", "1").file("d/deleted", "2").dir("e").file("e/hidden", "3");
    let upper = Tar::default().hardlink("d/link", "d/target").hardlink("again", "d/target").file("d/.wh.deleted", "");
    let upper = upper.hardlink("saved", "d/deleted").file("e/.wh..wh..opq", "").hardlink("kept", "e/hidden");
    let tars = [lower.bytes(), upper.bytes()];
    let mut layers = trees(&tars);
    let lower = Tree::flatten([&layers[0]]).unwrap();
    let plain = Tree::flatten(&layers).unwrap();
    layers[1].settle(&lower).unwrap();
    let seen = tree_seen(&layers[1], &tars);
    let paths: Vec<&str> = seen.keys().map(|path| std::str::from_utf8(path).unwrap()).collect();
    assert_eq!(paths, ["", "again", "d", "d/deleted", "d/link", "d/target", "e", "kept", "saved"]);
    assert_eq!((seen[&b"d"[..]].mode, seen[&b"d"[..]].owner), (0o711, (0, 9)));
    assert_eq!(seen[&b"d/target"[..]].links, 3);
    assert_eq!(seen[&b"d/deleted"[..]].kind, 'c');
    assert_eq!(Tree::flatten(&layers).unwrap(), plain);
}

/// Puts layers 1 to the last together first, their deletions kept, and then onto the lowest.
fn in_two_steps(layers: &[Tree]) -> Tree {
    let upper =
        layers[2..].iter().fold(layers[1].clone(), |lower, upper| Tree::merge(lower, upper, Whiteouts::Keep).unwrap());
    Tree::flatten([&layers[0], &upper]).unwrap()
}

type Layers = Vec<Vec<(Entry, Vec<u8>)>>;

fn report(result: Result<(), TestError<Layers>>) {
    match result {
        Err(TestError::Fail(reason, layers)) => {
            let layers: Vec<String> = layers.iter().map(|layer| hostile::told(layer)).collect();
            panic!("{reason}\n{}", layers.join("\n--\n"));
        }
        other => other.unwrap(),
    }
}

/// Names, kinds and data are what overlayfs shows of the unpacked layers. Attributes of implied directories are not
/// overlayfs' business, and links to lower layers it knows nothing of.
#[test]
fn generated_layers_show_what_overlayfs_shows() {
    let layer =
        || prop::collection::vec(entry().prop_filter("links", |(entry, _)| entry.kind != Kind::HardLink), 1..12);
    let result = runner(100).run(&prop::collection::vec(layer(), 2..5), |layers| {
        let tars: Vec<Vec<u8>> = layers.into_iter().map(|entries| tar(&hostile::taken(entries))).collect();
        let scratch = Scratch::new();
        let unpacked = |(i, tar): (usize, &Vec<u8>)| -> PathBuf {
            let dir = scratch.dir(&i.to_string());
            unpack(&tar[..], &dir, Deletions::Mark).unwrap();
            dir
        };
        let mut dirs: Vec<PathBuf> = tars.iter().enumerate().map(unpacked).collect();
        dirs.reverse();
        let shown = seen::on_overlay(&overlay(&dirs).path());
        let layers = trees(&tars);
        // overlayfs does not look at the attribute of a layer's root
        if layers.iter().any(|tree| tree.inode(Tree::ROOT).is_opaque()) {
            return Ok(());
        }
        let tree = Tree::flatten(&layers).unwrap();
        let strip = |seen: &Seen| -> Seen {
            let bare = |item: &seen::Item| seen::Item {
                kind: item.kind,
                size: item.size,
                checksum: item.checksum,
                target: item.target.clone(),
                device: item.device,
                ..seen::Item::default()
            };
            seen.iter().map(|(path, item)| (path.clone(), bare(item))).collect()
        };
        seen::assert_same("overlay", &strip(&tree_seen(&tree, &tars)), &strip(&shown));
        assert!(in_two_steps(&layers) == tree);
        Ok(())
    });
    report(result);
}

/// Without symlinks, which lead elsewhere where lower layers are in place, one directory with all layers unpacked into it
/// shows the same, attributes and links too.
#[test]
fn generated_layers_show_what_one_directory_shows() {
    // no devices either: 0:0 is a deletion
    let is_plain = |(entry, _): &(Entry, Vec<u8>)| {
        !matches!(entry.kind, Kind::Symlink | Kind::CharDevice) && entry.mode & 0o2000 == 0
    };
    let layer = || prop::collection::vec(entry().prop_filter("plain", is_plain), 1..12);
    let result = runner(100).run(&prop::collection::vec(layer(), 2..5), |layers| {
        let scratch = Scratch::new();
        let dir = scratch.dir("root");
        let mut tars = Vec::new();
        for entries in layers {
            // Nothing twice: what is replaced in its own layer has deleted what was below on the disk, and in no tree; what
            // is deleted and there means another thing in each. And on the disk a directory keeps attributes it had.
            let mut paths = HashSet::new();
            let once = entries.into_iter().filter(|(entry, _)| paths.insert(told_path(&entry.path)));
            let once = once.map(|(entry, data)| match entry.kind {
                Kind::Directory => (Entry { xattrs: Vec::new(), ..entry }, data),
                _ => (entry, data),
            });
            let tar = tar(&hostile::taken(once.collect()));
            let lower = Tree::flatten(&trees(&tars)).unwrap();
            let upper = erofs::index(&tar[..], device("upper")).unwrap().tree;
            // else a link to what is not there
            let is_whole = Tree::merge(lower.clone(), &upper, Whiteouts::Apply).is_ok();
            if !is_whole || !is_orderly(&upper, &lower) {
                continue;
            }
            if unpack(&tar[..], &dir, Deletions::Do).is_err() {
                // a link replaced later in its own layer, a directory implied where there is a file below
                return Ok(());
            }
            tars.push(tar);
        }
        let layers = trees(&tars);
        let tree = Tree::flatten(&layers).unwrap();
        let mut ours = tree_seen(&tree, &tars);
        let disk = seen::on_disk(&dir);
        // on the disk, deletions in them change directories' times
        for (path, item) in ours.iter_mut().filter(|(_, item)| item.kind == 'd') {
            item.mtime = disk.get(path).and_then(|item| item.mtime);
        }
        seen::assert_same("one directory", &ours, &disk);
        Ok(())
    });
    report(result);
}

/// What a layer's path tells of.
fn told_path(path: &[u8]) -> Option<Vec<u8>> {
    let path = archive::clean(path).ok()?;
    let (parent, last) = archive::split(&path);
    let name = last.strip_prefix(b".wh.").filter(|name| !name.starts_with(b".wh.")).unwrap_or(last);
    Some([parent, b"/", name].concat())
}

/// What does not depend on the order in which one directory is changed: no link to a lower layer's file with whose path
/// the layer has to do; no directory that is only implied and deleted, or that a deletion alone implies.
fn is_orderly(tree: &Tree, lower: &Tree) -> bool {
    let is_opaque = |path: &[u8]| tree.find(path).is_some_and(|id| tree.inode(id).is_opaque());
    let mut walk = tree.walk();
    while let Some(id) = walk.step() {
        let path = walk.path();
        let inode = tree.inode(id);
        match inode.content() {
            Content::Orphan(target) => {
                let is_there = |path: &[u8]| tree.find(path).is_some_and(|id| !tree.inode(id).is_directory());
                if ways(target).any(|path| is_there(path) || is_opaque(path)) {
                    return false;
                }
            }
            Content::Directory(directory) if tree.is_implied(id) => {
                let is_lower = lower.find(path).is_some_and(|id| lower.inode(id).is_directory());
                let only_deletes = directory.names().all(|(_, id)| tree.inode(id).is_whiteout());
                if ways(path).any(is_opaque) || only_deletes && !is_lower {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// A path and those of the directories it leads through, the root last.
fn ways(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| archive::split(path).0))
}

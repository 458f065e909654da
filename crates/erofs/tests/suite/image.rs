//! What is written is read.

use std::{fs, io::Write, os::unix::fs::FileExt};

use archive::tar::{Entry, Kind};
use erofs::{Content, Device, Extent, File, Meta, Tree};
use proptest::prelude::*;
use rustix::io::Errno;
use values::Timestamp;

use crate::{
    hostile::{entry, taken, tar},
    material::Tar,
    support::{Scratch, device, memory, no_data, round_trip, runner, write},
};

/// A tree with one of everything, in a device of 1 MiB.
fn sample() -> Tree {
    let mut tree = Tree::new(Meta::new(0o755));
    tree.devices.push(Device::new(&"ab".repeat(32), 1 << 20).unwrap());
    let meta = |mode| Meta { mtime: Timestamp { secs: 7, nanos: 8 }, ..Meta::new(mode) };
    let dir = tree.add_directory(Tree::ROOT, b"dir", Meta { uid: 70_000, ..meta(0o1777) }).unwrap();
    let extent = |offset, len, at| Extent { offset, len, device: 0, at };
    let file = |size, extents: &[Extent]| Content::File(File::new(size, extents.iter().copied()).unwrap());
    let f = tree.add(dir, b"file", meta(0o6755), file(1000, &[extent(0, 1000, 512)])).unwrap();
    tree.link(Tree::ROOT, b"again", f).unwrap();
    tree.add(dir, b"empty", meta(0o600), file(0, &[])).unwrap();
    tree.add(dir, b"hole", meta(0o600), file(1 << 40, &[])).unwrap();
    let parts = [extent(4096, 4096, 2048), extent(1 << 20, 512, 8192)];
    tree.add(dir, b"sparse", meta(0o600), file((1 << 20) + 512, &parts)).unwrap();
    for (name, len) in [(&b"short"[..], 10), (b"long", 600), (b"longest", 4095)] {
        tree.add(Tree::ROOT, name, meta(0o777), Content::Symlink(vec![b't'; len].into())).unwrap();
    }
    tree.add(dir, b"null", meta(0o666), Content::CharDevice(1, 3)).unwrap();
    tree.add(dir, b"disk", meta(0o660), Content::BlockDevice(4095, 1_048_575)).unwrap();
    tree.add(dir, b"fifo", meta(0o600), Content::Fifo).unwrap();
    tree.add(dir, b"gone", Meta::new(0), Content::CharDevice(0, 0)).unwrap();
    let orphan = tree.add(dir, b"orphan", Meta::new(0), Content::Orphan((*b"lower/file").into())).unwrap();
    tree.link(Tree::ROOT, b"orphan", orphan).unwrap();
    let implied = tree.add_directory(dir, b"implied", meta(0o755)).unwrap();
    tree.set_implied(implied, true);
    let xattrs = &mut tree.meta_mut(f).xattrs;
    for (name, len) in [("user.a", 0), ("trusted.overlay.opaque", 1), ("security.capability", 20), ("user.big", 60_000)]
    {
        xattrs.insert(name.as_bytes().into(), vec![b'y'; len].into());
    }
    xattrs.insert(b"system.posix_acl_access".as_slice().into(), vec![2, 0, 0, 0].into());
    tree
}

#[test]
fn one_of_everything() {
    let tree = sample();
    let mut file = memory();
    erofs::write(&tree, &no_data, &mut file).unwrap();
    assert_eq!(erofs::read(&file, "").unwrap(), tree);
    assert_eq!(erofs::devices(&file).unwrap(), tree.devices);
}

/// The same bytes on every machine and in every version, or what reads them has to be looked at.
#[test]
fn the_form_does_not_change_by_itself() {
    let mut out = Vec::new();
    erofs::write(&sample(), &no_data, &mut out).unwrap();
    assert_eq!((out.len(), crc32fast::hash(&out)), GOLDEN);
    let mut again = Vec::new();
    erofs::write(&sample(), &no_data, &mut again).unwrap();
    assert!(out == again);
}

const GOLDEN: (usize, u32) = (69_744, 273_009_545);

#[test]
fn generated_layers_are_read_as_written() {
    let entries = prop::collection::vec(entry(), 1..40);
    runner(150)
        .run(&entries, |entries| {
            let tree = erofs::index(&tar(&taken(entries))[..], device("tar")).unwrap().tree;
            assert_eq!(round_trip(&tree), tree);
            Ok(())
        })
        .unwrap();
}

/// Directories with names before and after `.` and `..`, of all lengths, from one block to very many.
#[test]
fn directories_of_all_sizes() {
    for count in [1, 20, 30, 40, 41, 42, 43, 100, 1000] {
        let mut tree = Tree::new(Meta::new(0o755));
        for i in 0..count {
            let name = format!("{}{i}{}", ["!", ".", "..", "-", "a", "\u{e9}"][i % 6], "x".repeat(i * 7 % 240));
            tree.add(Tree::ROOT, name.as_bytes(), Meta::new(0o600), Content::Fifo).unwrap();
        }
        assert_eq!(round_trip(&tree), tree, "{count}");
    }
}

/// Data that no index can point at is copied into it, and from there into the next.
#[test]
fn data_between_blocks_is_copied() {
    let scratch = Scratch::new();
    let device_data: Vec<u8> = (0..1 << 20).map(|i: u32| (i * 7 + i / 256) as u8).collect();
    let mut tree = Tree::new(Meta::new(0o755));
    tree.devices.push(Device::new("tar", 1 << 20).unwrap());
    let extent = |offset, len, at| Extent { offset, len, device: 0, at };
    let cases: [(&str, u64, &[Extent]); 5] = [
        ("unaligned", 300_000, &[extent(0, 300_000, 77)]),
        ("shifted", 100_000, &[extent(512, 1000, 512), extent(2048, 90_000, 1512)]),
        ("between", 10_000, &[extent(100, 50, 612), extent(700, 1, 5), extent(9000, 1000, 9512)]),
        ("far apart", 1 << 33, &[extent(100, 50, 3), extent(1 << 32, 4096, 8192)]),
        ("whole", 5000, &[extent(0, 5000, 512)]),
    ];
    for (name, size, extents) in cases {
        let content = Content::File(File::new(size, extents.iter().copied()).unwrap());
        tree.add(Tree::ROOT, name.as_bytes(), Meta::new(0o600), content).unwrap();
    }
    let from = |file: &fs::File, at, buffer: &mut [u8]| std::os::unix::fs::FileExt::read_exact_at(file, buffer, at);
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    let data = |device: &Device, at: u64, buffer: &mut [u8]| match device.is_index {
        true => from(&fs::File::open(&first).unwrap(), at, buffer),
        false => {
            buffer.copy_from_slice(&device_data[at as usize..at as usize + buffer.len()]);
            Ok(())
        }
    };
    let read_back = write(&tree, &data, &first);
    assert!(fs::metadata(&first).unwrap().len() < 2 << 20);
    assert_eq!(read_back.devices.len(), 2);
    assert_eq!((read_back.devices[1].tag(), read_back.devices[1].is_index), (&b"index"[..], true));
    write(&read_back, &data, &second);
    let again = erofs::read(&fs::File::open(&second).unwrap(), "second").unwrap();
    let fill = |device: &Device, at: u64, buffer: &mut [u8]| match device.tag() {
        b"second" => from(&fs::File::open(&second).unwrap(), at, buffer).unwrap(),
        _ => data(device, at, buffer).unwrap(),
    };
    let expected = crate::seen::in_tree(&tree, &fill);
    crate::seen::assert_same("once", &crate::seen::in_tree(&read_back, &fill), &expected);
    crate::seen::assert_same("twice", &crate::seen::in_tree(&again, &fill), &expected);
}

#[test]
fn what_has_no_place_is_refused() {
    let refused = |change: &dyn Fn(&mut Tree)| {
        let mut tree = Tree::new(Meta::new(0o755));
        tree.devices.push(Device::new("tar", 1 << 20).unwrap());
        change(&mut tree);
        erofs::write(&tree, &no_data, &mut Vec::new()).unwrap_err().message
    };
    let file = |size, extents: &[Extent]| Content::File(File::new(size, extents.iter().copied()).unwrap());
    let add = |tree: &mut Tree, content| {
        tree.add(Tree::ROOT, b"f", Meta::new(0o600), content).unwrap();
    };
    let extent = |offset, len, device, at| Extent { offset, len, device, at };
    let e = refused(&|tree| add(tree, file(600, &[extent(0, 600, 0, (1 << 20) - 512)])));
    assert_eq!(e, "f: its data is outside of its device");
    assert!(refused(&|tree| add(tree, file(600, &[extent(0, 600, 1, 0)]))).contains("outside of its device"));
    assert!(refused(&|tree| add(tree, file(u64::MAX, &[]))).contains("size is out of range"));
    let many: Vec<Extent> = (0..1000).map(|i| extent(i << 45, 1, 0, i * 3)).collect();
    assert!(refused(&|tree| add(tree, file(1 << 60, &many))).contains("sparse files are too large"));
    let xattr = |name: &'static str, len: usize| {
        refused(&move |tree: &mut Tree| {
            tree.meta_mut(Tree::ROOT).xattrs.insert(name.as_bytes().into(), vec![0; len].into());
        })
    };
    assert!(xattr("user.a", 70_000).contains("too long"));
    assert!(xattr("system.other", 1).contains("cannot be kept"));
    let e = refused(&|tree| {
        for i in 0..5 {
            let name = format!("user.{i}");
            tree.meta_mut(Tree::ROOT).xattrs.insert(name.as_bytes().into(), vec![0; 65_000].into());
        }
    });
    assert!(e.contains("too many extended attributes"), "{e}");
    assert!(refused(&|tree| add(tree, Content::Symlink(vec![b'x'; 4096].into()))).contains("target is too long"));
    let e = refused(&|tree| tree.devices = vec![Device::new("tar", 0).unwrap(); 5000]);
    assert!(e.contains("too many layers"), "{e}");
    assert!(Device::new("tar", (2 << 40) - 1024).is_ok());
    assert!(Device::new("tar", 2 << 40).unwrap_err().message.contains("2 TiB"));
    assert!(Device::new(&"x".repeat(65), 0).is_err());
    let mut tree = Tree::new(Meta::new(0o755));
    assert_eq!(tree.add(Tree::ROOT, &[b'n'; 256], Meta::new(0), Content::Fifo), Err(Errno::NAMETOOLONG));
}

/// A flipped byte anywhere, or a file cut anywhere, is told.
#[test]
fn a_damaged_index_is_an_error() {
    let mut tree = sample();
    // not in every byte of that
    let f = tree.find(b"again").unwrap();
    tree.meta_mut(f).xattrs.clear();
    let mut good = Vec::new();
    erofs::write(&tree, &no_data, &mut good).unwrap();
    let file = memory();
    let read = |bytes: &[u8]| {
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        erofs::read(&file, "")
    };
    assert!(read(&good).is_ok());
    for at in 0..good.len() {
        let bad = [good[at] ^ (1 << (at % 8))];
        file.write_all_at(&bad, at as u64).unwrap();
        assert!(erofs::read(&file, "").is_err(), "{at}");
        file.write_all_at(&good[at..=at], at as u64).unwrap();
    }
    for len in (0..good.len()).step_by(13) {
        assert!(read(&good[..len]).is_err(), "{len}");
    }
    assert_eq!(read(b"").unwrap_err().message, "the index is damaged");
    assert!(erofs::devices(&fs::File::open("/dev/null").unwrap()).is_err());
}

#[test]
fn an_error_of_the_disk_is_told() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::from(Errno::NOSPC))?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let e = erofs::write(&sample(), &no_data, &mut Full(5000)).unwrap_err();
    assert!(e.message.contains("no space left"), "{e}");
    let tar = Tar::default().with(Entry::new(Kind::File, *b"f"), &[1; 700]).bytes();
    let mut tree = erofs::index(&tar[..], device("tar")).unwrap().tree;
    tree.devices[0].is_index = true;
    assert!(erofs::write(&tree, &no_data, &mut Vec::new()).unwrap_err().message.contains("data was asked for"));
}

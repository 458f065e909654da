//! EROFS indexes: of tars, and as files.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use erofs::{Content, Device, Tree, Whiteouts};

/// Files that have to be copied into an index are no larger than this together.
const MOST: u64 = 1 << 24;

fn memory() -> File {
    rustix::fs::memfd_create("index", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd").into()
}

/// What is indexed is read as it was written, alone and on top of itself.
pub fn tar(data: &[u8]) {
    let data = summed_up(data);
    let device = Device::new("tar", 0).expect("a device");
    let Ok(layer) = erofs::index(&data[..], device) else { return };
    let tree = layer.tree;
    let read = |device: &Device, at: u64, buffer: &mut [u8]| {
        assert!(!device.is_index);
        buffer.copy_from_slice(&data[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    written_and_read(&tree, &read);
    let Ok(alone) = Tree::flatten([&tree]) else { return };
    written_and_read(&alone, &read);
    let mut settled = tree.clone();
    settled.settle(&alone).expect("what merges also settles");
    written_and_read(&settled, &read);
    let twice = Tree::merge(alone, &tree, Whiteouts::Apply).expect("what merges once merges twice");
    let mut walk = twice.walk();
    while let Some(id) = walk.step() {
        let inode = twice.inode(id);
        assert!(!inode.is_orphan() && !inode.is_opaque() && !twice.is_implied(id));
    }
    written_and_read(&twice, &read);
    if let Ok(kept) = Tree::merge(tree.clone(), &tree, Whiteouts::Keep) {
        written_and_read(&kept, &read);
    }
}

/// Headers get the checksum they ought to have: hardly any would by chance.
fn summed_up(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    data
}

fn written_and_read(tree: &Tree, data: &dyn erofs::Data) {
    if !is_small(tree) {
        return;
    }
    let mut file = memory();
    if erofs::write(tree, data, &mut file).is_err() {
        return;
    }
    let read = erofs::read(&file, "index").expect("our own index");
    assert_eq!(read.len(), tree.len());
    // what was copied is in another place then
    if !tree.devices.iter().chain(&read.devices).any(|device| device.is_index) {
        assert!(read == *tree);
    }
}

fn is_small(tree: &Tree) -> bool {
    let mut sum = 0u64;
    let mut walk = tree.walk();
    while let Some(id) = walk.step() {
        if let Content::File(file) = tree.inode(id).content()
            && !file.extents().is_empty()
        {
            sum = sum.saturating_add(file.size());
        }
    }
    sum <= MOST
}

/// Never panics; what is read can be written again.
pub fn read(data: &[u8]) {
    let mut file = memory();
    file.write_all(data).expect("memory");
    // the notes go on to the trailer, wherever they begin
    if let Some(trailer) = data.len().checked_sub(32)
        && let Some(at) = data[trailer + 16..].first_chunk().map(|at| u64::from_le_bytes(*at))
        && let Some(len) = (trailer as u64).checked_sub(at)
    {
        let fixed = [&b"ltrerofs\x01\0\0\0"[..], &data[trailer + 12..trailer + 24], &len.to_le_bytes()].concat();
        file.write_all_at(&fixed, trailer as u64).expect("memory");
    }
    let _ = erofs::devices(&file);
    let Ok(tree) = erofs::read(&file, "index") else { return };
    let from = |device: &Device, at: u64, buffer: &mut [u8]| match device.is_index {
        true => file.read_exact_at(buffer, at),
        false => {
            buffer.fill(7);
            Ok::<(), io::Error>(())
        }
    };
    written_and_read(&tree, &from);
}

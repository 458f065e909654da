//! A directory's blocks: in each, entries with the offsets of their names, then the names. All names are in bytewise order,
//! `.` and `..` among them, within a block and from block to block: the kernel looks them up by halves.

use crate::{
    format::{BLOCK, DIRENT},
    tree::{Content, Directory, Id, Tree},
};

/// Which names each block has: positions one past its last.
pub(super) struct Packing {
    ends: Vec<usize>,
    /// Bytes used of the last block.
    last: usize,
}

impl Packing {
    pub(super) fn of(tree: &Tree, id: Id, directory: &Directory) -> Self {
        let mut ends = Vec::new();
        let mut used = 0;
        let mut count = 0;
        for (name, _) in entries(tree, id, directory) {
            if used + DIRENT + name.len() > BLOCK as usize {
                ends.push(count);
                used = 0;
            }
            used += DIRENT + name.len();
            count += 1;
        }
        ends.push(count);
        Self { ends, last: used }
    }

    /// Size of the directory as its inode says it.
    pub(super) fn size(&self) -> u64 {
        (self.ends.len() as u64 - 1) * BLOCK + self.last as u64
    }
}

/// All names that have a place in the image, `.` and `..` among them.
fn entries<'a>(tree: &'a Tree, id: Id, directory: &'a Directory) -> impl Iterator<Item = (&'a [u8], Id)> {
    let mut dots = [(&b"."[..], id), (&b".."[..], directory.parent)].into_iter().peekable();
    let mut names = directory.names().filter(|(_, id)| !tree.inode(*id).is_orphan()).peekable();
    std::iter::from_fn(move || match (dots.peek(), names.peek()) {
        (Some(dot), Some(name)) if name.0 < dot.0 => names.next(),
        (Some(_), _) => dots.next(),
        (None, _) => names.next(),
    })
}

/// The directory's bytes, of [`Packing::size`].
pub(super) fn bytes(tree: &Tree, id: Id, directory: &Directory, nid: impl Fn(Id) -> u64) -> Vec<u8> {
    let packing = Packing::of(tree, id, directory);
    let mut out = Vec::with_capacity(packing.size() as usize);
    let mut entries = entries(tree, id, directory);
    let mut start = 0;
    for end in packing.ends {
        out.resize(out.len().next_multiple_of(BLOCK as usize), 0);
        let mut names = Vec::new();
        for (name, id) in entries.by_ref().take(end - start) {
            let offset = (end - start) * DIRENT + names.len();
            out.extend_from_slice(&nid(id).to_le_bytes());
            out.extend_from_slice(&(offset as u16).to_le_bytes());
            out.extend_from_slice(&[file_type(tree.inode(id).content()), 0]);
            names.extend_from_slice(name);
        }
        out.extend_from_slice(&names);
        start = end;
    }
    out
}

/// The kernel's numbers of file types (include/linux/fs_types.h).
fn file_type(content: &Content) -> u8 {
    match content {
        // an orphan has no entry
        Content::Orphan(_) => 0,
        Content::File(_) => 1,
        Content::Directory(_) => 2,
        Content::CharDevice(..) => 3,
        Content::BlockDevice(..) => 4,
        Content::Fifo => 5,
        Content::Symlink(_) => 7,
    }
}

use values::Result;

use super::{inode::Raw, source::Source};
use crate::{
    format::{BLOCK, DIRENT},
    notes::damaged,
};

/// A name in a directory's blocks.
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    pub(super) nid: u64,
}

/// All names of a directory, `.` and `..` too, which must be in order.
pub(super) fn entries(source: &mut Source<'_>, raw: &Raw) -> Result<Vec<Entry>> {
    let bytes = raw.bytes(source)?;
    let mut out: Vec<Entry> = Vec::new();
    for block in bytes.chunks(BLOCK as usize) {
        let first = offset(block, 0).ok_or_else(damaged)?;
        if first < DIRENT || !first.is_multiple_of(DIRENT) || first >= block.len() {
            return Err(damaged());
        }
        let count = first / DIRENT;
        for i in 0..count {
            let nid = block[i * DIRENT..].first_chunk().ok_or_else(damaged)?;
            let start = offset(block, i).ok_or_else(damaged)?;
            let end = if i + 1 < count { offset(block, i + 1).ok_or_else(damaged)? } else { block.len() };
            let name = block.get(start..end).filter(|_| start >= first).ok_or_else(damaged)?;
            // the last one may be followed by zeros
            let len = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            if len == 0 || i + 1 < count && len < name.len() {
                return Err(damaged());
            }
            let name = &name[..len];
            if out.last().is_some_and(|last| &last.name[..] >= name) {
                return Err(damaged());
            }
            out.push(Entry { name: name.into(), nid: u64::from_le_bytes(*nid) });
        }
    }
    Ok(out)
}

/// Where the name of entry `i` begins.
fn offset(block: &[u8], i: usize) -> Option<usize> {
    let field = block.get(i * DIRENT + 8..i * DIRENT + 10)?;
    Some(usize::from(u16::from_le_bytes([field[0], field[1]])))
}

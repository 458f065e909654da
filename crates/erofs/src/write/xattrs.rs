//! Extended attributes behind an inode: a header, then each one's lengths, prefix, rest of the name, and value.

use values::{Error, Result};

use crate::{
    format::{XATTR_ENTRY, XATTR_HEADER, XATTR_PREFIXES},
    tree::Xattrs,
};

/// Bytes of all; none without any.
///
/// # Errors
/// `InvalidArgument` where the format has no place for them.
pub(super) fn len(xattrs: &Xattrs) -> Result<u64> {
    if xattrs.is_empty() {
        return Ok(0);
    }
    let mut len = XATTR_HEADER;
    for (name, value) in xattrs {
        let (_, rest) = prefix(name)?;
        if rest.len() > usize::from(u8::MAX) || value.len() > usize::from(u16::MAX) {
            return Err(Error::invalid("an extended attribute is too long"));
        }
        len += entry_len(rest, value);
    }
    if icount(len) > u64::from(u16::MAX) {
        return Err(Error::invalid("a file has too many extended attributes"));
    }
    Ok(len)
}

/// The count an inode gives for so many bytes: the header is one, every four bytes behind it another.
pub(super) fn icount(len: u64) -> u64 {
    if len == 0 { 0 } else { 1 + (len - XATTR_HEADER) / 4 }
}

pub(super) fn bytes(xattrs: &Xattrs) -> Result<Vec<u8>> {
    if xattrs.is_empty() {
        return Ok(Vec::new());
    }
    let mut out = vec![0; XATTR_HEADER as usize];
    for (name, value) in xattrs {
        let (index, rest) = prefix(name)?;
        out.extend_from_slice(&[rest.len() as u8, index]);
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
        out.extend_from_slice(rest);
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    Ok(out)
}

fn entry_len(rest: &[u8], value: &[u8]) -> u64 {
    (XATTR_ENTRY + rest.len() as u64 + value.len() as u64).next_multiple_of(4)
}

/// The number of a name's prefix and what follows it.
fn prefix(name: &[u8]) -> Result<(u8, &[u8])> {
    XATTR_PREFIXES
        .iter()
        .find_map(|(index, prefix)| Some((*index, name.strip_prefix(*prefix)?)))
        // those that end in a dot are prefixes, the others whole names
        .filter(|(index, rest)| rest.is_empty() == matches!(index, 2 | 3))
        .ok_or_else(|| {
            Error::invalid(format!("the extended attribute {:?} cannot be kept", String::from_utf8_lossy(name)))
        })
}

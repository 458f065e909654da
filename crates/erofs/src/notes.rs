//! What stands behind the image in an index' file: what a layer's tree says to us and not to the kernel.
//!
//! A list of implied directories and of orphans, then a trailer of fixed size: a magic number, a version, the checksum of all
//! before it, where the list begins and how long it is. Little-endian.
//!
//! The list: a count and as many nids of implied directories (64 bits each); a count and as many orphans: an inode's number,
//! equal for orphans that are one file (32 bits), the nid of the directory (64), the lengths of name and target (16 each),
//! the two.

use values::{Error, Result};

/// What a tree has beside what the kernel sees.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Nids of directories.
    pub(crate) implied: Vec<u64>,
    pub(crate) orphans: Vec<Orphan>,
}

/// A name of an orphan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Orphan {
    /// Which one; those of one file have several names.
    pub(crate) number: u32,
    /// Nid of the directory.
    pub(crate) dir: u64,
    pub(crate) name: Box<[u8]>,
    pub(crate) target: Box<[u8]>,
}

impl Notes {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = (self.implied.len() as u32).to_le_bytes().to_vec();
        for nid in &self.implied {
            out.extend_from_slice(&nid.to_le_bytes());
        }
        out.extend_from_slice(&(self.orphans.len() as u32).to_le_bytes());
        for orphan in &self.orphans {
            out.extend_from_slice(&orphan.number.to_le_bytes());
            out.extend_from_slice(&orphan.dir.to_le_bytes());
            out.extend_from_slice(&(orphan.name.len() as u16).to_le_bytes());
            out.extend_from_slice(&(orphan.target.len() as u16).to_le_bytes());
            out.extend_from_slice(&orphan.name);
            out.extend_from_slice(&orphan.target);
        }
        out
    }

    /// # Errors
    /// `Internal` where it is no such list.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let mut notes = Self::default();
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            notes.implied.push(u64::from_le_bytes(take(&mut rest)?));
        }
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            let number = u32::from_le_bytes(take(&mut rest)?);
            let dir = u64::from_le_bytes(take(&mut rest)?);
            let lengths = [u16::from_le_bytes(take(&mut rest)?), u16::from_le_bytes(take(&mut rest)?)];
            let [name, target] = lengths.map(|len| {
                let text = rest.split_off(..usize::from(len));
                text.map(Box::from).ok_or_else(damaged)
            });
            notes.orphans.push(Orphan { number, dir, name: name?, target: target? });
        }
        if rest.is_empty() { Ok(notes) } else { Err(damaged()) }
    }
}

/// The last bytes of an index' file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Where the notes begin.
    pub(crate) at: u64,
    pub(crate) len: u64,
    /// CRC-32 of all before the trailer.
    pub(crate) checksum: u32,
}

const MAGIC: &[u8; 8] = b"ltrerofs";
const VERSION: u32 = 1;

impl Trailer {
    pub(crate) const LEN: usize = 32;

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.extend_from_slice(&self.at.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out
    }

    /// # Errors
    /// `Internal` where it is none, or one of another version.
    pub(crate) fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self> {
        let mut rest = &bytes[..];
        if take(&mut rest)? != *MAGIC || take(&mut rest)? != VERSION.to_le_bytes() {
            return Err(Error::internal("no index of ours, or only a part of one"));
        }
        let checksum = u32::from_le_bytes(take(&mut rest)?);
        let at = u64::from_le_bytes(take(&mut rest)?);
        let len = u64::from_le_bytes(take(&mut rest)?);
        Ok(Self { at, len, checksum })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (first, behind) = rest.split_first_chunk().ok_or_else(damaged)?;
    *rest = behind;
    Ok(*first)
}

pub(crate) fn damaged() -> Error {
    Error::internal("the index is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_written() {
        let orphan = |number, name: &str| Orphan {
            number,
            dir: 7,
            name: name.as_bytes().into(),
            target: b"some/where".as_slice().into(),
        };
        let notes = Notes { implied: vec![1, u64::MAX], orphans: vec![orphan(0, "a"), orphan(0, "b"), orphan(1, "")] };
        let bytes = notes.to_bytes();
        assert_eq!(Notes::from_bytes(&bytes).unwrap(), notes);
        for len in 0..bytes.len() {
            assert!(Notes::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
        assert!(Notes::from_bytes(b"\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        let trailer = Trailer { at: 5, len: 6, checksum: 7 };
        let bytes = trailer.to_bytes();
        assert_eq!(Trailer::from_bytes(bytes[..].try_into().unwrap()).unwrap(), trailer);
        assert!(Trailer::from_bytes(&[0; 32]).is_err());
    }
}

//! One block of a tar, read.

use std::ops::Range;

use values::{Error, Result};

use super::BLOCK;

pub(super) type Block = [u8; BLOCK];

pub(super) const NAME: Range<usize> = 0..100;
pub(super) const MODE: Range<usize> = 100..108;
pub(super) const UID: Range<usize> = 108..116;
pub(super) const GID: Range<usize> = 116..124;
pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const MTIME: Range<usize> = 136..148;
pub(super) const CHECKSUM: Range<usize> = 148..156;
pub(super) const TYPE: usize = 156;
pub(super) const LINK: Range<usize> = 157..257;
pub(super) const MAGIC: Range<usize> = 257..265;
pub(super) const MAJOR: Range<usize> = 329..337;
pub(super) const MINOR: Range<usize> = 337..345;
pub(super) const PREFIX: Range<usize> = 345..500;
/// GNU's header of a sparse file: four extents, whether more follow, the file's size.
pub(super) const SPARSE: Range<usize> = 386..482;
pub(super) const SPARSE_MORE: usize = 482;
pub(super) const SPARSE_SIZE: Range<usize> = 483..495;

pub(super) const USTAR: &[u8; 8] = b"ustar\x0000";

pub(super) fn bad(what: &str) -> Error {
    Error::invalid(format!("archive/tar: {what}"))
}

/// The bytes up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|b| *b == 0).unwrap_or(field.len())]
}

/// Octal digits, or, with the first bit set, a big-endian number (GNU).
pub(super) fn number(field: &[u8]) -> Result<i64> {
    if field[0] & 0x80 != 0 {
        return binary(field);
    }
    let trimmed: Vec<u8> = text(field).iter().copied().filter(|b| *b != b' ').collect();
    trimmed.iter().try_fold(0i64, |n, digit| match digit {
        b'0'..=b'7' => n.checked_mul(8).map(|n| n + i64::from(digit - b'0')).ok_or_else(|| bad("number too large")),
        _ => Err(bad("invalid tar header")),
    })
}

fn binary(field: &[u8]) -> Result<i64> {
    let negative = field[0] & 0x40 != 0;
    // six bits of the first byte count, its sign bit spread upwards
    let first = i64::from(field[0] & 0x3f) - if negative { 0x40 } else { 0 };
    field[1..].iter().try_fold(first, |n, byte| {
        n.checked_mul(256).and_then(|n| n.checked_add(i64::from(*byte))).ok_or_else(|| bad("number too large"))
    })
}

pub(super) fn unsigned(field: &[u8]) -> Result<u64> {
    u64::try_from(number(field)?).map_err(|_| bad("negative number"))
}

/// Whether the block's checksum is right; old writers summed signed bytes.
pub(super) fn checks(block: &Block) -> bool {
    let Ok(expected) = number(&block[CHECKSUM]) else { return false };
    let (unsigned, signed) = sums(block);
    expected == unsigned || expected == signed
}

/// Sums over unsigned and over signed bytes, the checksum itself taken as spaces.
pub(super) fn sums(block: &Block) -> (i64, i64) {
    block.iter().enumerate().fold((0, 0), |(unsigned, signed), (i, byte)| {
        let byte = if CHECKSUM.contains(&i) { b' ' } else { *byte };
        (unsigned + i64::from(byte), signed + i64::from(byte as i8))
    })
}

/// The path of the block itself, without extended headers.
pub(super) fn path(block: &Block) -> Vec<u8> {
    let name = text(&block[NAME]);
    let prefix = if block[MAGIC] == *USTAR { text(&block[PREFIX]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (field, expected) in [
            (&b"0000644\0"[..], Ok(0o644)),
            (b"  644 \0\0", Ok(0o644)),
            (b"\0\0\0\0\0\0\0\0", Ok(0)),
            (b"\x80\0\0\0\0\0\x01\0", Ok(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Ok(-1)),
            (b"\x80\0\0\0\xff\xff\xff\xfe", Ok(4_294_967_294)),
            (b"12345678", Err(())),
            (b"0x12\0\0\0\0", Err(())),
            (b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Err(())),
        ] {
            assert_eq!(number(field).map_err(|_| ()), expected, "{field:?}");
        }
    }
}

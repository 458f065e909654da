//! Files with holes: where the data that is in the tar belongs.

use values::Result;

use super::header::{self, Block, bad};

/// A run of data in a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub len: u64,
}

/// More than any writer makes, few enough to keep in memory.
pub(super) const EXTENTS_MAX: usize = 1 << 18;

/// Adds the extents of a GNU sparse header or its continuation; false when an empty one ended the list.
pub(super) fn push_gnu(extents: &mut Vec<Extent>, fields: &[u8]) -> Result<bool> {
    for field in fields.chunks_exact(24) {
        if field[0] == 0 {
            return Ok(false);
        }
        let extent = Extent { offset: header::unsigned(&field[..12])?, len: header::unsigned(&field[12..])? };
        if extents.len() == EXTENTS_MAX {
            return Err(bad("too many extents in a sparse file"));
        }
        extents.push(extent);
    }
    Ok(true)
}

/// The extents in the continuation block of a GNU sparse header, and whether another follows.
pub(super) fn push_gnu_block(extents: &mut Vec<Extent>, block: &Block) -> Result<bool> {
    push_gnu(extents, &block[..504])?;
    Ok(block[504] != 0)
}

/// Offsets and lengths in turn: PAX formats 0.0, 0.1 and 1.0 all come down to that.
pub(super) fn from_numbers(numbers: &[u64]) -> Result<Vec<Extent>> {
    if !numbers.len().is_multiple_of(2) || numbers.len() / 2 > EXTENTS_MAX {
        return Err(bad("invalid sparse map"));
    }
    Ok(numbers.chunks_exact(2).map(|pair| Extent { offset: pair[0], len: pair[1] }).collect())
}

/// The map must ascend, lie within the file and be as long as the data.
pub(super) fn check(extents: &[Extent], size: u64, stored: u64) -> Result<()> {
    let mut end = 0u64;
    let mut total = 0u64;
    for extent in extents {
        if extent.offset < end {
            return Err(bad("invalid sparse map"));
        }
        end = extent.offset.checked_add(extent.len).ok_or_else(|| bad("invalid sparse map"))?;
        total += extent.len;
    }
    if end > size || total != stored {
        return Err(bad("invalid sparse map"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_checked() {
        let e = |offset, len| Extent { offset, len };
        for (extents, size, stored, good) in [
            (vec![], 10, 0, true),
            (vec![e(0, 5), e(8, 2)], 10, 7, true),
            (vec![e(0, 5), e(4, 2)], 10, 7, false),
            (vec![e(8, 2), e(0, 5)], 10, 7, false),
            (vec![e(8, 3)], 10, 3, false),
            (vec![e(0, 5)], 10, 4, false),
            (vec![e(5, u64::MAX)], 10, 4, false),
        ] {
            assert_eq!(check(&extents, size, stored).is_ok(), good, "{extents:?}");
        }
    }
}

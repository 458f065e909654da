//! Reads a journal from its beginning and tells a torn end from damage.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
};

use crate::{
    frame::{self, HEADER_LEN, Header, MAGIC, MARKER},
    index::Index,
};

/// What the scan came to an end with.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// Every byte is accounted for.
    Whole,
    /// From `at` on there is only the rest of transactions which nobody was told were durable.
    Torn { at: u64 },
    /// At `at` something is unreadable that had been on the disk before.
    Damaged { at: u64 },
}

/// Applies all frames up to the first unreadable one.
pub(crate) fn scan(file: &File, index: &mut Index) -> io::Result<End> {
    let len = file.metadata()?.len();
    if !has_magic(file)? {
        return Ok(End::Damaged { at: 0 });
    }
    let mut at = MAGIC.len() as u64;
    let mut reader = BufReader::with_capacity(64 << 10, file);
    reader.seek(SeekFrom::Start(at))?;
    let mut payload = Vec::new();
    while at < len {
        match next(&mut reader, len - at, &mut payload)? {
            Some(_) if apply(index, &payload, at) => at += (HEADER_LEN + payload.len()) as u64,
            _ => return Ok(if is_synced_beyond(file, at, len)? { End::Damaged { at } } else { End::Torn { at } }),
        }
    }
    Ok(End::Whole)
}

pub(crate) fn has_magic(file: &File) -> io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    match file.read_exact_at(&mut magic, 0) {
        Ok(()) => Ok(&magic == MAGIC),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

fn apply(index: &mut Index, payload: &[u8], at: u64) -> bool {
    let Some(ops) = frame::ops(payload) else { return false };
    index.apply(&ops, payload, at + HEADER_LEN as u64);
    true
}

/// The next frame's header, its payload in `payload`; `None` where there is no whole frame.
fn next(reader: &mut impl Read, left: u64, payload: &mut Vec<u8>) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER_LEN];
    if left < HEADER_LEN as u64 {
        return Ok(None);
    }
    reader.read_exact(&mut bytes)?;
    let Some(header) = Header::parse(&bytes) else { return Ok(None) };
    if header.len as u64 > left - HEADER_LEN as u64 {
        return Ok(None);
    }
    payload.resize(header.len, 0);
    reader.read_exact(payload)?;
    Ok(header.matches(payload).then_some(header))
}

/// Whether a whole frame behind `at` says that the file had been synced beyond `at`.
fn is_synced_beyond(file: &File, at: u64, len: u64) -> io::Result<bool> {
    let mut found = false;
    resync(file, at + 1, len, |_, header, _| {
        found = header.synced > at;
        !found
    })?;
    Ok(found)
}

/// Calls `each(offset, header, payload)` for all whole frames at or behind `from`, wherever they begin, until it
/// answers false.
pub(crate) fn resync(
    file: &File,
    from: u64,
    len: u64,
    mut each: impl FnMut(u64, Header, &[u8]) -> bool,
) -> io::Result<()> {
    let mut at = from;
    let mut payload = Vec::new();
    while let Some(found) = find_marker(file, at, len)? {
        let mut reader = BufReader::with_capacity(4 << 10, file);
        reader.seek(SeekFrom::Start(found))?;
        match next(&mut reader, len - found, &mut payload)? {
            Some(header) => {
                if !each(found, header, &payload) {
                    return Ok(());
                }
                at = found + (HEADER_LEN + payload.len()) as u64;
            }
            None => at = found + 1,
        }
    }
    Ok(())
}

fn find_marker(file: &File, from: u64, len: u64) -> io::Result<Option<u64>> {
    let mut window = vec![0; 64 << 10];
    let mut at = from;
    while at + MARKER.len() as u64 <= len {
        let n = file.read_at(&mut window, at)?;
        if let Some(i) = window[..n].windows(MARKER.len()).position(|w| w == MARKER) {
            return Ok(Some(at + i as u64));
        }
        if n < MARKER.len() {
            break;
        }
        // the last three bytes may be the beginning of a marker
        at += (n - (MARKER.len() - 1)) as u64;
    }
    Ok(None)
}

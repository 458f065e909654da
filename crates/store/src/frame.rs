//! The file's format: a header line, then frames, one a transaction.
//!
//! ```text
//! frame    marker FF FE 'L' 'J' · payload length u32 · crc32 of all that follows u32 · synced u64 · payload
//! payload  operations one after another
//! put      01 · table length u8 · table · key length u16 · key · schema u32 · value length u32 · value (JSON)
//! delete   02 · table length u8 · table · key length u16 · key
//! ```
//!
//! Numbers are little-endian. `synced` is the length of the file that was known to be on the disk when the frame was
//! written: what lies below it may never be torn, only damaged. The marker holds bytes that neither keys nor JSON can
//! (they are no UTF-8), so that frames can be found again behind damage.

use std::ops::Range;

pub(crate) const MAGIC: &[u8; 16] = b"LIGHTERJOURNAL1\n";
pub(crate) const MARKER: [u8; 4] = [0xff, 0xfe, b'L', b'J'];
pub(crate) const HEADER_LEN: usize = 20;
pub(crate) const KEY_MAX: usize = u16::MAX as usize;
/// Largest frame that is written or believed.
pub(crate) const PAYLOAD_MAX: usize = 256 << 20;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// A frame's first [`HEADER_LEN`] bytes.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) len: usize,
    crc: u32,
    pub(crate) synced: u64,
}

impl Header {
    /// `None` where no frame begins.
    pub(crate) fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let len = word(4) as usize;
        if bytes[..4] != MARKER || len > PAYLOAD_MAX {
            return None;
        }
        let synced = u64::from(word(12)) | u64::from(word(16)) << 32;
        Some(Self { len, crc: word(8), synced })
    }

    pub(crate) fn matches(&self, payload: &[u8]) -> bool {
        self.crc == checksum(self.synced, payload)
    }
}

fn checksum(synced: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&synced.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Fills the first [`HEADER_LEN`] bytes of `frame` for the payload that follows them.
pub(crate) fn seal(frame: &mut [u8], synced: u64) {
    let (header, payload) = frame.split_at_mut(HEADER_LEN);
    header[..4].copy_from_slice(&MARKER);
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..12].copy_from_slice(&checksum(synced, payload).to_le_bytes());
    header[12..20].copy_from_slice(&synced.to_le_bytes());
}

pub(crate) fn push_put(frame: &mut Vec<u8>, table: &str, key: &str, schema: u32, value: &[u8]) {
    push_name(frame, PUT, table, key);
    frame.extend_from_slice(&schema.to_le_bytes());
    frame.extend_from_slice(&(value.len() as u32).to_le_bytes());
    frame.extend_from_slice(value);
}

pub(crate) fn push_delete(frame: &mut Vec<u8>, table: &str, key: &str) {
    push_name(frame, DELETE, table, key);
}

fn push_name(frame: &mut Vec<u8>, kind: u8, table: &str, key: &str) {
    frame.push(kind);
    frame.push(table.len() as u8);
    frame.extend_from_slice(table.as_bytes());
    frame.extend_from_slice(&(key.len() as u16).to_le_bytes());
    frame.extend_from_slice(key.as_bytes());
}

/// What a put takes in the file besides its frame's header.
pub(crate) fn put_len(table: &str, key: &str, value_len: usize) -> u64 {
    (1 + 1 + table.len() + 2 + key.len() + 4 + 4 + value_len) as u64
}

/// One operation of a payload. `value` is a range of that payload.
#[derive(Debug, PartialEq)]
pub(crate) enum Op<'a> {
    Put { table: &'a str, key: &'a str, schema: u32, value: Range<usize> },
    Delete { table: &'a str, key: &'a str },
}

/// The operations of a payload; `None` where it is not well-formed.
pub(crate) fn ops(payload: &[u8]) -> Option<Vec<Op<'_>>> {
    let mut cursor = Cursor { payload, at: 0 };
    let mut out = Vec::new();
    while cursor.at < payload.len() {
        let kind = cursor.take(1)?[0];
        let table_len = cursor.take(1)?[0] as usize;
        let table = std::str::from_utf8(cursor.take(table_len)?).ok()?;
        let key_len = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?) as usize;
        let key = std::str::from_utf8(cursor.take(key_len)?).ok()?;
        out.push(match kind {
            PUT => {
                let schema = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
                let len = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?) as usize;
                let start = cursor.at;
                cursor.take(len)?;
                Op::Put { table, key, schema, value: start..start + len }
            }
            DELETE => Op::Delete { table, key },
            _ => return None,
        });
    }
    Some(out)
}

struct Cursor<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(n)?;
        let bytes = self.payload.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_as_written() {
        let mut frame = vec![0; HEADER_LEN];
        push_put(&mut frame, "t", "key", 3, b"{}");
        push_delete(&mut frame, "other", "gone");
        seal(&mut frame, 77);
        let header = Header::parse(frame[..HEADER_LEN].try_into().unwrap()).unwrap();
        let payload = &frame[HEADER_LEN..];
        assert_eq!((header.len, header.synced, header.matches(payload)), (payload.len(), 77, true));
        let found = ops(payload).unwrap();
        let Op::Put { table: "t", key: "key", schema: 3, value } = &found[0] else { panic!("{found:?}") };
        assert_eq!(&payload[value.clone()], b"{}");
        assert_eq!(found[1], Op::Delete { table: "other", key: "gone" });
        assert_eq!(put_len("t", "key", 2), 18);
    }

    #[test]
    fn garbage_is_no_payload() {
        for bad in [&[9u8][..], &[1, 5, b'a'], &[1, 1, b'a', 1, 0, 0xff], &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0]] {
            assert_eq!(ops(bad), None, "{bad:?}");
        }
    }
}

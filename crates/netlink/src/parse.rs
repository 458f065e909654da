//! Decoding: answers are taken apart by iterators that end at the first thing that is not well formed, and so never
//! read beyond the buffer whatever is in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::batch::{HEADER, aligned};

/// Bits of an attribute's type that are not the type: `NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`.
const TYPE_MASK: u16 = 0x3fff;

/// One message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub payload: &'a [u8],
}

/// The messages of one datagram.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = word(bytes, 0)? as usize;
        let payload = bytes.get(HEADER..length)?;
        let message = Message { kind: half(bytes, 4)?, flags: half(bytes, 6)?, sequence: word(bytes, 8)?, payload };
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes` as (type, value).
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = half(bytes, 0)? as usize;
        let kind = half(bytes, 2)? & TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of type `kind`.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

/// A native 16-bit number at `offset`.
pub fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

/// A native 32-bit number at `offset`.
pub fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// A number in network byte order at the beginning, as nf_tables writes them.
pub fn be32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// Text up to the zero byte; what is not UTF-8 is replaced.
pub fn string(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Four or sixteen bytes.
pub fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|b| IpAddr::V4(Ipv4Addr::from(b))),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|b| IpAddr::V6(Ipv6Addr::from(b))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_input_ends_the_iteration() {
        let check = |bytes: &[u8], expected: usize| assert_eq!(attributes(bytes).count(), expected, "{bytes:?}");
        check(&[], 0);
        check(&[8, 0, 1], 0);
        check(&[8, 0, 1, 0, 1, 2, 3], 0);
        check(&[3, 0, 1, 0], 0);
        check(&[0, 0, 1, 0], 0);
        check(&[4, 0, 1, 0], 1);
        check(&[5, 0, 1, 0, 9], 1);
        check(&[5, 0, 1, 0, 9, 0, 0, 0, 4, 0, 2, 0], 2);
        check(&[5, 0, 1, 0, 9, 0, 0, 0, 255, 255, 2, 0], 1);
        assert_eq!(messages(&[0; 15]).count(), 0);
        assert_eq!(messages(&[0; 16]).count(), 0);
        assert_eq!(messages(&[255; 64]).count(), 0);
        let mut alone = [0u8; 16];
        alone[0] = 16;
        assert_eq!(messages(&alone).count(), 1);
    }

    #[test]
    fn values() {
        assert_eq!(attribute(&[6, 0, 1, 0x80, 7, 8, 0, 0], 1), Some(&[7u8, 8][..]));
        assert_eq!(string(b"eth0\0junk"), "eth0");
        assert_eq!(string(b"eth0"), "eth0");
        assert_eq!(ip(&[10, 0, 0, 1]), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(ip(&[0; 16]), Some("::".parse().unwrap()));
        assert_eq!(ip(&[1]), None);
        assert_eq!(be32(&[0, 0, 1, 2]), Some(258));
        assert_eq!(be32(&[0, 0, 1]), None);
    }
}

//! Encoding: messages with nested attributes, one after another in one buffer (netlink(7), linux/netlink.h).
//!
//! Every message starts at a multiple of four and so does every attribute; lengths do not count the padding.

use std::net::IpAddr;

/// Bytes of `struct nlmsghdr`.
pub(crate) const HEADER: usize = 16;
/// Bytes of `struct nlattr`.
const ATTRIBUTE: usize = 4;

/// Requests to be sent together by one system call. Each has a label by which an error names it.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    labels: Vec<String>,
    /// Position of the message whose acknowledgement ends the exchange, where that is not the last one.
    confirmed_by: Option<usize>,
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a message of type `kind` with `fixed` (the family's own header, such as `struct ifinfomsg`) as its
    /// beginning. `NLM_F_REQUEST` is always set.
    pub fn message(&mut self, label: impl Into<String>, kind: u16, flags: u16, fixed: &[u8]) -> Message<'_> {
        self.labels.push(label.into());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&(self.labels.len() as u32 - 1).to_ne_bytes());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        let mut message = Message { start, bytes: &mut self.bytes };
        message.append(fixed);
        message
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The requests as they go to the kernel, sequence numbers counting from 0.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes the acknowledgement of message number `position` the one that ends the exchange.
    pub(crate) fn confirm_by(&mut self, position: usize) {
        self.confirmed_by = Some(position);
    }

    /// Position of the message whose acknowledgement is the last answer; `None` for an empty batch.
    pub(crate) fn confirmation(&self) -> Option<usize> {
        self.confirmed_by.or(self.labels.len().checked_sub(1))
    }

    /// The label of message number `position`.
    pub(crate) fn label(&self, position: usize) -> &str {
        self.labels.get(position).map_or("netlink", String::as_str)
    }

    /// Adds `flags` to message number `position`.
    pub(crate) fn add_flags(&mut self, position: usize, flags: u16) {
        let at = self.offsets().nth(position);
        if let Some(at) = at {
            let old = u16::from_ne_bytes([self.bytes[at + 6], self.bytes[at + 7]]);
            self.bytes[at + 6..at + 8].copy_from_slice(&(old | flags).to_ne_bytes());
        }
    }

    /// Moves the sequence numbers so that the first message has `first`.
    pub(crate) fn number_from(&mut self, first: u32) {
        let offsets: Vec<usize> = self.offsets().collect();
        for (position, at) in offsets.into_iter().enumerate() {
            let sequence = first.wrapping_add(position as u32);
            self.bytes[at + 8..at + 12].copy_from_slice(&sequence.to_ne_bytes());
        }
    }

    fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let at = next;
            let length = self.bytes.get(at..at + 4)?;
            next = at + aligned(u32::from_ne_bytes(length.try_into().ok()?) as usize);
            Some(at)
        })
    }
}

/// The message being written: attributes are appended in order.
pub struct Message<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
}

impl Message<'_> {
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = (ATTRIBUTE + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.append(value);
        self
    }

    pub fn u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.attribute(kind, &[value])
    }

    pub fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Network byte order, as nf_tables wants all its numbers.
    pub fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// With the zero byte at its end that the kernel asks for.
    pub fn string(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    pub fn ip(&mut self, kind: u16, value: IpAddr) -> &mut Self {
        match value {
            IpAddr::V4(ip) => self.attribute(kind, &ip.octets()),
            IpAddr::V6(ip) => self.attribute(kind, &ip.octets()),
        }
    }

    /// An attribute made of what `fill` writes. `fixed` comes first inside it (veth's peer has a header there).
    pub fn nested(&mut self, kind: u16, fixed: &[u8], fill: impl FnOnce(&mut Message<'_>)) -> &mut Self {
        let at = self.bytes.len();
        self.attribute(kind, fixed);
        let mut inner = Message { bytes: self.bytes, start: self.start };
        fill(&mut inner);
        let length = (self.bytes.len() - at) as u16;
        self.bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    fn append(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.bytes.resize(aligned(self.bytes.len()), 0);
        let length = (self.bytes.len() - self.start) as u32;
        self.bytes[self.start..self.start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

pub(crate) fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All goldens are little-endian, as the machines we test on.
    #[test]
    fn messages_and_attributes_are_padded_and_counted() {
        let mut batch = Batch::new();
        batch.message("one", 0x10, 0x400, &[1, 2, 3, 4]).string(3, "ab").u8(5, 7);
        batch.message("two", 0x11, 0, &[]).nested(18, &[], |m| {
            m.be32(1, 1).u32(2, 1);
        });
        let expected: Vec<u8> = [
            vec![36, 0, 0, 0, 0x10, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
            vec![7, 0, 3, 0, b'a', b'b', 0, 0],
            vec![5, 0, 5, 0, 7, 0, 0, 0],
            vec![36, 0, 0, 0, 0x11, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            vec![20, 0, 18, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 1, 0, 0, 0],
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
    }

    #[test]
    fn numbering_and_flags_reach_each_message() {
        let mut batch = Batch::new();
        batch.message("one", 1, 0, &[]);
        batch.message("two", 2, 0, &[]).u8(1, 1);
        batch.message("three", 3, 0, &[]);
        batch.number_from(u32::MAX);
        batch.add_flags(2, 4);
        let sequences: Vec<u32> = crate::parse::messages(batch.bytes()).map(|m| m.sequence).collect();
        assert_eq!(sequences, [u32::MAX, 0, 1]);
        let flags: Vec<u16> = crate::parse::messages(batch.bytes()).map(|m| m.flags).collect();
        assert_eq!(flags, [1, 1, 5]);
        assert_eq!((batch.len(), batch.label(1), batch.label(9)), (3, "two", "netlink"));
    }
}

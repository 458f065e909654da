use std::net::IpAddr;

use crate::nft::attributes as a;

/// Numbers by which nft(8) knows how to show a value (its datatype.h); the kernel only keeps them.
const ADDRESS_4: u32 = 7;
const ADDRESS_6: u32 = 8;
const ETHERNET: u32 = 9;
const PROTOCOL: u32 = 12;
const SERVICE: u32 = 13;
const LINK: u32 = 41;
/// Bits of one such number where several make up a key.
const TYPE_BITS: u32 = 6;

/// One field of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Link,
    Mac,
    Protocol,
    Ipv4,
    Ipv6,
    Port,
}

impl Field {
    fn number(self) -> u32 {
        match self {
            Field::Link => LINK,
            Field::Mac => ETHERNET,
            Field::Protocol => PROTOCOL,
            Field::Ipv4 => ADDRESS_4,
            Field::Ipv6 => ADDRESS_6,
            Field::Port => SERVICE,
        }
    }

    /// In bytes; among others it is padded to a multiple of four.
    fn length(self) -> u32 {
        match self {
            Field::Link | Field::Ipv6 => 16,
            Field::Mac => 6,
            Field::Ipv4 => 4,
            Field::Port => 2,
            Field::Protocol => 1,
        }
    }
}

/// Nft's number and the length in bytes of a value made of `fields`.
fn shape(fields: &[Field]) -> (u32, u32) {
    match fields {
        [one] => (one.number(), one.length()),
        _ => fields.iter().fold((0, 0), |(number, length), field| {
            (number << TYPE_BITS | field.number(), length + field.length().next_multiple_of(4))
        }),
    }
}

/// A named set, or a map if it has `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    pub name: String,
    pub key: Vec<Field>,
    pub data: Option<Vec<Field>>,
    /// Its elements are networks ([`Element::network`]).
    pub interval: bool,
    pub elements: Vec<Element>,
}

impl Set {
    pub(crate) fn flags(&self) -> u32 {
        let interval = if self.interval { a::SET_INTERVAL } else { 0 };
        let map = if self.data.is_some() { a::SET_MAP } else { 0 };
        interval | map
    }

    pub(crate) fn key_shape(&self) -> (u32, u32) {
        shape(&self.key)
    }

    pub(crate) fn data_shape(&self) -> Option<(u32, u32)> {
        self.data.as_deref().map(shape)
    }
}

/// One element, as bytes: in one block, as there may be very many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The key and what comes with it.
    bytes: Box<[u8]>,
    /// Of the key.
    length: u8,
    rest: Rest,
}

/// What follows an element's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rest {
    Nothing,
    /// What a map has for it.
    Value,
    /// Of a network: the first address behind it.
    End,
    /// The first address behind it, then what a map has for it.
    EndAndValue,
}

impl Element {
    fn from(key: &[u8], rest: Rest, bytes: &[u8]) -> Self {
        Self { bytes: [key, bytes].concat().into(), length: key.len() as u8, rest }
    }

    pub fn new(key: Key) -> Self {
        Self::from(&key.0, Rest::Nothing, &[])
    }

    pub fn mapped(key: Key, data: Key) -> Self {
        Self::from(&key.0, Rest::Value, &data.0)
    }

    /// All addresses of a network.
    pub fn network(first: IpAddr, last: IpAddr) -> Self {
        let first = Key::default().ip(first).0;
        let end = match last {
            IpAddr::V4(last) => last.to_bits().checked_add(1).map(|end| end.to_be_bytes().to_vec()),
            IpAddr::V6(last) => last.to_bits().checked_add(1).map(|end| end.to_be_bytes().to_vec()),
        };
        match end {
            Some(end) => Self::from(&first, Rest::End, &end),
            None => Self::from(&first, Rest::Nothing, &[]),
        }
    }

    /// All addresses of a network, and what a map has for them.
    pub fn network_mapped(first: IpAddr, last: IpAddr, data: Key) -> Self {
        let network = Self::network(first, last);
        let rest = if network.rest == Rest::End { Rest::EndAndValue } else { Rest::Value };
        Self { bytes: [&network.bytes[..], &data.0].concat().into(), rest, ..network }
    }

    pub fn key(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// What a map has for the key.
    pub fn value(&self) -> Option<&[u8]> {
        let begin = usize::from(self.length);
        match self.rest {
            Rest::Value => Some(&self.bytes[begin..]),
            Rest::EndAndValue => Some(&self.bytes[2 * begin..]),
            Rest::Nothing | Rest::End => None,
        }
    }

    /// Of a network: the first address behind it, where there is one.
    pub(crate) fn end(&self) -> Option<&[u8]> {
        let begin = usize::from(self.length);
        matches!(self.rest, Rest::End | Rest::EndAndValue).then(|| &self.bytes[begin..2 * begin])
    }
}

/// A key being put together field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    pub fn link(mut self, name: &str) -> Self {
        let start = self.0.len();
        self.0.extend_from_slice(name.as_bytes());
        self.0.resize(start + libc::IFNAMSIZ, 0);
        self
    }

    /// Beside other fields: padded.
    pub fn mac(mut self, mac: [u8; 6]) -> Self {
        self.0.extend_from_slice(&mac);
        self.0.extend_from_slice(&[0; 2]);
        self
    }

    pub fn ip(mut self, ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => self.0.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => self.0.extend_from_slice(&ip.octets()),
        }
        self
    }

    /// Beside other fields: padded.
    pub fn port(mut self, port: u16) -> Self {
        self.0.extend_from_slice(&port.to_be_bytes());
        self.0.extend_from_slice(&[0; 2]);
        self
    }

    /// Beside other fields: padded.
    pub fn protocol(mut self, number: u8) -> Self {
        self.0.extend_from_slice(&[number, 0, 0, 0]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_shapes() {
        let key = Key::default().protocol(6).ip(IpAddr::from([1, 2, 3, 4])).port(80);
        assert_eq!(key.0, [6, 0, 0, 0, 1, 2, 3, 4, 0, 80, 0, 0]);
        assert_eq!(shape(&[Field::Protocol, Field::Ipv4, Field::Port]), (12 << 12 | 7 << 6 | 13, 12));
        assert_eq!(shape(&[Field::Ipv6, Field::Port]), (8 << 6 | 13, 20));
        assert_eq!(shape(&[Field::Link]), (41, 16));
        assert_eq!(shape(&[Field::Link, Field::Mac, Field::Ipv6]), (41 << 12 | 9 << 6 | 8, 40));
        assert_eq!(Key::default().mac([1, 2, 3, 4, 5, 6]).0, [1, 2, 3, 4, 5, 6, 0, 0]);
        assert_eq!(Key::default().link("br0").0, b"br0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn networks_end_before_their_successor() {
        let check = |first: &str, last: &str, end: Option<Vec<u8>>| {
            let network = Element::network(first.parse().unwrap(), last.parse().unwrap());
            assert_eq!((network.end(), network.value()), (end.as_deref(), None));
        };
        check("172.17.0.0", "172.17.255.255", Some(vec![172, 18, 0, 0]));
        check("255.255.0.0", "255.255.255.255", None);
        let data = || Key::default().ip([192, 0, 2, 1].into());
        let mapped = Element::network_mapped([10, 0, 0, 0].into(), [10, 255, 255, 255].into(), data());
        assert_eq!(mapped.key(), [10, 0, 0, 0]);
        assert_eq!((mapped.end(), mapped.value()), (Some(&[11, 0, 0, 0][..]), Some(&[192, 0, 2, 1][..])));
        let mapped = Element::network_mapped([255, 0, 0, 0].into(), [255; 4].into(), data());
        assert_eq!((mapped.end(), mapped.value()), (None, Some(&[192, 0, 2, 1][..])));
    }
}

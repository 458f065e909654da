//! Ports that are written into packets as they pass: a translation that remembers nothing, for two ends on one host.

use std::net::Ipv4Addr;

use super::{Expression, IPV4_DESTINATION, IPV4_SOURCE, PORT, REGISTER, Rule};

/// Offset of the source's port in headers of TCP and UDP.
const SOURCE_PORT: u32 = 0;
/// Of the checksum.
const IN_UDP: u32 = 6;
const IN_TCP: u32 = 16;

/// What has ports and a checksum over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    /// A datagram whose sender left the checksum out.
    UdpUnchecked,
    Tcp,
}

impl Transport {
    fn number(self) -> u8 {
        (if self == Self::Tcp { libc::IPPROTO_TCP } else { libc::IPPROTO_UDP }) as u8
    }

    fn checksum(self) -> Option<u32> {
        match self {
            Self::Udp => Some(IN_UDP),
            Self::UdpUnchecked => None,
            Self::Tcp => Some(IN_TCP),
        }
    }
}

impl Rule {
    /// nft: `ip saddr != IP`. For a table of [`Family::Ipv4`](crate::nft::Family::Ipv4).
    pub fn source_is_not(self, ip: Ipv4Addr) -> Self {
        self.address_is_not(IPV4_SOURCE, ip)
    }

    /// nft: `ip daddr != IP`.
    pub fn destination_is_not(self, ip: Ipv4Addr) -> Self {
        self.address_is_not(IPV4_DESTINATION, ip)
    }

    /// nft: `udp sport FROM udp sport set TO`.
    pub fn rewrite_source_port(self, transport: Transport, from: u16, to: u16) -> Self {
        self.rewrite_port(transport, SOURCE_PORT, from, to)
    }

    /// nft: `udp dport FROM udp dport set TO`.
    pub fn rewrite_destination_port(self, transport: Transport, from: u16, to: u16) -> Self {
        self.rewrite_port(transport, PORT, from, to)
    }

    fn address_is_not(self, offset: u32, ip: Ipv4Addr) -> Self {
        let different = Expression::Compare { equal: false, value: ip.octets().to_vec() };
        self.network_header(offset, 4, REGISTER).with(different)
    }

    fn rewrite_port(self, transport: Transport, offset: u32, from: u16, to: u16) -> Self {
        let mut rule = self.protocol(transport.number()).transport_header(offset, 2, REGISTER);
        rule = rule.equals(from.to_be_bytes().to_vec());
        if transport == Transport::UdpUnchecked {
            rule = rule.transport_header(IN_UDP, 2, REGISTER).equals(vec![0; 2]);
        }
        rule.with(Expression::Value { register: REGISTER, value: to.to_be_bytes().to_vec() })
            .with(Expression::SetPayload { offset, length: 2, checksum: transport.checksum() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    #[test]
    fn a_port_is_written_with_its_checksum() {
        let written = |transport| {
            let mut batch = Batch::new();
            Rule::new().rewrite_source_port(transport, 61_000, 53).encode(&mut batch.message("", 0, 0, &[]));
            batch.bytes().to_vec()
        };
        let last = |transport| written(transport)[written(transport).len() - 48..].to_vec();
        let number = |kind: u8, value: u8| [8, 0, kind, 0, 0, 0, 0, value];
        let expected = |checksum: u8| {
            [number(5, 1), number(2, 2), number(3, 0), number(4, 2), number(6, 1), number(7, checksum)].concat()
        };
        assert_eq!(last(Transport::Udp), expected(6));
        assert_eq!(last(Transport::Tcp), expected(16));
        let unchecked = written(Transport::UdpUnchecked);
        assert_eq!(unchecked[unchecked.len() - 32..], expected(0)[..32], "it stays left out");
    }
}

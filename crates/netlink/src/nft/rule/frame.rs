//! Conditions on frames that come in by a port of a bridge, and on what ARP (RFC 826) and neighbour discovery (RFC 4861) say
//! in them. For tables of [`Family::Bridge`](crate::nft::Family::Bridge).

use super::{Expression, REGISTER, Rule, SECOND, WORD_6};

/// Offset in an Ethernet header.
const SOURCE: u32 = 6;
/// In ARP's packet for Ethernet and IPv4; the kernel takes no other.
const ARP_SENDER_MAC: u32 = 8;
const ARP_SENDER_IP: u32 = 14;
/// In an IPv6 header.
const IPV6_LENGTH: u32 = 4;
const IPV6_NEXT: u32 = 6;
const IPV6_SOURCE: u32 = 8;
/// In a solicitation or advertisement of a neighbour.
const TARGET: u32 = 8;
const ICMPV6: u8 = 58;
/// Of an option with a hardware address: kind, length in eights of bytes, address.
const OPTION_HEADER: u32 = 2;

/// Whose hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacOf {
    Frame,
    /// In an option that begins so many bytes behind the beginning of ICMP's header.
    Option(u32),
}

/// Which address of a message of neighbour discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpOf {
    Source,
    Target,
}

impl Rule {
    /// nft: `meta protocol NUMBER`; of a frame with a VLAN's tag what is behind that.
    pub fn ether_type(self, number: u16) -> Self {
        self.meta(libc::NFT_META_PROTOCOL, REGISTER).equals(number.to_be_bytes().to_vec())
    }

    /// nft: `iifname . ether saddr @SET`.
    pub fn source_mac_in(self, set: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME, REGISTER).link_header(SOURCE, 6, SECOND).lookup(set, false)
    }

    /// nft: `iifname . arp saddr ether . arp saddr ip @SET`.
    pub fn arp_sender_in(self, set: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME, REGISTER)
            .network_header(ARP_SENDER_MAC, 6, SECOND)
            .network_header(ARP_SENDER_IP, 4, WORD_6)
            .lookup(set, false)
    }

    /// nft: `iifname . MAC . IP @SET`.
    pub fn neighbour_in(self, mac: MacOf, ip: IpOf, set: &str) -> Self {
        let rule = self.meta(libc::NFT_META_IIFNAME, REGISTER);
        let rule = match mac {
            MacOf::Frame => rule.link_header(SOURCE, 6, SECOND),
            MacOf::Option(at) => rule.transport_header(at + OPTION_HEADER, 6, SECOND),
        };
        let rule = match ip {
            IpOf::Source => rule.network_header(IPV6_SOURCE, 16, WORD_6),
            IpOf::Target => rule.transport_header(TARGET, 16, WORD_6),
        };
        rule.lookup(set, false)
    }

    /// At that place in ICMP is an option of this kind, eight bytes long.
    pub fn option_at(self, offset: u32, kind: u8) -> Self {
        self.transport_header(offset, 2, REGISTER).equals(vec![kind, 1])
    }

    /// nft: `ip6 length BYTES`: of what follows the header.
    pub fn ipv6_length(self, bytes: u16) -> Self {
        self.network_header(IPV6_LENGTH, 2, REGISTER).equals(bytes.to_be_bytes().to_vec())
    }

    /// nft: `ip6 nexthdr != icmpv6`.
    pub fn other_headers_between(self) -> Self {
        self.network_header(IPV6_NEXT, 1, REGISTER).with(Expression::Compare { equal: false, value: vec![ICMPV6] })
    }

    /// nft: `ip6 saddr ::`.
    pub fn no_ipv6_source(self) -> Self {
        self.network_header(IPV6_SOURCE, 16, REGISTER).equals(vec![0; 16])
    }

    /// nft: `icmp type NUMBER` or `icmpv6 type NUMBER`.
    pub fn icmp_type(self, number: u8) -> Self {
        self.transport_header(0, 1, REGISTER).equals(vec![number])
    }

    /// nft: `udp sport SOURCE udp dport DESTINATION`.
    pub fn udp_ports(self, source: u16, destination: u16) -> Self {
        let ports = [source.to_be_bytes(), destination.to_be_bytes()].concat();
        self.transport_header(0, 4, REGISTER).equals(ports)
    }

    /// nft: `meta l4proto NUMBER`; of IPv6 the one behind its headers.
    pub fn protocol(self, number: u8) -> Self {
        self.meta(libc::NFT_META_L4PROTO, REGISTER).equals(vec![number])
    }

    pub(super) fn equals(self, value: Vec<u8>) -> Self {
        self.with(Expression::Compare { equal: true, value })
    }

    fn link_header(self, offset: u32, length: u32, register: u32) -> Self {
        let base = libc::NFT_PAYLOAD_LL_HEADER as u32;
        self.with(Expression::Payload { base, offset, length, register })
    }

    pub(super) fn transport_header(self, offset: u32, length: u32, register: u32) -> Self {
        let base = libc::NFT_PAYLOAD_TRANSPORT_HEADER as u32;
        self.with(Expression::Payload { base, offset, length, register })
    }
}

mod frame;
mod rewrite;

use std::net::{IpAddr, Ipv4Addr};

use crate::batch::Message;
use crate::nft::Family;
use crate::nft::attributes as a;

pub use frame::{IpOf, MacOf};
pub use rewrite::Transport;

/// The register most expressions here work on (`NFT_REG_1`, 16 bytes).
const REGISTER: u32 = 1;
/// The one behind it (`NFT_REG_2`).
const SECOND: u32 = 2;
/// `NFT_REG32_01` and `NFT_REG32_02`: the second and third word of `NFT_REG_1`, for keys made of several fields.
const WORD_1: u32 = 9;
const WORD_2: u32 = 10;
/// `NFT_REG32_05`: a word behind an IPv6 address behind a word.
const WORD_5: u32 = 13;
/// `NFT_REG32_06`: behind a link's name and a hardware address.
const WORD_6: u32 = 14;
/// `NFT_REG_VERDICT`.
const VERDICT_REGISTER: u32 = 0;
/// Offset of the source address in an IPv4 header.
const IPV4_SOURCE: u32 = 12;
const IPV4_DESTINATION: u32 = 16;
/// The same in an IPv6 header.
const IPV6_SOURCE: u32 = 8;
const IPV6_DESTINATION: u32 = 24;
/// Offset of the destination's port in headers of TCP, UDP and SCTP.
const PORT: u32 = 2;
/// `NF_CT_STATE_BIT` of IP_CT_ESTABLISHED and IP_CT_RELATED, as nft's `established,related`.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
/// `IPS_DST_NAT`.
const DESTINATION_TRANSLATED: u32 = 1 << 5;
/// `NFT_CT_STATUS` and `NFT_CT_MARK`.
const CONNTRACK_STATUS: u32 = 2;
const CONNTRACK_MARK: u32 = 3;
/// `NF_CT_STATE_BIT(IP_CT_NEW)`, nft's `new`.
const NEW: u32 = 8;

/// Conditions which must all hold, and what then happens, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    expressions: Vec<Expression>,
}

/// What becomes of a packet. Accepting ends only this table's chain: one of another table may still drop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Drop,
    /// On with a chain of the same table, and back if that decides nothing.
    Jump(String),
    /// Back to where the chain was jumped to from; of a base chain: its policy.
    Return,
}

/// What a map of destinations is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKey {
    /// Protocol, destination address, port.
    Address,
    /// Protocol and port.
    Port,
}

/// The kernel's building blocks (net/netfilter/nft_*.c).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Meta {
        key: u32,
        register: u32,
    },
    Payload {
        base: u32,
        offset: u32,
        length: u32,
        register: u32,
    },
    /// A register's value into a header of the transport, whose checksum is brought up to date unless it is to be left.
    SetPayload {
        offset: u32,
        length: u32,
        checksum: Option<u32>,
    },
    Fib,
    Lookup {
        set: String,
        inverted: bool,
        destination: Option<u32>,
    },
    /// To the address in the register, and the port in that of `port`.
    Nat {
        kind: u32,
        family: Family,
        port: Option<u32>,
    },
    Conntrack {
        key: u32,
    },
    /// The other way: a value into the flow.
    SetConntrack {
        key: u32,
    },
    Value {
        register: u32,
        value: Vec<u8>,
    },
    /// To the address of the first register by the link whose index is in the second.
    Duplicate {
        link: u32,
    },
    Bitwise {
        mask: Vec<u8>,
    },
    Compare {
        equal: bool,
        value: Vec<u8>,
    },
    Verdict(Verdict),
    Masquerade,
}

impl Rule {
    pub fn new() -> Self {
        Self::default()
    }

    /// nft: `meta nfproto ipv4` or `ipv6`; nothing for both.
    pub fn family(self, family: Family) -> Self {
        if matches!(family, Family::Inet | Family::Bridge) {
            return self;
        }
        self.with(Expression::Meta { key: libc::NFT_META_NFPROTO as u32, register: REGISTER })
            .with(Expression::Compare { equal: true, value: vec![family.number()] })
    }

    /// nft: `iifname @SET`.
    pub fn input_link_in(self, set: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME, REGISTER).lookup(set, false)
    }

    /// nft: `oifname @SET`.
    pub fn output_link_in(self, set: &str) -> Self {
        self.meta(libc::NFT_META_OIFNAME, REGISTER).lookup(set, false)
    }

    /// nft: `oifname != @SET`.
    pub fn output_link_not_in(self, set: &str) -> Self {
        self.meta(libc::NFT_META_OIFNAME, REGISTER).lookup(set, true)
    }

    /// nft: `iifname . oifname @SET`.
    pub fn links_in(self, set: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME, REGISTER).meta(libc::NFT_META_OIFNAME, SECOND).lookup(set, false)
    }

    /// nft: `ip saddr @SET` or `ip6 saddr @SET`.
    pub fn source_in(self, family: Family, set: &str) -> Self {
        let (offset, length) = if family == Family::Ipv6 { (IPV6_SOURCE, 16) } else { (IPV4_SOURCE, 4) };
        self.family(family).network_header(offset, length, REGISTER).lookup(set, false)
    }

    /// Ends the rule where the map has the source. nft: `snat ip to ip saddr map @MAP`.
    pub fn source_nat(self, family: Family, map: &str) -> Self {
        let (offset, length) = if family == Family::Ipv6 { (IPV6_SOURCE, 16) } else { (IPV4_SOURCE, 4) };
        self.family(family)
            .network_header(offset, length, REGISTER)
            .with(Expression::Lookup { set: map.into(), inverted: false, destination: Some(REGISTER) })
            .with(Expression::Nat { kind: a::NAT_SOURCE, family, port: None })
    }

    /// nft: `ip saddr . ip daddr . meta l4proto . th dport @SET`.
    pub fn ipv4_flow_in(self, set: &str) -> Self {
        self.family(Family::Ipv4)
            .network_header(IPV4_SOURCE, 4, REGISTER)
            .network_header(IPV4_DESTINATION, 4, WORD_1)
            .meta(libc::NFT_META_L4PROTO, WORD_2)
            .transport_port(WORD_2 + 1)
            .lookup(set, false)
    }

    /// nft: `ip daddr 127.0.0.0/8`.
    pub fn loopback_destination(self) -> Self {
        self.loopback(IPV4_DESTINATION)
    }

    /// nft: `ip saddr 127.0.0.0/8`.
    pub fn loopback_source(self) -> Self {
        self.loopback(IPV4_SOURCE)
    }

    /// nft: `ip6 daddr != ::1`.
    pub fn not_loopback6_destination(self) -> Self {
        let value = std::net::Ipv6Addr::LOCALHOST.octets().to_vec();
        self.family(Family::Ipv6)
            .network_header(IPV6_DESTINATION, 16, REGISTER)
            .with(Expression::Compare { equal: false, value })
    }

    /// nft: `fib daddr type local`.
    pub fn local_destination(self) -> Self {
        let local = u32::from(libc::RTN_LOCAL).to_ne_bytes().to_vec();
        self.with(Expression::Fib).with(Expression::Compare { equal: true, value: local })
    }

    /// nft: `ct status dnat`.
    pub fn translated(self) -> Self {
        self.with(Expression::Conntrack { key: CONNTRACK_STATUS })
            .with(Expression::Bitwise { mask: DESTINATION_TRANSLATED.to_ne_bytes().to_vec() })
            .with(Expression::Compare { equal: false, value: vec![0; 4] })
    }

    /// Ends the rule where the map has the key. nft: `dnat ip to meta l4proto [. ip daddr] . th dport map @MAP`.
    /// What is not in the map goes on with the next rule.
    pub fn destination_nat(self, family: Family, key: NatKey, map: &str) -> Self {
        let rule = self.family(family).meta(libc::NFT_META_L4PROTO, REGISTER);
        let rule = match (key, family) {
            (NatKey::Port, _) => rule.transport_port(WORD_1),
            (NatKey::Address, Family::Ipv6) => rule.network_header(IPV6_DESTINATION, 16, WORD_1).transport_port(WORD_5),
            (NatKey::Address, _) => rule.network_header(IPV4_DESTINATION, 4, WORD_1).transport_port(WORD_2),
        };
        // the map's answer: an address and, right behind it, a port
        let port = if family == Family::Ipv6 { SECOND } else { WORD_1 };
        rule.with(Expression::Lookup { set: map.into(), inverted: false, destination: Some(REGISTER) })
            .with(Expression::Nat { kind: a::NAT_DESTINATION, family, port: Some(port) })
    }

    /// nft: `meta l4proto [. ip daddr] . th dport @SET`.
    pub fn destination_in(self, family: Family, key: NatKey, set: &str) -> Self {
        let rule = self.family(family).meta(libc::NFT_META_L4PROTO, REGISTER);
        match (key, family) {
            (NatKey::Port, _) => rule.transport_port(WORD_1),
            (NatKey::Address, Family::Ipv6) => rule.network_header(IPV6_DESTINATION, 16, WORD_1).transport_port(WORD_5),
            (NatKey::Address, _) => rule.network_header(IPV4_DESTINATION, 4, WORD_1).transport_port(WORD_2),
        }
        .lookup(set, false)
    }

    /// nft: `meta nfproto ipv4 meta l4proto icmp` or `meta nfproto ipv6 meta l4proto icmpv6`.
    pub fn icmp(self, family: Family) -> Self {
        let number = if family == Family::Ipv6 { libc::IPPROTO_ICMPV6 } else { libc::IPPROTO_ICMP };
        let value = vec![number as u8];
        self.family(family).meta(libc::NFT_META_L4PROTO, REGISTER).with(Expression::Compare { equal: true, value })
    }

    /// nft: `ct state new`.
    pub fn new_flow(self) -> Self {
        self.state(NEW)
    }

    /// nft: `ct mark set MARK`.
    pub fn mark_flow(self, mark: u32) -> Self {
        self.with(Expression::Value { register: REGISTER, value: mark.to_ne_bytes().to_vec() })
            .with(Expression::SetConntrack { key: CONNTRACK_MARK })
    }

    /// nft: `ct mark MARK`.
    pub fn marked_flow(self, mark: u32) -> Self {
        self.with(Expression::Conntrack { key: CONNTRACK_MARK })
            .with(Expression::Compare { equal: true, value: mark.to_ne_bytes().to_vec() })
    }

    /// nft: `dup to GATEWAY device LINK`: a copy, untracked, leaves by that link. Of a table of the gateway's family.
    pub fn duplicate(self, gateway: IpAddr, link: u32) -> Self {
        let value = match gateway {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        self.with(Expression::Value { register: REGISTER, value })
            .with(Expression::Value { register: SECOND, value: link.to_ne_bytes().to_vec() })
            .with(Expression::Duplicate { link: SECOND })
    }

    /// nft: `iifname != NAME`.
    pub fn input_link_is_not(self, name: &str) -> Self {
        self.link(libc::NFT_META_IIFNAME, name, false)
    }

    /// nft: `iifname NAME`.
    pub fn input_link(self, name: &str) -> Self {
        self.link(libc::NFT_META_IIFNAME, name, true)
    }

    /// nft: `oifname NAME`.
    pub fn output_link(self, name: &str) -> Self {
        self.link(libc::NFT_META_OIFNAME, name, true)
    }

    /// nft: `oifname != NAME`.
    pub fn output_link_is_not(self, name: &str) -> Self {
        self.link(libc::NFT_META_OIFNAME, name, false)
    }

    /// nft: `ip saddr NETWORK/PREFIX`. For a table of [`Family::Ipv4`](super::Family::Ipv4).
    pub fn ipv4_source(self, network: Ipv4Addr, prefix_len: u8) -> Self {
        let mask = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(prefix_len))).unwrap_or(0);
        self.network_header(IPV4_SOURCE, 4, REGISTER)
            .with(Expression::Bitwise { mask: mask.to_be_bytes().to_vec() })
            .with(Expression::Compare { equal: true, value: (network.to_bits() & mask).to_be_bytes().to_vec() })
    }

    /// nft: `ct state established,related`.
    pub fn established(self) -> Self {
        self.state(ESTABLISHED_OR_RELATED)
    }

    /// One of these states. The register holds a bit mask in the machine's byte order.
    fn state(self, bits: u32) -> Self {
        self.with(Expression::Conntrack { key: libc::NFT_CT_STATE as u32 })
            .with(Expression::Bitwise { mask: bits.to_ne_bytes().to_vec() })
            .with(Expression::Compare { equal: false, value: vec![0; 4] })
    }

    /// Ends the rule: nft's `accept` or `drop`.
    pub fn verdict(self, verdict: Verdict) -> Self {
        self.with(Expression::Verdict(verdict))
    }

    /// Ends the rule: nft's `masquerade`, the source becomes the address of the link the packet leaves by.
    pub fn masquerade(self) -> Self {
        self.with(Expression::Masquerade)
    }

    fn link(self, key: libc::c_int, name: &str, equal: bool) -> Self {
        let mut value = name.as_bytes().to_vec();
        value.resize(libc::IFNAMSIZ, 0);
        self.meta(key, REGISTER).with(Expression::Compare { equal, value })
    }

    fn meta(self, key: libc::c_int, register: u32) -> Self {
        self.with(Expression::Meta { key: key as u32, register })
    }

    fn network_header(self, offset: u32, length: u32, register: u32) -> Self {
        let base = libc::NFT_PAYLOAD_NETWORK_HEADER as u32;
        self.with(Expression::Payload { base, offset, length, register })
    }

    fn transport_port(self, register: u32) -> Self {
        let base = libc::NFT_PAYLOAD_TRANSPORT_HEADER as u32;
        self.with(Expression::Payload { base, offset: PORT, length: 2, register })
    }

    fn loopback(self, offset: u32) -> Self {
        let value = vec![127];
        self.family(Family::Ipv4).network_header(offset, 1, REGISTER).with(Expression::Compare { equal: true, value })
    }

    fn lookup(self, set: &str, inverted: bool) -> Self {
        self.with(Expression::Lookup { set: set.into(), inverted, destination: None })
    }

    fn with(mut self, expression: Expression) -> Self {
        self.expressions.push(expression);
        self
    }

    /// Writes the list of expressions into a rule's message.
    pub(crate) fn encode(&self, message: &mut Message<'_>) {
        message.nested(a::RULE_EXPRESSIONS, &[], |m| {
            for expression in &self.expressions {
                m.nested(a::LIST_ELEMENT, &[], |m| {
                    m.string(a::EXPRESSION_NAME, expression.name());
                    m.nested(a::EXPRESSION_DATA, &[], |m| expression.encode(m));
                });
            }
        });
    }
}

impl Expression {
    fn name(&self) -> &'static str {
        match self {
            Expression::Meta { .. } => "meta",
            Expression::Payload { .. } | Expression::SetPayload { .. } => "payload",
            Expression::Fib => "fib",
            Expression::Lookup { .. } => "lookup",
            Expression::Nat { .. } => "nat",
            Expression::Conntrack { .. } | Expression::SetConntrack { .. } => "ct",
            Expression::Value { .. } => "immediate",
            Expression::Duplicate { .. } => "dup",
            Expression::Bitwise { .. } => "bitwise",
            Expression::Compare { .. } => "cmp",
            Expression::Verdict(_) => "immediate",
            Expression::Masquerade => "masq",
        }
    }

    fn encode(&self, m: &mut Message<'_>) {
        match self {
            Expression::Meta { key, register } => {
                m.be32(a::META_KEY, *key).be32(a::META_REGISTER, *register);
            }
            Expression::Fib => {
                m.be32(a::FIB_REGISTER, REGISTER)
                    .be32(a::FIB_RESULT, a::FIB_RESULT_ADDRESS_TYPE)
                    .be32(a::FIB_FLAGS, a::FIB_DESTINATION);
            }
            Expression::Lookup { set, inverted, destination } => {
                m.string(a::LOOKUP_SET, set).be32(a::LOOKUP_SOURCE, REGISTER);
                if let Some(register) = destination {
                    m.be32(a::LOOKUP_DESTINATION, *register);
                }
                if *inverted {
                    m.be32(a::LOOKUP_FLAGS, a::LOOKUP_INVERTED);
                }
            }
            Expression::Nat { kind, family, port } => {
                m.be32(a::NAT_TYPE, *kind)
                    .be32(a::NAT_FAMILY, u32::from(family.number()))
                    .be32(a::NAT_ADDRESS, REGISTER);
                if let Some(port) = port {
                    m.be32(a::NAT_PORT, *port);
                }
            }
            Expression::Payload { base, offset, length, register } => {
                m.be32(a::PAYLOAD_REGISTER, *register)
                    .be32(a::PAYLOAD_BASE, *base)
                    .be32(a::PAYLOAD_OFFSET, *offset)
                    .be32(a::PAYLOAD_LENGTH, *length);
            }
            Expression::SetPayload { offset, length, checksum } => {
                m.be32(a::PAYLOAD_SOURCE, REGISTER)
                    .be32(a::PAYLOAD_BASE, libc::NFT_PAYLOAD_TRANSPORT_HEADER as u32)
                    .be32(a::PAYLOAD_OFFSET, *offset)
                    .be32(a::PAYLOAD_LENGTH, *length);
                if let Some(checksum) = checksum {
                    m.be32(a::PAYLOAD_CHECKSUM_TYPE, libc::NFT_PAYLOAD_CSUM_INET as u32)
                        .be32(a::PAYLOAD_CHECKSUM_OFFSET, *checksum);
                }
            }
            Expression::Conntrack { key } => {
                m.be32(a::CONNTRACK_KEY, *key).be32(a::CONNTRACK_REGISTER, REGISTER);
            }
            Expression::SetConntrack { key } => {
                m.be32(a::CONNTRACK_KEY, *key).be32(a::CONNTRACK_SOURCE, REGISTER);
            }
            Expression::Value { register, value } => {
                m.be32(a::IMMEDIATE_REGISTER, *register).nested(a::IMMEDIATE_DATA, &[], |m| {
                    m.attribute(a::DATA_VALUE, value);
                });
            }
            Expression::Duplicate { link } => {
                m.be32(a::DUPLICATE_ADDRESS, REGISTER).be32(a::DUPLICATE_LINK, *link);
            }
            Expression::Bitwise { mask } => {
                m.be32(a::BITWISE_SOURCE, REGISTER)
                    .be32(a::BITWISE_DESTINATION, REGISTER)
                    .be32(a::BITWISE_LENGTH, mask.len() as u32)
                    .nested(a::BITWISE_MASK, &[], |m| {
                        m.attribute(a::DATA_VALUE, mask);
                    })
                    .nested(a::BITWISE_XOR, &[], |m| {
                        m.attribute(a::DATA_VALUE, &vec![0; mask.len()]);
                    });
            }
            Expression::Compare { equal, value } => {
                let operation = if *equal { libc::NFT_CMP_EQ } else { libc::NFT_CMP_NEQ };
                m.be32(a::COMPARE_REGISTER, REGISTER).be32(a::COMPARE_OPERATION, operation as u32).nested(
                    a::COMPARE_DATA,
                    &[],
                    |m| {
                        m.attribute(a::DATA_VALUE, value);
                    },
                );
            }
            Expression::Verdict(verdict) => {
                let (code, chain) = match verdict {
                    Verdict::Accept => (libc::NF_ACCEPT as u32, None),
                    Verdict::Drop => (libc::NF_DROP as u32, None),
                    Verdict::Jump(chain) => (libc::NFT_JUMP as u32, Some(chain)),
                    Verdict::Return => (libc::NFT_RETURN as u32, None),
                };
                m.be32(a::IMMEDIATE_REGISTER, VERDICT_REGISTER).nested(a::IMMEDIATE_DATA, &[], |m| {
                    m.nested(a::DATA_VERDICT, &[], |m| {
                        m.be32(a::VERDICT_CODE, code);
                        if let Some(chain) = chain {
                            m.string(a::VERDICT_CHAIN, chain);
                        }
                    });
                });
            }
            Expression::Masquerade => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    fn encoded(rule: Rule) -> Vec<u8> {
        let mut batch = Batch::new();
        rule.encode(&mut batch.message("", 0, 0, &[]));
        batch.bytes()[16..].to_vec()
    }

    #[test]
    fn masquerade() {
        let expected =
            [vec![24, 0, 4, 0, 20, 0, 1, 0, 9, 0, 1, 0], b"masq\0\0\0\0".to_vec(), vec![4, 0, 2, 0]].concat();
        assert_eq!(encoded(Rule::new().masquerade()), expected);
    }

    #[test]
    fn a_link_name_is_compared_in_full() {
        let bytes = encoded(Rule::new().output_link_is_not("br0"));
        let compare = &bytes[bytes.len() - 40..];
        assert_eq!(compare[..8], [8, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(compare[8..16], [8, 0, 2, 0, 0, 0, 0, 1]);
        assert_eq!(compare[16..24], [24, 0, 3, 0, 20, 0, 1, 0]);
        assert_eq!(&compare[24..], b"br0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_network_is_masked() {
        let check = |len: u8, mask: [u8; 4], value: [u8; 4]| {
            let rule = Rule::new().ipv4_source("172.17.5.9".parse().unwrap(), len);
            assert_eq!(rule.expressions[1], Expression::Bitwise { mask: mask.to_vec() });
            assert_eq!(rule.expressions[2], Expression::Compare { equal: true, value: value.to_vec() });
        };
        check(16, [255, 255, 0, 0], [172, 17, 0, 0]);
        check(0, [0; 4], [0; 4]);
        check(32, [255; 4], [172, 17, 5, 9]);
        check(200, [255; 4], [172, 17, 5, 9]);
    }
}

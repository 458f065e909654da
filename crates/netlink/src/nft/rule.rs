use std::net::Ipv4Addr;

use crate::batch::Message;
use crate::nft::attributes as a;

/// The register every expression here works on (`NFT_REG_1`, 16 bytes).
const REGISTER: u32 = 1;
/// `NFT_REG_VERDICT`.
const VERDICT_REGISTER: u32 = 0;
/// Offset of the source address in an IPv4 header.
const IPV4_SOURCE: u32 = 12;
/// `NF_CT_STATE_BIT` of IP_CT_ESTABLISHED and IP_CT_RELATED, as nft's `established,related`.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;

/// Conditions which must all hold, and what then happens, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    expressions: Vec<Expression>,
}

/// What becomes of a packet. Accepting ends only this table's chain: one of another table may still drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Drop,
}

/// The kernel's building blocks (net/netfilter/nft_*.c).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Meta { key: u32 },
    Payload { offset: u32, length: u32 },
    Conntrack { key: u32 },
    Bitwise { mask: Vec<u8> },
    Compare { equal: bool, value: Vec<u8> },
    Verdict(Verdict),
    Masquerade,
}

impl Rule {
    pub fn new() -> Self {
        Self::default()
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
        self.with(Expression::Payload { offset: IPV4_SOURCE, length: 4 })
            .with(Expression::Bitwise { mask: mask.to_be_bytes().to_vec() })
            .with(Expression::Compare { equal: true, value: (network.to_bits() & mask).to_be_bytes().to_vec() })
    }

    /// nft: `ct state established,related`.
    pub fn established(self) -> Self {
        // The register holds a bit mask in the machine's byte order.
        self.with(Expression::Conntrack { key: libc::NFT_CT_STATE as u32 })
            .with(Expression::Bitwise { mask: ESTABLISHED_OR_RELATED.to_ne_bytes().to_vec() })
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
        self.with(Expression::Meta { key: key as u32 }).with(Expression::Compare { equal, value })
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
            Expression::Payload { .. } => "payload",
            Expression::Conntrack { .. } => "ct",
            Expression::Bitwise { .. } => "bitwise",
            Expression::Compare { .. } => "cmp",
            Expression::Verdict(_) => "immediate",
            Expression::Masquerade => "masq",
        }
    }

    fn encode(&self, m: &mut Message<'_>) {
        match self {
            Expression::Meta { key } => {
                m.be32(a::META_KEY, *key).be32(a::META_REGISTER, REGISTER);
            }
            Expression::Payload { offset, length } => {
                m.be32(a::PAYLOAD_REGISTER, REGISTER)
                    .be32(a::PAYLOAD_BASE, libc::NFT_PAYLOAD_NETWORK_HEADER as u32)
                    .be32(a::PAYLOAD_OFFSET, *offset)
                    .be32(a::PAYLOAD_LENGTH, *length);
            }
            Expression::Conntrack { key } => {
                m.be32(a::CONNTRACK_KEY, *key).be32(a::CONNTRACK_REGISTER, REGISTER);
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
                let code = match verdict {
                    Verdict::Accept => libc::NF_ACCEPT as u32,
                    Verdict::Drop => libc::NF_DROP as u32,
                };
                m.be32(a::IMMEDIATE_REGISTER, VERDICT_REGISTER).nested(a::IMMEDIATE_DATA, &[], |m| {
                    m.nested(a::DATA_VERDICT, &[], |m| {
                        m.be32(a::VERDICT_CODE, code);
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

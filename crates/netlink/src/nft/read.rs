//! Other programs' rules, read as far as it takes to say which packets they let pass.

use crate::batch::Batch;
use crate::error::Result;
use crate::nft::attributes as a;
use crate::nft::{message_type, nfgenmsg};
use crate::parse::{self, Message};
use crate::socket::Socket;

const DUMP: u16 = libc::NLM_F_DUMP as u16;
/// Bytes of `struct nfgenmsg`.
const FIXED: usize = 4;
/// Bytes of a register: registers 1 to 4 have sixteen, and each of their words is one of its own, too.
const WORD: usize = 4;

/// A rule as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// `NFPROTO_*` of its table.
    pub family: u8,
    pub table: String,
    pub chain: String,
    pub steps: Vec<Step>,
}

/// One expression of a rule. Registers are told by their first byte among all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `NFT_META_*` into a register.
    Meta {
        key: u32,
        to: usize,
    },
    /// Of the header `NFT_PAYLOAD_*`.
    Payload {
        base: u32,
        offset: u32,
        length: usize,
        to: usize,
    },
    /// `NFT_CT_*`.
    Conntrack {
        key: u32,
        to: usize,
    },
    Value {
        to: usize,
        value: Vec<u8>,
    },
    /// `to = (from & mask) ^ xor`
    Bitwise {
        from: usize,
        to: usize,
        mask: Vec<u8>,
        xor: Vec<u8>,
    },
    /// Between the machine's byte order and the network's: numbers of `size` bytes, as many as fit into `length`.
    Byteorder {
        from: usize,
        to: usize,
        size: usize,
        length: usize,
    },
    /// `NFT_CMP_*`
    Compare {
        from: usize,
        operation: u32,
        value: Vec<u8>,
    },
    Range {
        from: usize,
        inverted: bool,
        first: Vec<u8>,
        last: Vec<u8>,
    },
    /// In a set, or by a map into a register, which may be that of the verdict.
    Lookup {
        set: String,
        from: usize,
        inverted: bool,
        to: Option<Destination>,
    },
    Verdict(Decision),
    Reject,
    /// A match of iptables with its `struct xt_…_info`.
    Match {
        name: String,
        info: Vec<u8>,
    },
    /// A target of iptables.
    Target {
        name: String,
    },
    /// Whatever else, by the kernel's name; it may change what `to` has.
    Other {
        name: String,
        to: Option<usize>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    Register(usize),
    Verdict,
}

/// What becomes of a packet, as the kernel says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Accept,
    Drop,
    Continue,
    Return,
    Jump(String),
    Goto(String),
    /// Stolen, queued, …
    Elsewhere,
}

/// A set or map of another program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetInfo {
    /// Elements begin and end ranges.
    pub interval: bool,
    pub elements: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub key: Vec<u8>,
    /// The last key of a range of several fields.
    pub last: Option<Vec<u8>>,
    /// Here a range has ended.
    pub is_end: bool,
    pub value: Option<Vec<u8>>,
    pub decision: Option<Decision>,
}

/// All rules of all tables and families, in order.
pub fn rules(socket: &mut Socket) -> Result<Vec<RuleInfo>> {
    let request = |batch: &mut Batch| {
        let fixed = nfgenmsg(libc::NFPROTO_UNSPEC as u8, 0);
        batch.message("list nftables rules", message_type(libc::NFT_MSG_GETRULE), DUMP, &fixed);
    };
    socket.dump(request, rule)
}

/// A set of a table of the family `NFPROTO_*`; `None` if it is not there.
pub fn set(socket: &mut Socket, family: u8, table: &str, name: &str) -> Result<Option<SetInfo>> {
    let request = |batch: &mut Batch| {
        batch
            .message("list nftables sets", message_type(libc::NFT_MSG_GETSET), DUMP, &nfgenmsg(family, 0))
            .string(a::SET_TABLE, table);
    };
    let flags = socket.dump(request, |message| {
        let attributes = answer(&message, libc::NFT_MSG_NEWSET)?;
        let is_it = parse::attribute(attributes, a::SET_NAME).map(parse::string)? == name;
        is_it.then(|| parse::attribute(attributes, a::SET_FLAGS).and_then(parse::be32).unwrap_or(0))
    })?;
    let Some(flags) = flags.first() else { return Ok(None) };
    let request = |batch: &mut Batch| {
        batch
            .message("list nftables elements", message_type(libc::NFT_MSG_GETSETELEM), DUMP, &nfgenmsg(family, 0))
            .string(a::ELEMENTS_TABLE, table)
            .string(a::ELEMENTS_SET, name);
    };
    let lists = socket.dump(request, |message| {
        let list = parse::attribute(answer(&message, libc::NFT_MSG_NEWSETELEM)?, a::ELEMENTS)?;
        Some(parse::attributes(list).filter_map(|(_, element)| member(element)).collect::<Vec<_>>())
    })?;
    Ok(Some(SetInfo { interval: flags & a::SET_INTERVAL != 0, elements: lists.concat() }))
}

fn answer<'a>(message: &Message<'a>, number: i32) -> Option<&'a [u8]> {
    if message.kind == message_type(number) { message.payload.get(FIXED..) } else { None }
}

fn rule(message: Message<'_>) -> Option<RuleInfo> {
    let attributes = answer(&message, libc::NFT_MSG_NEWRULE)?;
    let text = |kind: u16| parse::attribute(attributes, kind).map(parse::string);
    let list = parse::attribute(attributes, a::RULE_EXPRESSIONS).unwrap_or_default();
    Some(RuleInfo {
        family: *message.payload.first()?,
        table: text(a::RULE_TABLE)?,
        chain: text(a::RULE_CHAIN)?,
        steps: parse::attributes(list).filter_map(|(_, expression)| step(expression)).collect(),
    })
}

fn step(expression: &[u8]) -> Option<Step> {
    let name = parse::string(parse::attribute(expression, a::EXPRESSION_NAME)?);
    let data = parse::attribute(expression, a::EXPRESSION_DATA).unwrap_or_default();
    let number = |kind: u16| parse::attribute(data, kind).and_then(parse::be32);
    let register = |kind: u16| number(kind).and_then(register);
    let value = |kind: u16| Some(parse::attribute(parse::attribute(data, kind)?, a::DATA_VALUE)?.to_vec());
    let known = || {
        Some(match name.as_str() {
            "meta" => Step::Meta { key: number(a::META_KEY)?, to: register(a::META_REGISTER)? },
            "payload" => Step::Payload {
                base: number(a::PAYLOAD_BASE)?,
                offset: number(a::PAYLOAD_OFFSET)?,
                length: number(a::PAYLOAD_LENGTH)? as usize,
                to: register(a::PAYLOAD_REGISTER)?,
            },
            "ct" if parse::attribute(data, a::CONNTRACK_DIRECTION).is_none() => {
                Step::Conntrack { key: number(a::CONNTRACK_KEY)?, to: register(a::CONNTRACK_REGISTER)? }
            }
            "immediate" if number(a::IMMEDIATE_REGISTER)? == 0 => {
                let verdict = parse::attribute(parse::attribute(data, a::IMMEDIATE_DATA)?, a::DATA_VERDICT)?;
                Step::Verdict(decision(verdict)?)
            }
            "immediate" => Step::Value { to: register(a::IMMEDIATE_REGISTER)?, value: value(a::IMMEDIATE_DATA)? },
            "bitwise" => Step::Bitwise {
                from: register(a::BITWISE_SOURCE)?,
                to: register(a::BITWISE_DESTINATION)?,
                mask: value(a::BITWISE_MASK)?,
                xor: value(a::BITWISE_XOR)?,
            },
            "byteorder" => Step::Byteorder {
                from: register(a::BYTEORDER_SOURCE)?,
                to: register(a::BYTEORDER_DESTINATION)?,
                size: number(a::BYTEORDER_SIZE)? as usize,
                length: number(a::BYTEORDER_LENGTH)? as usize,
            },
            "cmp" => Step::Compare {
                from: register(a::COMPARE_REGISTER)?,
                operation: number(a::COMPARE_OPERATION)?,
                value: value(a::COMPARE_DATA)?,
            },
            "range" => Step::Range {
                from: register(a::RANGE_REGISTER)?,
                inverted: number(a::RANGE_OPERATION)? != 0,
                first: value(a::RANGE_FIRST)?,
                last: value(a::RANGE_LAST)?,
            },
            "lookup" => Step::Lookup {
                set: parse::attribute(data, a::LOOKUP_SET).map(parse::string)?,
                from: register(a::LOOKUP_SOURCE)?,
                inverted: number(a::LOOKUP_FLAGS).unwrap_or(0) & a::LOOKUP_INVERTED != 0,
                to: match number(a::LOOKUP_DESTINATION) {
                    None => None,
                    Some(0) => Some(Destination::Verdict),
                    Some(_) => Some(Destination::Register(register(a::LOOKUP_DESTINATION)?)),
                },
            },
            "reject" => Step::Reject,
            "match" => Step::Match {
                name: parse::attribute(data, a::COMPATIBLE_NAME).map(parse::string)?,
                info: parse::attribute(data, a::COMPATIBLE_INFO).unwrap_or_default().to_vec(),
            },
            "target" => Step::Target { name: parse::attribute(data, a::COMPATIBLE_NAME).map(parse::string)? },
            _ => return None,
        })
    };
    known().or_else(|| Some(Step::Other { to: destination(&name, data), name: name.clone() }))
}

/// The register which an expression that we do not know otherwise fills.
fn destination(name: &str, data: &[u8]) -> Option<usize> {
    let kind = match name {
        "byteorder" | "bitwise" => a::BITWISE_DESTINATION,
        "fib" | "socket" | "osf" | "rt" | "numgen" | "exthdr" | "tunnel" | "xfrm" | "meta" | "ct" | "payload" => 1,
        "hash" => 2,
        _ => return None,
    };
    parse::attribute(data, kind).and_then(parse::be32).and_then(register)
}

/// `NFT_REG_1`…`4` are sixteen bytes wide, `NFT_REG32_00`… (8 and on) four.
fn register(number: u32) -> Option<usize> {
    match number {
        1..=4 => Some((number as usize - 1) * 4 * WORD),
        8..=23 => Some((number as usize - 8) * WORD),
        _ => None,
    }
}

fn decision(verdict: &[u8]) -> Option<Decision> {
    let chain = || parse::attribute(verdict, a::VERDICT_CHAIN).map(parse::string);
    Some(match parse::attribute(verdict, a::VERDICT_CODE).and_then(parse::be32)? as i32 {
        libc::NF_ACCEPT => Decision::Accept,
        libc::NF_DROP => Decision::Drop,
        libc::NFT_CONTINUE => Decision::Continue,
        libc::NFT_RETURN => Decision::Return,
        libc::NFT_JUMP => Decision::Jump(chain()?),
        libc::NFT_GOTO => Decision::Goto(chain()?),
        _ => Decision::Elsewhere,
    })
}

fn member(element: &[u8]) -> Option<Member> {
    let value = |kind: u16| Some(parse::attribute(parse::attribute(element, kind)?, a::DATA_VALUE)?.to_vec());
    let flags = parse::attribute(element, a::ELEMENT_FLAGS).and_then(parse::be32).unwrap_or(0);
    let data = parse::attribute(element, a::ELEMENT_DATA);
    Some(Member {
        key: value(a::ELEMENT_KEY)?,
        last: value(a::ELEMENT_KEY_END),
        is_end: flags & a::ELEMENT_INTERVAL_END != 0,
        value: value(a::ELEMENT_DATA),
        decision: data.and_then(|data| parse::attribute(data, a::DATA_VERDICT)).and_then(decision),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_overlap() {
        assert_eq!([1, 2, 8, 9, 12, 23].map(register), [Some(0), Some(16), Some(0), Some(4), Some(16), Some(60)]);
        assert_eq!([0, 5, 7, 24].map(register), [None; 4]);
    }

    #[test]
    fn what_is_broken_or_unknown_is_something_else() {
        let expression = |name: &[u8], data: &[u8]| {
            let mut batch = Batch::new();
            batch.message("", 0, 0, &[]).attribute(a::EXPRESSION_NAME, name).attribute(a::EXPRESSION_DATA, data);
            step(&batch.bytes()[16..]).unwrap()
        };
        let other = |name: &str, to| Step::Other { name: name.into(), to };
        assert_eq!(expression(b"cmp\0", &[1, 2, 3]), other("cmp", None));
        assert_eq!(expression(b"limit\0", &[]), other("limit", None));
        assert_eq!(expression(b"reject\0", &[]), Step::Reject);
        assert_eq!(expression(b"fib\0", &[8, 0, 1, 0, 0, 0, 0, 2]), other("fib", Some(16)));
    }
}

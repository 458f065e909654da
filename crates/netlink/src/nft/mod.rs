//! One nftables table as a value, written to the kernel in one transaction (linux/netfilter/nf_tables.h; the meaning
//! of the words is nft(8)'s).
//!
//! A daemon has one private table. It is replaced whole, or elements of its sets come and go: there is no state in
//! between to be seen or left behind, and no other program's table or chain is ever touched.

mod attributes;
mod list;
pub mod read;
mod rule;
mod set;
mod transaction;
mod watch;

pub use list::{ChainInfo, chains, rule_count, tables};
pub use rule::{IpOf, MacOf, NatKey, Rule, Transport, Verdict};
pub use set::{Element, Field, Key, Set};
pub use transaction::{Change, change, check, create, delete, replace, replace_all};
pub use watch::Watch;

/// Which packets a table sees (`NFPROTO_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    Ipv4,
    Ipv6,
    /// Frames that come in by a port of a bridge, whatever is in them.
    Bridge,
}

impl Family {
    /// `NFPROTO_*`
    pub fn number(self) -> u8 {
        match self {
            Family::Inet => libc::NFPROTO_INET as u8,
            Family::Ipv4 => libc::NFPROTO_IPV4 as u8,
            Family::Ipv6 => libc::NFPROTO_IPV6 as u8,
            Family::Bridge => libc::NFPROTO_BRIDGE as u8,
        }
    }
}

/// A whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub family: Family,
    pub name: String,
    /// Only the socket that writes the table may change it; nobody can flush it meanwhile. It stays when the socket
    /// closes, for everyone to change again. Since Linux 6.9; an older kernel refuses.
    pub owned: bool,
    pub sets: Vec<Set>,
    /// A chain that is jumped to comes before those that jump to it.
    pub chains: Vec<Chain>,
}

/// A list of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub name: String,
    /// None for one that is only jumped to.
    pub base: Option<Base>,
    pub rules: Vec<Rule>,
}

/// Where the kernel runs a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub kind: Kind,
    pub hook: Hook,
    /// Chains of one hook run in this order, smallest first; see [`Kind`] for the customary numbers.
    pub priority: i32,
    /// What becomes of packets that no rule decides.
    pub policy: Policy,
}

/// What a base chain may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Accept or drop; customary priority 0.
    Filter,
    /// Translate addresses: sees only the first packet of a connection; customary priority −100 for destinations,
    /// 100 for sources.
    Nat,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Filter => "filter",
            Kind::Nat => "nat",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

impl Hook {
    /// `NF_INET_*`; bridges count the same.
    pub(crate) fn number(self) -> u32 {
        let number = match self {
            Hook::Prerouting => libc::NF_INET_PRE_ROUTING,
            Hook::Input => libc::NF_INET_LOCAL_IN,
            Hook::Forward => libc::NF_INET_FORWARD,
            Hook::Output => libc::NF_INET_LOCAL_OUT,
            Hook::Postrouting => libc::NF_INET_POST_ROUTING,
        };
        number as u32
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Accept,
    Drop,
}

impl Policy {
    /// `NF_*`.
    pub(crate) fn number(self) -> u32 {
        match self {
            Policy::Accept => libc::NF_ACCEPT as u32,
            Policy::Drop => libc::NF_DROP as u32,
        }
    }
}

/// The message type of nf_tables' message `number`.
pub(crate) fn message_type(number: i32) -> u16 {
    (libc::NFNL_SUBSYS_NFTABLES << 8 | number) as u16
}

/// `struct nfgenmsg`: family, version 0, resource in network byte order.
pub(crate) fn nfgenmsg(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

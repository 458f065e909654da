//! Published ports that the host's own firewall decides about.
//!
//! A firewall of the host says in its chains of the hook `input` who may reach a port. Translated packets never get
//! there: the kernel forwards them. So a guarded port is not translated when its first packet comes in. The packet goes
//! through `input`, with its own link, addresses and port, by all chains of whatever program; what they drop is gone. What
//! is left comes to a last chain of ours, which sends a copy by a pair of links from this host to itself, the gate, and drops
//! the first. The copy comes in again, is translated, and makes the flow: all packets after it belong to that and take
//! the short way. The client keeps its address, and no process is in between.
//!
//! `dup` is there for tables of one family only, so the gate has two tables of its own (`FAMILY ip` and `ip6`):
//! ```text
//! chain copy { type filter hook input priority LAST
//!     ct mark MARK dup to GATEWAY device OUT
//!     ct mark MARK drop }
//! ```
//! Who marks the flow is the table of [`firewall`](crate::firewall). The flow is never seen: what is dropped before it is
//! confirmed leaves none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink::nft::{Base, Chain, Family, Hook, Kind, Policy, Rule, Table, Verdict};
use netlink::route::{self, Address, LinkChange, Target, Veth};
use netlink::{Batch, Socket};
use values::Result;

use crate::bridge::failed;
use crate::owner;

/// Says to the gate's tables: this one may pass.
pub(crate) const MARK: u32 = 0x6c74_6761;
/// Of the chains that come after everybody else's; conntrack confirms at `i32::MAX`.
pub(crate) const LAST: i32 = i32::MAX - 1;
pub(crate) const LAST_BUT_ONE: i32 = i32::MAX - 2;
/// No packet is larger: none of the copies is taken apart.
const MTU: u32 = 65535;
/// Both ends have it: what one sends is for the other, without anybody being asked.
const MAC: [u8; 6] = [2, 0x42, b'g', b'a', b't', b'e'];
/// A link without an address fails the kernel's check of where sources belong, even the loose one.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 108, 116));
const ADDRESS6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x6c74, 1));
/// Nobody has these: they only choose the link.
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 108, 117));
const GATEWAY6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x6c74, 2));

/// The end by which copies leave.
pub(crate) fn out(owner: &str) -> String {
    if owner == "0" { "lighter-gate".into() } else { format!("gate-{owner}") }
}

/// The end by which they come in again.
pub(crate) fn back(owner: &str) -> String {
    if owner == "0" { "lighter-gated".into() } else { format!("gated-{owner}") }
}

/// Makes the pair, or finds it again. Answers the index of the end by which copies leave.
pub(crate) fn make(socket: &mut Socket, owner: &str) -> Result<u32> {
    let (out, back) = (out(owner), back(owner));
    let mut ends = find(socket, &out, &back)?;
    if ends.is_none() {
        create(socket, owner, &out, &back)?;
        ends = find(socket, &out, &back)?;
    }
    let (out_index, back_index) =
        ends.ok_or_else(|| values::Error::internal(format!("link {out} vanished while it was set up")))?;
    tune(&back);
    let mut batch = Batch::new();
    for (link, ip, prefix_len) in [(back_index, ADDRESS, 32), (out_index, ADDRESS6, 64)] {
        if ip.is_ipv4() || crate::ports::has_ipv6() {
            route::add_address(&mut batch, &Address { link, ip, prefix_len });
        }
    }
    match socket.execute(batch) {
        Err(error) if error.errno != netlink::Errno::EXIST => return Err(failed(error)),
        _ => {}
    }
    let mut batch = Batch::new();
    for index in [out_index, back_index] {
        route::set_link(&mut batch, &LinkChange { up: Some(true), ..LinkChange::index(index) });
    }
    socket.execute(batch).map_err(failed)?;
    Ok(out_index)
}

fn find(socket: &mut Socket, out: &str, back: &str) -> Result<Option<(u32, u32)>> {
    let mut index = |name: &str| -> Result<_> {
        Ok(route::link(socket, Target::Name(name)).map_err(failed)?.map(|link| link.index))
    };
    Ok(index(out)?.zip(index(back)?))
}

fn create(socket: &mut Socket, owner: &str, out: &str, back: &str) -> Result<()> {
    let alias = owner::alias(owner, "gate");
    let mut batch = Batch::new();
    let pair = Veth { name: out, master: None, mtu: MTU, peer_name: back, peer_mac: Some(MAC), peer_namespace: None };
    route::add_veth(&mut batch, &pair);
    for name in [out, back] {
        let change = LinkChange {
            alias: Some(&alias),
            mac: Some(MAC),
            no_ipv6_address: true,
            no_arp: true,
            ..LinkChange::name(name)
        };
        route::set_link(&mut batch, &change);
    }
    socket.execute(batch).map_err(failed)
}

/// Sources of the copies live elsewhere, so only the loose check passes them; it overrules a strict one for all links.
fn tune(back: &str) {
    let set = |family: &str, key: &str, value: &str| {
        // without IPv6 there is nothing to be set
        let _ = std::fs::write(format!("/proc/sys/net/{family}/conf/{back}/{key}"), value);
    };
    set("ipv4", "rp_filter", "2");
    set("ipv4", "forwarding", "1");
    set("ipv6", "forwarding", "1");
    set("ipv6", "accept_ra", "0");
}

/// Removes the pair if there is one of this daemon.
pub(crate) fn remove(socket: &mut Socket, owner: &str) -> Result<()> {
    crate::bridge::remove(socket, owner, &out(owner))
}

/// The name of the gate's tables, in families of their own.
pub(crate) fn table_name(owner: &str) -> String {
    format!("{}_gate", owner::table(owner))
}

/// The tables that copy, by the link with this index.
pub(crate) fn tables(owner: &str, owned: bool, out: u32) -> Vec<Table> {
    let families = [(Family::Ipv4, GATEWAY), (Family::Ipv6, GATEWAY6)];
    let known = families.into_iter().filter(|(family, _)| *family == Family::Ipv4 || crate::ports::has_ipv6());
    known.map(|(family, gateway)| table(owner, owned, family, gateway, out)).collect()
}

fn table(owner: &str, owned: bool, family: Family, gateway: IpAddr, out: u32) -> Table {
    let base = Base { kind: Kind::Filter, hook: Hook::Input, priority: LAST, policy: Policy::Accept };
    let rules = vec![
        Rule::new().marked_flow(MARK).duplicate(gateway, out),
        Rule::new().marked_flow(MARK).verdict(Verdict::Drop),
    ];
    let chain = Chain { name: "copy".into(), base: Some(base), rules };
    Table { family, name: table_name(owner), owned, sets: vec![], chains: vec![chain] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit() {
        for owner in ["0", "49a15bd2"] {
            assert!(out(owner).len() < libc::IFNAMSIZ && back(owner).len() < libc::IFNAMSIZ);
        }
        assert_eq!(table_name("0"), "lighter_gate");
    }
}

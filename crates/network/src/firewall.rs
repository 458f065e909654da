use ipnet::Ipv4Net;
use netlink::nft::{self, Chain, Family, Hook, Kind, Policy, Rule, Table, Verdict};
use netlink::{Result, Socket};

use crate::owner;

/// `srcnat` and `filter` of nft(8).
const SOURCE_NAT: i32 = 100;
const FILTER: i32 = 0;
/// `NF_INET_FORWARD`.
const FORWARD: u32 = libc::NF_INET_FORWARD as u32;

/// What the rules depend on.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) owner: &'a str,
    pub(crate) bridge: &'a str,
    pub(crate) subnet: Ipv4Net,
    pub(crate) ip_masq: bool,
    pub(crate) icc: bool,
}

/// Writes the daemon's table, whatever was in it before.
pub(crate) fn install(socket: &mut Socket, rules: &Rules<'_>) -> Result<()> {
    nft::replace(socket, &table(rules))
}

pub(crate) fn remove(socket: &mut Socket, owner: &str) -> Result<()> {
    nft::delete(socket, Family::Ipv4, &owner::table(owner))
}

/// Whether the daemon's table is there.
pub(crate) fn installed(socket: &mut Socket, owner: &str) -> Result<bool> {
    let name = owner::table(owner);
    Ok(nft::tables(socket, Family::Ipv4)?.contains(&name))
}

/// Forward chains with policy `drop` in tables that are not ours, as `FAMILY TABLE CHAIN`.
pub(crate) fn foreign_drops(socket: &mut Socket) -> Result<Vec<String>> {
    let mut found = nft::chains(socket)?;
    found.retain(|chain| {
        let ip = [Family::Ipv4, Family::Inet].map(family_number).contains(&chain.family);
        ip && chain.hook.is_some_and(|(hook, _)| hook == FORWARD) && chain.policy == Some(Policy::Drop)
    });
    Ok(found.into_iter().map(|c| format!("{} {} {}", family_name(c.family), c.table, c.name)).collect())
}

fn family_number(family: Family) -> u8 {
    match family {
        Family::Inet => libc::NFPROTO_INET as u8,
        Family::Ipv4 => libc::NFPROTO_IPV4 as u8,
        Family::Ipv6 => libc::NFPROTO_IPV6 as u8,
    }
}

fn family_name(number: u8) -> &'static str {
    if number == libc::NFPROTO_INET as u8 { "inet" } else { "ip" }
}

/// In nft's words:
/// ```text
/// chain postrouting { type nat hook postrouting priority srcnat; policy accept;
///     ip saddr SUBNET oifname != BRIDGE masquerade }
/// chain forward { type filter hook forward priority filter; policy accept;
///     oifname BRIDGE ct state established,related accept
///     iifname BRIDGE oifname BRIDGE accept          (drop without icc)
///     oifname BRIDGE drop                           (nobody reaches a port that was not published)
///     iifname BRIDGE accept }
/// ```
fn table(rules: &Rules<'_>) -> Table {
    let bridge = rules.bridge;
    let among = if rules.icc { Verdict::Accept } else { Verdict::Drop };
    let source = |rule: Rule| rule.ipv4_source(rules.subnet.network(), rules.subnet.prefix_len());
    let masquerade = source(Rule::new()).output_link_is_not(bridge).masquerade();
    let postrouting = Chain {
        name: "postrouting".into(),
        kind: Kind::Nat,
        hook: Hook::Postrouting,
        priority: SOURCE_NAT,
        policy: Policy::Accept,
        rules: if rules.ip_masq { vec![masquerade] } else { Vec::new() },
    };
    let forward = Chain {
        name: "forward".into(),
        kind: Kind::Filter,
        hook: Hook::Forward,
        priority: FILTER,
        policy: Policy::Accept,
        rules: vec![
            Rule::new().output_link(bridge).established().verdict(Verdict::Accept),
            Rule::new().input_link(bridge).output_link(bridge).verdict(among),
            Rule::new().output_link(bridge).verdict(Verdict::Drop),
            Rule::new().input_link(bridge).verdict(Verdict::Accept),
        ],
    };
    Table { family: Family::Ipv4, name: owner::table(rules.owner), chains: vec![postrouting, forward] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masquerading_is_left_out_when_it_is_not_wanted() {
        let subnet = "172.17.0.0/16".parse().unwrap();
        let rules = Rules { owner: "0", bridge: "lighter0", subnet, ip_masq: true, icc: true };
        let counts = |rules: &Rules<'_>| table(rules).chains.iter().map(|c| c.rules.len()).collect::<Vec<_>>();
        assert_eq!(counts(&rules), [1, 4]);
        assert_eq!(counts(&Rules { ip_masq: false, ..rules.clone() }), [0, 4]);
        assert_ne!(table(&rules), table(&Rules { icc: false, ..rules.clone() }));
        assert_eq!(table(&rules).name, "lighter");
    }
}

//! The daemon's one nft table: fixed chains over sets whose elements come and go with networks and ports.
//!
//! In nft's words (`FAMILY inet`):
//! ```text
//! chain loopback    { type filter hook prerouting priority raw
//!     ip daddr 127.0.0.0/8 iifname @bridges drop               (route_localnet is on there: CVE-2020-8558) }
//! chain ports       {
//!     dnat ip to meta l4proto . ip daddr . th dport map @ports4
//!     fib daddr type local dnat ip to meta l4proto . th dport map @all_ports4      (and the same for ip6) }
//! chain prerouting  { type nat hook prerouting priority dstnat
//!     iifname GATE jump ports
//!     meta l4proto . ip daddr . th dport @gated4 return         (first to the host's firewall: see gate.rs)
//!     meta l4proto . th dport @all_gated4 return                (and the same for ip6)
//!     jump ports }
//! chain output      { type nat hook output priority dstnat;       jump ports }
//! chain postrouting { type nat hook postrouting priority srcnat
//!     oifname @bridges ct status dnat ip saddr 127.0.0.0/8 masquerade
//!     oifname @bridges ct status dnat ip saddr @local4 masquerade  (the way back of a neighbour must lead over us)
//!     oifname != @bridges snat ip to ip saddr map @sources4     (host_ipv4; and the same for ip6)
//!     oifname != @bridges ip saddr @masquerade4 masquerade      (and the same for ip6) }
//! chain to_bridge   {
//!     iifname . oifname @icc accept
//!     iifname @internal drop
//!     ct status dnat accept
//!     oifname @open4 meta nfproto ipv4 accept                   (nat-unprotected; and the same for ip6)
//!     oifname @routed4 meta l4proto icmp accept                 (routed; and the same for ip6)
//!     meta l4proto . ip daddr . th dport @routed_ports4 accept  (and the same for ip6)
//!     iifname . oifname @trusted meta l4proto . ip daddr . th dport @direct4 accept (and the same for ip6)
//!     ip saddr . ip daddr . meta l4proto . th dport @links accept
//!     drop                                                      (nobody reaches a port that was not published) }
//! chain input       { type filter hook input priority LAST;       ct state new jump gated }
//! chain gated       {
//!     meta l4proto . ip daddr . th dport @gated4 jump admit
//!     fib daddr type local meta l4proto . th dport @all_gated4 jump admit (and the same for ip6) }
//! chain admit       { iifname @internal drop;  ct mark set MARK }
//! chain forward     { type filter hook forward priority filter
//!     ct state established,related accept
//!     oifname @bridges jump to_bridge
//!     iifname @internal drop }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use netlink::nft::{
    self, Base, Chain, Change, Element, Family, Field, Hook, Kind, NatKey, Policy, Rule, Set, Table, Verdict,
};
use netlink::{Errno, Result, Socket};

use crate::doctor::{self, Rules};
use crate::{claims, gate, owner};

/// `raw`, `dstnat`, `filter`, `srcnat` of nft(8).
const RAW: i32 = -300;
const DESTINATION_NAT: i32 = -100;
const FILTER: i32 = 0;
const SOURCE_NAT: i32 = 100;
/// `NF_INET_FORWARD`.
const FORWARD: u32 = libc::NF_INET_FORWARD as u32;
/// For the socket of a daemon that was just killed to be closed by the kernel.
const TAKEOVER_TRIES: u32 = 50;
const TAKEOVER_PAUSE: Duration = Duration::from_millis(20);

/// The names of the sets.
pub(crate) mod set {
    pub(crate) const BRIDGES: &str = "bridges";
    pub(crate) const INTERNAL: &str = "internal";
    pub(crate) const ICC: &str = "icc";
    pub(crate) const LOCAL4: &str = "local4";
    pub(crate) const LOCAL6: &str = "local6";
    pub(crate) const SOURCES4: &str = "sources4";
    pub(crate) const SOURCES6: &str = "sources6";
    pub(crate) const MASQUERADE4: &str = "masquerade4";
    pub(crate) const MASQUERADE6: &str = "masquerade6";
    pub(crate) const LINKS: &str = "links";
    pub(crate) const PORTS4: &str = "ports4";
    pub(crate) const PORTS6: &str = "ports6";
    pub(crate) const ALL_PORTS4: &str = "all_ports4";
    pub(crate) const ALL_PORTS6: &str = "all_ports6";
    pub(crate) const OPEN4: &str = "open4";
    pub(crate) const OPEN6: &str = "open6";
    pub(crate) const ROUTED4: &str = "routed4";
    pub(crate) const ROUTED6: &str = "routed6";
    pub(crate) const ROUTED_PORTS4: &str = "routed_ports4";
    pub(crate) const ROUTED_PORTS6: &str = "routed_ports6";
    pub(crate) const TRUSTED: &str = "trusted";
    pub(crate) const DIRECT4: &str = "direct4";
    pub(crate) const DIRECT6: &str = "direct6";
    pub(crate) const GATED4: &str = "gated4";
    pub(crate) const GATED6: &str = "gated6";
    pub(crate) const ALL_GATED4: &str = "all_gated4";
    pub(crate) const ALL_GATED6: &str = "all_gated6";
}

/// The table in the kernel and what is in its sets.
pub(crate) struct Firewall {
    socket: Socket,
    owner: String,
    name: String,
    /// The kernel lets nobody else change the table (since Linux 6.9).
    owned: bool,
    /// The kernel has tables of bridges: who is on one claims no other's addresses (see [`claims`]).
    watches_bridges: bool,
    /// The kernel has what the daemon before wrote: that stays in force until [`settle`](Self::settle).
    held: bool,
    elements: BTreeMap<&'static str, BTreeSet<Element>>,
    /// Index of the link by which copies of packets leave, where ports are guarded.
    gate: Option<u32>,
}

impl Firewall {
    /// Writes the table with empty sets; one that is there already is held as it is.
    pub(crate) fn open(owner: &str) -> Result<Self> {
        let socket = Socket::netfilter()?;
        let mut firewall = Self {
            socket,
            owner: owner.into(),
            name: owner::table(owner),
            owned: true,
            watches_bridges: true,
            held: false,
            elements: BTreeMap::new(),
            gate: None,
        };
        // an older release had it in the other family
        let _ = nft::delete(&mut firewall.socket, Family::Ipv4, &firewall.name);
        firewall.watches_bridges = claims::are_known(&mut firewall.socket, owner)?;
        firewall.held = firewall.tables_there()? > 0;
        if !firewall.held {
            firewall.install()?;
        }
        Ok(firewall)
    }

    /// Replaces a table that is held, in one transaction, by what was applied meanwhile.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.held {
            self.install()?;
            self.held = false;
            if self.gate.is_none() {
                self.remove_gate()?;
            }
        }
        Ok(())
    }

    /// From now on guarded ports have their gate, whose copies leave by the link with this index.
    pub(crate) fn open_gate(&mut self, link: u32) -> Result<()> {
        if self.gate != Some(link) {
            self.install_gate(link)?;
            self.gate = Some(link);
        }
        Ok(())
    }

    fn install_gate(&mut self, link: u32) -> Result<()> {
        let tables = |owner: &str, owned| gate::tables(owner, owned, link);
        for number in 0..tables(&self.owner, true).len() {
            self.write(|owner, owned| vec![tables(owner, owned).swap_remove(number)])?;
        }
        Ok(())
    }

    fn remove_gate(&mut self) -> Result<()> {
        let name = gate::table_name(&self.owner);
        for family in [Family::Ipv4, Family::Ipv6] {
            if nft::tables(&mut self.socket, family)?.contains(&name) {
                nft::delete(&mut self.socket, family, &name)?;
            }
        }
        Ok(())
    }

    /// The families in which it has a table of its name.
    pub(crate) fn families(&self) -> &'static [Family] {
        if self.watches_bridges { &[Family::Inet, Family::Bridge] } else { &[Family::Inet] }
    }

    /// How many of them are there.
    fn tables_there(&mut self) -> Result<usize> {
        let mut count = 0;
        for family in self.families() {
            count += usize::from(nft::tables(&mut self.socket, *family)?.contains(&self.name));
        }
        Ok(count)
    }

    fn is_there(&mut self) -> Result<bool> {
        Ok(self.tables_there()? == self.families().len())
    }

    pub(crate) fn watches_bridges(&self) -> bool {
        self.watches_bridges
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_owned(&self) -> bool {
        self.owned
    }

    /// How the table is in the kernel, and what the guarded ports' tables are if there is a gate.
    pub(crate) fn examine(&mut self) -> Result<Rules> {
        let there = self.is_there()?;
        let mut differing = vec![];
        if there && !self.held {
            let none = BTreeSet::new();
            for table in self.tables(false) {
                let expected = table.sets.iter().map(|set| {
                    let elements = self.elements.get(set.name.as_str()).unwrap_or(&none);
                    (set.name.as_str(), set.interval, elements.iter().collect())
                });
                differing.extend(doctor::of_firewall(&mut self.socket, table.family, &self.name, expected)?);
            }
        }
        let gate = match self.gate {
            None => None,
            Some(_) => {
                let name = gate::table_name(&self.owner);
                Some(nft::tables(&mut self.socket, Family::Ipv4)?.contains(&name))
            }
        };
        Ok(Rules {
            table: self.name.clone(),
            there,
            differing,
            owned: self.owned,
            watches_bridges: self.watches_bridges,
            gate,
        })
    }

    /// Changes the sets: in the kernel and in our memory, or nowhere.
    pub(crate) fn apply(&mut self, add: &[(&'static str, Element)], delete: &[(&'static str, Element)]) -> Result<()> {
        let mut changes = Vec::new();
        for (name, element) in delete {
            if self.elements.get_mut(name).is_some_and(|set| set.remove(element)) {
                changes.push(Change::Delete((*name).to_owned(), vec![element.clone()]));
            }
        }
        for (name, element) in add {
            if self.elements.entry(name).or_default().insert(element.clone()) {
                changes.push(Change::Add((*name).to_owned(), vec![element.clone()]));
            }
        }
        if self.held {
            return Ok(());
        }
        let changes = merged(changes);
        let placed = self.placed(&changes);
        let changed = match nft::change(&mut self.socket, &self.name, &placed) {
            // somebody took the table away, or an element of it
            Err(error) if matches!(error.errno, Errno::NOENT | Errno::EXIST) => self.install(),
            other => other,
        };
        if changed.is_err() {
            self.take_back(&changes);
        }
        changed
    }

    /// Each with the family of its table, without those whose table the kernel cannot have.
    fn placed(&self, changes: &[Change]) -> Vec<(Family, Change)> {
        let of = |change: &Change| {
            let (Change::Add(set, _) | Change::Delete(set, _)) = change;
            if claims::is_set(set) { Family::Bridge } else { Family::Inet }
        };
        let placed = changes.iter().map(|change| (of(change), change.clone()));
        placed.filter(|(family, _)| self.families().contains(family)).collect()
    }

    /// Those of the kernel came to nothing.
    fn take_back(&mut self, changes: &[Change]) {
        for change in changes.iter().rev() {
            let (Change::Add(name, elements) | Change::Delete(name, elements)) = change;
            let Some((_, set)) = self.elements.iter_mut().find(|(known, _)| *known == name) else { continue };
            for element in elements {
                match change {
                    Change::Add(..) => drop(set.remove(element)),
                    Change::Delete(..) => drop(set.insert(element.clone())),
                }
            }
        }
    }

    /// Writes the table again if it is gone. Answers whether it was.
    pub(crate) fn mend(&mut self) -> Result<bool> {
        let there = self.is_there()?;
        if !there {
            self.install()?;
        }
        Ok(!there)
    }

    pub(crate) fn remove(&mut self) -> Result<()> {
        self.remove_gate()?;
        self.families().iter().try_for_each(|family| nft::delete(&mut self.socket, *family, &self.name))
    }

    fn install(&mut self) -> Result<()> {
        if let Some(link) = self.gate {
            self.install_gate(link)?;
        }
        let (mut owned, mut free) = (self.tables(true), self.tables(false));
        for set in owned.iter_mut().chain(&mut free).flat_map(|table| &mut table.sets) {
            set.elements = self.elements.get(set.name.as_str()).into_iter().flatten().cloned().collect();
        }
        self.write(|_, own| if own { owned.clone() } else { free.clone() })
    }

    /// Those it should have, without elements.
    fn tables(&self, owned: bool) -> Vec<Table> {
        let all = [table(&self.owner, owned), claims::table(&self.owner, owned)];
        all.into_iter().filter(|table| self.families().contains(&table.family)).collect()
    }

    /// Writes tables in one transaction, owned where the kernel has that.
    fn write(&mut self, tables: impl Fn(&str, bool) -> Vec<Table>) -> Result<()> {
        if self.owned {
            for _ in 0..TAKEOVER_TRIES {
                match nft::replace_all(&mut self.socket, &tables(&self.owner, true)) {
                    Err(error) if error.errno == Errno::PERM => std::thread::sleep(TAKEOVER_PAUSE),
                    Err(error) if matches!(error.errno, Errno::OPNOTSUPP | Errno::INVAL) => break,
                    other => return other,
                }
            }
            self.owned = false;
        }
        nft::replace_all(&mut self.socket, &tables(&self.owner, false))
    }
}

/// Neighbouring changes of the same kind and set as one message.
fn merged(changes: Vec<Change>) -> Vec<Change> {
    let mut merged: Vec<Change> = Vec::new();
    for change in changes {
        match (merged.last_mut(), change) {
            (Some(Change::Add(a, list)), Change::Add(b, more)) if *a == b => list.extend(more),
            (Some(Change::Delete(a, list)), Change::Delete(b, more)) if *a == b => list.extend(more),
            (_, change) => merged.push(change),
        }
    }
    merged
}

/// Forward chains with policy `drop` in tables that are not ours, as `FAMILY TABLE CHAIN`.
pub(crate) fn foreign_drops(socket: &mut Socket) -> Result<Vec<String>> {
    let mut found = nft::chains(socket)?;
    found.retain(|chain| {
        let ip = [libc::NFPROTO_IPV4, libc::NFPROTO_INET].map(|n| n as u8).contains(&chain.family);
        ip && chain.hook.is_some_and(|(hook, _)| hook == FORWARD) && chain.policy == Some(Policy::Drop)
    });
    Ok(found.into_iter().map(|c| format!("{} {} {}", family_name(c.family), c.table, c.name)).collect())
}

fn family_name(number: u8) -> &'static str {
    if number == libc::NFPROTO_INET as u8 { "inet" } else { "ip" }
}

const V4: Family = Family::Ipv4;
const V6: Family = Family::Ipv6;

fn table(owner: &str, owned: bool) -> Table {
    Table { family: Family::Inet, name: owner::table(owner), owned, sets: sets(), chains: chains(&gate::back(owner)) }
}

fn sets() -> Vec<Set> {
    use Field::{Ipv4, Ipv6, Link, Port, Protocol};
    let set = |name: &str, key: &[Field], data: Option<&[Field]>, interval| Set {
        name: name.into(),
        key: key.to_vec(),
        data: data.map(<[Field]>::to_vec),
        interval,
        elements: vec![],
    };
    vec![
        set(set::BRIDGES, &[Link], None, false),
        set(set::INTERNAL, &[Link], None, false),
        set(set::ICC, &[Link, Link], None, false),
        set(set::LOCAL4, &[Ipv4], None, true),
        set(set::LOCAL6, &[Ipv6], None, true),
        set(set::SOURCES4, &[Ipv4], Some(&[Ipv4]), true),
        set(set::SOURCES6, &[Ipv6], Some(&[Ipv6]), true),
        set(set::MASQUERADE4, &[Ipv4], None, true),
        set(set::MASQUERADE6, &[Ipv6], None, true),
        set(set::LINKS, &[Ipv4, Ipv4, Protocol, Port], None, false),
        set(set::PORTS4, &[Protocol, Ipv4, Port], Some(&[Ipv4, Port]), false),
        set(set::PORTS6, &[Protocol, Ipv6, Port], Some(&[Ipv6, Port]), false),
        set(set::ALL_PORTS4, &[Protocol, Port], Some(&[Ipv4, Port]), false),
        set(set::ALL_PORTS6, &[Protocol, Port], Some(&[Ipv6, Port]), false),
        set(set::OPEN4, &[Link], None, false),
        set(set::OPEN6, &[Link], None, false),
        set(set::ROUTED4, &[Link], None, false),
        set(set::ROUTED6, &[Link], None, false),
        set(set::ROUTED_PORTS4, &[Protocol, Ipv4, Port], None, false),
        set(set::ROUTED_PORTS6, &[Protocol, Ipv6, Port], None, false),
        set(set::TRUSTED, &[Link, Link], None, false),
        set(set::DIRECT4, &[Protocol, Ipv4, Port], None, false),
        set(set::DIRECT6, &[Protocol, Ipv6, Port], None, false),
        set(set::GATED4, &[Protocol, Ipv4, Port], None, false),
        set(set::GATED6, &[Protocol, Ipv6, Port], None, false),
        set(set::ALL_GATED4, &[Protocol, Port], None, false),
        set(set::ALL_GATED6, &[Protocol, Port], None, false),
    ]
}

/// `gate`: the link by which copies of admitted packets come in.
fn chains(gate: &str) -> Vec<Chain> {
    let base = |name: &str, kind, hook, priority, rules| Chain {
        name: name.into(),
        base: Some(Base { kind, hook, priority, policy: Policy::Accept }),
        rules,
    };
    let jump = |chain: &str| Verdict::Jump(chain.into());
    let part = |name: &str, rules| Chain { name: name.into(), base: None, rules };
    let loopback = vec![Rule::new().loopback_destination().input_link_in(set::BRIDGES).verdict(Verdict::Drop)];
    let ports = vec![
        Rule::new().destination_nat(V4, NatKey::Address, set::PORTS4),
        Rule::new().destination_nat(V6, NatKey::Address, set::PORTS6),
        Rule::new().local_destination().destination_nat(V4, NatKey::Port, set::ALL_PORTS4),
        // no route leads from ::1 to a container: the daemon serves it itself
        Rule::new().not_loopback6_destination().local_destination().destination_nat(V6, NatKey::Port, set::ALL_PORTS6),
    ];
    let hairpin = || Rule::new().output_link_in(set::BRIDGES).translated();
    let outside = || Rule::new().output_link_not_in(set::BRIDGES);
    let postrouting = vec![
        hairpin().loopback_source().masquerade(),
        hairpin().source_in(V4, set::LOCAL4).masquerade(),
        hairpin().source_in(V6, set::LOCAL6).masquerade(),
        outside().source_nat(V4, set::SOURCES4),
        outside().source_nat(V6, set::SOURCES6),
        outside().source_in(V4, set::MASQUERADE4).masquerade(),
        outside().source_in(V6, set::MASQUERADE6).masquerade(),
    ];
    let trusted = || Rule::new().links_in(set::TRUSTED);
    let to_bridge = vec![
        Rule::new().links_in(set::ICC).verdict(Verdict::Accept),
        Rule::new().input_link_in(set::INTERNAL).verdict(Verdict::Drop),
        Rule::new().translated().verdict(Verdict::Accept),
        Rule::new().output_link_in(set::OPEN4).family(V4).verdict(Verdict::Accept),
        Rule::new().output_link_in(set::OPEN6).family(V6).verdict(Verdict::Accept),
        Rule::new().output_link_in(set::ROUTED4).icmp(V4).verdict(Verdict::Accept),
        Rule::new().output_link_in(set::ROUTED6).icmp(V6).verdict(Verdict::Accept),
        Rule::new().destination_in(V4, NatKey::Address, set::ROUTED_PORTS4).verdict(Verdict::Accept),
        Rule::new().destination_in(V6, NatKey::Address, set::ROUTED_PORTS6).verdict(Verdict::Accept),
        trusted().destination_in(V4, NatKey::Address, set::DIRECT4).verdict(Verdict::Accept),
        trusted().destination_in(V6, NatKey::Address, set::DIRECT6).verdict(Verdict::Accept),
        Rule::new().ipv4_flow_in(set::LINKS).verdict(Verdict::Accept),
        Rule::new().verdict(Verdict::Drop),
    ];
    let forward = vec![
        Rule::new().established().verdict(Verdict::Accept),
        Rule::new().output_link_in(set::BRIDGES).verdict(jump("to_bridge")),
        Rule::new().input_link_in(set::INTERNAL).verdict(Verdict::Drop),
    ];
    let to_ports = || Rule::new().verdict(jump("ports"));
    let guarded = || {
        [
            (Rule::new(), V4, NatKey::Address, set::GATED4),
            (Rule::new(), V6, NatKey::Address, set::GATED6),
            (Rule::new().local_destination(), V4, NatKey::Port, set::ALL_GATED4),
            (Rule::new().local_destination(), V6, NatKey::Port, set::ALL_GATED6),
        ]
        .map(|(rule, family, key, set)| rule.destination_in(family, key, set))
    };
    let mut prerouting = vec![Rule::new().input_link(gate).verdict(jump("ports"))];
    prerouting.extend(guarded().map(|rule| rule.verdict(Verdict::Return)));
    prerouting.push(to_ports());
    let gated = guarded().map(|rule| rule.verdict(jump("admit"))).into();
    let admit =
        vec![Rule::new().input_link_in(set::INTERNAL).verdict(Verdict::Drop), Rule::new().mark_flow(gate::MARK)];
    let input = vec![Rule::new().new_flow().verdict(jump("gated"))];
    vec![
        part("ports", ports),
        part("to_bridge", to_bridge),
        part("admit", admit),
        part("gated", gated),
        base("loopback", Kind::Filter, Hook::Prerouting, RAW, loopback),
        base("prerouting", Kind::Nat, Hook::Prerouting, DESTINATION_NAT, prerouting),
        base("output", Kind::Nat, Hook::Output, DESTINATION_NAT, vec![to_ports()]),
        base("input", Kind::Filter, Hook::Input, gate::LAST_BUT_ONE, input),
        base("postrouting", Kind::Nat, Hook::Postrouting, SOURCE_NAT, postrouting),
        base("forward", Kind::Filter, Hook::Forward, FILTER, forward),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink::nft::Key;

    #[test]
    fn neighbours_are_merged() {
        let element = |name: &str| Element::new(Key::default().link(name));
        let add = |set: &str, name: &str| Change::Add(set.into(), vec![element(name)]);
        let changes = merged(vec![add("a", "x"), add("a", "y"), add("b", "x"), Change::Delete("b".into(), vec![])]);
        assert_eq!(changes.len(), 3);
        assert_eq!(changes[0], Change::Add("a".into(), vec![element("x"), element("y")]));
    }

    #[test]
    fn every_set_has_a_rule_that_asks_it() {
        let rules = format!("{:?}", chains("gate"));
        for set in sets() {
            assert!(rules.contains(&format!("{:?}", set.name)), "{}", set.name);
        }
    }
}

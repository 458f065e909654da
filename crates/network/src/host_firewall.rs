//! What the host's own firewall says about a port: the rules of other programs' chains, walked through for a packet of
//! which only the protocol and the port are known. Whatever depends on the rest (who asks, over which link) may go either
//! way.
//!
//! It is for telling people, never for deciding: packets of guarded ports are decided about by the kernel
//! ([`gate`](crate::gate)).

use std::collections::BTreeMap;

use netlink::nft::read::{Decision, Destination, Member, RuleInfo, SetInfo, Step};
use netlink::nft::{self, ChainInfo, Policy};
use netlink::{Result, Socket};

use crate::owner;
use crate::ports::Protocol;

/// Of `NF_CT_STATE_BIT`s: a flow that begins.
const NEW: u32 = 8;
/// Bits of `xt_conntrack_mtinfo3.match_flags`.
const XT_CONNTRACK_STATE: u16 = 1;
/// Jumps into jumps; the kernel has this bound, too.
const DEPTH: usize = 16;
const REGISTERS: usize = 80;
const NETWORK_HEADER: u32 = libc::NFT_PAYLOAD_NETWORK_HEADER as u32;
const TRANSPORT_HEADER: u32 = libc::NFT_PAYLOAD_TRANSPORT_HEADER as u32;

/// All chains of other programs that see what comes to this host, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct HostFirewall {
    chains: Vec<ChainInfo>,
    rules: BTreeMap<Place, Vec<Vec<Step>>>,
    sets: BTreeMap<Place, SetInfo>,
}

/// Family, table, and a chain or a set.
type Place = (u8, String, String);

/// A packet from outside that begins a flow to a port of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knock {
    pub ipv6: bool,
    pub protocol: Protocol,
    pub port: u16,
}

/// By which links it comes and goes on, where that is known: loopback it is never.
#[derive(Clone, Copy, Debug, Default)]
struct Way<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
}

/// What one chain says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// `FAMILY TABLE CHAIN`.
    pub chain: String,
    pub may_pass: bool,
    pub may_drop: bool,
    /// It drops what no rule decides.
    pub drops_by_policy: bool,
}

/// What can become of a packet in a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    accept: bool,
    drop: bool,
    /// It comes out at the end.
    through: bool,
}

/// Whether a rule's conditions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    Maybe,
}

impl HostFirewall {
    /// Reads what is there, without Lighter's tables.
    pub(crate) fn read(socket: &mut Socket) -> Result<Self> {
        let mut chains = nft::chains(socket)?;
        chains.retain(|chain| is_ip(chain.family) && !owner::is_table(&chain.table));
        if !chains.iter().any(|chain| has_hook(chain, libc::NF_INET_LOCAL_IN) || has_hook(chain, libc::NF_INET_FORWARD))
        {
            return Ok(Self::default());
        }
        let mut rules = nft::read::rules(socket)?;
        rules.retain(|rule| is_ip(rule.family) && !owner::is_table(&rule.table));
        let mut sets = BTreeMap::new();
        for rule in &rules {
            for step in &rule.steps {
                let Step::Lookup { set: name, .. } = step else { continue };
                let place = (rule.family, rule.table.clone(), name.clone());
                if !sets.contains_key(&place)
                    && let Some(found) = nft::read::set(socket, rule.family, &rule.table, name)?
                {
                    sets.insert(place, found);
                }
            }
        }
        Ok(Self::of(chains, rules, sets))
    }

    fn of(chains: Vec<ChainInfo>, rules: Vec<RuleInfo>, sets: BTreeMap<Place, SetInfo>) -> Self {
        let mut by_chain: BTreeMap<Place, Vec<Vec<Step>>> = BTreeMap::new();
        for rule in rules {
            by_chain.entry((rule.family, rule.table, rule.chain)).or_default().push(rule.steps);
        }
        Self { chains, rules: by_chain, sets }
    }

    /// What each chain of the hook `input` says.
    pub fn opinions(&self, knock: Knock) -> Vec<Opinion> {
        self.of_hook(libc::NF_INET_LOCAL_IN, knock, Way::default())
    }

    /// What each chain of the hook `forward` says about such a packet that comes by one link and leaves by another; `None`:
    /// whichever.
    pub fn forwarded(&self, knock: Knock, from: Option<&str>, to: Option<&str>) -> Vec<Opinion> {
        self.of_hook(libc::NF_INET_FORWARD, knock, Way { from, to })
    }

    fn of_hook(&self, hook: i32, knock: Knock, way: Way<'_>) -> Vec<Opinion> {
        let of_family = |chain: &&ChainInfo| {
            let number = if knock.ipv6 { libc::NFPROTO_IPV6 } else { libc::NFPROTO_IPV4 };
            has_hook(chain, hook) && [number, libc::NFPROTO_INET].contains(&i32::from(chain.family))
        };
        let opinion = |chain: &ChainInfo| {
            let drops_by_policy = chain.policy == Some(Policy::Drop);
            let ends = self.walk(chain.family, &chain.table, &chain.name, (knock, way), DEPTH);
            let (pass, drop) = if drops_by_policy { (false, ends.through) } else { (ends.through, false) };
            Opinion {
                chain: format!("{} {} {}", family_name(chain.family), chain.table, chain.name),
                may_pass: ends.accept || pass,
                may_drop: ends.drop || drop,
                drops_by_policy,
            }
        };
        self.chains.iter().filter(of_family).map(opinion).collect()
    }

    /// The chains that drop such a packet, or may: a port that is published jumps over them, unless it is guarded.
    pub fn bypassed(&self, knock: Knock) -> Vec<Opinion> {
        let mut all = self.opinions(knock);
        all.retain(|opinion| opinion.may_drop);
        all
    }

    fn walk(&self, family: u8, table: &str, chain: &str, packet: (Knock, Way<'_>), depth: usize) -> Ends {
        let mut ends = Ends::default();
        if depth == 0 {
            return Ends { accept: true, drop: true, through: true };
        }
        let place = (family, table.to_owned(), chain.to_owned());
        for rule in self.rules.get(&place).into_iter().flatten() {
            let (holds, decisions) = Machine::new(self, family, table, packet).run(rule);
            if holds == Holds::No {
                continue;
            }
            let certain = holds == Holds::Yes && decisions.len() == 1;
            let mut goes_on = !certain;
            for decision in decisions {
                match decision {
                    Decision::Accept => ends.accept = true,
                    Decision::Drop => ends.drop = true,
                    Decision::Elsewhere => (ends.accept, ends.drop) = (true, true),
                    Decision::Return => ends.through = true,
                    Decision::Continue => goes_on = true,
                    Decision::Jump(to) => {
                        let inner = self.walk(family, table, &to, packet, depth - 1);
                        (ends.accept, ends.drop) = (ends.accept | inner.accept, ends.drop | inner.drop);
                        goes_on |= inner.through;
                    }
                    Decision::Goto(to) => {
                        let inner = self.walk(family, table, &to, packet, depth - 1);
                        (ends.accept, ends.drop) = (ends.accept | inner.accept, ends.drop | inner.drop);
                        ends.through |= inner.through;
                    }
                }
            }
            if !goes_on {
                return ends;
            }
        }
        ends.through = true;
        ends
    }
}

fn is_ip(family: u8) -> bool {
    [libc::NFPROTO_IPV4, libc::NFPROTO_IPV6, libc::NFPROTO_INET].contains(&i32::from(family))
}

fn has_hook(chain: &ChainInfo, number: i32) -> bool {
    chain.hook.is_some_and(|(hook, _)| hook == number as u32)
}

pub(crate) fn family_name(number: u8) -> &'static str {
    match i32::from(number) {
        libc::NFPROTO_IPV4 => "ip",
        libc::NFPROTO_IPV6 => "ip6",
        _ => "inet",
    }
}

/// The kernel's registers while one rule is gone through; what is not known is `None`.
struct Machine<'a> {
    firewall: &'a HostFirewall,
    family: u8,
    table: &'a str,
    knock: Knock,
    way: Way<'a>,
    registers: [Option<u8>; REGISTERS],
    /// Where the unknown name or index of a link lies.
    link: Option<usize>,
}

impl<'a> Machine<'a> {
    fn new(firewall: &'a HostFirewall, family: u8, table: &'a str, (knock, way): (Knock, Way<'a>)) -> Self {
        Self { firewall, family, table, knock, way, registers: [None; REGISTERS], link: None }
    }

    /// Whether the rule applies, and what it then may decide; nothing decided is `Continue`.
    fn run(mut self, rule: &[Step]) -> (Holds, Vec<Decision>) {
        let mut holds = Holds::Yes;
        for step in rule {
            let this = match step {
                Step::Verdict(decision) => return (holds, vec![decision.clone()]),
                Step::Reject => return (holds, vec![Decision::Drop]),
                Step::Target { name } if name == "REJECT" => return (holds, vec![Decision::Drop]),
                Step::Target { name } if name == "NFQUEUE" => return (holds, vec![Decision::Elsewhere]),
                Step::Other { name, .. } if name == "queue" => return (holds, vec![Decision::Elsewhere]),
                Step::Lookup { set, from, to: Some(Destination::Verdict), .. } => {
                    let (found, decisions) = self.decisions(set, *from);
                    return (holds.and(found), decisions);
                }
                other => self.step(other),
            };
            holds = holds.and(this);
            if holds == Holds::No {
                break;
            }
        }
        (holds, vec![Decision::Continue])
    }

    fn step(&mut self, step: &Step) -> Holds {
        match step {
            Step::Meta { key, to } => self.meta(*key, *to),
            Step::Payload { base, offset, length, to } => self.payload(*base, *offset, *length, *to),
            Step::Conntrack { key, to } => {
                let known = *key == libc::NFT_CT_STATE as u32;
                self.load(*to, 4, known.then_some(&NEW.to_ne_bytes()[..]));
            }
            Step::Value { to, value } => self.load(*to, value.len(), Some(value)),
            Step::Bitwise { from, to, mask, xor } => {
                let bytes: Vec<Option<u8>> =
                    (0..mask.len()).map(|at| Some(self.byte(from + at)? & mask[at] ^ xor.get(at)?)).collect();
                bytes.into_iter().enumerate().for_each(|(at, byte)| self.put(to + at, byte));
                if self.link == Some(*to) {
                    self.link = None;
                }
            }
            Step::Byteorder { from, to, size, length } => {
                let size = (*size).max(1);
                let swapped =
                    |at: usize| if cfg!(target_endian = "big") { at } else { at / size * size + size - 1 - at % size };
                let bytes: Vec<Option<u8>> =
                    (0..length / size * size).map(|at| self.byte(from + swapped(at))).collect();
                bytes.into_iter().enumerate().for_each(|(at, byte)| self.put(to + at, byte));
            }
            Step::Compare { from, operation, value } => return self.compare(*from, *operation, value),
            Step::Range { from, inverted, first, last } => {
                let Some(value) = self.known(*from, first.len()) else { return Holds::Maybe };
                return Holds::from((first..=last).contains(&&value) != *inverted);
            }
            Step::Lookup { set, from, inverted, to } => {
                if let Some(Destination::Register(to)) = to {
                    self.load(*to, 16, None);
                }
                return match self.find(set, *from) {
                    None => Holds::Maybe,
                    Some(found) => Holds::from(found.is_some() != *inverted),
                };
            }
            Step::Match { name, info } => return matches(name, info, self.knock),
            Step::Other { name, to } => {
                if let Some(to) = to {
                    self.load(*to, 16, None);
                }
                let harmless = ["counter", "log", "notrack", "last", "meta", "ct", "payload", "dup", "fib"];
                return if to.is_some() || harmless.contains(&name.as_str()) { Holds::Yes } else { Holds::Maybe };
            }
            Step::Target { .. } | Step::Verdict(_) | Step::Reject => {}
        }
        Holds::Yes
    }

    fn meta(&mut self, key: u32, to: usize) {
        let family = if self.knock.ipv6 { libc::NFPROTO_IPV6 } else { libc::NFPROTO_IPV4 };
        match key as i32 {
            libc::NFT_META_NFPROTO => self.load(to, 1, Some(&[family as u8])),
            libc::NFT_META_L4PROTO => self.load(to, 1, Some(&[self.knock.protocol.number()])),
            libc::NFT_META_IIFNAME => self.name(to, self.way.from),
            libc::NFT_META_OIFNAME => self.name(to, self.way.to),
            libc::NFT_META_IIF | libc::NFT_META_OIF => self.name(to, None),
            _ => self.load(to, 16, None),
        }
    }

    fn name(&mut self, to: usize, link: Option<&str>) {
        match link {
            Some(name) => {
                let mut bytes = name.as_bytes().to_vec();
                bytes.resize(libc::IFNAMSIZ, 0);
                self.load(to, bytes.len(), Some(&bytes));
            }
            None => {
                self.load(to, libc::IFNAMSIZ, None);
                self.link = Some(to);
            }
        }
    }

    fn payload(&mut self, base: u32, offset: u32, length: usize, to: usize) {
        let [high, low] = self.knock.port.to_be_bytes();
        let protocol_at = if self.knock.ipv6 { 6 } else { 9 };
        let byte = |at: u32| match base {
            TRANSPORT_HEADER if at == 2 => Some(high),
            TRANSPORT_HEADER if at == 3 => Some(low),
            NETWORK_HEADER if at == protocol_at => Some(self.knock.protocol.number()),
            _ => None,
        };
        let bytes: Vec<Option<u8>> = (offset..).take(length.min(16)).map(byte).collect();
        self.load(to, length, None);
        bytes.into_iter().enumerate().for_each(|(at, byte)| self.put(to + at, byte));
    }

    fn compare(&self, from: usize, operation: u32, value: &[u8]) -> Holds {
        // it came from outside, whatever the link's name is
        let is_loopback = value == [1, 0, 0, 0] || value == b"lo" || value.starts_with(b"lo\0");
        if self.link == Some(from) && is_loopback {
            return match operation as i32 {
                libc::NFT_CMP_EQ => Holds::No,
                libc::NFT_CMP_NEQ => Holds::Yes,
                _ => Holds::Maybe,
            };
        }
        let Some(known) = self.known(from, value.len()) else { return Holds::Maybe };
        Holds::from(match operation as i32 {
            libc::NFT_CMP_EQ => known == value,
            libc::NFT_CMP_NEQ => known != value,
            libc::NFT_CMP_LT => known.as_slice() < value,
            libc::NFT_CMP_LTE => known.as_slice() <= value,
            libc::NFT_CMP_GT => known.as_slice() > value,
            libc::NFT_CMP_GTE => known.as_slice() >= value,
            _ => return Holds::Maybe,
        })
    }

    fn set(&self, name: &str) -> Option<&'a SetInfo> {
        self.firewall.sets.get(&(self.family, self.table.to_owned(), name.to_owned()))
    }

    /// The element for what a register has: `None` if that is not known.
    fn find(&self, set: &str, from: usize) -> Option<Option<&'a Member>> {
        let set = self.set(set)?;
        let Some(length) = set.elements.first().map(|element| element.key.len()) else { return Some(None) };
        let ranges = set.elements.iter().any(|element| element.last.is_some());
        let key = self.known(from, length)?;
        if ranges {
            return Some(set.elements.iter().find(|element| covers(element, &key)));
        }
        if !set.interval {
            return Some(set.elements.iter().find(|element| element.key == key));
        }
        let before = set.elements.iter().filter(|element| element.key <= key);
        // where one range ends and the next begins, the beginning counts
        let last = before.max_by(|a, b| a.key.cmp(&b.key).then(b.is_end.cmp(&a.is_end)));
        Some(last.filter(|element| !element.is_end))
    }

    /// What a map of verdicts has for a register.
    fn decisions(&self, set: &str, from: usize) -> (Holds, Vec<Decision>) {
        match (self.find(set, from), self.set(set)) {
            (Some(None), _) => (Holds::No, vec![]),
            (Some(Some(element)), _) => (Holds::Yes, element.decision.clone().into_iter().collect()),
            (None, Some(set)) => (Holds::Maybe, set.elements.iter().filter_map(|e| e.decision.clone()).collect()),
            (None, None) => (Holds::Maybe, vec![Decision::Elsewhere]),
        }
    }

    fn load(&mut self, to: usize, length: usize, value: Option<&[u8]>) {
        if self.link == Some(to) {
            self.link = None;
        }
        for at in 0..length.next_multiple_of(4) {
            // the rest of a word is cleared
            let byte = if at < length { value.and_then(|value| value.get(at).copied()) } else { Some(0) };
            self.put(to + at, byte);
        }
    }

    fn put(&mut self, at: usize, byte: Option<u8>) {
        if let Some(register) = self.registers.get_mut(at) {
            *register = byte;
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        *self.registers.get(at)?
    }

    fn known(&self, from: usize, length: usize) -> Option<Vec<u8>> {
        (from..from + length).map(|at| self.byte(at)).collect()
    }
}

impl Holds {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Holds::No, _) | (_, Holds::No) => Holds::No,
            (Holds::Maybe, _) | (_, Holds::Maybe) => Holds::Maybe,
            _ => Holds::Yes,
        }
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Holds::Yes } else { Holds::No }
    }
}

/// Ranges of several fields are ranges of each. Keys that are wholly known have protocols and ports: a word for each.
fn covers(element: &Member, key: &[u8]) -> bool {
    let last = element.last.as_ref().unwrap_or(&element.key);
    let mut words = element.key.chunks(4).zip(last.chunks(4)).zip(key.chunks(4));
    words.all(|((first, last), word)| (first..=last).contains(&word))
}

/// A match of iptables (linux/netfilter/xt_*.h).
fn matches(name: &str, info: &[u8], knock: Knock) -> Holds {
    let half = |at: usize| Some(u16::from_ne_bytes(info.get(at..at + 2)?.try_into().ok()?));
    let holds = || match name {
        "comment" => Some(Holds::Yes),
        // struct xt_tcp and xt_udp: two ports of the source, two of the destination
        "tcp" | "udp" => {
            let all = half(0)? == 0 && half(2)? == u16::MAX;
            let inside = (half(4)?..=half(6)?).contains(&knock.port);
            let plain = info.get(8..)?.iter().all(|byte| *byte == 0);
            let whole = all && (plain || name == "udp" && *info.get(8)? == 0);
            Some(if !inside && whole {
                Holds::No
            } else if whole {
                Holds::Yes
            } else {
                Holds::Maybe
            })
        }
        // struct xt_multiport_v1: flags (1: destinations), count, ports, where a range goes on, inverted
        "multiport" if *info.first()? == 1 => {
            let count = usize::from(*info.get(1)?).min(15);
            let ports: Vec<u16> = (0..count).map(|at| half(2 + 2 * at)).collect::<Option<_>>()?;
            let ranges = info.get(32..32 + count)?;
            let (mut found, mut at) = (false, 0);
            while at < count {
                let last = if ranges[at] != 0 { *ports.get(at + 1)? } else { ports[at] };
                found |= (ports[at]..=last).contains(&knock.port);
                at += if ranges[at] != 0 { 2 } else { 1 };
            }
            Some(Holds::from(found != (*info.get(47)? != 0)))
        }
        // struct xt_conntrack_mtinfo3
        "conntrack" if half(146)? == XT_CONNTRACK_STATE => {
            let inverted = half(148)? & XT_CONNTRACK_STATE != 0;
            Some(Holds::from((u32::from(half(150)?) & NEW != 0) != inverted))
        }
        "state" => Some(Holds::from(u32::from(half(0)?) & NEW != 0)),
        _ => None,
    };
    holds().unwrap_or(Holds::Maybe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INET: u8 = libc::NFPROTO_INET as u8;
    const KNOCK: Knock = Knock { ipv6: false, protocol: Protocol::Tcp, port: 8080 };

    fn firewall(policy: Policy, rules: &[(&str, Vec<Step>)], sets: Vec<(&str, SetInfo)>) -> HostFirewall {
        let base = ChainInfo {
            family: INET,
            table: "t".into(),
            name: "input".into(),
            hook: Some((libc::NF_INET_LOCAL_IN as u32, 0)),
            policy: Some(policy),
        };
        let rule = |(chain, steps): &(&str, Vec<Step>)| RuleInfo {
            family: INET,
            table: "t".into(),
            chain: (*chain).into(),
            steps: steps.clone(),
        };
        let sets = sets.into_iter().map(|(name, set)| ((INET, "t".into(), name.into()), set));
        HostFirewall::of(vec![base], rules.iter().map(rule).collect(), sets.collect())
    }

    fn says(policy: Policy, rules: &[(&str, Vec<Step>)], sets: Vec<(&str, SetInfo)>) -> (bool, bool) {
        let opinion = firewall(policy, rules, sets).opinions(KNOCK).remove(0);
        (opinion.may_pass, opinion.may_drop)
    }

    fn port(port: u16) -> Vec<Step> {
        vec![
            Step::Meta { key: libc::NFT_META_L4PROTO as u32, to: 0 },
            Step::Compare { from: 0, operation: 0, value: vec![6] },
            Step::Payload { base: TRANSPORT_HEADER, offset: 2, length: 2, to: 0 },
            Step::Compare { from: 0, operation: 0, value: port.to_be_bytes().to_vec() },
        ]
    }

    fn with(mut steps: Vec<Step>, decision: Decision) -> Vec<Step> {
        steps.push(Step::Verdict(decision));
        steps
    }

    #[test]
    fn policies_and_ports() {
        assert_eq!(says(Policy::Accept, &[], vec![]), (true, false));
        assert_eq!(says(Policy::Drop, &[], vec![]), (false, true));
        let accept = |number| ("input", with(port(number), Decision::Accept));
        assert_eq!(says(Policy::Drop, &[accept(8080)], vec![]), (true, false));
        assert_eq!(says(Policy::Drop, &[accept(22)], vec![]), (false, true));
        let rejected = [("input", [port(8080), vec![Step::Reject]].concat())];
        assert_eq!(says(Policy::Accept, &rejected, vec![]), (false, true));
    }

    #[test]
    fn what_depends_on_the_client_goes_either_way() {
        let mut from_somewhere = vec![
            Step::Payload { base: NETWORK_HEADER, offset: 12, length: 4, to: 0 },
            Step::Compare { from: 0, operation: 0, value: vec![203, 0, 113, 1] },
        ];
        from_somewhere.extend(port(8080));
        let rules = [("input", with(from_somewhere, Decision::Accept))];
        assert_eq!(says(Policy::Drop, &rules, vec![]), (true, true));
        let loopback = vec![
            Step::Meta { key: libc::NFT_META_IIFNAME as u32, to: 0 },
            Step::Compare { from: 0, operation: 0, value: b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec() },
        ];
        let rules = [("input", with(loopback, Decision::Accept))];
        assert_eq!(says(Policy::Drop, &rules, vec![]), (false, true));
        let limited = vec![Step::Other { name: "limit".into(), to: None }];
        assert_eq!(says(Policy::Drop, &[("input", with(limited, Decision::Accept))], vec![]), (true, true));
        let counted = vec![Step::Other { name: "counter".into(), to: None }];
        assert_eq!(says(Policy::Drop, &[("input", with(counted, Decision::Accept))], vec![]), (true, false));
    }

    #[test]
    fn links_of_what_is_forwarded_are_known() {
        let from_bridge = vec![
            Step::Meta { key: libc::NFT_META_IIFNAME as u32, to: 0 },
            Step::Compare { from: 0, operation: 0, value: b"br-".to_vec() },
            Step::Verdict(Decision::Accept),
        ];
        let mut all = firewall(Policy::Drop, &[("input", from_bridge)], vec![]);
        all.chains[0].hook = Some((libc::NF_INET_FORWARD as u32, 0));
        assert_eq!(all.opinions(KNOCK), []);
        let says = |from| {
            let opinion = all.forwarded(KNOCK, from, None).remove(0);
            (opinion.may_pass, opinion.may_drop)
        };
        assert_eq!([says(Some("br-1")), says(Some("eth0")), says(None)], [(true, false), (false, true), (true, true)]);
    }

    #[test]
    fn flows_that_are_there_are_no_beginnings() {
        let established = vec![
            Step::Conntrack { key: libc::NFT_CT_STATE as u32, to: 0 },
            Step::Bitwise { from: 0, to: 0, mask: 6u32.to_ne_bytes().to_vec(), xor: vec![0; 4] },
            Step::Compare { from: 0, operation: 1, value: vec![0; 4] },
        ];
        assert_eq!(says(Policy::Drop, &[("input", with(established, Decision::Accept))], vec![]), (false, true));
    }

    #[test]
    fn sets_ranges_and_maps() {
        let member = |port: u16, is_end| Member {
            key: port.to_be_bytes().to_vec(),
            last: None,
            is_end,
            value: None,
            decision: None,
        };
        let lookup = |to| {
            let mut steps = port(0);
            steps.truncate(3);
            steps.push(Step::Lookup { set: "s".into(), from: 0, inverted: false, to });
            steps
        };
        let accept = [("input", with(lookup(None), Decision::Accept))];
        let set = |interval, elements| vec![("s", SetInfo { interval, elements })];
        let check = |set: Vec<(&str, SetInfo)>, passes: bool| {
            assert_eq!(says(Policy::Drop, &accept, set), (passes, !passes));
        };
        check(set(false, vec![member(80, false), member(8080, false)]), true);
        check(set(false, vec![member(80, false)]), false);
        check(set(true, vec![member(0, true), member(8000, false), member(8100, true)]), true);
        check(set(true, vec![member(0, true), member(8000, false), member(8080, true)]), false);
        check(set(true, vec![member(1024, false)]), true);
        let verdicts = SetInfo {
            interval: false,
            elements: vec![Member { decision: Some(Decision::Jump("web".into())), ..member(8080, false) }],
        };
        let rules = [("input", lookup(Some(Destination::Verdict))), ("web", with(vec![], Decision::Accept))];
        assert_eq!(says(Policy::Drop, &rules, vec![("s", verdicts)]), (true, false));
    }

    #[test]
    fn chains_are_left_in_every_way() {
        let chains = |decision: Decision, last: Decision| {
            [
                ("input", with(vec![], decision)),
                ("input", with(vec![], Decision::Drop)),
                ("other", with(port(22), Decision::Accept)),
                ("other", with(vec![], last)),
            ]
        };
        let jump = || Decision::Jump("other".into());
        assert_eq!(says(Policy::Accept, &chains(jump(), Decision::Return), vec![]), (false, true));
        assert_eq!(says(Policy::Accept, &chains(jump(), Decision::Accept), vec![]), (true, false));
        let goto = Decision::Goto("other".into());
        assert_eq!(says(Policy::Accept, &chains(goto, Decision::Return), vec![]), (true, false));
        // a ring of jumps ends
        let ring = [("input", with(vec![], jump())), ("other", with(vec![], Decision::Jump("input".into())))];
        assert_eq!(says(Policy::Accept, &ring, vec![]), (true, true));
    }

    #[test]
    fn iptables_matches() {
        let tcp = |first: u16, last: u16| {
            let numbers = [0, u16::MAX, first, last];
            [numbers.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<_>>(), vec![0; 4]].concat()
        };
        assert_eq!(matches("tcp", &tcp(8000, 8100), KNOCK), Holds::Yes);
        assert_eq!(matches("tcp", &tcp(22, 22), KNOCK), Holds::No);
        assert_eq!(matches("tcp", &[1], KNOCK), Holds::Maybe);
        let mut multiport = vec![0; 48];
        multiport[..2].copy_from_slice(&[1, 3]);
        for (at, port) in [80u16, 8000, 8090].iter().enumerate() {
            multiport[2 + 2 * at..4 + 2 * at].copy_from_slice(&port.to_ne_bytes());
        }
        assert_eq!(matches("multiport", &multiport, KNOCK), Holds::No);
        multiport[33] = 1;
        assert_eq!(matches("multiport", &multiport, KNOCK), Holds::Yes);
        let mut conntrack = vec![0; 160];
        conntrack[146] = 1;
        conntrack[150] = 6;
        assert_eq!(matches("conntrack", &conntrack, KNOCK), Holds::No);
        conntrack[150] = 8;
        assert_eq!(matches("conntrack", &conntrack, KNOCK), Holds::Yes);
        assert_eq!(matches("mark", &[], KNOCK), Holds::Maybe);
    }
}

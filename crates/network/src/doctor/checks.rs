use ipnet::IpNet;

use super::{Facts, Finding, Rules};
use crate::host_firewall::{Knock, Opinion};
use crate::plan::overlaps as overlap;
use crate::ports::Protocol;

/// Entries of the table of flows, in parts of a hundred, from which on it is nearly full.
const NEARLY_FULL: u64 = 80;
/// Of a kernel without tables of bridges.
pub(crate) const UNWATCHED: &str = "the kernel has no nftables for bridges: containers of one network can claim each other's addresses (ARP, neighbour \
     discovery, DHCP)";
/// What a container's first connection to the outside is, most likely.
const HTTPS: Knock = Knock { ipv6: false, protocol: Protocol::Tcp, port: 443 };

/// `all`, or one finding that says it is well.
fn or_well(mut all: Vec<Finding>, check: &'static str, text: impl Into<String>) -> Vec<Finding> {
    if all.is_empty() {
        all.push(Finding::ok(check, text));
    }
    all
}

fn on(facts: &Facts, key: &str) -> Option<bool> {
    facts.sysctls.get(key).map(|value| value != "0")
}

/// A sysctl's name as sysctl(8) has it: with slashes where a link's name has dots.
fn set(key: &str, value: &str) -> String {
    let name = format!("net/{key}");
    let name = if name.contains('.') { name } else { name.replace('/', ".") };
    format!("sysctl -w {name}={value} (and in /etc/sysctl.d, to last)")
}

pub(super) fn bridges(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    let again = "restart the daemon: it makes what is missing";
    for bridge in &facts.bridges {
        let (link, network) = (&bridge.link, &bridge.network);
        let Some(there) = &bridge.there else {
            let text = format!("the bridge {link} of network {network} is not there: its containers reach nobody");
            all.push(Finding::problem("bridges", text, again));
            continue;
        };
        if !there.up {
            let text = format!("the bridge {link} of network {network} is down: its containers reach nobody");
            all.push(Finding::problem("bridges", text, format!("ip link set {link} up")));
        }
        for missing in bridge.wanted.iter().filter(|net| !there.addresses.contains(net)) {
            let text = format!(
                "the bridge {link} of network {network} has lost its address {missing}: nothing leads out of the network"
            );
            all.push(Finding::problem("bridges", text, format!("ip address add {missing} dev {link}")));
        }
    }
    or_well(all, "bridges", format!("{}, each there with its addresses", count(facts.bridges.len(), "bridge")))
}

pub(super) fn parents(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    for parent in &facts.parents {
        let (link, network) = (&parent.link, &parent.network);
        let text =
            |how| format!("the parent interface {link} of network {network} is {how}: its containers reach nobody");
        match parent.up {
            Some(true) => {}
            Some(false) => all.push(Finding::problem("parents", text("down"), format!("ip link set {link} up"))),
            None => {
                let advice = format!("let the host have {link} again, then restart the containers on {network}");
                all.push(Finding::problem("parents", text("not there"), advice));
            }
        }
    }
    match facts.parents.len() {
        0 => vec![],
        n => or_well(all, "parents", format!("{}, each there and up", count(n, "parent interface"))),
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

pub(super) fn mtu(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    for bridge in facts.bridges.iter().filter(|bridge| !bridge.internal) {
        let Some(there) = &bridge.there else { continue };
        let most = bridge.route_mtu.unwrap_or(there.mtu);
        if most <= facts.way_out_mtu {
            continue;
        }
        let text = format!(
            "packets of network {} have up to {} bytes, the way outside takes {}: connections will hang where nobody says so \
             by ICMP",
            bridge.network, most, facts.way_out_mtu
        );
        let advice = if bridge.fixed_mtu {
            format!(
                "make the network anew with -o com.docker.network.driver.mtu={}, or leave the option out",
                facts.way_out_mtu
            )
        } else {
            "start a container on the default bridge or restart the daemon: it follows the way outside".into()
        };
        all.push(Finding::problem("mtu", text, advice));
    }
    or_well(all, "mtu", format!("packets of containers fit through the way outside ({} bytes)", facts.way_out_mtu))
}

pub(super) fn forwarding(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    if on(facts, "ipv4/ip_forward") == Some(false) {
        let text = "IPv4 forwarding is off: containers reach nothing outside, and no published port works from there";
        all.push(Finding::problem("forwarding", text, set("ipv4/ip_forward", "1")));
    }
    for link in facts.bridges.iter().map(|bridge| &bridge.link).chain(&facts.uplinks) {
        let key = format!("ipv4/conf/{link}/forwarding");
        if on(facts, "ipv4/ip_forward") == Some(true) && on(facts, &key) == Some(false) {
            let text = format!("IPv4 forwarding is off for the link {link}: what comes in by it goes nowhere");
            all.push(Finding::problem("forwarding", text, set(&key, "1")));
        }
    }
    let has_ipv6 = facts.bridges.iter().any(|bridge| bridge.subnets.iter().any(|net| net.addr().is_ipv6()));
    if has_ipv6 && on(facts, "ipv6/conf/all/forwarding") == Some(false) {
        let text = "IPv6 forwarding is off, though networks have IPv6: their containers reach nothing outside by it";
        all.push(Finding::problem("forwarding", text, set("ipv6/conf/all/forwarding", "1")));
    }
    for link in &facts.uplinks {
        let key = format!("ipv6/conf/{link}/accept_ra");
        let deaf = facts.sysctls.get(&key).is_some_and(|value| value == "1");
        if on(facts, "ipv6/conf/all/forwarding") == Some(true) && deaf {
            let text = format!(
                "{link} no longer listens to router advertisements, as IPv6 forwarding is on: if its IPv6 address or route came \
                 by them, it will go"
            );
            all.push(Finding::note("forwarding", text, set(&key, "2")));
        }
    }
    or_well(all, "forwarding", if has_ipv6 { "IPv4 and IPv6 are forwarded" } else { "IPv4 is forwarded" })
}

/// br_netfilter: packets within a bridge go through the chains of the host's firewall.
pub(super) fn bridge_filter(facts: &Facts) -> Vec<Finding> {
    if on(facts, "bridge/bridge-nf-call-iptables") != Some(true) {
        return vec![Finding::ok("bridge-nf", "packets within a network do not go through the host's firewall")];
    }
    let mut all = vec![];
    for bridge in &facts.bridges {
        let says = facts.firewall.forwarded(HTTPS, Some(&bridge.link), Some(&bridge.link));
        for opinion in says.iter().filter(|opinion| !opinion.may_pass) {
            let text = format!(
                "containers of network {} do not reach each other: packets within it go through the host's firewall, whose chain \
                 {} drops them",
                bridge.network, opinion.chain
            );
            all.push(Finding::problem("bridge-nf", text, set("bridge/bridge-nf-call-iptables", "0")));
        }
    }
    or_well(all, "bridge-nf", "packets within a network go through the host's firewall, which lets them pass")
}

pub(super) fn reverse_path(facts: &Facts) -> Vec<Finding> {
    let value = |link: &str| {
        let key = format!("ipv4/conf/{link}/rp_filter");
        facts.sysctls.get(&key).and_then(|value| value.parse::<u8>().ok()).unwrap_or(0)
    };
    let strict = |link: &String| value("all").max(value(link)) == 1;
    let links: Vec<&String> = facts.uplinks.iter().filter(|link| strict(link)).collect();
    if facts.uplinks.len() < 2 || links.is_empty() {
        return vec![Finding::ok("rp_filter", "sources are not checked in a way that could cut off answers")];
    }
    let text = format!(
        "the host has several ways outside ({}) and checks strictly where sources belong: who comes by one and would be answered \
         by another is not heard",
        facts.uplinks.join(", ")
    );
    vec![Finding::note("rp_filter", text, set("ipv4/conf/all/rp_filter", "2"))]
}

/// Other programs' chains, which have a say about what is forwarded.
pub(super) fn firewall(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    for bridge in facts.bridges.iter().filter(|bridge| !bridge.internal) {
        let (network, link) = (&bridge.network, &bridge.link);
        for opinion in facts.firewall.forwarded(HTTPS, Some(link), None) {
            let text = |drops: &str| {
                format!("the host's chain {} {drops} what containers of network {network} send outside", opinion.chain)
            };
            match (opinion.may_pass, opinion.may_drop) {
                (false, _) => all.push(Finding::problem("firewall", text("drops"), let_out(&opinion, link))),
                (true, true) => all.push(Finding::note("firewall", text("drops some of"), "")),
                (true, false) => {}
            }
        }
        for opinion in facts.firewall.forwarded(HTTPS, None, Some(link)) {
            if !opinion.may_pass {
                let text = format!(
                    "the host's chain {} drops what is sent to published ports of containers of network {network}",
                    opinion.chain
                );
                all.push(Finding::problem("firewall", text, let_in(&opinion, link)));
            }
        }
    }
    or_well(all, "firewall", "no chain of the host drops what containers send, or what is sent to their ports")
}

fn let_out(opinion: &Opinion, link: &str) -> String {
    rule(opinion, &format!("iifname \"{link}\" accept"), &format!("-i {link} -j ACCEPT"))
}

fn let_in(opinion: &Opinion, link: &str) -> String {
    rule(
        opinion,
        &format!("oifname \"{link}\" ct status dnat accept"),
        &format!("-o {link} -m conntrack --ctstate DNAT,RELATED,ESTABLISHED -j ACCEPT"),
    )
}

/// In the words of the program whose chain it is.
fn rule(opinion: &Opinion, nft: &str, iptables: &str) -> String {
    match opinion.chain.as_str() {
        "ip filter FORWARD" => format!("iptables -I FORWARD {iptables}"),
        "ip6 filter FORWARD" => format!("ip6tables -I FORWARD {iptables}"),
        chain => format!("nft insert rule {chain} {nft}"),
    }
}

pub(super) fn rules(rules: &Rules) -> Vec<Finding> {
    let table = &rules.table;
    let again = "restart the daemon: it writes its rules again";
    let mut all = vec![];
    if !rules.there {
        let text = format!(
            "the daemon's table (inet {table}) is not there: published ports are closed, and no network is kept apart"
        );
        all.push(Finding::problem("rules", text, again));
    } else if !rules.differing.is_empty() {
        let sets = rules.differing.join(", ");
        let text = format!("somebody has changed the daemon's table (inet {table}): {sets}");
        all.push(Finding::problem("rules", text, again));
    }
    if rules.gate == Some(false) {
        let text = "what lets the host's firewall decide about ports is not whole: guarded ports are closed";
        all.push(Finding::problem("rules", text, again));
    }
    if !rules.watches_bridges {
        all.push(Finding::note("rules", UNWATCHED, "a kernel with CONFIG_NF_TABLES_BRIDGE"));
    }
    if !rules.owned {
        let text = format!(
            "the kernel does not let the daemon own its table (inet {table}; Linux 6.9 does): who flushes the ruleset opens a gap \
             of milliseconds"
        );
        all.push(Finding::note("rules", text, ""));
    }
    or_well(
        all,
        "rules",
        format!("the daemon's table (inet {table}) is as it should be, and nobody else can change it"),
    )
}

pub(super) fn overlaps(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    for bridge in &facts.bridges {
        for subnet in &bridge.subnets {
            for (taken, link) in facts.taken.iter().filter(|(taken, _)| overlap(taken, subnet)) {
                all.push(hidden(subnet, &bridge.network, &format!("{taken}, which the host reaches by {link}")));
            }
            for server in facts.nameservers.iter().filter(|server| subnet.contains(*server)) {
                all.push(hidden(subnet, &bridge.network, &format!("the host's name server {server}")));
            }
        }
    }
    or_well(all, "overlaps", "no network has addresses that the host reaches elsewhere")
}

fn hidden(subnet: &IpNet, network: &str, what: &str) -> Finding {
    let text = format!("the subnet {subnet} of network {network} hides {what}");
    Finding::problem(
        "overlaps",
        text,
        format!("make {network} anew with another --subnet, or set default-address-pools (bip for the default bridge)"),
    )
}

pub(super) fn conntrack(facts: &Facts) -> Vec<Finding> {
    let number = |key: &str| facts.sysctls.get(key).and_then(|value| value.parse::<u64>().ok());
    let (Some(count), Some(max)) =
        (number("netfilter/nf_conntrack_count"), number("netfilter/nf_conntrack_max").filter(|max| *max > 0))
    else {
        return vec![];
    };
    if count * 100 / max < NEARLY_FULL {
        return vec![Finding::ok("conntrack", format!("{count} of {max} flows are followed"))];
    }
    let text = format!("{count} of {max} flows are followed: when it is full, the kernel drops new connections");
    let advice = set("netfilter/nf_conntrack_max", &(max * 2).to_string());
    vec![Finding::problem("conntrack", text, advice)]
}

pub(super) fn stale(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![];
    for (container, network) in &facts.lost {
        let text = format!("somebody has deleted the link of container {container} on network {network}");
        let advice = format!("disconnect it and connect it again, or restart it: lighter restart {container}");
        all.push(Finding::problem("stale", text, advice));
    }
    if !facts.stale.is_empty() {
        let text = format!("links that belong to no container and no network: {}", facts.stale.join(", "));
        all.push(Finding::note("stale", text, "restart the daemon: it sweeps them"));
    }
    or_well(all, "stale", "every link belongs to a container or a network")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Bridge, Parent, Severity, There};

    fn bridge(network: &str, subnet: &str) -> Bridge {
        let net: IpNet = subnet.parse().unwrap();
        Bridge {
            network: network.into(),
            link: format!("br-{network}"),
            subnets: vec![net.trunc()],
            wanted: vec![net],
            there: Some(There { mtu: 1500, up: true, addresses: vec![net] }),
            ..Bridge::default()
        }
    }

    fn facts() -> Facts {
        let sysctls =
            [("ipv4/ip_forward", "1"), ("netfilter/nf_conntrack_count", "10"), ("netfilter/nf_conntrack_max", "100")];
        Facts {
            bridges: vec![bridge("a", "172.18.0.1/16")],
            way_out_mtu: 1500,
            sysctls: sysctls.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            uplinks: vec!["eth0".into()],
            rules: Rules {
                table: "lighter".into(),
                there: true,
                owned: true,
                watches_bridges: true,
                ..Rules::default()
            },
            ..Facts::default()
        }
    }

    /// Changes what is well, and looks for what is then said.
    fn check(change: impl FnOnce(&mut Facts), severity: Severity, words: &str, advice: &str) {
        let mut facts = facts();
        change(&mut facts);
        let all = super::super::findings(&facts);
        let bad: Vec<&Finding> = all.iter().filter(|finding| finding.severity != Severity::Ok).collect();
        let [one] = bad[..] else { panic!("{words}: {bad:#?}") };
        assert!(one.severity == severity && one.text.contains(words) && one.advice.contains(advice), "{one:#?}");
    }

    fn sysctl(key: &str, value: &str) -> impl FnOnce(&mut Facts) {
        move |facts| drop(facts.sysctls.insert(key.into(), value.into()))
    }

    #[test]
    fn a_host_that_is_well() {
        let all = super::super::findings(&facts());
        assert!(all.iter().all(|finding| finding.severity == Severity::Ok && finding.advice.is_empty()), "{all:#?}");
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn what_is_wrong_is_said_once() {
        use Severity::{Note, Problem};
        let there = |facts: &mut Facts, change: fn(&mut There)| change(facts.bridges[0].there.as_mut().unwrap());
        check(|f| f.bridges[0].there = None, Problem, "br-a of network a is not there", "restart the daemon");
        check(|f| there(f, |t| t.up = false), Problem, "br-a of network a is down", "ip link set br-a up");
        let lost = "ip address add 172.18.0.1/16 dev br-a";
        check(|f| there(f, |t| t.addresses.clear()), Problem, "has lost its address 172.18.0.1/16", lost);
        let parent = |up| move |f: &mut Facts| f.parents.push(Parent { network: "m".into(), link: "eth1".into(), up });
        check(parent(Some(false)), Problem, "interface eth1 of network m is down", "ip link set eth1 up");
        check(parent(None), Problem, "interface eth1 of network m is not there", "restart the containers on m");
        check(|f| f.way_out_mtu = 1400, Problem, "up to 1500 bytes, the way outside takes 1400", "restart the daemon");
        let fixed = |f: &mut Facts| (f.way_out_mtu, f.bridges[0].fixed_mtu) = (1400, true);
        check(fixed, Problem, "takes 1400", "driver.mtu=1400");
        let routes = |f: &mut Facts, mtu| (f.way_out_mtu, f.bridges[0].route_mtu) = (1400, Some(mtu));
        check(|f| routes(f, 1450), Problem, "up to 1450 bytes, the way outside takes 1400", "restart the daemon");
        let mut limited = facts();
        routes(&mut limited, 1400);
        assert!(super::mtu(&limited).iter().all(|finding| finding.severity != Problem));
        check(sysctl("ipv4/ip_forward", "0"), Problem, "IPv4 forwarding is off", "sysctl -w net.ipv4.ip_forward=1");
        let of_link = "ipv4/conf/eth0/forwarding";
        check(sysctl(of_link, "0"), Problem, "off for the link eth0", "net.ipv4.conf.eth0.forwarding=1");
        let vlan = |f: &mut Facts| {
            f.uplinks.push("eth0.5".into());
            f.sysctls.insert("ipv4/conf/eth0.5/forwarding".into(), "0".into());
        };
        check(vlan, Problem, "off for the link eth0.5", "sysctl -w net/ipv4/conf/eth0.5/forwarding=1");
        let six = |f: &mut Facts| {
            f.bridges.push(bridge("b", "fd00::1/64"));
            f.sysctls.insert("ipv6/conf/all/forwarding".into(), "0".into());
        };
        check(six, Problem, "IPv6 forwarding is off", "net.ipv6.conf.all.forwarding=1");
        let deaf = |f: &mut Facts| {
            f.sysctls.insert("ipv6/conf/all/forwarding".into(), "1".into());
            f.sysctls.insert("ipv6/conf/eth0/accept_ra".into(), "1".into());
        };
        check(deaf, Note, "no longer listens to router advertisements", "net.ipv6.conf.eth0.accept_ra=2");
        let strict = |f: &mut Facts| {
            f.uplinks.push("eth1".into());
            f.sysctls.insert("ipv4/conf/all/rp_filter".into(), "1".into());
        };
        check(strict, Note, "several ways outside (eth0, eth1)", "rp_filter=2");
        check(|f| f.rules.there = false, Problem, "table (inet lighter) is not there", "restart the daemon");
        check(|f| f.rules.differing.push("ports4".into()), Problem, "has changed the daemon's table", "restart");
        check(|f| f.rules.gate = Some(false), Problem, "guarded ports are closed", "restart");
        check(|f| f.rules.watches_bridges = false, Note, "claim each other's addresses", "CONFIG_NF_TABLES_BRIDGE");
        check(|f| f.rules.owned = false, Note, "does not let the daemon own its table", "");
        let vpn = ("172.18.5.0/24".parse().unwrap(), "tun0".to_owned());
        let words = "the subnet 172.18.0.0/16 of network a hides 172.18.5.0/24, which the host reaches by tun0";
        check(|f| f.taken.push(vpn), Problem, words, "another --subnet");
        check(|f| f.nameservers.push([172, 18, 0, 9].into()), Problem, "name server 172.18.0.9", "another --subnet");
        check(sysctl("netfilter/nf_conntrack_count", "90"), Problem, "90 of 100 flows", "nf_conntrack_max=200");
        check(|f| f.stale.push("veth1".into()), Note, "belong to no container and no network: veth1", "sweeps");
        check(
            |f| f.lost.push(("web".into(), "a".into())),
            Problem,
            "link of container web on network a",
            "restart web",
        );
    }

    #[test]
    fn advice_is_in_the_words_of_whose_chain_it_is() {
        let opinion =
            |chain: &str| Opinion { chain: chain.into(), may_pass: false, may_drop: true, drops_by_policy: true };
        assert_eq!(let_out(&opinion("ip filter FORWARD"), "br0"), "iptables -I FORWARD -i br0 -j ACCEPT");
        assert_eq!(let_out(&opinion("inet fw fwd"), "br0"), "nft insert rule inet fw fwd iifname \"br0\" accept");
    }
}

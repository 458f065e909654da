//! Is all of a daemon's network as it should be? [`Networks::examine`](crate::Networks::examine) looks, the checks here
//! judge: each is a pure function from what was seen to findings, in words a person can act on.

mod checks;
mod look;

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::host_firewall::HostFirewall;

pub(crate) use checks::UNWATCHED;
pub(crate) use look::{Seen, of_firewall, sysctls};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It was looked at and is well.
    Ok,
    /// It may be what is wanted.
    Note,
    /// Something does not work.
    Problem,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `mtu`, `forwarding`, …
    pub check: &'static str,
    pub severity: Severity,
    /// A sentence.
    pub text: String,
    /// What to do about it; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, severity: Severity::Ok, text: text.into(), advice: String::new() }
    }

    pub fn note(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, severity: Severity::Note, text: text.into(), advice: advice.into() }
    }

    pub fn problem(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, severity: Severity::Problem, text: text.into(), advice: advice.into() }
    }
}

/// What was seen of the host and of this daemon's networks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) bridges: Vec<Bridge>,
    /// Of networks without a bridge.
    pub(crate) parents: Vec<Parent>,
    /// The largest packet of the way outside.
    pub(crate) way_out_mtu: u32,
    /// Below `/proc/sys/net`, those which there are.
    pub(crate) sysctls: BTreeMap<String, String>,
    /// Links with a default route.
    pub(crate) uplinks: Vec<String>,
    /// Networks that the host's routes and addresses on other links lead to, and which link.
    pub(crate) taken: Vec<(IpNet, String)>,
    /// The host's resolvers.
    pub(crate) nameservers: Vec<std::net::IpAddr>,
    pub(crate) firewall: HostFirewall,
    pub(crate) rules: Rules,
    /// Links of this daemon that belong to nobody.
    pub(crate) stale: Vec<String>,
    /// Links that running containers should have and have not: container and network.
    pub(crate) lost: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Bridge {
    pub(crate) network: String,
    pub(crate) link: String,
    pub(crate) internal: bool,
    /// Somebody said so.
    pub(crate) fixed_mtu: bool,
    /// What its containers' default routes are limited to, where that is less than its links take.
    pub(crate) route_mtu: Option<u32>,
    pub(crate) subnets: Vec<IpNet>,
    /// Its addresses as they should be.
    pub(crate) wanted: Vec<IpNet>,
    /// `None`: it is not there.
    pub(crate) there: Option<There>,
}

/// The host's link that a network's containers stand on.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) network: String,
    pub(crate) link: String,
    /// `None`: it is not there.
    pub(crate) up: Option<bool>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct There {
    pub(crate) mtu: u32,
    pub(crate) up: bool,
    pub(crate) addresses: Vec<IpNet>,
}

/// The daemon's own tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) table: String,
    pub(crate) there: bool,
    /// Sets whose elements are not those that the daemon knows.
    pub(crate) differing: Vec<String>,
    /// Nobody else can change it.
    pub(crate) owned: bool,
    /// The kernel has tables of bridges.
    pub(crate) watches_bridges: bool,
    /// Ports are guarded: whether what they need is there.
    pub(crate) gate: Option<bool>,
}

/// All checks, in the order in which they are shown.
pub(crate) fn findings(facts: &Facts) -> Vec<Finding> {
    [
        checks::bridges(facts),
        checks::parents(facts),
        checks::mtu(facts),
        checks::forwarding(facts),
        checks::bridge_filter(facts),
        checks::reverse_path(facts),
        checks::firewall(facts),
        checks::rules(&facts.rules),
        checks::overlaps(facts),
        checks::conntrack(facts),
        checks::stale(facts),
    ]
    .concat()
}

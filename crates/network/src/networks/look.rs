//! What there is on the host, and whether all is as it should be.

use std::time::Duration;

use ipnet::IpNet;
use netlink::Socket;
use netlink::route;
use values::Result;

use super::Networks;
use crate::bridge::{self, failed};
use crate::doctor::{self, Finding, Seen};
use crate::endpoint::Endpoint;
use crate::firewall;
use crate::host_firewall::HostFirewall;
use crate::plan::Driver;
use crate::{egress, files, gate, owner};

/// After it whoever was being made or taken away is there or gone.
const A_MOMENT: Duration = Duration::from_millis(500);

/// Containers' names and their places.
pub type Live = Vec<(String, Vec<Endpoint>)>;

/// A link that nobody should have, or somebody should.
#[derive(PartialEq, Eq)]
enum Odd {
    Stale(String),
    /// Container and network.
    Lost(String, String),
}

/// An address of the host with its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// Name of the link that has it.
    pub link: String,
    pub net: IpNet,
}

impl Networks {
    /// Forward chains of other programs' tables which drop what they do not know, as `FAMILY TABLE CHAIN`: they have
    /// to let the bridge pass before a container can reach the outside.
    pub fn foreign_drops(&self) -> Result<Vec<String>> {
        let mut socket = Socket::netfilter().map_err(failed)?;
        let mut found = firewall::foreign_drops(&mut socket).map_err(failed)?;
        let own = format!(" {} ", self.shared.firewall().name());
        found.retain(|chain| !chain.contains(&own));
        Ok(found)
    }

    /// Addresses of the host on links that are not ours, loopback and link-local ones left out.
    pub fn host_addresses(&self) -> Result<Vec<HostAddress>> {
        let mut host = self.shared.host();
        let links = route::links(&mut host).map_err(failed)?;
        let mut all = route::addresses(&mut host).map_err(failed)?;
        all.extend(route::addresses6(&mut host).unwrap_or_default());
        drop(host);
        let found = all.into_iter().filter(|address| !bridge::is_link_local(address.ip) && !address.ip.is_loopback());
        let named = found.filter_map(|address| {
            let link = links.iter().find(|link| link.index == address.link)?;
            let is_ours = owner::owns(&self.shared.owner, link.alias.as_deref()) || self.shared.has_bridge(&link.name);
            let net = IpNet::new(address.ip, address.prefix_len).ok()?;
            (!is_ours).then(|| HostAddress { link: link.name.clone(), net })
        });
        Ok(named.collect())
    }

    /// Looks whether all is as it should be. `live`: names and places of the containers that run now.
    pub fn examine(&self, live: &dyn Fn() -> Live) -> Result<Vec<Finding>> {
        let shared = &self.shared;
        let (seen, way_out_mtu) = {
            let mut host = shared.host();
            (Seen::now(&mut host).map_err(failed)?, egress::mtu(&mut host).map_err(failed)?)
        };
        let nets = shared.all();
        let bridges: Vec<doctor::Bridge> = nets
            .iter()
            .filter(|net| net.plan.driver == Driver::Bridge)
            .map(|net| seen.bridge(&net.plan, shared.route_limit(net)))
            .collect();
        let (own, mut odd) = self.odd_links(&live())?;
        if !odd.is_empty() {
            // what is just being made or taken away is one thing in the kernel and another in memory
            std::thread::sleep(A_MOMENT);
            let (_, still) = self.odd_links(&live())?;
            odd.retain(|one| still.contains(one));
        }
        let (mut stale, mut lost) = (vec![], vec![]);
        for one in odd {
            match one {
                Odd::Stale(link) => stale.push(link),
                Odd::Lost(container, network) => lost.push((container, network)),
            }
        }
        let mut rules = shared.firewall().examine().map_err(failed)?;
        let gates = [gate::out(&shared.owner), gate::back(&shared.owner)];
        rules.gate = rules.gate.map(|tables| tables && gates.iter().all(|name| seen.has_link(name)));
        let uplinks = seen.uplinks();
        let facts = doctor::Facts {
            way_out_mtu,
            sysctls: doctor::sysctls(bridges.iter().map(|bridge| &bridge.link).chain(&uplinks)),
            taken: seen.taken(|link| own.contains(&link.to_owned()) || shared.has_bridge(link)),
            nameservers: files::resolv::servers(),
            firewall: self.host_firewall()?,
            rules,
            stale,
            lost,
            bridges,
            parents: nets
                .iter()
                .filter(|net| net.plan.driver != Driver::Bridge)
                .map(|net| seen.parent(&net.plan))
                .collect(),
            uplinks,
        };
        Ok(doctor::findings(&facts))
    }

    /// The daemon's links, and what is odd about them.
    fn odd_links(&self, live: &Live) -> Result<(Vec<String>, Vec<Odd>)> {
        let own: Vec<String> = self.shared.own_links()?.into_iter().map(|(_, stale)| stale.link).collect();
        let stale = own.iter().filter(|name| !self.is_kept(name, live) && !self.shared.is_spare(name));
        let mut odd: Vec<Odd> = stale.cloned().map(Odd::Stale).collect();
        for (container, endpoints) in live {
            let lost = endpoints.iter().filter(|e| !e.host_ifname.is_empty() && !own.contains(&e.host_ifname));
            odd.extend(lost.map(|endpoint| Odd::Lost(container.clone(), endpoint.network.clone())));
        }
        Ok((own, odd))
    }

    /// The firewall of the host as it is now, for what it says about ports.
    pub fn host_firewall(&self) -> Result<HostFirewall> {
        let mut socket = Socket::netfilter().map_err(failed)?;
        HostFirewall::read(&mut socket).map_err(failed)
    }
}

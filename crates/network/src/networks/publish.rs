//! Ports of containers on the host, and the ways of links.

use std::net::Ipv4Addr;

use netlink::Batch;
use netlink::nft::{Element, Key};
use netlink::route::{self, LinkChange};
use values::Result;

use super::Networks;
use super::shared::Shared;
use crate::bridge::failed;
use crate::endpoint::Endpoint;
use crate::firewall::set;
use crate::flows;
use crate::plan::GatewayMode;
use crate::ports::{Direct, PortRequest, Published, Relay, Taken, Targets};

/// A link between two containers of a network whose containers do not reach each other: from, to, and the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    pub ports: Vec<(crate::ports::Protocol, u16)>,
}

impl Networks {
    /// Gives a container its ports on the host: all or none. They lead to its place `endpoint`.
    ///
    /// Errors: `Internal` in Docker's words, the container that has it or the program of the host being in the way.
    pub fn publish(&self, container: &str, name: &str, requests: &[PortRequest], endpoint: &Endpoint) -> Result<Taken> {
        if requests.is_empty() {
            return Ok(Taken::default());
        }
        let mut ports = self.shared.ports();
        let taken = ports.take(container, name, requests, self.shared.targets(endpoint))?;
        let elements = ports.elements(container);
        let open = || -> netlink::Result<()> {
            // where br_netfilter is on, a container's way to its own published port leads back through the bridge's port
            let mut batch = Batch::new();
            let change = LinkChange { hairpin: Some(true), ..LinkChange::name(&endpoint.host_ifname) };
            route::set_link(&mut batch, &change);
            self.shared.host().execute(batch)?;
            self.shared.firewall().apply(&elements, &[])?;
            flows::led(&ports.ways(container))
        };
        if let Err(error) = open() {
            let _ = self.shared.firewall().apply(&[], &elements);
            ports.release(container);
            return Err(failed(error));
        }
        Ok(taken)
    }

    /// Takes a container's ports off the host.
    pub fn unpublish(&self, container: &str) -> Result<()> {
        let mut ports = self.shared.ports();
        let (elements, ways) = (ports.elements(container), ports.ways(container));
        ports.release(container);
        if elements.is_empty() {
            return Ok(());
        }
        self.shared.firewall().apply(&[], &elements).map_err(failed)?;
        flows::left(&ways).map_err(failed)
    }

    /// Ports of a container that ran when the daemon began, led to its place `endpoint`. Answers what the daemon has to
    /// serve, and what is amiss.
    pub fn adopt_ports(
        &self,
        container: &str,
        name: &str,
        published: &[Published],
        endpoint: &Endpoint,
    ) -> Result<(Vec<Relay>, Vec<String>)> {
        let mut ports = self.shared.ports();
        let (relays, problems) = ports.adopt(container, name, published, self.shared.targets(endpoint));
        self.shared.firewall().apply(&ports.elements(container), &[]).map_err(failed)?;
        // one that is found late had no ports for a while
        flows::led(&ports.ways(container)).map_err(failed)?;
        Ok((relays, problems))
    }

    /// Opens the way of links where containers do not reach each other.
    pub fn open_passages(&self, passages: &[Passage]) -> Result<()> {
        self.shared.firewall().apply(&passage_elements(passages), &[]).map_err(failed)
    }

    pub fn close_passages(&self, passages: &[Passage]) -> Result<()> {
        self.shared.firewall().apply(&[], &passage_elements(passages)).map_err(failed)
    }
}

impl Shared {
    fn targets(&self, endpoint: &Endpoint) -> Targets {
        let mut targets = Targets { ip: endpoint.ip, ip6: endpoint.ip6, ..Targets::default() };
        targets.relays = self.options.relays;
        if let Ok(net) = self.net(&endpoint.network_id) {
            let plan = &net.plan;
            let routed = |ipv4: bool| plan.gateway_mode(ipv4) == GatewayMode::Routed;
            targets.guarded = self.guards(plan);
            (targets.routed4, targets.routed6) = (routed(true), routed(false));
            targets.direct = match (self.options.direct_routing, plan.trusted.is_empty()) {
                (true, _) => Direct::All,
                (false, false) => Direct::Trusted,
                (false, true) => Direct::Nobody,
            };
        }
        targets
    }
}

fn passage_elements(passages: &[Passage]) -> Vec<(&'static str, Element)> {
    let element = |passage: &Passage, (protocol, port): (crate::ports::Protocol, u16)| {
        let key = Key::default().ip(passage.from.into()).ip(passage.to.into());
        (set::LINKS, Element::new(key.protocol(protocol.number()).port(port)))
    };
    passages.iter().flat_map(|p| p.ports.iter().map(move |port| element(p, *port))).collect()
}

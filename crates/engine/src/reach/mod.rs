//! Who can reach containers' ports, and where a firewall of the host is jumped over.

mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::types::{ContainerReach, PortReach};
use network::{Driver, Endpoint, Knock};
use values::Result;

use crate::container::modes::NetworkMode;
use crate::container::{Container, networks};
use crate::shared::{Shared, blocking};
use rules::{Facts, Place};

/// So many ports are named in a warning.
const NAMED: usize = 5;

/// Who can reach the container's ports.
///
/// # Errors
/// `Internal` with the kernel's words.
pub async fn reach(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<ContainerReach> {
    let (shared, container) = (shared.clone(), container.clone());
    blocking(move || look(&shared, &container)).await
}

fn look(shared: &Shared, container: &Arc<Container>) -> Result<ContainerReach> {
    let record = container.record();
    let mut notes = vec![];
    // the ports of one that shares another's network are the other's
    let owner = match record.network() {
        NetworkMode::Container(other) => {
            let other = shared.registry.find(other)?;
            notes.push(format!("It shares the network of {}, whose ports these are.", other.name()));
            other
        }
        _ => container.clone(),
    };
    let (record, volatile) = (owner.record(), owner.volatile());
    let facts = facts(shared, &volatile.endpoints)?;
    let mut ports: Vec<PortReach> = volatile.ports.iter().map(|port| facts.published(port)).collect();
    let exposed = networks::exposed(&record.config);
    let unpublished = exposed
        .iter()
        .filter(|(protocol, port)| !volatile.ports.iter().any(|p| p.protocol == *protocol && p.port == *port));
    match record.network() {
        NetworkMode::Host => {
            notes.push("It shares the host's network: its ports are the host's, whatever it listens on.".into());
            ports.extend(exposed.iter().map(|(protocol, port)| facts.of_host(*protocol, *port)));
        }
        NetworkMode::None => notes.push("It has no network: nobody reaches it.".into()),
        _ if !volatile.state.is_running() => notes.push("It does not run: nobody reaches it.".into()),
        _ => ports.extend(unpublished.map(|(protocol, port)| facts.exposed(*protocol, *port))),
    }
    ports.sort_by_key(|port| port.port.split('/').next().and_then(|number| number.parse::<u16>().ok()));
    if ports.is_empty() && notes.is_empty() {
        notes.push("It publishes and exposes no port.".into());
    }
    Ok(ContainerReach { id: container.id.to_string(), name: container.name(), notes, ports })
}

fn facts(shared: &Shared, endpoints: &[Endpoint]) -> Result<Facts> {
    let place = |endpoint: &Endpoint| {
        let plan = shared.networks.current_plan(&endpoint.network_id)?;
        Some(Place {
            network: endpoint.network.clone(),
            ip: endpoint.ip,
            ip6: endpoint.ip6,
            icc: plan.icc,
            internal: plan.internal,
            mode4: plan.gateway_mode4,
            mode6: plan.gateway_mode6,
            trusted: plan.trusted,
            bridged: plan.driver == Driver::Bridge,
        })
    };
    let main = networks::port_endpoint(endpoints);
    Ok(Facts {
        main: main.and_then(|main| endpoints.iter().position(|e| e.endpoint_id == main.endpoint_id)),
        guarded: main.is_some_and(|endpoint| shared.networks.is_guarded(&endpoint.network_id)),
        direct: shared.config.bridge.direct_routing,
        places: endpoints.iter().filter_map(place).collect(),
        host: shared.networks.host_addresses()?,
        firewall: shared.networks.host_firewall()?,
    })
}

/// A line for each chain of the host that would drop what is published, but is not asked.
pub fn warnings(shared: &Shared) -> Vec<String> {
    let open = |container: &Arc<Container>| {
        let volatile = container.volatile();
        let endpoint = networks::port_endpoint(&volatile.endpoints);
        let guarded = endpoint.is_none_or(|endpoint| shared.networks.is_guarded(&endpoint.network_id));
        let has_ipv6 = endpoint.is_some_and(|endpoint| endpoint.ip6.is_some());
        // what the daemon passes on comes to a socket of the host
        let translated = |ip: std::net::IpAddr| !ip.is_loopback() && (ip.is_ipv4() || has_ipv6);
        let mut ports = volatile.ports;
        ports.retain(|port| !guarded && translated(port.host_ip) && port.host_port != 0);
        (container.name(), ports)
    };
    let published: Vec<_> = shared.registry.all().iter().map(open).filter(|(_, ports)| !ports.is_empty()).collect();
    if published.is_empty() {
        return vec![];
    }
    let firewall = match shared.networks.host_firewall() {
        Ok(firewall) => firewall,
        Err(e) => return vec![format!("WARNING: the host's firewall cannot be read: {e}")],
    };
    let mut bypassed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, ports) in published {
        for port in ports {
            let knock = Knock { ipv6: port.host_ip.is_ipv6(), protocol: port.protocol, port: port.host_port };
            let text = format!("{}/{} ({name})", port.host_port, port.protocol.name());
            for opinion in firewall.bypassed(knock) {
                let of_chain = bypassed.entry(opinion.chain).or_default();
                if !of_chain.contains(&text) {
                    of_chain.push(text.clone());
                }
            }
        }
    }
    bypassed.into_iter().map(|(chain, ports)| warning(&chain, &ports)).collect()
}

fn warning(chain: &str, ports: &[String]) -> String {
    let more = ports.len().saturating_sub(NAMED);
    let named = ports.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "WARNING: published ports are open although the host's firewall ({chain}) refuses them: {named}{more}; \
         \"host-firewall\": \"respect\" lets it decide"
    )
}

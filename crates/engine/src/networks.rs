//! The three predefined networks, to be looked at.

use std::collections::BTreeMap;

use api::types::{EndpointResource, Ipam, IpamConfig, Network};
use values::{Error, Result, Timestamp};

use crate::shared::Shared;

pub fn list(shared: &Shared) -> Vec<Network> {
    let names = ["bridge", "host", "none"].into_iter();
    names.filter(|n| *n != "bridge" || shared.networks.is_some()).map(|n| network(shared, n, false)).collect()
}

pub fn inspect(shared: &Shared, key: &str) -> Result<Network> {
    let known = list(shared);
    let exact = known.iter().find(|n| n.name == key || n.id == key);
    let name = exact.or_else(|| known.iter().find(|n| key.len() >= 3 && n.id.starts_with(key))).map(|n| n.name.clone());
    match name {
        Some(name) => Ok(network(shared, &name, true)),
        None => Err(Error::not_found(format!("network {key} not found"))),
    }
}

fn network(shared: &Shared, name: &str, whole: bool) -> Network {
    let driver = if name == "none" { "null" } else { name };
    let mut network = Network {
        name: name.into(),
        id: shared.network_id(name),
        created: Timestamp::from(std::time::SystemTime::UNIX_EPOCH).to_rfc3339_nano(),
        scope: "local".into(),
        driver: driver.into(),
        enable_ipv4: true,
        ipam: Ipam { driver: "default".into(), ..Ipam::default() },
        options: Some(BTreeMap::new()),
        labels: Some(BTreeMap::new()),
        ..Network::default()
    };
    if let (Some(bridge), "bridge") = (&shared.networks, name) {
        network.ipam.config = Some(vec![IpamConfig {
            subnet: bridge.subnet().to_string(),
            gateway: bridge.gateway().to_string(),
            ..IpamConfig::default()
        }]);
        let options = [
            ("com.docker.network.bridge.default_bridge", "true".to_owned()),
            ("com.docker.network.bridge.enable_icc", shared.config.bridge.icc.to_string()),
            ("com.docker.network.bridge.enable_ip_masquerade", shared.config.bridge.ip_masq.to_string()),
            ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0".to_owned()),
            ("com.docker.network.bridge.name", bridge.name().to_owned()),
            ("com.docker.network.driver.mtu", bridge.mtu().to_string()),
        ];
        network.options = Some(options.into_iter().map(|(k, v)| (k.to_owned(), v)).collect());
    }
    if whole && name == "bridge" {
        network.containers = Some(members(shared));
    }
    network
}

fn members(shared: &Shared) -> BTreeMap<String, EndpointResource> {
    let entry = |c: &std::sync::Arc<crate::container::Container>| {
        let endpoint = c.volatile().endpoint?;
        let resource = EndpointResource {
            name: c.name(),
            endpoint_id: endpoint.endpoint_id,
            mac_address: endpoint.mac,
            ipv4_address: format!("{}/{}", endpoint.ip, endpoint.prefix_len),
            ..EndpointResource::default()
        };
        Some((c.id.to_string(), resource))
    };
    shared.registry.all().iter().filter_map(entry).collect()
}

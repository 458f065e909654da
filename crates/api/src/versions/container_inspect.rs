//! `GET /containers/{id}/json`

use super::Lower;
use crate::types::{ContainerInspect, DriverData, EndpointSettings, NetworkSettings};
use crate::version::Version;

impl Lower for ContainerInspect {
    fn lower(&mut self, version: Version) {
        if version.below(52) {
            self.config.on_build.get_or_insert(None);
            add_default_network(&mut self.network_settings);
            add_graph_driver(self);
        }
        if version.below(48) {
            self.image_manifest_descriptor = None;
        }
        if version.below(45) {
            add_short_id_aliases(self);
        }
        if version.below(44) {
            for endpoint in self.network_settings.networks.iter_mut().flat_map(|n| n.values_mut()) {
                endpoint.dns_names = None;
            }
        }
    }
}

/// Before 1.52 the end on the default bridge was repeated at the top level.
fn add_default_network(settings: &mut NetworkSettings) {
    let none = EndpointSettings::default();
    let bridge = settings.networks.as_ref().and_then(|n| n.get("bridge")).unwrap_or(&none).clone();
    settings.bridge = Some(String::new());
    settings.hairpin_mode = Some(false);
    settings.link_local_ipv6_address = Some(String::new());
    settings.link_local_ipv6_prefix_len = Some(0);
    settings.secondary_ip_addresses = Some(None);
    settings.secondary_ipv6_addresses = Some(None);
    settings.endpoint_id = Some(bridge.endpoint_id);
    settings.gateway = Some(bridge.gateway);
    settings.global_ipv6_address = Some(bridge.global_ipv6_address);
    settings.global_ipv6_prefix_len = Some(bridge.global_ipv6_prefix_len);
    settings.ip_address = Some(bridge.ip_address);
    settings.ip_prefix_len = Some(bridge.ip_prefix_len);
    settings.ipv6_gateway = Some(bridge.ipv6_gateway);
    settings.mac_address = Some(bridge.mac_address);
}

/// Before 1.52 there was always a graph driver.
fn add_graph_driver(container: &mut ContainerInspect) {
    container.storage = None;
    let name = &container.driver;
    container.graph_driver.get_or_insert_with(|| DriverData { data: None, name: name.clone() });
}

/// Before 1.45 the aliases on user-defined networks had the short id among them.
fn add_short_id_aliases(container: &mut ContainerInspect) {
    let short: String = container.id.chars().take(12).collect();
    for (name, endpoint) in container.network_settings.networks.iter_mut().flatten() {
        if matches!(name.as_str(), "bridge" | "host" | "none") {
            continue;
        }
        let aliases = endpoint.aliases.get_or_insert_default();
        if !aliases.contains(&short) {
            aliases.push(short.clone());
        }
    }
}

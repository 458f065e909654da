//! Networks as users know them: the three predefined ones, and those that were created.

mod connect;
mod create;
mod doctor;
mod list;
mod options;
mod record;
mod remove;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use api::types::{EndpointResource, EndpointSettings, Ipam, IpamConfig, Network};
use values::{Error, Id, Result, Timestamp};

pub use connect::{agree, announce, answer, connect, disconnect, namespace, note, publish};
pub use create::create;
pub use doctor::doctor;
pub use list::listed;
pub use options::check_defaults;
pub use record::NetworkRecord;
pub use remove::{prune, remove};

use crate::shared::Shared;

pub const BRIDGE: &str = "bridge";
pub const HOST: &str = "host";
pub const NONE: &str = "none";

/// Who everybody knows without its being created.
pub fn is_predefined(name: &str) -> bool {
    matches!(name, BRIDGE | HOST | NONE)
}

/// The networks that were created, by id.
#[derive(Default)]
pub struct Directory {
    by_id: RwLock<BTreeMap<String, Arc<NetworkRecord>>>,
    entering: Mutex<()>,
}

impl Directory {
    pub fn all(&self) -> Vec<Arc<NetworkRecord>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Held by whoever looks whether something is free and then enters.
    pub fn enter(&self) -> MutexGuard<'_, ()> {
        self.entering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By the whole id, or by name.
    fn get(&self, key: &str) -> Option<Arc<NetworkRecord>> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.get(key).or_else(|| by_id.values().find(|record| record.name() == key)).cloned()
    }

    /// Takes the network's name, too.
    ///
    /// # Errors
    /// `Conflict` if another network has it.
    pub fn insert(&self, record: NetworkRecord) -> Result<()> {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        if by_id.values().any(|other| other.name() == record.name()) {
            return Err(Error::conflict(format!("network with name {} already exists", record.name())));
        }
        by_id.insert(record.id().into(), Arc::new(record));
        Ok(())
    }

    pub fn remove(&self, id: &str) {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// What a user's word for a network means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    pub name: String,
    /// As `network ls` shows it.
    pub driver: String,
    pub internal: bool,
    /// It lends its configuration; nobody is on it.
    pub config_only: bool,
}

impl Found {
    fn predefined(shared: &Shared, name: &str) -> Self {
        Self {
            id: shared.network_id(name),
            name: name.into(),
            driver: if name == NONE { "null".into() } else { name.into() },
            internal: false,
            config_only: false,
        }
    }

    fn created(record: &NetworkRecord) -> Self {
        Self {
            id: record.id().into(),
            name: record.name().into(),
            driver: record.shown.driver.clone(),
            internal: record.shown.internal,
            config_only: record.shown.config_only,
        }
    }
}

/// By id, by name, or by the beginning of exactly one id.
///
/// # Errors
/// `NotFound`; `InvalidArgument` where several ids begin so.
pub fn find(shared: &Shared, key: &str) -> Result<Found> {
    let missing = || Error::not_found(format!("network {key} not found"));
    if key.is_empty() {
        return Err(missing());
    }
    // what nearly all words are, without looking at each network there is: a name of ours, an id, a name
    if is_predefined(key) && (key != BRIDGE || shared.has_bridge()) {
        return Ok(Found::predefined(shared, key));
    }
    if let Some(record) = shared.directory.get(key) {
        return Ok(Found::created(&record));
    }
    let all = everything(shared);
    if let Some(found) = all.iter().find(|n| n.id == key) {
        return Ok(found.clone());
    }
    let mut matching = all.iter().filter(|n| n.id.starts_with(key));
    match (matching.next(), matching.next()) {
        (Some(_), Some(_)) => {
            Err(Error::invalid(format!("network {key} is ambiguous (several networks have an ID that begins so)")))
        }
        (Some(found), None) => Ok(found.clone()),
        _ => Err(missing()),
    }
}

/// Whether a container's end on a network may be as it is asked for.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn check_endpoint(shared: &Shared, network: &Found, settings: &EndpointSettings) -> Result<()> {
    let plan = shared.networks.current_plan(&network.id);
    let subnets: Option<Vec<_>> = plan.map(|plan| plan.subnets.iter().map(|subnet| subnet.net).collect());
    crate::container::validate::endpoint(settings, network.name != BRIDGE, subnets.as_deref())
}

fn everything(shared: &Shared) -> Vec<Found> {
    let predefined = [BRIDGE, HOST, NONE].into_iter().filter(|name| *name != BRIDGE || shared.has_bridge());
    let mut all: Vec<Found> = predefined.map(|name| Found::predefined(shared, name)).collect();
    all.extend(shared.directory.all().iter().map(|record| Found::created(record)));
    all
}

/// All networks, without their containers.
pub fn list(shared: &Shared) -> Vec<Network> {
    let names = [BRIDGE, HOST, NONE].into_iter().filter(|n| *n != BRIDGE || shared.has_bridge());
    let mut all: Vec<Network> = names.map(|name| predefined(shared, name)).collect();
    all.extend(shared.directory.all().iter().map(|record| record.shown.clone()));
    all
}

/// Ids of the networks on which a container runs, or which one is to be on.
pub fn in_use(shared: &Shared) -> Vec<String> {
    let ids = |c: &Arc<crate::container::Container>| {
        let running = c.volatile().endpoints.into_iter().map(|e| e.network_id);
        let named = c.record().attachments().into_keys().filter_map(|name| Some(find(shared, &name).ok()?.id));
        running.chain(named).collect::<Vec<_>>()
    };
    shared.registry.all().iter().flat_map(ids).collect()
}

pub fn inspect(shared: &Shared, key: &str) -> Result<Network> {
    let found = find(shared, key)?;
    let created = shared.directory.all().into_iter().find(|record| record.id() == found.id);
    let mut network = created.map_or_else(|| predefined(shared, &found.name), |record| record.shown.clone());
    network.containers = Some(match found.name.as_str() {
        HOST | NONE => bare_members(shared, &found.name),
        _ => members(shared, &found.id),
    });
    Ok(network)
}

fn predefined(shared: &Shared, name: &str) -> Network {
    let driver = if name == NONE { "null" } else { name };
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
    let Some(plan) = shared.networks.current_plan(&network.id) else { return network };
    network.enable_ipv6 = plan.subnets.iter().any(|subnet| subnet.net.addr().is_ipv6());
    let of_subnet = |subnet: &network::Subnet| IpamConfig {
        subnet: subnet.net.to_string(),
        ip_range: subnet.range.map(|range| range.to_string()).unwrap_or_default(),
        gateway: subnet.gateway.map(|ip| ip.to_string()).unwrap_or_default(),
        ..IpamConfig::default()
    };
    network.ipam.config = Some(plan.subnets.iter().map(of_subnet).collect());
    let host_ip = plan.host_ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
    let options = [
        ("com.docker.network.bridge.default_bridge", "true".to_owned()),
        ("com.docker.network.bridge.enable_icc", plan.icc.to_string()),
        ("com.docker.network.bridge.enable_ip_masquerade", plan.masquerade.to_string()),
        ("com.docker.network.bridge.host_binding_ipv4", host_ip),
        ("com.docker.network.bridge.name", plan.link),
        ("com.docker.network.driver.mtu", shared.networks.mtu(&network.id).to_string()),
    ];
    network.options = Some(options.into_iter().map(|(k, v)| (k.to_owned(), v)).collect());
    network
}

/// Of a container on `host` or `none`, which has no place in the kernel.
pub fn bare_endpoint_id(shared: &Shared, network: &str, container: &Id) -> String {
    shared.network_id(&format!("{network}/{container}"))
}

fn bare_members(shared: &Shared, name: &str) -> BTreeMap<String, EndpointResource> {
    let running = shared.registry.all().into_iter().filter(|c| c.state().is_running());
    let on_it = running.filter(|c| c.record().attachments().contains_key(name));
    let entry = |c: Arc<crate::container::Container>| {
        let endpoint_id = bare_endpoint_id(shared, name, &c.id);
        (c.id.to_string(), EndpointResource { name: c.name(), endpoint_id, ..EndpointResource::default() })
    };
    on_it.map(entry).collect()
}

fn members(shared: &Shared, id: &str) -> BTreeMap<String, EndpointResource> {
    let entry = |c: &Arc<crate::container::Container>| {
        let endpoint = c.volatile().endpoints.into_iter().find(|e| e.network_id == id)?;
        let with_prefix = |ip: Option<String>, length: u8| ip.map(|ip| format!("{ip}/{length}")).unwrap_or_default();
        let resource = EndpointResource {
            name: c.name(),
            endpoint_id: endpoint.endpoint_id,
            mac_address: endpoint.mac,
            ipv4_address: with_prefix(endpoint.ip.map(|ip| ip.to_string()), endpoint.prefix_len),
            ipv6_address: with_prefix(endpoint.ip6.map(|ip| ip.to_string()), endpoint.prefix_len6),
        };
        Some((c.id.to_string(), resource))
    };
    shared.registry.all().iter().filter_map(entry).collect()
}

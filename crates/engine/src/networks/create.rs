//! `POST /networks/create`.

use std::net::IpAddr;
use std::sync::Arc;

use api::types::{Ipam, IpamConfig, Network, NetworkCreateRequest, NetworkCreateResponse};
use network::{Driver, IpNet, Plan, Subnet, SubnetRequest};
use sys::crash;
use values::{Error, Id, Result, Timestamp};

use super::{NetworkRecord, is_predefined, options};
use crate::shared::{Shared, blocking};

pub async fn create(shared: &Arc<Shared>, body: NetworkCreateRequest) -> Result<NetworkCreateResponse> {
    if is_predefined(&body.name) || body.name == "default" {
        let name = &body.name;
        return Err(Error::forbidden(format!("operation is not permitted on predefined {name} network")));
    }
    check_name(&body.name)?;
    refuse(&body)?;
    let mut body = with_borrowed(shared, body)?;
    if !body.config_only {
        let driver = if matches!(body.driver.as_str(), "" | "default") { "bridge" } else { &body.driver };
        for (key, value) in shared.config.bridge.network_options.get(driver).into_iter().flatten() {
            body.options.get_or_insert_default().entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    families(&mut body)?;
    let id = random_id();
    let s = shared.clone();
    let record = blocking(move || made(&s, &id, body)).await?;
    let mut attributes = std::collections::BTreeMap::new();
    attributes.insert("name".into(), record.name().to_owned());
    attributes.insert("type".into(), record.shown.driver.clone());
    shared.events.emit("network", "create", record.id(), attributes);
    Ok(NetworkCreateResponse { id: record.id().into(), warning: String::new() })
}

/// Records it, then makes it: what a killed daemon recorded, the next one makes.
fn made(shared: &Shared, id: &str, body: NetworkCreateRequest) -> Result<NetworkRecord> {
    if body.config_only {
        let record = NetworkRecord { plan: None, shown: shown(id, &body, &[]) };
        shared.directory.insert(record.clone())?;
        shared.records.save_network(&record).inspect_err(|_| shared.directory.remove(id))?;
        return Ok(record);
    }
    let mut plan = empty_plan(id, &body.name, options::driver(&body.driver)?);
    plan.internal = body.internal;
    options::apply(&mut plan, body.options.as_ref().unwrap_or(&Default::default()))?;
    let (ipv4, ipv6) = (body.enable_ipv4.unwrap_or(true), body.enable_ipv6.unwrap_or(false));
    if !ipv4 && !ipv6 {
        return Err(Error::invalid("IPv4 or IPv6 must be enabled"));
    }
    let asked = subnets(&body.ipam, &plan)?;
    let entering = shared.directory.enter();
    link_is_free(shared, &plan)?;
    let plan = shared.networks.plan(plan, &asked, ipv4, ipv6)?;
    let record = NetworkRecord { shown: shown(id, &body, &plan.subnets), plan: Some(plan) };
    let entered = shared.directory.insert(record.clone());
    drop(entering);
    let done = entered.and_then(|()| {
        let up = shared.records.save_network(&record).and_then(|()| {
            crash::point("network.recorded");
            shared.networks.up(id)
        });
        up.inspect_err(|_| {
            shared.directory.remove(id);
            let _ = shared.records.delete_network(id);
        })
    });
    if let Err(error) = done {
        if let Err(e) = shared.networks.withdraw(id) {
            tracing::debug!("network {} was not made, nor taken back: {e}", record.name());
        }
        return Err(error);
    }
    Ok(record)
}

/// Which families it shall have: as is said, else as the options do. One that says otherwise would only mislead.
fn families(body: &mut NetworkCreateRequest) -> Result<()> {
    let options = body.options.get_or_insert_default();
    for (said, key) in [(&mut body.enable_ipv4, options::ENABLE_IPV4), (&mut body.enable_ipv6, options::ENABLE_IPV6)] {
        match (said.is_none(), options.get(key)) {
            (true, Some(value)) => *said = Some(options::boolean(key, value)?),
            _ => drop(options.remove(key)),
        }
    }
    Ok(())
}

/// Nothing chosen.
pub(super) fn empty_plan(id: &str, name: &str, driver: Driver) -> Plan {
    let link = if driver == Driver::Bridge { format!("br-{}", &id[..12]) } else { String::new() };
    Plan { link, ..Plan::new(id, name, driver) }
}

/// Docker takes any name, as long as there is one. One with a slash or control characters could not be called by it.
fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("invalid name: name is empty"));
    }
    match name.chars().find(|c| c.is_control() || *c == '/') {
        Some(c) => Err(Error::invalid(format!("invalid network name {name:?}: {c:?} is not allowed in it"))),
        None => Ok(()),
    }
}

fn refuse(body: &NetworkCreateRequest) -> Result<()> {
    if body.ingress {
        return Err(Error::forbidden("Ingress network can only be global scope network"));
    }
    match body.scope.as_str() {
        "" | "local" => {}
        "swarm" | "global" => {
            return Err(Error::forbidden("cannot create a swarm scoped network when swarm is not active"));
        }
        other => return Err(Error::invalid(format!("invalid network scope {other:?}"))),
    }
    match body.ipam.as_ref().map_or("", |ipam| ipam.driver.as_str()) {
        "" | "default" => {}
        other => return Err(Error::not_found(format!("plugin \"{other}\" not found"))),
    }
    if let Some((key, _)) = body.ipam.iter().flat_map(|ipam| ipam.options.iter().flatten()).next() {
        return Err(Error::invalid(format!("unknown option {key:?} of the address management")));
    }
    Ok(())
}

/// `--config-from`: the configuration of another network, which is there for that alone.
fn with_borrowed(shared: &Shared, mut body: NetworkCreateRequest) -> Result<NetworkCreateRequest> {
    let from = body.config_from.clone().unwrap_or_default().network;
    if from.is_empty() {
        return Ok(body);
    }
    if body.config_only {
        return Err(Error::forbidden("a configuration network cannot depend on another configuration network"));
    }
    let missing = || Error::not_found(format!("configuration network {from:?} does not exist"));
    let found = super::find(shared, &from).map_err(|_| missing())?;
    let lender = shared.directory.all().into_iter().find(|record| record.id() == found.id && record.shown.config_only);
    let lender = lender.ok_or_else(missing)?;
    if body.options.as_ref().is_some_and(|options| !options.is_empty()) {
        return Err(Error::forbidden(
            "network driver options are not supported if the network depends on a configuration network",
        ));
    }
    let own_subnets = body.ipam.as_ref().is_some_and(|ipam| ipam.config.as_ref().is_some_and(|c| !c.is_empty()));
    if own_subnets || body.labels.as_ref().is_some_and(|labels| !labels.is_empty()) {
        return Err(Error::forbidden(
            "user specified configurations are not supported if the network depends on a configuration network",
        ));
    }
    body.options = lender.shown.options.clone();
    body.ipam = Some(lender.shown.ipam.clone());
    body.enable_ipv6 = Some(lender.shown.enable_ipv6);
    body.enable_ipv4 = Some(lender.shown.enable_ipv4);
    body.labels = lender.shown.labels.clone();
    body.internal |= lender.shown.internal;
    Ok(body)
}

/// No two networks share a bridge: their rules would be one another's.
fn link_is_free(shared: &Shared, plan: &Plan) -> Result<()> {
    if plan.driver != Driver::Bridge {
        return Ok(());
    }
    let default = shared.networks.current_plan(&shared.bridge_id()).is_some_and(|p| p.link == plan.link);
    let records = shared.directory.all();
    let other = records.iter().find(|r| r.plan.as_ref().is_some_and(|p| p.link == plan.link));
    match other.map(|r| r.id().to_owned()).or(default.then(|| shared.bridge_id())) {
        Some(other) => {
            let (id, link) = (&plan.id, &plan.link);
            Err(Error::forbidden(format!(
                "cannot create network {id} ({link}): conflicts with network {other} ({link}): networks have same bridge name"
            )))
        }
        None => Ok(()),
    }
}

fn subnets(ipam: &Option<Ipam>, plan: &Plan) -> Result<Vec<SubnetRequest>> {
    let configs = ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    let asked: Vec<SubnetRequest> = configs.map(subnet).collect::<Result<_>>()?;
    for v4 in [true, false] {
        let count = asked.iter().filter(|s| s.net.is_some_and(|net| net.addr().is_ipv4() == v4)).count();
        if plan.driver == Driver::Bridge && count > 1 {
            return Err(Error::forbidden("bridge driver doesn't support multiple subnets"));
        }
    }
    Ok(asked)
}

fn subnet(config: &IpamConfig) -> Result<SubnetRequest> {
    let invalid = |what: &str, text: &str, why: &str| {
        Error::invalid(format!("invalid network config:\ninvalid {what} {text}: {why}"))
    };
    let net = |what: &str, text: &str| -> Result<Option<IpNet>> {
        let parsed = || text.parse().map_err(|_| invalid(what, text, "invalid CIDR block notation"));
        if text.is_empty() { Ok(None) } else { parsed().map(Some) }
    };
    let ip = |what: &str, text: &str| -> Result<IpAddr> {
        // an auxiliary address may have its network's prefix
        let bare = text.split('/').next().unwrap_or(text);
        bare.parse().map_err(|_| invalid(what, text, "invalid address"))
    };
    let asked = SubnetRequest {
        net: net("subnet", &config.subnet)?,
        range: net("ip-range", &config.ip_range)?,
        gateway: if config.gateway.is_empty() { None } else { Some(ip("gateway", &config.gateway)?) },
        auxiliary: config
            .auxiliary_addresses
            .iter()
            .map(|(name, text)| Ok((name.clone(), ip("auxiliary address", text)?)))
            .collect::<Result<_>>()?,
    };
    match asked.net {
        Some(net) if net.addr() != net.network() => {
            Err(invalid("subnet", &config.subnet, &format!("it should be {}", net.trunc())))
        }
        Some(net) if net.addr().is_ipv4() && net.prefix_len() > 30 || net.prefix_len() > 126 => {
            Err(invalid("subnet", &config.subnet, "it has no room for a container"))
        }
        _ => Ok(asked),
    }
}

fn shown(id: &str, body: &NetworkCreateRequest, subnets: &[Subnet]) -> Network {
    let chosen = |subnet: &Subnet| IpamConfig {
        subnet: subnet.net.to_string(),
        gateway: subnet.gateway.map(|ip| ip.to_string()).unwrap_or_default(),
        ip_range: subnet.range.map(|range| range.to_string()).unwrap_or_default(),
        auxiliary_addresses: subnet.auxiliary.iter().map(|(k, v)| (k.clone(), v.to_string())).collect(),
    };
    let asked: Vec<IpamConfig> = body
        .ipam
        .iter()
        .flat_map(|ipam| ipam.config.iter().flatten())
        .filter(|c| !c.subnet.is_empty())
        .cloned()
        .collect();
    // what was asked for as it was, what was chosen behind it
    let mut config = asked.clone();
    config.extend(subnets.iter().map(chosen).filter(|c| !asked.iter().any(|a| a.subnet == c.subnet)));
    config.sort_by_key(|c| c.subnet.contains(':'));
    Network {
        name: body.name.clone(),
        id: id.into(),
        created: Timestamp::now().to_rfc3339_nano(),
        scope: "local".into(),
        driver: match body.driver.as_str() {
            _ if body.config_only => "null".into(),
            "" | "default" => "bridge".into(),
            driver => driver.into(),
        },
        enable_ipv4: body.enable_ipv4.unwrap_or(true),
        enable_ipv6: subnets.iter().any(|s| s.net.addr().is_ipv6()) || body.enable_ipv6.unwrap_or(false),
        ipam: Ipam {
            driver: "default".into(),
            options: body.ipam.as_ref().and_then(|ipam| ipam.options.clone()),
            config: Some(config),
        },
        internal: body.internal,
        attachable: body.attachable,
        config_from: body.config_from.clone().unwrap_or_default(),
        config_only: body.config_only,
        options: Some(body.options.clone().unwrap_or_default()),
        labels: Some(body.labels.clone().unwrap_or_default()),
        ..Network::default()
    }
}

/// 64 hex digits, as a container's.
fn random_id() -> String {
    Id::random().to_string()
}

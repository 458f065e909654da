//! Putting containers on networks and taking them off, running or not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::types::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use network::{Endpoint, Published};
use tokio::sync::oneshot;
use values::{Error, Result};

use super::{BRIDGE, Found, HOST, NONE, find, is_predefined};
use crate::container::modes::NetworkMode;
use crate::container::record::Record;
use crate::container::{Container, Mail, networks as places, validate};
use crate::restore;
use crate::shared::{Shared, blocking};

pub async fn connect(shared: &Arc<Shared>, network: &str, body: NetworkConnectRequest) -> Result<()> {
    let container = shared.registry.find(&body.container)?;
    let network = find(shared, network)?;
    let settings = body.endpoint_config.unwrap_or_default();
    let _held = container.networking.lock().await;
    let record = container.record();
    admit(&record, &network, &settings)?;
    let name = &network.name;
    if record.attachments().contains_key(name) {
        return Err(Error::forbidden(format!("endpoint with name {} already exists in network {name}", record.name)));
    }
    let request = places::request(shared, &record, name, &settings, false)?;
    let enter = |all: &mut BTreeMap<String, EndpointSettings>| drop(all.insert(name.clone(), settings.clone()));
    let Some(run) = Run::of(shared, &container) else {
        return save(shared, &container, enter).await;
    };
    let (s, r, c) = (shared.clone(), run.clone(), container.clone());
    let endpoint = blocking(move || {
        let netns = network::namespace_of(r.pid)?;
        let endpoint = s.networks.connect(c.id.as_str(), netns, &request, &r.endpoints)?;
        Ok(endpoint)
    })
    .await?;
    let mut endpoints = run.endpoints.clone();
    endpoints.push(endpoint.clone());
    if let Err(e) = settle(shared, &container, &run, endpoints).await {
        shared.networks.release(container.id.as_str(), &network.id);
        return Err(e);
    }
    save(shared, &container, enter).await?;
    renew_names(shared, &container, run.pid).await;
    shared.emit_network("connect", &container, &endpoint);
    Ok(())
}

pub async fn disconnect(shared: &Arc<Shared>, network: &str, body: NetworkDisconnectRequest) -> Result<()> {
    let network = find(shared, network)?;
    let container = match shared.registry.find(&body.container) {
        Err(_) if body.force => return Err(Error::not_found(format!("endpoint {} not found", body.container))),
        other => other?,
    };
    let _held = container.networking.lock().await;
    let record = container.record();
    if !record.attachments().contains_key(&network.name) {
        return Err(Error::forbidden(format!(
            "container {} is not connected to network {}",
            container.id, network.name
        )));
    }
    if network.name == HOST {
        return Err(Error::forbidden(
            "cannot disconnect container from host network - container was created in host network mode",
        ));
    }
    if let Some(run) = Run::of(shared, &container)
        && let Some(endpoint) = run.endpoints.iter().find(|e| e.network_id == network.id).cloned()
    {
        let rest: Vec<Endpoint> = run.endpoints.iter().filter(|e| e.network_id != network.id).cloned().collect();
        let (s, c, e, r) = (shared.clone(), container.clone(), endpoint.clone(), rest.clone());
        let pid = run.pid;
        // ports lead there no longer
        settle(shared, &container, &run, rest).await?;
        blocking(move || s.networks.disconnect(c.id.as_str(), network::namespace_of(pid)?, &e, &r)).await?;
        save(shared, &container, |all| drop(all.remove(&network.name))).await?;
        renew_names(shared, &container, run.pid).await;
        shared.emit_network("disconnect", &container, &endpoint);
        return Ok(());
    }
    save(shared, &container, |all| drop(all.remove(&network.name))).await
}

/// Others find it as its networks now say, and it asks where they say.
async fn renew_names(shared: &Arc<Shared>, container: &Arc<Container>, pid: i32) {
    let (s, c) = (shared.clone(), container.clone());
    let (endpoints, runtime) = (container.volatile().endpoints, tokio::runtime::Handle::current());
    let renewed = blocking(move || {
        let _inside = runtime.enter();
        answer(&s, &c, &endpoints, pid)?;
        crate::container::etc::renew(&s, &c.record(), &endpoints)
    });
    if let Err(e) = renewed.await {
        tracing::error!("container {} may not find others by name: {e}", container.id);
    }
}

/// Announces the container's names, and serves its own questions if it has some to ask here.
pub fn answer(shared: &Arc<Shared>, container: &Container, endpoints: &[Endpoint], pid: i32) -> Result<()> {
    if !places::has_dns(endpoints) {
        shared.names.remove(&container.id);
        return Ok(());
    }
    shared.names.set(&container.id, places::member(shared, &container.record(), endpoints));
    if !shared.serving.has_dns(&container.id) {
        let sockets = shared.networks.dns_sockets(network::namespace_of(pid)?)?;
        shared.serving.dns(&container.id, crate::dns::serve(shared, &container.id, sockets)?);
    }
    Ok(())
}

/// May the container be put on that network?
fn admit(record: &Record, network: &Found, settings: &EndpointSettings) -> Result<()> {
    match record.network() {
        NetworkMode::Container(_) | NetworkMode::Host => {
            return Err(Error::forbidden(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ));
        }
        NetworkMode::None if network.name != NONE && record.attachments().contains_key(NONE) => {
            return Err(Error::forbidden(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            ));
        }
        _ => {}
    }
    match network.name.as_str() {
        HOST => {
            return Err(Error::forbidden(
                "cannot connect container to host network - container must be created in host network mode",
            ));
        }
        NONE if !record.attachments().is_empty() => {
            return Err(Error::forbidden(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            ));
        }
        _ => {}
    }
    validate::endpoint(settings, !is_predefined(&network.name) || network.name != BRIDGE)
}

/// A container that runs, as it was when its networks were locked.
#[derive(Clone)]
struct Run {
    generation: u64,
    pid: i32,
    endpoints: Vec<Endpoint>,
    ports: Vec<Published>,
    directory: std::path::PathBuf,
}

impl Run {
    fn of(shared: &Shared, container: &Container) -> Option<Self> {
        let volatile = container.volatile();
        let state = &volatile.state;
        let runs = state.is_running() && state.pid > 0;
        runs.then(|| Self {
            generation: state.generation,
            pid: state.pid,
            directory: shared.shim_dir(&container.id, state.generation),
            endpoints: volatile.endpoints.clone(),
            ports: volatile.ports.clone(),
        })
    }
}

/// Leads the ports to where they now belong, writes down what holds and tells the supervisor.
async fn settle(shared: &Arc<Shared>, container: &Arc<Container>, run: &Run, endpoints: Vec<Endpoint>) -> Result<()> {
    let place = |all: &[Endpoint]| places::port_endpoint(all).map(|e| e.endpoint_id.clone());
    let mut ports = run.ports.clone();
    if place(&run.endpoints) != place(&endpoints) {
        shared.serving.end_relays(&container.id);
        shared.serving.settled().await;
        let (s, c, e) = (shared.clone(), container.clone(), endpoints.clone());
        let taken = blocking(move || {
            s.networks.unpublish(c.id.as_str())?;
            publish(&s, &c.record(), &e)
        })
        .await?;
        shared.serving.relay(&container.id, taken.relays);
        ports = taken.published;
    }
    note(&run.directory, &endpoints, &ports)?;
    let (noted, answer) = oneshot::channel();
    container.post(Mail::Networks { generation: run.generation, endpoints, ports, noted });
    if answer.await.unwrap_or(false) { Ok(()) } else { Err(container.not_running()) }
}

/// For the daemon that comes after this one.
pub fn note(directory: &Path, endpoints: &[Endpoint], ports: &[Published]) -> Result<()> {
    restore::NetworkNote { endpoints: endpoints.to_vec(), ports: ports.to_vec() }.write(directory)
}

/// Gives the container its ports on the host.
pub fn publish(shared: &Shared, record: &Record, endpoints: &[Endpoint]) -> Result<network::Taken> {
    let Some(endpoint) = places::port_endpoint(endpoints) else { return Ok(network::Taken::default()) };
    let plan = shared.networks.current_plan(&endpoint.network_id);
    let default_ip =
        plan.and_then(|plan| plan.host_ip).or(shared.config.bridge.host_ip).filter(|ip| !ip.is_unspecified());
    let requests = places::port_requests(&record.config, &record.host, default_ip)?;
    shared.networks.publish(record.id.as_str(), &record.name, &requests, endpoint).map_err(|e| {
        e.context(format!(
            "driver failed programming external connectivity on endpoint {} ({})",
            record.name, endpoint.endpoint_id
        ))
    })
}

/// Records the change of the container's networks.
async fn save(
    shared: &Arc<Shared>,
    container: &Arc<Container>,
    change: impl FnOnce(&mut BTreeMap<String, EndpointSettings>),
) -> Result<()> {
    let _changing = container.changing.lock().await;
    let mut record = (*container.record()).clone();
    let mut all = record.attachments();
    change(&mut all);
    record.networks = Some(all);
    let (s, r) = (shared.clone(), record.clone());
    blocking(move || s.records.update(&r)).await?;
    container.set_record(record);
    Ok(())
}

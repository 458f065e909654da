//! Putting containers on networks and taking them off, running or not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use api::types::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use network::{Endpoint, Published};
use sys::crash;
use tokio::sync::oneshot;
use values::{Error, Result};

use super::{Found, HOST, NONE, find};
use crate::container::modes::NetworkMode;
use crate::container::record::Record;
use crate::container::{Container, Mail, networks as places};
use crate::restore::NetworkNote;
use crate::shared::{Shared, blocking};

pub async fn connect(shared: &Arc<Shared>, network: &str, body: NetworkConnectRequest) -> Result<()> {
    let container = shared.registry.find(&body.container)?;
    let network = find(shared, network)?;
    let settings = body.endpoint_config.unwrap_or_default();
    let _held = held(&container).await;
    let record = container.record();
    admit(shared, &record, &network, &settings)?;
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
    let made = blocking(move || s.networks.connect(c.id.as_str(), r.namespace()?, &request, &r.endpoints)).await;
    let endpoint = match made {
        // it has ended meanwhile: its next start brings it there
        Err(_) if !run.still(&container) => return save(shared, &container, enter).await,
        made => made?,
    };
    crash::point("connect.made");
    let mut endpoints = run.endpoints.clone();
    endpoints.push(endpoint.clone());
    if let Err(e) = settle(shared, &container, &run, endpoints).await {
        take_off(shared, &container, &run, endpoint, run.endpoints.clone()).await;
        return if run.still(&container) { Err(e) } else { save(shared, &container, enter).await };
    }
    crash::point("connect.noted");
    if let Err(e) = save(shared, &container, enter).await {
        if settle(shared, &container, &run, run.endpoints.clone()).await.is_ok() {
            take_off(shared, &container, &run, endpoint, run.endpoints.clone()).await;
        }
        return Err(e);
    }
    renew_names(shared, &container, &run, &[]).await;
    shared.emit_network("connect", &container, &endpoint);
    Ok(())
}

pub async fn disconnect(shared: &Arc<Shared>, network: &str, body: NetworkDisconnectRequest) -> Result<()> {
    let network = find(shared, network)?;
    let container = match shared.registry.find(&body.container) {
        Err(_) if body.force => return Err(Error::not_found(format!("endpoint {} not found", body.container))),
        other => other?,
    };
    let _held = held(&container).await;
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
        // ports lead there no longer
        match settle(shared, &container, &run, rest.clone()).await {
            // it has ended, and with it its place
            Err(_) if !run.still(&container) => {}
            other => {
                other?;
                crash::point("disconnect.noted");
                take_off(shared, &container, &run, endpoint.clone(), rest).await;
                crash::point("disconnect.made");
                save(shared, &container, |all| drop(all.remove(&network.name))).await?;
                renew_names(shared, &container, &run, std::slice::from_ref(&endpoint)).await;
                shared.emit_network("disconnect", &container, &endpoint);
                return Ok(());
            }
        }
    }
    save(shared, &container, |all| drop(all.remove(&network.name))).await
}

/// From now on nobody else changes the container's networks, and its state tells what they are: who has just started it has let
/// go of them, but its supervisor may not have read it yet.
async fn held(container: &Container) -> tokio::sync::MutexGuard<'_, ()> {
    let held = container.networking.lock().await;
    container.has_read().await;
    held
}

/// Takes its link out of the namespace and frees its addresses. Where the container has ended its namespace has taken the
/// link with it.
async fn take_off(
    shared: &Arc<Shared>,
    container: &Arc<Container>,
    run: &Run,
    endpoint: Endpoint,
    rest: Vec<Endpoint>,
) {
    let (s, c, r) = (shared.clone(), container.clone(), run.clone());
    let done = blocking(move || {
        let id = c.id.as_str();
        let done = r.namespace().and_then(|netns| s.networks.disconnect(id, netns, &endpoint, &rest));
        s.networks.release(id, &endpoint.network_id);
        // its namespace is gone, or stuck
        done.or_else(|e| s.networks.sweep(std::slice::from_ref(&endpoint.host_ifname)).and(Err(e)))
    });
    if let Err(e) = done.await
        && run.still(container)
    {
        tracing::error!("container {} may still be reached on a network it has left: {e}", container.id);
    }
}

/// Brings a container that ran while there was no daemon, and its record, to one mind: a connection or disconnection that
/// was begun was not answered. What it lacks is recorded as left; what is not recorded is taken from it.
///
/// `rerouted`: it had links that were not written down, which may have led out.
pub async fn agree(shared: &Arc<Shared>, container: &Arc<Container>, rerouted: bool) -> Result<()> {
    let _held = container.networking.lock().await;
    let Some(run) = Run::of(shared, container).filter(|run| NetworkNote::is_there(&run.directory)) else {
        return Ok(());
    };
    match bring_together(shared, container, &run, rerouted).await {
        // its end was not heard of yet: of one that has ended nothing is left to agree on
        Err(_) if !run.still(container) => Ok(()),
        done => done,
    }
}

async fn bring_together(shared: &Arc<Shared>, container: &Arc<Container>, run: &Run, rerouted: bool) -> Result<()> {
    let attachments = container.record().attachments();
    let (known, strange): (Vec<Endpoint>, Vec<Endpoint>) =
        run.endpoints.iter().cloned().partition(|endpoint| attachments.contains_key(&endpoint.network));
    for endpoint in &strange {
        tracing::info!("container {} leaves network {}: nobody was told it is on it", container.id, endpoint.network);
        settle(shared, container, run, known.clone()).await?;
        take_off(shared, container, run, endpoint.clone(), known.clone()).await;
    }
    let lacks = |name: &&String| *name != NONE && *name != HOST && !known.iter().any(|e| e.network == **name);
    let lacking: Vec<String> = attachments.keys().filter(lacks).cloned().collect();
    if !lacking.is_empty() {
        tracing::info!("container {} has left {}", container.id, lacking.join(", "));
        save(shared, container, |all| lacking.iter().for_each(|name| drop(all.remove(name)))).await?;
    }
    if rerouted || !lacking.is_empty() {
        let (s, r) = (shared.clone(), run.clone());
        blocking(move || s.networks.route(r.namespace()?, &known)).await?;
    }
    if rerouted || !strange.is_empty() || !lacking.is_empty() {
        renew_names(shared, container, run, &strange).await;
    }
    Ok(())
}

/// Others find it as its networks now say, and it asks where they say. `left`: places it has no more.
async fn renew_names(shared: &Arc<Shared>, container: &Arc<Container>, run: &Run, left: &[Endpoint]) {
    let left: Vec<IpAddr> = left.iter().flat_map(Endpoint::addresses).collect();
    let (s, c, r) = (shared.clone(), container.clone(), run.clone());
    let (endpoints, runtime) = (container.volatile().endpoints, tokio::runtime::Handle::current());
    let renewed = blocking(move || {
        let _inside = runtime.enter();
        answer(&s, &c, &endpoints, || r.namespace())?;
        crate::container::etc::renew(&s, &c.record(), &endpoints, &left)
    });
    if let Err(e) = renewed.await
        && run.still(container)
    {
        tracing::error!("container {} may not find others by name: {e}", container.id);
    }
}

/// Announces the container's names, and serves its own questions if it has some to ask here. Nothing of that is left if it
/// ends meanwhile.
pub fn answer(
    shared: &Arc<Shared>,
    container: &Container,
    endpoints: &[Endpoint],
    namespace: impl FnOnce() -> Result<OwnedFd>,
) -> Result<()> {
    let id = &container.id;
    if announce(shared, container, endpoints) && !shared.serving.has_dns(id) {
        let sockets = shared.networks.dns_sockets(namespace()?)?;
        shared.serving.dns(id, crate::dns::serve(shared, id, sockets)?);
    }
    Ok(())
}

/// Lets others find a container that has not ended by its names. Answers whether it has names.
pub fn announce(shared: &Shared, container: &Container, endpoints: &[Endpoint]) -> bool {
    let id = &container.id;
    if !places::has_dns(endpoints) {
        shared.names.remove(id);
        return false;
    }
    let member = places::member(shared, &container.record(), endpoints);
    shared.serving.while_live(id, || shared.names.set(id, member))
}

/// The network namespace of a container's first process.
///
/// # Errors
/// `Conflict` if that has ended, whoever has its number now.
pub fn namespace(container: &Container, pid: i32, birth: u64) -> Result<OwnedFd> {
    let netns = network::namespace_of(pid);
    if pid > 0 && sys::stat::birth(pid) == birth { netns } else { Err(container.not_running()) }
}

/// May the container be put on that network?
fn admit(shared: &Shared, record: &Record, network: &Found, settings: &EndpointSettings) -> Result<()> {
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
    super::check_endpoint(shared, network, settings)
}

/// A container that runs, as it was when its networks were locked.
#[derive(Clone)]
struct Run {
    container: Arc<Container>,
    generation: u64,
    pid: i32,
    birth: u64,
    endpoints: Vec<Endpoint>,
    ports: Vec<Published>,
    directory: std::path::PathBuf,
}

impl Run {
    fn of(shared: &Shared, container: &Arc<Container>) -> Option<Self> {
        let volatile = container.volatile();
        let state = &volatile.state;
        let runs = state.is_running() && state.pid > 0;
        runs.then(|| Self {
            container: container.clone(),
            generation: state.generation,
            pid: state.pid,
            birth: state.birth,
            directory: shared.shim_dir(&container.id, state.generation),
            endpoints: volatile.endpoints.clone(),
            ports: volatile.ports.clone(),
        })
    }

    fn namespace(&self) -> Result<OwnedFd> {
        namespace(&self.container, self.pid, self.birth)
    }

    /// Whether it is still the same run, and its process there: its end may not have been heard of yet.
    fn still(&self, container: &Container) -> bool {
        let state = container.state();
        state.is_running() && state.generation == self.generation && self.namespace().is_ok()
    }
}

/// Leads the ports to where they now belong, writes down what holds and tells the supervisor.
async fn settle(shared: &Arc<Shared>, container: &Arc<Container>, run: &Run, endpoints: Vec<Endpoint>) -> Result<()> {
    let place = |all: &[Endpoint]| places::port_endpoint(all).map(|e| e.endpoint_id.clone());
    let mut ports = run.ports.clone();
    let moves = place(&run.endpoints) != place(&endpoints);
    if moves {
        ports = lead(shared, container, &endpoints).await?;
    }
    let noted = match note(&run.directory, &endpoints, &ports) {
        Ok(()) => {
            let (noted, answer) = oneshot::channel();
            container.post(Mail::Networks { generation: run.generation, endpoints, ports, noted });
            if answer.await.unwrap_or(false) { Ok(()) } else { Err(container.not_running()) }
        }
        failed => failed,
    };
    if noted.is_err() && moves {
        // back to where they led; of one that has ended nothing may be left
        shared.serving.end_relays(&container.id);
        if run.still(container) {
            lead(shared, container, &run.endpoints).await?;
        } else {
            let (s, c) = (shared.clone(), container.clone());
            blocking(move || s.networks.unpublish(c.id.as_str())).await?;
        }
    }
    noted
}

/// Leads its ports to where `endpoints` say.
async fn lead(shared: &Arc<Shared>, container: &Arc<Container>, endpoints: &[Endpoint]) -> Result<Vec<Published>> {
    shared.serving.end_relays(&container.id);
    let (s, c, e) = (shared.clone(), container.clone(), endpoints.to_vec());
    let taken = blocking(move || {
        s.networks.unpublish(c.id.as_str())?;
        publish(&s, &c.record(), &e)
    })
    .await?;
    shared.serving.relay(&container.id, taken.relays);
    Ok(taken.published)
}

/// For the daemon that comes after this one.
pub fn note(directory: &Path, endpoints: &[Endpoint], ports: &[Published]) -> Result<()> {
    NetworkNote { endpoints: endpoints.to_vec(), ports: ports.to_vec() }.write(directory)
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
    let _turn = container.change("connect").await?;
    let mut record = (*container.record()).clone();
    let mut all = record.attachments();
    change(&mut all);
    record.networks = Some(all);
    let (s, r) = (shared.clone(), record.clone());
    blocking(move || s.records.update(&r)).await?;
    container.set_record(record);
    Ok(())
}

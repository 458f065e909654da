//! Bringing the engine up and taking it down.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use api::types::LogConfig;
use image::Images;
use network::{BridgeConfig, NamespaceOwner, Networks};
use store::Store;
use values::{Error, Id, Result, ResultExt};

use crate::cgroup_parents::CgroupParents;
use crate::cgroups::Driver;
use crate::config::Config;
use crate::container::{log, verbs};
use crate::dns::{Names, Threads, Upstream};
use crate::events::Events;
use crate::exec::Execs;
use crate::garbage::{self, Garbage};
use crate::machine::Machine;
use crate::networks::Directory;
use crate::records::Records;
use crate::registry::Registry;
use crate::remap::Remap;
use crate::serving::Serving;
use crate::settling::Settling;
use crate::shared::{Shared, blocking};
use crate::tidy::Tidy;
use crate::volumes::Volumes;

/// Names of the facts kept in the store.
const FACT_ID: &str = "id";
const FACT_BRIDGE: &str = "bridge-address";

pub async fn open(config: Config) -> Result<Arc<Shared>> {
    let log_watcher = logging::Watcher::new().during(|| "inotify")?;
    let tidy = Tidy::start();
    let shared = blocking(move || open_blocking(config, log_watcher, tidy)).await?;
    shared.settling.start(shared.images.clone());
    shared.settling.soon();
    garbage::start(&shared);
    Ok(shared)
}

/// The daemon's own log options are those of every container that names none: better refused now than at each start.
fn check_log_defaults(config: &Config) -> Result<()> {
    let defaults = &config.defaults;
    let configured = LogConfig { kind: defaults.log_driver.clone(), config: Some(defaults.log_opts.clone()) };
    log::check(&configured, "").map_err(|e| e.context("failed to set log opts"))
}

fn open_blocking(config: Config, log_watcher: logging::Watcher, tidy: Tidy) -> Result<Arc<Shared>> {
    check_log_defaults(&config)?;
    crate::networks::check_defaults(&config.bridge.network_options).map_err(|e| e.context("default-network-opts"))?;
    directory(&config.data_root, 0o710)?;
    directory(&config.run_root, 0o711)?;
    directory(&config.data_root.join("containers"), 0o710)?;
    directory(&config.run_root.join("containers"), 0o710)?;
    directory(&config.run_root.join("shims"), 0o700)?;
    let store = Arc::new(Store::open(&config.data_root.join("db"))?);
    let records = Records::new(store.clone(), &config.run_root);
    let owner = config.defaults.remap.as_ref().map(crate::remap::Remap::root);
    let volumes = Volumes::open(&config.data_root.join("volumes"), &records, owner)?;
    let snapshots = snapshot::open(&config.data_root.join("snapshots"), config.storage_driver.as_deref())?;
    // without it what was committed shortly before an unclean end is always looked at first
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
    let root = config.data_root.join("images");
    let images = Images::open(image::Config { root, store, snapshots: snapshots.clone(), boot })?;
    for problem in images.problems() {
        tracing::warn!("{problem}");
    }
    let daemon_id = lasting_id(&records)?;
    let shim_program = runtime::read_only_program(&config.shim).map_err(|e| Error::internal(e.message))?;
    let directory = Directory::default();
    let machine = Machine::read();
    let selinux = selinux(&config, &machine);
    let cgroup_parents = CgroupParents::new(&config.run_root);
    let networks = Arc::new(open_networks(&config, &records, &daemon_id, &directory)?);
    let garbage = Garbage::of(config.image_gc.clone());
    let distribution = RwLock::new(Arc::new(::registry::Client::new(config.registries.clone())));
    Ok(Arc::new(Shared {
        config,
        distribution,
        records,
        volumes,
        images: Arc::new(images),
        snapshots,
        networks,
        directory,
        names: Names::default(),
        upstream: Upstream::default(),
        dns_threads: Threads::default(),
        serving: Serving::default(),
        lingering: Default::default(),
        events: Events::default(),
        registry: Registry::default(),
        execs: Execs::default(),
        departed: Default::default(),
        log_watcher,
        sampling: Default::default(),
        pruning: Default::default(),
        pace: Default::default(),
        sources: Default::default(),
        cgroup_parents,
        selinux,
        machine,
        tidy,
        settling: Settling::default(),
        garbage,
        compressing: tokio::sync::Mutex::new(()),
        shim_program,
        daemon_id,
    }))
}

/// The policy by which containers are labelled, where that is wanted and can be.
fn selinux(config: &Config, machine: &Machine) -> Option<crate::selinux::Policy> {
    if config.selinux && !machine.selinux {
        tracing::warn!("selinux-enabled: this machine's kernel has no SELinux, or it is off");
    }
    (config.selinux && machine.selinux).then(crate::selinux::Policy::read).flatten()
}

fn directory(path: &Path, mode: u32) -> Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).during(|| format!("mkdir {}", path.display()))
}

/// The daemon's id: made once, kept for good.
fn lasting_id(records: &Records) -> Result<String> {
    if let Some(id) = records.fact(FACT_ID)? {
        return Ok(id);
    }
    let id = Id::random().to_string();
    records.set_fact(FACT_ID, &id)?;
    Ok(id)
}

/// Opens the table, makes the default bridge, enters all networks that are recorded: see [`raise_networks`].
fn open_networks(config: &Config, records: &Records, daemon_id: &str, directory: &Directory) -> Result<Networks> {
    let bridge = &config.bridge;
    let mut wanted = BridgeConfig::new(network::Names::of_data_root(&config.data_root));
    if !bridge.name.is_empty() {
        wanted.name.clone_from(&bridge.name);
    }
    let bad =
        |what: &str, text: &str| Error::invalid(format!("{what}: {text:?} is no IPv4 address with a prefix length"));
    wanted.bip = bridge.bip.as_deref().map(|t| t.parse().map_err(|_| bad("bip", t))).transpose()?;
    wanted.mtu = bridge.mtu;
    wanted.ip_masq = bridge.ip_masq;
    wanted.icc = bridge.icc;
    wanted.host_ip = bridge.host_ip.filter(|ip| !ip.is_unspecified());
    (wanted.fixed, wanted.gateway) = (bridge.fixed, bridge.gateway);
    wanted.ipv6.clone_from(&bridge.ipv6);
    if !bridge.address_pools.is_empty() {
        wanted.pools.clear();
        for (base, size) in &bridge.address_pools {
            let base: network::Ipv4Net = base.parse().map_err(|_| bad("default-address-pools", base))?;
            let cut = base.subnets(*size).map_err(|_| bad("default-address-pools", &format!("{base} size {size}")))?;
            wanted.pools.extend(cut);
        }
    }
    let remap = config.defaults.remap.as_ref().map(namespace_owner);
    let options = network::Options {
        pools: wanted.pools.clone(),
        namespace_owner: remap,
        guarded: bridge.respect_firewall,
        foreign_addresses: bridge.foreign_addresses,
        direct_routing: bridge.direct_routing,
        relays: bridge.relays,
    };
    let networks = Networks::open(&wanted.owner, options).during(|| "cannot write the firewall")?;
    if !bridge.disabled {
        let remembered = records.fact(FACT_BRIDGE)?;
        wanted.remembered = remembered.as_deref().and_then(|t| t.parse().ok());
        let id = crate::shared::network_id(daemon_id, crate::networks::BRIDGE);
        let address = networks.open_default(&id, &wanted).during(|| "cannot set up the default bridge")?.to_string();
        if remembered.as_deref() != Some(address.as_str()) {
            records.set_fact(FACT_BRIDGE, &address)?;
        }
    }
    for record in records.networks()? {
        if let Some(plan) = record.plan.clone() {
            networks.enter(plan);
        }
        if let Err(e) = directory.insert(record) {
            tracing::error!("{e}");
        }
    }
    Ok(networks)
}

/// Makes all networks that are recorded, or finds them again.
pub fn raise_networks(shared: &Shared) {
    for record in shared.directory.all() {
        let Some(plan) = &record.plan else { continue };
        if let Err(e) = shared.networks.up(&plan.id) {
            tracing::error!("network {} cannot be set up: {e}", plan.name);
        }
    }
    for chain in shared.networks.foreign_drops().unwrap_or_default() {
        tracing::warn!(
            "the chain {chain} drops what is forwarded: containers may not reach the outside (see docs/network.md)"
        );
    }
}

/// All that runs has told its ports: its rules take the place of those that the daemon before left.
pub fn settle_networks(networks: &Networks) -> Result<()> {
    networks.settle().during(|| "cannot write the firewall")?;
    networks.watch(|outcome| match outcome {
        Ok(()) => tracing::warn!("the daemon's nftables table was removed by somebody; it is written again"),
        Err(e) => tracing::error!("the daemon's nftables table was removed and cannot be written again: {e}"),
    })
}

/// Whose the network namespaces of remapped containers are.
pub fn namespace_owner(remap: &Remap) -> NamespaceOwner {
    let (uids, gids) = remap.lines();
    NamespaceOwner { uids, gids }
}

/// Stops containers where that is wanted; takes the bridge away when nothing uses it.
pub async fn close(shared: &Arc<Shared>, stop_containers: Option<Duration>) {
    let all = shared.registry.all();
    if let Some(patience) = stop_containers {
        let mut stops = tokio::task::JoinSet::new();
        for container in all.iter().filter(|c| c.state().is_running() || c.is_starting()) {
            let (shared, container) = (shared.clone(), container.clone());
            stops.spawn(async move { verbs::stop(&shared, &container, None, None).await });
        }
        let _ = tokio::time::timeout(patience, async { while stops.join_next().await.is_some() {} }).await;
    }
    for container in &all {
        let volatile = container.volatile();
        // its log is not written down at each probe
        if volatile.health.is_some()
            && !volatile.state.is_gone()
            && let Err(e) = shared.records.save_state(&container.id, &volatile)
        {
            tracing::warn!("cannot record the health of container {}: {e}", container.id);
        }
    }
    let images = shared.images.clone();
    if let Err(e) = blocking(move || images.close()).await {
        tracing::warn!("the next start verifies recent layers: {e}");
    }
    crate::lingering::sweep_now(shared).await;
    let in_use = all.iter().any(|c| c.state().is_running() || c.is_starting());
    if !in_use {
        let networks = shared.networks.clone();
        let closed = blocking(move || networks.close_and_remove()).await;
        if let Err(e) = closed {
            tracing::warn!("removing the bridge: {e}");
        }
    }
    if !in_use && shared.config.cgroup_driver == Driver::Cgroupfs {
        let parent = shared.config.cgroup_parent.clone();
        let external = !shared.config.runtimes.is_empty();
        // the last shims may still be busy in it: then the next daemon has it to remove
        let _ = blocking(move || {
            if external {
                cgroup::remove_foreign(&parent);
            }
            cgroup::Cgroup::open(&parent)?.remove()
        })
        .await;
    }
}

//! What all parts of the engine share.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use image::Images;
use network::{Endpoint, Networks};
use snapshot::Snapshotter;
use values::{Error, Id, Result, ResultExt};

use crate::cgroup_parents::CgroupParents;
use crate::cgroups;
use crate::config::Config;
use crate::container::Container;
use crate::container::departed::Departed;
use crate::container::mounts::Sources;
use crate::container::prune::Pruning;
use crate::container::record::Record;
use crate::container::stats::Sampling;
use crate::dns::{Names, Threads, Upstream};
use crate::events::Events;
use crate::exec::Execs;
use crate::garbage::Garbage;
use crate::lingering::Lingering;
use crate::machine::Machine;
use crate::networks::Directory;
use crate::pace::Pace;
use crate::records::Records;
use crate::registry::Registry;
use crate::selinux::Policy;
use crate::serving::Serving;
use crate::settling::Settling;
use crate::tidy::Tidy;
use crate::volumes::Volumes;

pub struct Shared {
    pub config: Config,
    pub records: Records,
    pub images: Arc<Images>,
    pub snapshots: Arc<dyn Snapshotter>,
    pub volumes: Volumes,
    /// Image registries. (The field `registry` is of containers.)
    pub distribution: RwLock<Arc<::registry::Client>>,
    /// Held by a push that compresses a layer.
    pub compressing: tokio::sync::Mutex<()>,
    /// Networks in the kernel.
    pub networks: Arc<Networks>,
    /// Networks by name.
    pub directory: Directory,
    /// Names of containers on networks.
    pub names: Names,
    pub upstream: Upstream,
    pub dns_threads: Threads,
    /// What this process does for containers' networks.
    pub serving: Serving,
    pub lingering: Arc<Lingering>,
    pub events: Events,
    pub registry: Registry,
    pub execs: Execs,
    pub departed: Departed,
    pub log_watcher: logging::Watcher,
    pub sampling: Sampling,
    pub pruning: Pruning,
    pub pace: Pace,
    pub sources: Sources,
    pub cgroup_parents: CgroupParents,
    pub machine: Machine,
    /// Where containers are labelled.
    pub selinux: Option<Policy>,
    pub tidy: Tidy,
    pub settling: Settling,
    pub garbage: Garbage,
    /// The shim's program on a read-only mount of its own: nobody who gets at `/proc/PID/exe` of a shim, or of a container
    /// that is being set up, can write to it (CVE-2019-5736).
    pub shim_program: OwnedFd,
    /// This daemon's lasting id.
    pub daemon_id: String,
}

/// Runs what blocks on a thread for that.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal(format!("a task failed: {e}")))?
}

/// Runs what goes at a client's pace, or changes its thread's namespaces, on a thread of its own. Those of [`blocking`] are
/// few: clients that take or send nothing for a while must not hold them.
pub async fn in_own_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    let run = move || {
        let _ = sender.send(work());
    };
    std::thread::Builder::new()
        .name("apart".into())
        .spawn(run)
        .map_err(|e| Error::internal(format!("start thread: {e}")))?;
    answer.await.map_err(|_| Error::internal("a thread failed"))?
}

/// Does it to its end, also where the client that asked for it leaves meanwhile: half of it would be nobody's.
pub async fn whole<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(|e| Error::internal(format!("a task failed: {e}")))?
}

/// Id of the predefined network `name` of a daemon.
pub fn network_id(daemon_id: &str, name: &str) -> String {
    image::sha256(format!("{daemon_id}/{name}").as_bytes()).hex().to_owned()
}

impl Shared {
    /// Registries as they are configured now.
    pub fn distribution(&self) -> Arc<::registry::Client> {
        self.distribution.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where a container's own files are kept: those of a `--rm` container need not survive a reboot.
    pub fn container_dir(&self, record: &Record) -> PathBuf {
        let root = if record.host.auto_remove { &self.config.run_root } else { &self.config.data_root };
        root.join("containers").join(record.id.as_str())
    }

    /// A container's log, on disk for every container: it may become large.
    pub fn log_path(&self, record: &Record) -> PathBuf {
        let directory = self.config.data_root.join("containers").join(record.id.as_str());
        match record.host.log_config.kind.as_str() {
            "local" => directory.join("local-logs/container.log"),
            _ => directory.join(format!("{}-json.log", record.id)),
        }
    }

    /// Both directories a container may have.
    pub fn remove_directories(&self, id: &Id) -> Result<()> {
        for root in [&self.config.data_root, &self.config.run_root] {
            let path = root.join("containers").join(id.as_str());
            match std::fs::remove_dir_all(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).during(|| format!("remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One directory for each launch: an old shim may still clean up its own.
    pub fn shim_dir(&self, id: &Id, generation: u64) -> PathBuf {
        self.config.run_root.join("shims").join(format!("{id}.{generation}"))
    }

    /// The control group of a container, below the root of each hierarchy.
    pub fn cgroup_path(&self, id: &Id) -> String {
        match self.registry.get(id) {
            Some(container) => self.cgroup_place(&container.record()).path,
            None => cgroups::place(&self.config, "", id).path,
        }
    }

    pub fn cgroup_place(&self, record: &Record) -> cgroups::Place {
        cgroups::place(&self.config, &record.host.resources.cgroup_parent, &record.id)
    }

    /// Frees the container's addresses and ports. The rest of the kernel's part goes with the namespace.
    pub fn release_networks(&self, container: &Container, endpoints: &[Endpoint], published: bool) {
        let id = container.id.as_str();
        // first: from now on nobody serves it more, or announces it
        self.serving.end(&self.networks, &container.id);
        self.names.remove(&container.id);
        if published && let Err(e) = self.networks.unpublish(id) {
            tracing::error!("taking back the ports of container {id}: {e}");
        }
        for endpoint in endpoints {
            self.networks.release(id, &endpoint.network_id);
            self.emit_network("disconnect", container, endpoint);
        }
        crate::lingering::sweep_later(self, endpoints);
    }

    /// Id of the predefined network `name`, the same after each start.
    pub fn network_id(&self, name: &str) -> String {
        network_id(&self.daemon_id, name)
    }

    pub fn has_bridge(&self) -> bool {
        !self.config.bridge.disabled
    }

    pub fn bridge_id(&self) -> String {
        self.network_id("bridge")
    }

    /// A container of the image was made or removed.
    pub fn image_used(&self, id: &values::Digest) {
        if let Err(e) = self.images.used(id) {
            // it may be taken for one that rested longer
            tracing::debug!("use of image {id} is not recorded: {e}");
        }
    }

    /// After an image came: what its coming took of memory is given back, and its layers do not stay recent.
    pub fn image_came(&self) {
        self.tidy.soon();
        self.settling.soon();
        self.garbage.soon();
    }

    pub fn emit_container(&self, action: &str, container: &Container) {
        self.events.emit("container", action, container.id.as_str(), container.event_attributes());
    }

    pub fn emit_network(&self, action: &str, container: &Container, endpoint: &Endpoint) {
        let driver = crate::networks::find(self, &endpoint.network_id).map_or("bridge".into(), |found| found.driver);
        let attributes = std::collections::BTreeMap::from([
            ("container".to_owned(), container.id.to_string()),
            ("name".to_owned(), endpoint.network.clone()),
            ("type".to_owned(), driver),
        ]);
        self.events.emit("network", action, &endpoint.network_id, attributes);
    }

    /// Where shims complain: the daemon's own log, which outlives it as theirs must.
    pub fn shim_stderr(&self) -> std::process::Stdio {
        let path = self.config.run_root.join("shim.log");
        match std::fs::OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => file.into(),
            Err(_) => std::process::Stdio::null(),
        }
    }
}

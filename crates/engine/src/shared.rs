//! What all parts of the engine share.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use image::Images;
use network::Networks;
use snapshot::Snapshotter;
use values::{Error, Id, Result, ResultExt};

use crate::config::Config;
use crate::container::Container;
use crate::container::prune::Pruning;
use crate::container::record::Record;
use crate::container::stats::Sampling;
use crate::events::Events;
use crate::exec::Execs;
use crate::machine::Machine;
use crate::records::Records;
use crate::registry::Registry;
use crate::tidy::Tidy;

pub struct Shared {
    pub config: Config,
    pub records: Records,
    pub images: Arc<Images>,
    pub snapshots: Arc<dyn Snapshotter>,
    /// The default bridge; `None` when it is disabled.
    pub networks: Option<Arc<Networks>>,
    pub events: Events,
    pub registry: Registry,
    pub execs: Execs,
    pub log_watcher: logging::Watcher,
    pub sampling: Sampling,
    pub pruning: Pruning,
    pub machine: Machine,
    pub tidy: Tidy,
    /// The shim's program on a read-only mount of its own: nobody who gets at `/proc/PID/exe` of a shim, or of a container
    /// that is being set up, can write to it (CVE-2019-5736).
    pub shim_program: OwnedFd,
    /// Held for as long as the daemon lives: see `cgroup::keep_warm`.
    pub _warm: Option<OwnedFd>,
    /// This daemon's lasting id.
    pub daemon_id: String,
    /// Images which a container is being created from, and how many times: they are in use before a record says so.
    pub creating: Mutex<HashMap<values::Digest, usize>>,
}

/// Runs what blocks on a thread for that.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal(format!("a task failed: {e}")))?
}

impl Shared {
    /// Where a container's own files are kept: those of a `--rm` container need not survive a reboot.
    pub fn container_dir(&self, record: &Record) -> PathBuf {
        let root = if record.host.auto_remove { &self.config.run_root } else { &self.config.data_root };
        root.join("containers").join(record.id.as_str())
    }

    /// The directory of a container's log, on disk for every container: it may become large.
    pub fn log_path(&self, id: &Id) -> PathBuf {
        self.config.data_root.join("containers").join(id.as_str()).join(format!("{id}-json.log"))
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

    pub fn cgroup_path(&self, id: &Id) -> String {
        format!("{}/{id}", self.config.cgroup_parent.trim_end_matches('/'))
    }

    /// Frees the container's address. The kernel's part goes with the namespace.
    pub fn release_network(&self, container: &Container) {
        if let Some(networks) = &self.networks {
            networks.release(container.id.as_str());
        }
        let mut attributes = std::collections::BTreeMap::new();
        attributes.insert("container".into(), container.id.to_string());
        attributes.insert("name".into(), "bridge".into());
        attributes.insert("type".into(), "bridge".into());
        self.events.emit("network", "disconnect", &self.bridge_id(), attributes);
    }

    /// Id of the predefined network `name`, the same after each start.
    pub fn network_id(&self, name: &str) -> String {
        let digest = image::sha256(format!("{}/{name}", self.daemon_id).as_bytes());
        digest.hex().to_owned()
    }

    pub fn bridge(&self) -> Result<&Arc<Networks>> {
        self.networks
            .as_ref()
            .ok_or_else(|| Error::not_found("network bridge not found: this daemon runs without one (bridge: none)"))
    }

    pub fn bridge_id(&self) -> String {
        self.network_id("bridge")
    }

    /// Keeps an image from being removed while the returned guard lives.
    pub fn hold_image(self: &Arc<Self>, id: &values::Digest) -> ImageHold {
        let mut creating = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        *creating.entry(id.clone()).or_default() += 1;
        ImageHold { shared: self.clone(), id: id.clone() }
    }
}

pub struct ImageHold {
    shared: Arc<Shared>,
    id: values::Digest,
}

impl Drop for ImageHold {
    fn drop(&mut self) {
        let mut creating = self.shared.creating.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = creating.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                creating.remove(&self.id);
            }
        }
    }
}

impl Shared {
    pub fn emit_container(&self, action: &str, container: &Container) {
        self.events.emit("container", action, container.id.as_str(), container.event_attributes());
    }

    pub fn emit_network_connect(&self, container: &Container) {
        let mut attributes = std::collections::BTreeMap::new();
        attributes.insert("container".into(), container.id.to_string());
        attributes.insert("name".into(), "bridge".into());
        attributes.insert("type".into(), "bridge".into());
        self.events.emit("network", "connect", &self.bridge_id(), attributes);
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

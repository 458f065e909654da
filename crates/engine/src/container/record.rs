//! What is known of a container besides its state: fixed when it is created, save for its name.

use std::collections::BTreeMap;

use api::types::{ContainerConfig, EndpointSettings, HostConfig, MountPoint, NetworkingConfig};
use network::{Endpoint, Published};
use serde::{Deserialize, Serialize};
use values::{Digest, Error, Id, Result, Timestamp};

use super::health::Health;
use super::modes::NetworkMode;
use super::state::{Policy, Restart, State};
use crate::networks;

/// A container as it is kept on disk. What the user asked for is kept in the API's words, so that `inspect` returns it
/// to the letter; what the runtime is told is derived from it anew at each start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: Id,
    /// Without the leading slash.
    pub name: String,
    pub created: Timestamp,
    /// Merged with the image's.
    pub config: ContainerConfig,
    pub host: HostConfig,
    #[serde(default)]
    pub networking: NetworkingConfig,
    pub image: Digest,
    /// The image's layers by chain id, lowest first: the image itself may be removed by force.
    pub layers: Vec<Digest>,
    pub platform: String,
    pub mounts: Vec<MountPoint>,
    /// Images that are mounted in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<MountedImage>,
    /// What of a volume or an image is mounted, by destination, where that is not all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, String>,
    /// The networks it is on, by name. None in records of the first release.
    #[serde(default)]
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
    /// What its links led to when it was created, by alias: containers change their names.
    #[serde(default)]
    pub link_targets: BTreeMap<String, Id>,
    /// For SELinux; empty where it is not labelled.
    #[serde(default)]
    pub process_label: String,
    #[serde(default)]
    pub mount_label: String,
}

/// An image that a container has mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountedImage {
    /// Tells it from the others of the container.
    pub number: u32,
    /// Where.
    pub destination: String,
    /// What the user called it.
    pub name: String,
    pub id: Digest,
    /// Its layers by chain id, lowest first.
    pub layers: Vec<Digest>,
}

impl Record {
    /// All layers whose files are seen in it, by chain id.
    pub fn all_layers(&self) -> impl Iterator<Item = &Digest> {
        self.layers.iter().chain(self.images.iter().flat_map(|image| &image.layers))
    }

    /// Its own image, and those that are mounted in it.
    pub fn all_images(&self) -> impl Iterator<Item = &Digest> {
        [&self.image].into_iter().chain(self.images.iter().map(|image| &image.id))
    }

    /// What of a mount's source is mounted; empty: all.
    pub fn part(&self, mount: &MountPoint) -> &str {
        self.parts.get(&mount.destination).map_or("", String::as_str)
    }

    pub fn policy(&self) -> Policy {
        let policy = &self.host.restart_policy;
        let restart = match policy.name.as_str() {
            "always" => Restart::Always,
            "unless-stopped" => Restart::UnlessStopped,
            "on-failure" => Restart::OnFailure(u32::try_from(policy.maximum_retry_count).unwrap_or(0)),
            _ => Restart::No,
        };
        Policy { restart, auto_remove: self.host.auto_remove }
    }

    /// The program and its arguments: entrypoint, then command.
    pub fn argv(&self) -> Vec<String> {
        let mut argv: Vec<String> = self.config.entrypoint.iter().flat_map(|e| e.iter().cloned()).collect();
        argv.extend(self.config.cmd.iter().flat_map(|c| c.iter().cloned()));
        argv
    }

    /// Which network it is on; checked when it was created.
    pub fn network(&self) -> NetworkMode<'_> {
        NetworkMode::of(&self.config, &self.host).unwrap_or(NetworkMode::None)
    }

    /// The networks it is on, by name, with what was asked of each.
    pub fn attachments(&self) -> BTreeMap<String, EndpointSettings> {
        if let Some(networks) = &self.networks {
            return networks.clone();
        }
        let name = match self.network() {
            NetworkMode::Bridge | NetworkMode::Named(_) => networks::BRIDGE,
            NetworkMode::None => networks::NONE,
            NetworkMode::Host => networks::HOST,
            NetworkMode::Container(_) => return BTreeMap::new(),
        };
        let asked = self.networking.endpoints_config.iter().flatten();
        let settings = asked.filter(|(key, _)| *key == name || *key == "default").map(|(_, s)| s.clone()).next();
        BTreeMap::from([(name.to_owned(), settings.unwrap_or_default())])
    }

    /// Gives back the room that reading it has left in reserve: there may be thousands of ports.
    pub fn shrink(&mut self) {
        if let Some(bindings) = &mut self.host.port_bindings {
            bindings.values_mut().flatten().for_each(Vec::shrink_to_fit);
            fill(bindings);
        }
        fill(&mut self.config.exposed_ports);
    }

    /// How its root filesystem is used.
    pub fn snapshot_options(&self) -> snapshot::Options {
        snapshot::Options { volatile: self.host.auto_remove }
    }

    /// Bytes it may write, by `--storage-opt size=`; checked when it was created.
    pub fn storage_size(&self) -> Option<u64> {
        storage_size(&self.host).ok().flatten()
    }

    /// The name inside, by default the short id.
    pub fn hostname(&self) -> &str {
        &self.config.hostname
    }
}

/// Made anew from all that is in it a map has full nodes; entered one by one in order it has half empty ones.
fn fill<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}

/// Reads `--storage-opt`; None: no limit.
///
/// # Errors
/// `InvalidArgument` for another option than `size`, and a size that is none.
pub fn storage_size(host: &HostConfig) -> Result<Option<u64>> {
    let mut size = None;
    for (key, value) in &host.storage_opt {
        if !key.eq_ignore_ascii_case("size") {
            return Err(Error::invalid(format!("Unknown option {key}")));
        }
        let bytes = values::size::parse_binary(value)?;
        size = u64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
    }
    Ok(size)
}

/// The part of the record that changes often.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Volatile {
    /// How many times it was written down, or tried to be: of two, the greater is the later one.
    #[serde(default)]
    pub number: u64,
    pub state: State,
    /// Its places on networks while it runs, the first one first.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub ports: Vec<Published>,
    /// `None`: it has no health check, or has not been started.
    #[serde(default)]
    pub health: Option<Health>,
}

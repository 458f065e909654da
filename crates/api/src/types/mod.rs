//! The data types of the Engine API, one noun a file, in the newest shape (1.55).
//!
//! Field order is Docker's, as `docker inspect` prints what it receives.

mod build_prune;
mod container_config;
mod container_create;
mod container_inspect;
mod container_prune;
mod container_reach;
mod container_state;
mod container_summary;
mod container_top;
mod container_update;
mod container_wait;
mod container_why;
mod descriptor;
mod disk_usage;
mod endpoint_settings;
mod error;
mod event;
mod exec;
mod filesystem;
mod health;
mod host_config;
mod image_config;
mod image_delete;
mod image_history;
mod image_inspect;
mod image_manifest;
mod image_summary;
mod mount;
mod network;
mod network_doctor;
mod network_settings;
mod port;
mod registry;
mod resources;
mod stats;
mod storage;
mod system_info;
mod system_verify;
mod system_version;
mod volume;

pub use build_prune::BuildPruneResponse;
pub use container_config::ContainerConfig;
pub use container_create::{ContainerCreateRequest, CreateResponse, IdResponse};
pub use container_inspect::ContainerInspect;
pub use container_prune::ContainersPruneResponse;
pub use container_reach::{ContainerReach, PortReach, Reach};
pub use container_state::ContainerState;
pub use container_summary::{ContainerSummary, SummaryHostConfig, SummaryNetworkSettings};
pub use container_top::TopResponse;
pub use container_update::{UpdateRequest, UpdateResponse};
pub use container_wait::{WaitExitError, WaitResponse};
pub use container_why::ContainerWhy;
pub use descriptor::{Descriptor, Platform};
pub use disk_usage::{BuildCacheUsage, ContainerUsage, DiskUsage, ImagePruneResponse, ImageUsage, Kept, VolumesUsage};
pub use endpoint_settings::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};
pub use error::ErrorResponse;
pub use event::{EventActor, EventMessage};
pub use exec::{ExecCreateRequest, ExecInspect, ExecProcessConfig, ExecStartRequest};
pub use filesystem::{FilesystemChange, PathStat};
pub use health::{Health, HealthConfig, HealthSummary, HealthcheckResult};
pub use host_config::{HostConfig, LogConfig, RestartPolicy};
pub use image_config::ImageConfig;
pub use image_delete::ImageDeleteItem;
pub use image_history::HistoryItem;
pub use image_inspect::{ImageInspect, ImageMetadata, ImageRootfs};
pub use image_manifest::{
    ImageManifestSummary, ManifestAttestationData, ManifestImageData, ManifestImageSize, ManifestSize,
};
pub use image_summary::ImageSummary;
pub use mount::{BindOptions, ImageOptions, Mount, MountPoint, TmpfsOptions, VolumeDriverConfig, VolumeOptions};
pub use network::{
    ConfigReference, EndpointResource, Ipam, IpamConfig, Network, NetworkConnectRequest, NetworkCreateRequest,
    NetworkCreateResponse, NetworkDisconnectRequest, NetworkPruneResponse,
};
pub use network_doctor::{NetworkDoctor, NetworkFinding};
pub use network_settings::{Address, NetworkSettings};
pub use port::{PortBinding, PortMap, PortSummary};
pub use registry::{
    AuthConfig, AuthResponse, DistributionInspect, ManifestDocument, ManifestPut, ManifestStored, SearchResult,
};
pub use resources::{DeviceMapping, DeviceRequest, Resources, ThrottleDevice, Ulimit, WeightDevice};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, StorageStats,
    ThrottlingData,
};
pub use storage::{DriverData, RootfsSnapshot, RootfsStorage, Storage};
pub use system_info::{
    AddressPool, Commit, ContainerdInfo, ContainerdNamespaces, DeviceInfo, FirewallInfo, IndexInfo, PeerNode,
    PluginsInfo, RegistryConfig, RuntimeInfo, SwarmInfo, SystemInfo,
};
pub use system_verify::{SystemVerified, VerifyFinding};
pub use system_version::{SystemVersion, VersionComponent, VersionPlatform};
pub use volume::{Volume, VolumeCreateRequest, VolumeList, VolumePruneResponse, VolumeUsage};

#[cfg(test)]
mod golden;

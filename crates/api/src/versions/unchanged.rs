//! Replies that are the same in every version which is served.

use super::Lower;
use crate::types;

impl Lower for types::AuthResponse {}
impl Lower for types::BuildPruneResponse {}
impl Lower for types::ContainerReach {}
impl Lower for types::ContainerWhy {}
impl Lower for types::ContainersPruneResponse {}
impl Lower for types::CreateResponse {}
impl Lower for types::DistributionInspect {}
impl Lower for types::ExecInspect {}
impl Lower for types::HistoryItem {}
impl Lower for types::IdResponse {}
impl Lower for types::ImageDeleteItem {}
impl Lower for types::ImagePruneResponse {}
impl Lower for types::ManifestDocument {}
impl Lower for types::ManifestStored {}
impl Lower for types::NetworkCreateResponse {}
impl Lower for types::NetworkDoctor {}
impl Lower for types::NetworkPruneResponse {}
impl Lower for types::SearchResult {}
impl Lower for types::SystemVersion {}
impl Lower for types::TopResponse {}
impl Lower for types::UpdateResponse {}
impl Lower for types::Volume {}
impl Lower for types::VolumeList {}
impl Lower for types::VolumePruneResponse {}
impl Lower for types::WaitResponse {}

//! Replies that are the same in every version which is served.

use super::Lower;
use crate::types::{
    AuthResponse, BuildPruneResponse, ContainerReach, ContainerWhy, ContainersPruneResponse, CreateResponse,
    DistributionInspect, ExecInspect, HistoryItem, IdResponse, ImageDeleteItem, ImagePruneResponse, ManifestDocument,
    ManifestStored, NetworkCreateResponse, NetworkPruneResponse, SearchResult, SystemVersion, TopResponse,
    UpdateResponse, Volume, VolumeList, VolumePruneResponse, WaitResponse,
};

impl Lower for AuthResponse {}
impl Lower for BuildPruneResponse {}
impl Lower for ContainersPruneResponse {}
impl Lower for ContainerReach {}
impl Lower for ContainerWhy {}
impl Lower for DistributionInspect {}
impl Lower for ManifestDocument {}
impl Lower for ManifestStored {}
impl Lower for SearchResult {}
impl Lower for CreateResponse {}
impl Lower for ExecInspect {}
impl Lower for HistoryItem {}
impl Lower for IdResponse {}
impl Lower for ImageDeleteItem {}
impl Lower for ImagePruneResponse {}
impl Lower for NetworkCreateResponse {}
impl Lower for NetworkPruneResponse {}
impl Lower for SystemVersion {}
impl Lower for TopResponse {}
impl Lower for UpdateResponse {}
impl Lower for Volume {}
impl Lower for VolumeList {}
impl Lower for VolumePruneResponse {}
impl Lower for WaitResponse {}

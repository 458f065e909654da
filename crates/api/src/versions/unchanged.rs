//! Replies that are the same in every version which is served.

use super::Lower;
use crate::types::{
    ContainerWhy, ContainersPruneResponse, CreateResponse, ExecInspect, HistoryItem, IdResponse, ImageDeleteItem,
    ImagePruneResponse, NetworkCreateResponse, NetworkPruneResponse, SystemVersion, TopResponse, UpdateResponse,
    VolumeList, WaitResponse,
};

impl Lower for ContainersPruneResponse {}
impl Lower for ContainerWhy {}
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
impl Lower for VolumeList {}
impl Lower for WaitResponse {}

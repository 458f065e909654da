//! `GET /containers/{id}/attach/ws`

use super::ContainerAttachQuery;
use crate::endpoint::{Endpoint, Hijack, Method, NoBody};
use crate::version::Version;

/// Connects to its streams by WebSocket: output comes in binary messages, without frames of its own.
pub struct ContainerAttachWs;

impl Endpoint for ContainerAttachWs {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/attach/ws";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerAttachQuery;
    type Body = NoBody;
    type Reply = Hijack;
}

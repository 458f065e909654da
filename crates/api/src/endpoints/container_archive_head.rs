//! `HEAD /containers/{id}/archive`

use crate::endpoint::{Endpoint, Method, NoBody, Ping};
use crate::query::query;
use crate::version::Version;

/// What is at a path: in the header `X-Docker-Container-Path-Stat`, a [`crate::types::PathStat`] as base64 of JSON.
pub struct ContainerArchiveHead;

impl Endpoint for ContainerArchiveHead {
    const METHOD: Method = Method::Head;
    const PATH: &'static str = "/containers/{id}/archive";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerArchiveHeadQuery;
    type Body = NoBody;
    type Reply = Ping;
}

query! {
    /// Parameters of [`ContainerArchiveHead`].
    pub struct ContainerArchiveHeadQuery {
        /// In the container.
        "path" => pub path: String,
    }
}

//! `GET /containers/{id}/stats`

use crate::endpoint::{Endpoint, JsonStream, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// What it uses, every second or once.
pub struct ContainerStats;

impl Endpoint for ContainerStats {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/stats";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerStatsQuery;
    type Body = NoBody;
    type Reply = JsonStream<types::Stats>;
}

query! {
    /// Parameters of [`ContainerStats`].
    pub struct ContainerStatsQuery {
        /// Every second; absent is true.
        "stream" => pub stream: Option<bool>,
        /// Once, and without waiting for a second sample.
        "one-shot" => pub one_shot: bool,
    }
}

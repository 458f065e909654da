//! `POST /containers/{id}/restart`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Stops and starts it.
pub struct ContainerRestart;

impl Endpoint for ContainerRestart {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/restart";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerRestartQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerRestart`].
    pub struct ContainerRestartQuery {
        "signal" => pub signal: String,
        /// As for `ContainerStop`.
        "t" => pub timeout: Option<i64>,
    }
}

//! `POST /containers/{id}/stop`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Stops it.
pub struct ContainerStop;

impl Endpoint for ContainerStop {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/stop";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerStopQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerStop`].
    pub struct ContainerStopQuery {
        "signal" => pub signal: String,
        /// Seconds before SIGKILL; -1 waits for ever, absent takes the container's own.
        "t" => pub timeout: Option<i64>,
    }
}

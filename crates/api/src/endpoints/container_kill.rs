//! `POST /containers/{id}/kill`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Sends a signal to its first process.
pub struct ContainerKill;

impl Endpoint for ContainerKill {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/kill";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerKillQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerKill`].
    pub struct ContainerKillQuery {
        /// Empty is SIGKILL.
        "signal" => pub signal: String,
    }
}

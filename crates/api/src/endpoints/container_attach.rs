//! `POST /containers/{id}/attach`

use crate::endpoint::{Endpoint, Hijack, Method, NoBody};
use crate::query::query;
use crate::version::Version;

/// Connects to its streams.
pub struct ContainerAttach;

impl Endpoint for ContainerAttach {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/attach";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerAttachQuery;
    type Body = NoBody;
    type Reply = Hijack;
}

query! {
    /// Parameters of [`ContainerAttach`].
    pub struct ContainerAttachQuery {
        "detachKeys" => pub detach_keys: String,
        /// What was written so far.
        "logs" => pub logs: bool,
        /// What is written from now on.
        "stream" => pub stream: bool,
        "stdin" => pub stdin: bool,
        "stdout" => pub stdout: bool,
        "stderr" => pub stderr: bool,
    }
}

//! `GET /containers/{id}/logs`

use crate::endpoint::{Endpoint, LogStream, Method, NoBody};
use crate::query::query;
use crate::version::Version;

/// What it has written.
pub struct ContainerLogs;

impl Endpoint for ContainerLogs {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/logs";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerLogsQuery;
    type Body = NoBody;
    type Reply = LogStream;
}

query! {
    /// Parameters of [`ContainerLogs`].
    pub struct ContainerLogsQuery {
        "follow" => pub follow: bool,
        "stdout" => pub stdout: bool,
        "stderr" => pub stderr: bool,
        /// `SECONDS[.NANOS]` UNIX time.
        "since" => pub since: String,
        /// `SECONDS[.NANOS]` UNIX time.
        "until" => pub until: String,
        "timestamps" => pub timestamps: bool,
        /// A number of lines, or `all`.
        "tail" => pub tail: String,
        "details" => pub details: bool,
    }
}

//! `GET /containers/{id}/archive`

use crate::endpoint::{Download, Endpoint, Method, NoBody};
use crate::query::query;
use crate::version::Version;

/// A tar of what is at a path; what that is, as [`ContainerArchiveHead`](super::ContainerArchiveHead).
pub struct ContainerArchiveGet;

impl Endpoint for ContainerArchiveGet {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/archive";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerArchiveGetQuery;
    type Body = NoBody;
    type Reply = Download;
}

query! {
    /// Parameters of [`ContainerArchiveGet`].
    pub struct ContainerArchiveGetQuery {
        /// In the container.
        "path" => pub path: String,
    }
}

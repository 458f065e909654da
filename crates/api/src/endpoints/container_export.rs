//! `GET /containers/{id}/export`

use crate::endpoint::{Download, Endpoint, Method, NoBody};
use crate::query::NoQuery;
use crate::version::Version;

/// Its root filesystem as a tar.
pub struct ContainerExport;

impl Endpoint for ContainerExport {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/export";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Download;
}

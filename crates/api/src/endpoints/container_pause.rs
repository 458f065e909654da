//! `POST /containers/{id}/pause`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::NoQuery;
use crate::version::Version;

/// Freezes its processes.
pub struct ContainerPause;

impl Endpoint for ContainerPause {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/pause";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

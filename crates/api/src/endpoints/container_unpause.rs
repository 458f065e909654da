//! `POST /containers/{id}/unpause`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::NoQuery;
use crate::version::Version;

/// Thaws its processes.
pub struct ContainerUnpause;

impl Endpoint for ContainerUnpause {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/unpause";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

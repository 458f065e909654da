//! `POST /containers/{id}/start`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Starts it.
pub struct ContainerStart;

impl Endpoint for ContainerStart {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/start";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerStartQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerStart`].
    pub struct ContainerStartQuery {
        "detachKeys" => pub detach_keys: String,
    }
}

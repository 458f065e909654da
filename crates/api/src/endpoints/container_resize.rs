//! `POST /containers/{id}/resize`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Sets the size of its terminal.
pub struct ContainerResize;

impl Endpoint for ContainerResize {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/resize";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerResizeQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ContainerResize`].
    pub struct ContainerResizeQuery {
        "h" => pub height: Option<i64>,
        "w" => pub width: Option<i64>,
    }
}

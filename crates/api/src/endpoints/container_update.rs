//! `POST /containers/{id}/update`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Changes its limits.
pub struct ContainerUpdate;

impl Endpoint for ContainerUpdate {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/update";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::UpdateRequest>;
    type Reply = Json<types::UpdateResponse>;
}

//! `POST /networks/{id}/disconnect`

use crate::endpoint::{Endpoint, Json, Method, NoContent};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Disconnects a container.
pub struct NetworkDisconnect;

impl Endpoint for NetworkDisconnect {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/networks/{id}/disconnect";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::NetworkDisconnectRequest>;
    type Reply = NoContent;
}

//! `POST /networks/{id}/connect`

use crate::endpoint::{Endpoint, Json, Method, NoContent};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Connects a container.
pub struct NetworkConnect;

impl Endpoint for NetworkConnect {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/networks/{id}/connect";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::NetworkConnectRequest>;
    type Reply = NoContent;
}

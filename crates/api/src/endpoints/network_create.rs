//! `POST /networks/create`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Creates a network.
pub struct NetworkCreate;

impl Endpoint for NetworkCreate {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/networks/create";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::NetworkCreateRequest>;
    type Reply = Json<types::NetworkCreateResponse>;
}

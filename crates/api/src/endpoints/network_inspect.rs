//! `GET /networks/{id}`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// One network.
pub struct NetworkInspect;

impl Endpoint for NetworkInspect {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/networks/{id}";
    const SINCE: Version = Version::new(1, 24);
    type Query = NetworkInspectQuery;
    type Body = NoBody;
    type Reply = Json<types::Network>;
}

query! {
    /// Parameters of [`NetworkInspect`].
    pub struct NetworkInspectQuery {
        "verbose" => pub verbose: bool,
        "scope" => pub scope: String,
    }
}

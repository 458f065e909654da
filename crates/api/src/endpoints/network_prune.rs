//! `POST /networks/prune`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Removes the networks that nobody is on.
pub struct NetworkPrune;

impl Endpoint for NetworkPrune {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/networks/prune";
    const SINCE: Version = Version::new(1, 25);
    type Query = NetworkPruneQuery;
    type Body = NoBody;
    type Reply = Json<types::NetworkPruneResponse>;
}

query! {
    /// Parameters of [`NetworkPrune`].
    pub struct NetworkPruneQuery {
        "filters" => pub filters: Filters,
    }
}

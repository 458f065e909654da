//! `POST /build/prune`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Removes what the build cache does not need. There is no builder yet, and nothing in its cache.
pub struct BuildPrune;

impl Endpoint for BuildPrune {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/build/prune";
    const SINCE: Version = Version::new(1, 31);
    type Query = BuildPruneQuery;
    type Body = NoBody;
    type Reply = Json<types::BuildPruneResponse>;
}

query! {
    /// Parameters of [`BuildPrune`].
    pub struct BuildPruneQuery {
        "all" => pub all: bool,
        "filters" => pub filters: Filters,
    }
}

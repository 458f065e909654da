//! `POST /containers/prune`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Removes those which do not run.
pub struct ContainerPrune;

impl Endpoint for ContainerPrune {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/prune";
    const SINCE: Version = Version::new(1, 25);
    type Query = ContainerPruneQuery;
    type Body = NoBody;
    type Reply = Json<types::ContainersPruneResponse>;
}

query! {
    /// Parameters of [`ContainerPrune`].
    pub struct ContainerPruneQuery {
        /// `until`, `label`, `label!`.
        "filters" => pub filters: Filters,
    }
}

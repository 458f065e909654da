//! `POST /volumes/prune`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Removes volumes that no container has.
pub struct VolumePrune;

impl Endpoint for VolumePrune {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/volumes/prune";
    const SINCE: Version = Version::new(1, 25);
    type Query = VolumePruneQuery;
    type Body = NoBody;
    type Reply = Json<types::VolumePruneResponse>;
}

query! {
    /// Parameters of [`VolumePrune`].
    pub struct VolumePruneQuery {
        "filters" => pub filters: Filters,
    }
}

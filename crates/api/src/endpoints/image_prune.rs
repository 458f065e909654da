//! `POST /images/prune`

use crate::Filters;
use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Removes images that nothing uses.
pub struct ImagePrune;

impl Endpoint for ImagePrune {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/images/prune";
    const SINCE: Version = Version::new(1, 25);
    type Query = ImagePruneQuery;
    type Body = NoBody;
    type Reply = Json<types::ImagePruneResponse>;
}

query! {
    /// Parameters of [`ImagePrune`].
    pub struct ImagePruneQuery {
        "filters" => pub filters: Filters,
    }
}

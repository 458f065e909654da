//! `GET /images/search`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types::SearchResult;
use crate::version::Version;

/// Searches an index of images.
pub struct ImageSearch;

impl Endpoint for ImageSearch {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/images/search";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageSearchQuery;
    type Body = NoBody;
    type Reply = Json<Vec<SearchResult>>;
}

query! {
    /// Parameters of [`ImageSearch`].
    pub struct ImageSearchQuery {
        "term" => pub term: String,
        /// From 1 to 100; 25 where it is absent.
        "limit" => pub limit: Option<i64>,
        "filters" => pub filters: Filters,
    }
}

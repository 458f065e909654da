//! `GET /images/json`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Images, newest first.
pub struct ImageList;

impl Endpoint for ImageList {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/images/json";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageListQuery;
    type Body = NoBody;
    type Reply = Json<Vec<types::ImageSummary>>;
}

query! {
    /// Parameters of [`ImageList`].
    pub struct ImageListQuery {
        /// Also intermediate ones.
        "all" => pub all: bool,
        "filters" => pub filters: Filters,
        "shared-size" => pub shared_size: bool,
        "digests" => pub digests: bool,
        "manifests" => pub manifests: bool,
        /// A reference to match, from clients below 1.41.
        "filter" => pub filter: String,
    }
}

//! `GET /networks`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Networks.
pub struct NetworkList;

impl Endpoint for NetworkList {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/networks";
    const SINCE: Version = Version::new(1, 24);
    type Query = NetworkListQuery;
    type Body = NoBody;
    type Reply = Json<Vec<types::Network>>;
}

query! {
    /// Parameters of [`NetworkList`].
    pub struct NetworkListQuery {
        "filters" => pub filters: Filters,
    }
}

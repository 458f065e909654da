//! `GET /containers/json`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Containers, newest first.
pub struct ContainerList;

impl Endpoint for ContainerList {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/json";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerListQuery;
    type Body = NoBody;
    type Reply = Json<Vec<types::ContainerSummary>>;
}

query! {
    /// Parameters of [`ContainerList`].
    pub struct ContainerListQuery {
        /// Also those that do not run.
        "all" => pub all: bool,
        /// At most so many of the newest, running or not; 0 and below is no limit.
        "limit" => pub limit: i64,
        /// With `SizeRw` and `SizeRootFs`.
        "size" => pub size: bool,
        "filters" => pub filters: Filters,
        /// Only those created after this container (gone from the documents, still sent by old clients).
        "since" => pub since: String,
        /// Only those created before this container.
        "before" => pub before: String,
    }
}

//! `GET /events`

use crate::endpoint::{Endpoint, JsonStream, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Events as they happen, and past ones with `since`.
pub struct SystemEvents;

impl Endpoint for SystemEvents {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/events";
    const SINCE: Version = Version::new(1, 24);
    type Query = SystemEventsQuery;
    type Body = NoBody;
    type Reply = JsonStream<types::EventMessage>;
}

query! {
    /// Parameters of [`SystemEvents`].
    pub struct SystemEventsQuery {
        /// `SECONDS[.NANOS]` UNIX time; empty means from now on.
        "since" => pub since: String,
        /// `SECONDS[.NANOS]` UNIX time; empty means for ever.
        "until" => pub until: String,
        "filters" => pub filters: Filters,
    }
}

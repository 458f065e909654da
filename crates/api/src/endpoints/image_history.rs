//! `GET /images/{name}/history`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// How it was made.
pub struct ImageHistory;

impl Endpoint for ImageHistory {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/images/{name}/history";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageHistoryQuery;
    type Body = NoBody;
    type Reply = Json<Vec<types::HistoryItem>>;
}

query! {
    /// Parameters of [`ImageHistory`].
    pub struct ImageHistoryQuery {
        /// JSON of an OCI platform.
        "platform" => pub platform: String,
    }
}

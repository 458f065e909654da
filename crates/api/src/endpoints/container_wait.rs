//! `POST /containers/{id}/wait`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Waits for its end; the headers come at once.
pub struct ContainerWait;

impl Endpoint for ContainerWait {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/wait";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerWaitQuery;
    type Body = NoBody;
    type Reply = Json<types::WaitResponse>;
}

query! {
    /// Parameters of [`ContainerWait`].
    pub struct ContainerWaitQuery {
        /// `not-running` (also when empty), `next-exit`, `removed`.
        "condition" => pub condition: String,
    }
}

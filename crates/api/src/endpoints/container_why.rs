//! `GET /lighter/containers/{id}/why`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Why it exited, is unhealthy or was not started, and what happens next. Ours: Docker has nothing of the kind.
pub struct ContainerWhy;

impl Endpoint for ContainerWhy {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/lighter/containers/{id}/why";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerWhyQuery;
    type Body = NoBody;
    type Reply = Json<types::ContainerWhy>;
}

query! {
    /// Parameters of [`ContainerWhy`].
    pub struct ContainerWhyQuery {
        /// Which `StopWarning` is about; empty: its own stop signal.
        "signal" => pub signal: String,
    }
}

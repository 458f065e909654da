//! `GET /containers/{id}/top`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Its processes, as `ps` prints them.
pub struct ContainerTop;

impl Endpoint for ContainerTop {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/top";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerTopQuery;
    type Body = NoBody;
    type Reply = Json<types::TopResponse>;
}

query! {
    /// Parameters of [`ContainerTop`].
    pub struct ContainerTopQuery {
        /// Empty is `-ef`.
        "ps_args" => pub ps_args: String,
    }
}

//! `GET /containers/{id}/json`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Everything about one container.
pub struct ContainerInspect;

impl Endpoint for ContainerInspect {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/json";
    const SINCE: Version = Version::new(1, 24);
    type Query = ContainerInspectQuery;
    type Body = NoBody;
    type Reply = Json<types::ContainerInspect>;
}

query! {
    /// Parameters of [`ContainerInspect`].
    pub struct ContainerInspectQuery {
        /// With `SizeRw` and `SizeRootFs`.
        "size" => pub size: bool,
    }
}

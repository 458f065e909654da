//! `GET /lighter/containers/{id}/reach`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Who can reach its ports, and why. Ours: Docker has nothing of the kind.
pub struct ContainerReach;

impl Endpoint for ContainerReach {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/lighter/containers/{id}/reach";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::ContainerReach>;
}

//! `GET /distribution/{name}/json`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// What a registry has under a name.
pub struct DistributionInspect;

impl Endpoint for DistributionInspect {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/distribution/{name}/json";
    const SINCE: Version = Version::new(1, 30);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::DistributionInspect>;
}

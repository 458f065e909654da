//! `GET /volumes/{name}`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// One volume.
pub struct VolumeInspect;

impl Endpoint for VolumeInspect {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/volumes/{name}";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::Volume>;
}

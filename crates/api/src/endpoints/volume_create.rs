//! `POST /volumes/create`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Creates a volume.
pub struct VolumeCreate;

impl Endpoint for VolumeCreate {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/volumes/create";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::VolumeCreateRequest>;
    type Reply = Json<types::Volume>;
}

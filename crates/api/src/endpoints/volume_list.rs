//! `GET /volumes`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::filters::Filters;
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Volumes.
pub struct VolumeList;

impl Endpoint for VolumeList {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/volumes";
    const SINCE: Version = Version::new(1, 24);
    type Query = VolumeListQuery;
    type Body = NoBody;
    type Reply = Json<types::VolumeList>;
}

query! {
    /// Parameters of [`VolumeList`].
    pub struct VolumeListQuery {
        "filters" => pub filters: Filters,
    }
}

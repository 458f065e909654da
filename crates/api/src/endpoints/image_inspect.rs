//! `GET /images/{name}/json`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Everything about one image.
pub struct ImageInspect;

impl Endpoint for ImageInspect {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/images/{name}/json";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageInspectQuery;
    type Body = NoBody;
    type Reply = Json<types::ImageInspect>;
}

query! {
    /// Parameters of [`ImageInspect`].
    pub struct ImageInspectQuery {
        "manifests" => pub manifests: bool,
        /// JSON of an OCI platform.
        "platform" => pub platform: String,
    }
}

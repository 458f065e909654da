//! `DELETE /images/{name}`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::query;
use crate::types;
use crate::version::Version;

/// Removes a name, and with the last one the image.
pub struct ImageRemove;

impl Endpoint for ImageRemove {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/images/{name}";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageRemoveQuery;
    type Body = NoBody;
    type Reply = Json<Vec<types::ImageDeleteItem>>;
}

query! {
    /// Parameters of [`ImageRemove`].
    pub struct ImageRemoveQuery {
        "force" => pub force: bool,
        /// Keep parents without a name.
        "noprune" => pub noprune: bool,
        /// JSON of OCI platforms.
        "platforms" => pub platforms: Vec<String>,
    }
}

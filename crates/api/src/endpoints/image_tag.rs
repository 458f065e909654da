//! `POST /images/{name}/tag`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::query;
use crate::version::Version;

/// Gives an image a name.
pub struct ImageTag;

impl Endpoint for ImageTag {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/images/{name}/tag";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageTagQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

query! {
    /// Parameters of [`ImageTag`].
    pub struct ImageTagQuery {
        "repo" => pub repo: String,
        "tag" => pub tag: String,
    }
}

//! `POST /images/{name}/push`

use crate::endpoint::{Endpoint, JsonStream, Method, NoBody};
use crate::progress::JsonMessage;
use crate::query::query;
use crate::version::Version;

/// Pushes an image to the registry it is named after.
pub struct ImagePush;

impl Endpoint for ImagePush {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/images/{name}/push";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImagePushQuery;
    type Body = NoBody;
    type Reply = JsonStream<JsonMessage>;
}

query! {
    /// Parameters of [`ImagePush`].
    pub struct ImagePushQuery {
        /// Empty: all tags of the name.
        "tag" => pub tag: String,
        /// JSON of an OCI platform.
        "platform" => pub platform: String,
    }
}

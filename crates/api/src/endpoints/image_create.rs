//! `POST /images/create`

use crate::endpoint::{Endpoint, JsonStream, Method, Upload};
use crate::progress::JsonMessage;
use crate::query::query;
use crate::version::Version;

/// Pulls an image, or imports one from an archive.
pub struct ImageCreate;

impl Endpoint for ImageCreate {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/images/create";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageCreateQuery;
    type Body = Upload;
    type Reply = JsonStream<JsonMessage>;
}

query! {
    /// Parameters of [`ImageCreate`].
    pub struct ImageCreateQuery {
        "fromImage" => pub from_image: String,
        /// `-` for the request's body, or a URL.
        "fromSrc" => pub from_src: String,
        "repo" => pub repo: String,
        "tag" => pub tag: String,
        "message" => pub message: String,
        /// Dockerfile instructions.
        "changes" => pub changes: Vec<String>,
        "platform" => pub platform: String,
    }
}

//! `POST /images/load`

use crate::endpoint::{Endpoint, JsonStream, Method, Upload};
use crate::progress::JsonMessage;
use crate::query::query;
use crate::version::Version;

/// Loads images from an archive of `save`.
pub struct ImageLoad;

impl Endpoint for ImageLoad {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/images/load";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageLoadQuery;
    type Body = Upload;
    type Reply = JsonStream<JsonMessage>;
}

query! {
    /// Parameters of [`ImageLoad`].
    pub struct ImageLoadQuery {
        "quiet" => pub quiet: bool,
        /// JSON of OCI platforms.
        "platform" => pub platform: Vec<String>,
    }
}

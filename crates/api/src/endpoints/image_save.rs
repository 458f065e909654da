//! `GET /images/{name}/get`

use crate::endpoint::{Download, Endpoint, Method, NoBody};
use crate::query::query;
use crate::version::Version;

/// An archive of an image, or of all tags of a repository.
pub struct ImageSave;

impl Endpoint for ImageSave {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/images/{name}/get";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageSaveQuery;
    type Body = NoBody;
    type Reply = Download;
}

query! {
    /// Parameters of [`ImageSave`].
    pub struct ImageSaveQuery {
        /// JSON of OCI platforms.
        "platform" => pub platform: Vec<String>,
    }
}

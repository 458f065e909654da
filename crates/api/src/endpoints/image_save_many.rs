//! `GET /images/get`

use crate::endpoint::{Download, Endpoint, Method, NoBody};
use crate::query::query;
use crate::version::Version;

/// An archive of several images.
pub struct ImageSaveMany;

impl Endpoint for ImageSaveMany {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/images/get";
    const SINCE: Version = Version::new(1, 24);
    type Query = ImageSaveManyQuery;
    type Body = NoBody;
    type Reply = Download;
}

query! {
    /// Parameters of [`ImageSaveMany`].
    pub struct ImageSaveManyQuery {
        "names" => pub names: Vec<String>,
        /// JSON of OCI platforms.
        "platform" => pub platform: Vec<String>,
    }
}

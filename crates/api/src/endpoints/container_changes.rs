//! `GET /containers/{id}/changes`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// What it changed of its image's files; `null` for nothing.
pub struct ContainerChanges;

impl Endpoint for ContainerChanges {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/containers/{id}/changes";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<Option<Vec<types::FilesystemChange>>>;
}

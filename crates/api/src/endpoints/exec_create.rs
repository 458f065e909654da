//! `POST /containers/{id}/exec`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Prepares a process in a running container.
pub struct ExecCreate;

impl Endpoint for ExecCreate {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/containers/{id}/exec";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<types::ExecCreateRequest>;
    type Reply = Json<types::IdResponse>;
}

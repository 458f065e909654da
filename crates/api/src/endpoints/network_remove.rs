//! `DELETE /networks/{id}`

use crate::endpoint::{Endpoint, Method, NoBody, NoContent};
use crate::query::NoQuery;
use crate::version::Version;

/// Removes a network.
pub struct NetworkRemove;

impl Endpoint for NetworkRemove {
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/networks/{id}";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = NoContent;
}

//! `GET /lighter/networks/doctor`

use crate::endpoint::{Endpoint, Json, Method, NoBody};
use crate::query::NoQuery;
use crate::types;
use crate::version::Version;

/// Looks whether networks are as they should be. Ours: Docker has nothing of the kind.
pub struct NetworkDoctor;

impl Endpoint for NetworkDoctor {
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/lighter/networks/doctor";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = NoBody;
    type Reply = Json<types::NetworkDoctor>;
}

//! `POST /auth`

use crate::endpoint::{Endpoint, Json, Method};
use crate::query::NoQuery;
use crate::types::{AuthConfig, AuthResponse};
use crate::version::Version;

/// Asks a registry whether it takes credentials.
pub struct RegistryAuth;

impl Endpoint for RegistryAuth {
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/auth";
    const SINCE: Version = Version::new(1, 24);
    type Query = NoQuery;
    type Body = Json<AuthConfig>;
    type Reply = Json<AuthResponse>;
}

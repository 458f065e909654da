//! The header with a registry's credentials.

use engine::{AllCredentials, Credentials};
use http::HeaderMap;
use values::Result;

/// `X-Registry-Auth`; none is anonymous.
///
/// # Errors
/// `InvalidArgument` for what cannot be read.
pub(super) fn of(headers: &HeaderMap) -> Result<Credentials> {
    Credentials::from_header(text(headers, "x-registry-auth"))
}

/// `X-Registry-Config`, those of several registries.
///
/// # Errors
/// `InvalidArgument` for what cannot be read.
pub(super) fn of_all(headers: &HeaderMap) -> Result<AllCredentials> {
    AllCredentials::from_header(text(headers, "x-registry-config"))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

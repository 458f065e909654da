//! The header with a registry's credentials.

use engine::Credentials;
use http::HeaderMap;
use values::Result;

/// `X-Registry-Auth`; none is anonymous.
///
/// # Errors
/// `InvalidArgument` for what cannot be read.
pub(super) fn of(headers: &HeaderMap) -> Result<Credentials> {
    let header = headers.get("x-registry-auth").and_then(|value| value.to_str().ok()).unwrap_or_default();
    Credentials::from_header(header)
}

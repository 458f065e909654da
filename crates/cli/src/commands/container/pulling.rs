//! Fetching an image on the way to a container.

use api::endpoints::{ImageCreate, ImageCreateQuery};
use values::Reference;

use crate::failure::Failure;
use crate::{Session, credentials, output};

/// Has the daemon pull `reference`; progress goes to stderr unless `quiet`.
///
/// # Errors
/// What the daemon or the registry says.
pub fn pull(session: &Session, reference: &Reference, platform: &str, quiet: bool) -> Result<(), Failure> {
    let tag = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.clone().unwrap_or_default(),
    };
    let query = ImageCreateQuery {
        from_image: reference.name(),
        tag,
        platform: platform.to_owned(),
        ..ImageCreateQuery::default()
    };
    let auth = credentials::header(session, &reference.domain);
    let headers = [("X-Registry-Auth", auth.as_str())];
    let messages = session.client()?.stream_with_headers::<ImageCreate, _>(&[], &query, &headers)?;
    if !quiet {
        return output::progress::show_on_stderr(messages);
    }
    for message in messages {
        if let Some(error) = message?.failure() {
            return Err(Failure::new(error));
        }
    }
    Ok(())
}

//! The image that `pull` and `push` name.

use values::Reference;

use crate::{Failure, Invocation, Session};

/// The first argument: with `--all-tags` a bare repository, else with the tag it has or the default one, which is said unless
/// quiet is wanted.
///
/// # Errors
/// What is no reference, a tag beside `--all-tags`, content trust.
pub fn named(session: &Session, call: &Invocation) -> Result<Reference, Failure> {
    let reference: Reference = call.arg(0).parse()?;
    let all = call.is("all-tags");
    let is_bare = reference.tag.is_none() && reference.digest.is_none();
    if all && !is_bare {
        return Err(Failure::new("tag can't be used with --all-tags/-a"));
    }
    if !call.is("disable-content-trust") {
        return Err(Failure::new("content trust is not supported: --disable-content-trust=false"));
    }
    if all || !is_bare {
        return Ok(reference);
    }
    let reference = reference.or_latest();
    if !call.is("quiet") {
        session.println(format!("Using default tag: {}", reference.tag.as_deref().unwrap_or_default()));
    }
    Ok(reference)
}

//! Registries, for the API: pull and push with Docker's messages, looking, logging in, searching.

mod inspect;
mod manifest;
mod progress;
mod pull;
mod push;
mod search;

pub use inspect::inspect;
pub use manifest::{manifest, put_manifest};
pub use pull::{PullOptions, fetch_again, pull};
pub use push::{PushOptions, push};
pub use search::{SearchOptions, search};

use values::{Error, ErrorKind, Reference};

/// Docker's words for what a registry said about a reference.
fn pull_failure(failure: ::registry::Failure, reference: &Reference) -> Error {
    let error = failure.error;
    let (context, kind) = match (failure.code.as_str(), failure.status) {
        ("NAME_UNKNOWN", _) => (format!("repository {} not found", reference.familiar_name()), ErrorKind::NotFound),
        ("MANIFEST_UNKNOWN", _) | (_, 404) => {
            (format!("manifest for {} not found", reference.familiar()), ErrorKind::NotFound)
        }
        ("DENIED", _) | (_, 403) => (
            format!(
                "pull access denied for {}, repository does not exist or may require 'docker login'",
                reference.familiar_name()
            ),
            ErrorKind::NotFound,
        ),
        // Docker's status for what is the registry's or the network's
        _ => {
            return Error::new(
                if error.kind == ErrorKind::Unauthorized { ErrorKind::Internal } else { internal(error.kind) },
                error.message,
            );
        }
    };
    Error::new(kind, error.message).context(context)
}

/// A client asks again for another daemon's 503: a registry's is told as an error of ours.
fn internal(kind: ErrorKind) -> ErrorKind {
    if kind == ErrorKind::Unavailable { ErrorKind::Internal } else { kind }
}

//! `image pull`, `pull`.

use api::endpoints::{ImageCreate, ImageCreateQuery};
use api::progress::JsonMessage;

use super::named::named;
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::output::progress;
use crate::{Failure, Invocation, Outcome, Session, credentials};

pub static COMMAND: Command = Command {
    spellings: &["image pull", "pull"],
    usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
    about: "Download an image from a registry",
    args: Args::Exactly(1),
    flags: &[
        Flag::bool("all-tags", "Download all tagged images in the repository").short('a'),
        Flag::bool_on("disable-content-trust", "Skip image verification"),
        Flag::text("platform", "Set platform if server is multi-platform capable"),
        Flag::bool("quiet", "Suppress verbose output").short('q'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let reference = named(session, call)?;
    let quiet = call.is("quiet");
    let tag = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.clone().unwrap_or_default(),
    };
    let query =
        ImageCreateQuery { from_image: reference.name(), tag, platform: platform(call), ..ImageCreateQuery::default() };
    let auth = credentials::header(session, &reference.domain);
    let headers = [("X-Registry-Auth", auth.as_str())];
    let messages = session.client()?.stream_with_headers::<ImageCreate, _>(&[], &query, &headers)?;
    if quiet {
        drain(messages)?
    } else {
        progress::show(messages)?
    }
    session.println(&reference);
    Ok(0)
}

/// `--platform`, else `DOCKER_DEFAULT_PLATFORM`.
fn platform(call: &Invocation) -> String {
    let default = || std::env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default();
    call.text("platform").map_or_else(default, str::to_owned)
}

/// Waits for the end and shows nothing.
///
/// # Errors
/// The stream's own, or the connection's.
pub fn drain(messages: impl Iterator<Item = Result<JsonMessage, client::Error>>) -> Result<(), Failure> {
    for message in messages {
        if let Some(error) = message?.failure() {
            return Err(Failure::new(error));
        }
    }
    Ok(())
}

//! `image push`, `push`.

use api::endpoints::{ImagePush, ImagePushQuery};
use api::progress::JsonMessage;

use super::named::named;
use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::flags::platform::platform_json;
use crate::output::progress;
use crate::{Failure, Invocation, Outcome, Session, credentials};

pub static COMMAND: Command = Command {
    spellings: &["image push", "push"],
    usage: "[OPTIONS] NAME[:TAG]",
    about: "Upload an image to a registry",
    args: Args::Exactly(1),
    complete: Complete::Images,
    flags: &[
        Flag::bool("all-tags", "Push all tags of an image to the repository").short('a'),
        Flag::bool_on("disable-content-trust", "Skip image signing"),
        Flag::text(
            "platform",
            "Push a platform-specific manifest as a single-platform image to the registry.\nImage index won't be pushed, meaning that other manifests, including attestations won't be preserved.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
        ),
        Flag::bool("quiet", "Suppress verbose output").short('q'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let reference = named(session, call)?;
    if reference.digest.is_some() {
        return Err(Failure::new("cannot push a digest reference"));
    }
    let quiet = call.is("quiet");
    let query = ImagePushQuery {
        tag: reference.tag.clone().unwrap_or_default(),
        platform: platform_json(call.text_or_empty("platform"))?,
    };
    let auth = credentials::header(session, &reference.domain);
    let headers = [("X-Registry-Auth", auth.as_str())];
    let name = reference.name();
    let messages = session.client()?.stream_with_headers::<ImagePush, _>(&[&name], &query, &headers)?;
    let mut notes = Vec::new();
    let messages = messages.inspect(|message| notes.extend(message.as_ref().ok().and_then(note)));
    if quiet {
        super::pull::drain(messages)?;
        session.println(&reference);
    } else {
        progress::show(messages)?;
    }
    for note in notes {
        session.eprintln(format!("\n Info -> {note}"));
    }
    Ok(0)
}

/// That a manifest went in place of an index.
fn note(message: &JsonMessage) -> Option<String> {
    let aux = message.aux.as_ref().filter(|aux| aux["manifestPushedInsteadOfIndex"] == true)?;
    let digest = |of: &str| aux[of]["digest"].as_str().unwrap_or_default().to_owned();
    Some(format!(
        "Not all multiplatform-content is present and only the available single-platform image was pushed\n         {} -> {}",
        digest("originalIndex"),
        digest("selectedManifest")
    ))
}

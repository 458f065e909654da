//! `image tag`, `tag`.

use api::endpoints::{ImageTag, ImageTagQuery};
use values::Reference;

use crate::command::{Args, Command, Complete};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image tag", "tag"],
    usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    args: Args::Exactly(2),
    complete: Complete::Images,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (source, target) = (call.arg(0), call.arg(1));
    // an id is no name, and the daemon knows which it is
    if !is_id(source) {
        parse(source)?;
    }
    let target_reference = parse(target)?;
    if target_reference.digest.is_some() {
        return Err(Failure::new("refusing to create a tag with a digest reference"));
    }
    let target = target_reference.or_latest();
    let query = ImageTagQuery { repo: target.name(), tag: target.tag.unwrap_or_default() };
    session.client()?.call::<ImageTag>(&[source], &query, &())?;
    Ok(0)
}

fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn parse(name: &str) -> Result<Reference, Failure> {
    name.parse().map_err(|error: values::Error| {
        Failure::new(format!("Error parsing reference: \"{name}\" is not a valid repository/tag: {}", error.message))
    })
}

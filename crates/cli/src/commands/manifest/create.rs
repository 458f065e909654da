//! `manifest create`.

use super::{experimental, fetch, named, store};
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["manifest create"],
    usage: "MANIFEST_LIST MANIFEST [MANIFEST...]",
    about: "Create a local manifest list for annotating and pushing to a registry",
    long: experimental!("Create a local manifest list for annotating and pushing to a registry", "create"),
    args: Args::AtLeast(2),
    flags: &[
        Flag::bool("amend", "Amend an existing manifest list").short('a'),
        Flag::bool("insecure", "Allow communication with an insecure registry"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let list = named(call.arg(0))?;
    if !store::read(session, &list)?.is_empty() && !call.is("amend") {
        return Err(Failure::new("refusing to amend an existing manifest list with no --amend flag"));
    }
    // all of them before anything is written
    let mut items = Vec::new();
    for name in &call.args[1..] {
        let reference = named(name)?;
        let found = fetch(session, &reference, call.is("insecure"))?;
        match <[_; 1]>::try_from(found) {
            Ok([one]) if one.reference == reference.to_string() => items.push(one),
            _ => return Err(Failure::new(format!("{reference} is a manifest list"))),
        }
    }
    for item in &items {
        store::write(session, &list, item)?;
    }
    session.println(format!("Created manifest list {list}"));
    Ok(0)
}

//! `manifest rm`.

use super::{experimental, named, store};
use crate::command::{Args, Command};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["manifest rm"],
    usage: "MANIFEST_LIST [MANIFEST_LIST...]",
    about: "Delete one or more manifest lists from local storage",
    long: experimental!("Delete one or more manifest lists from local storage", "rm"),
    args: Args::AtLeast(1),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let mut missing = Vec::new();
    for name in &call.args {
        let list = named(name)?;
        if !store::remove(session, &list)? {
            missing.push(format!("No such manifest: {list}"));
        }
    }
    if missing.is_empty() { Ok(0) } else { Err(Failure::new(missing.join("\n"))) }
}

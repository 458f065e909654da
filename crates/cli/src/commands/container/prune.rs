//! `container prune`.

use api::Filters;
use api::endpoints::{ContainerPrune, ContainerPruneQuery};

use crate::command::{Args, Command};
use crate::flags::filters::{PRUNE_FLAGS, prune_filters};
use crate::{Failure, Invocation, Outcome, Session, confirm};

pub static COMMAND: Command = Command {
    spellings: &["container prune"],
    usage: "[OPTIONS]",
    about: "Remove all stopped containers",
    args: Args::None,
    flags: PRUNE_FLAGS,
    run,
    ..Command::DEFAULT
};

const WARNING: &str = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?";

fn run(session: &Session, call: &Invocation) -> Outcome {
    if !call.is("force") && !confirm::ask(session, WARNING) {
        return Ok(0);
    }
    let reclaimed = prune(session, prune_filters(session, call, "filter"))?;
    session.println(format!("Total reclaimed space: {}", values::size::human(reclaimed as f64)));
    Ok(0)
}

/// Says which are deleted; the bytes that are free for it.
///
/// # Errors
/// The daemon's.
pub fn prune(session: &Session, filters: Filters) -> Result<u64, Failure> {
    let pruned = session.client()?.call::<ContainerPrune>(&[], &ContainerPruneQuery { filters }, &())?;
    let deleted = pruned.containers_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        session.println(format!("Deleted Containers:\n{}\n", deleted.join("\n")));
    }
    Ok(pruned.space_reclaimed)
}

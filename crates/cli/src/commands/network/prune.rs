//! `network prune`

use api::Filters;
use api::endpoints::{NetworkPrune, NetworkPruneQuery};

use crate::command::{Args, Command};
use crate::confirm;
use crate::flags::filters::{PRUNE_FLAGS, prune_filters};
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network prune"],
    usage: "[OPTIONS]",
    about: "Remove all unused networks",
    args: Args::None,
    flags: PRUNE_FLAGS,
    run,
    ..Command::DEFAULT
};

const WARNING: &str = "WARNING! This will remove all custom networks not used by at least one container.";

fn run(session: &Session, call: &Invocation) -> Outcome {
    if !call.is("force") && !confirm::ask(session, &format!("{WARNING}\nAre you sure you want to continue?")) {
        return Ok(0);
    }
    prune(session, prune_filters(session, call, "filter"))?;
    Ok(0)
}

/// Says which are deleted.
///
/// # Errors
/// The daemon's.
pub fn prune(session: &Session, filters: Filters) -> Result<(), Failure> {
    let pruned = session.client()?.call::<NetworkPrune>(&[], &NetworkPruneQuery { filters }, &())?;
    let deleted = pruned.networks_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        session.println(format_args!("Deleted Networks:\n{}\n", deleted.join("\n")));
    }
    Ok(())
}

//! `volume prune`

use api::Filters;
use api::endpoints::{VolumePrune, VolumePruneQuery};

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::prune_filters;
use crate::{Failure, Invocation, Outcome, Session, confirm};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["volume prune"],
    usage: "[OPTIONS]",
    about: "Remove unused local volumes",
    args: Args::None,
    flags: &[
        Flag::bool("all", "Remove all unused volumes, not just anonymous ones").short('a'),
        Flag::filter("filter", "Provide filter values (e.g. \"label=<label>\")"),
        Flag::bool("force", "Do not prompt for confirmation").short('f'),
    ],
    run,
    ..Command::DEFAULT
};

const ANONYMOUS: &str = "WARNING! This will remove anonymous local volumes not used by at least one container.\nAre you sure you want to continue?";
const ALL: &str = "WARNING! This will remove all local volumes not used by at least one container.\nAre you sure you want to continue?";

fn run(session: &Session, call: &Invocation) -> Outcome {
    let all = call.is("all");
    let mut filters = prune_filters(session, call, "filter");
    if all {
        if filters.contains("all") {
            return Err(Failure::new("conflicting options: cannot specify both --all and --filter all=1"));
        }
        filters.add("all", "true");
    }
    if !call.is("force") && !confirm::ask(session, if all { ALL } else { ANONYMOUS }) {
        return Ok(0);
    }
    let reclaimed = prune(session, filters)?;
    session.println(format!("Total reclaimed space: {}", values::size::human(reclaimed as f64)));
    Ok(0)
}

/// Says which are deleted; the bytes that are free for it.
///
/// # Errors
/// The daemon's.
pub fn prune(session: &Session, filters: Filters) -> Result<u64, Failure> {
    let pruned = session.client()?.call::<VolumePrune>(&[], &VolumePruneQuery { filters }, &())?;
    let deleted = pruned.volumes_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        session.println(format!("Deleted Volumes:\n{}\n", deleted.join("\n")));
    }
    Ok(pruned.space_reclaimed)
}

//! `image prune`.

use api::Filters;
use api::endpoints::{ImagePrune, ImagePruneQuery};
use api::types::ImageDeleteItem;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::prune_filters;
use crate::{Failure, Invocation, Outcome, Session, confirm};

pub static COMMAND: Command = Command {
    spellings: &["image prune"],
    usage: "[OPTIONS]",
    about: "Remove unused images",
    args: Args::None,
    flags: &[
        Flag::bool("all", "Remove all unused images, not just dangling ones").short('a'),
        Flag::filter("filter", "Provide filter values (e.g. \"until=<timestamp>\")"),
        Flag::bool("force", "Do not prompt for confirmation").short('f'),
    ],
    run,
    ..Command::DEFAULT
};

const ALL: &str = "WARNING! This will remove all images without at least one container associated to them.\nAre you sure you want \
                   to continue?";
const DANGLING: &str = "WARNING! This will remove all dangling images.\nAre you sure you want to continue?";

fn run(session: &Session, call: &Invocation) -> Outcome {
    let all = call.is("all");
    if !call.is("force") && !confirm::ask(session, if all { ALL } else { DANGLING }) {
        return Ok(0);
    }
    let reclaimed = prune(session, prune_filters(session, call, "filter"), all)?;
    session.println(format!("Total reclaimed space: {}", values::size::human(reclaimed as f64)));
    Ok(0)
}

/// Says which are deleted; the bytes that are free for it.
///
/// # Errors
/// The daemon's.
pub fn prune(session: &Session, mut filters: Filters, all: bool) -> Result<u64, Failure> {
    filters.add("dangling", if all { "false" } else { "true" });
    let pruned = session.client()?.call::<ImagePrune>(&[], &ImagePruneQuery { filters }, &())?;
    let deleted = pruned.images_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        let lines: Vec<String> = deleted.iter().map(line).collect();
        session.println(format!("Deleted Images:\n{}\n", lines.join("\n")));
    }
    Ok(pruned.space_reclaimed)
}

fn line(item: &ImageDeleteItem) -> String {
    if item.untagged.is_empty() { format!("deleted: {}", item.deleted) } else { format!("untagged: {}", item.untagged) }
}

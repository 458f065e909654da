//! `image prune`.

use api::endpoints::{ImagePrune, ImagePruneQuery};
use api::types::ImageDeleteItem;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::prune_filters;
use crate::{Invocation, Outcome, Session, confirm};

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
    let mut filters = prune_filters(session, call, "filter");
    filters.add("dangling", if all { "false" } else { "true" });
    let pruned = session.client()?.call::<ImagePrune>(&[], &ImagePruneQuery { filters }, &())?;
    let deleted = pruned.images_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        let lines: Vec<String> = deleted.iter().map(line).collect();
        session.println(format!("Deleted Images:\n{}\n", lines.join("\n")));
    }
    session.println(format!("Total reclaimed space: {}", values::size::human(pruned.space_reclaimed as f64)));
    Ok(0)
}

fn line(item: &ImageDeleteItem) -> String {
    if item.untagged.is_empty() { format!("deleted: {}", item.deleted) } else { format!("untagged: {}", item.untagged) }
}

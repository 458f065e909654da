//! `system prune`: the prunes of all nouns, one after the other.

use api::Filters;
use api::endpoints::{BuildPrune, BuildPruneQuery};

use crate::command::{Args, Command};
use crate::commands::{container, image, network, volume};
use crate::flags::Flag;
use crate::flags::filters::prune_filters;
use crate::{Failure, Invocation, Outcome, Session, confirm};

pub static COMMAND: Command = Command {
    spellings: &["system prune"],
    usage: "[OPTIONS]",
    about: "Remove unused data",
    args: Args::None,
    flags: &[
        Flag::bool("all", "Remove all unused images not just dangling ones").short('a'),
        Flag::filter("filter", "Provide filter values (e.g. \"label=<key>=<value>\")"),
        Flag::bool("force", "Do not prompt for confirmation").short('f'),
        Flag::bool("volumes", "Prune anonymous volumes"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (all, volumes) = (call.is("all"), call.is("volumes"));
    let filters = prune_filters(session, call, "filter");
    if volumes && filters.contains("until") {
        return Err(Failure::new("ERROR: The \"until\" filter is not supported with \"--volumes\""));
    }
    if !call.is("force") && !confirm::ask(session, &question(all, volumes, &filters)) {
        return Ok(0);
    }
    let mut reclaimed = container::prune::prune(session, filters.clone())?;
    network::prune::prune(session, filters.clone())?;
    if volumes {
        reclaimed += volume::prune::prune(session, filters.clone())?;
    }
    reclaimed += image::prune::prune(session, filters.clone(), all)?;
    reclaimed += prune_cache(session, filters, all)?;
    session.println(format!("Total reclaimed space: {}", values::size::human(reclaimed as f64)));
    Ok(0)
}

fn question(all: bool, volumes: bool, filters: &Filters) -> String {
    let mut goes = vec!["all stopped containers", "all networks not used by at least one container"];
    if volumes {
        goes.push("all anonymous volumes not used by at least one container");
    }
    goes.push(if all { "all images without at least one container associated to them" } else { "all dangling images" });
    goes.push(if all { "all build cache" } else { "unused build cache" });
    let list = |lines: Vec<String>| lines.iter().map(|line| format!("  - {line}\n")).collect::<String>();
    let mut text = format!("WARNING! This will remove:\n{}\n", list(goes.into_iter().map(str::to_owned).collect()));
    let of = |key: &str| filters.get(key).map(|value| format!("{key}={value}")).collect::<Vec<_>>();
    let mut given: Vec<String> = filters.keys().flat_map(of).collect();
    if !given.is_empty() {
        given.sort();
        text += &format!("  Items to be pruned will be filtered with:\n{}\n", list(given));
    }
    text + "Are you sure you want to continue?"
}

fn prune_cache(session: &Session, filters: Filters, all: bool) -> Result<u64, Failure> {
    let pruned = session.client()?.call::<BuildPrune>(&[], &BuildPruneQuery { all, filters }, &())?;
    let deleted = pruned.caches_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        session.println(format!("Deleted build cache objects:\n{}\n", deleted.join("\n")));
    }
    Ok(pruned.space_reclaimed)
}

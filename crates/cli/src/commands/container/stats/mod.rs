//! `container stats`, `stats`.

mod figures;
mod live;

use api::Json;
use api::endpoints::{ContainerList, ContainerListQuery, ContainerStats, ContainerStatsQuery};
use api::types::Stats;

use crate::command::{Args, Command, Complete, States};
use crate::flags::Flag;
use crate::output::raw::As;
use crate::{Failure, Invocation, Outcome, Session};
use figures::{Figures, LISTING, Row};

pub static COMMAND: Command = Command {
    spellings: &["container stats", "stats"],
    usage: "[OPTIONS] [CONTAINER...]",
    about: "Display a live stream of container(s) resource usage statistics",
    args: Args::Any,
    complete: Complete::Containers(States::Running),
    flags: &[
        Flag::bool("all", "Show all containers (default shows just running)").short('a'),
        Flag::text("format", crate::output::listing::FORMAT_HELP),
        Flag::bool("no-stream", "Disable streaming stats and only pull the first result"),
        Flag::bool("no-trunc", "Do not truncate output"),
    ],
    run,
    ..Command::DEFAULT
};

const TABLE: &str =
    "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

/// As many requests are under way at once; a connection each.
const AT_ONCE: usize = 256;

fn run(session: &Session, call: &Invocation) -> Outcome {
    let format = match (call.text_or_empty("format"), session.config().stats_format.as_str()) {
        ("", "") | ("table", _) | ("", "table") => TABLE,
        ("", configured) => configured,
        (given, _) => given,
    };
    let view = View { format, trunc: !call.is("no-trunc") };
    if !call.is("no-stream") {
        return live::run(session, call, &view);
    }
    let rows = if call.args.is_empty() {
        let rows = once(session, &running(session, call.is("all"))?)?;
        // who asked for all does not care for those that went meanwhile
        rows.into_iter().filter_map(Result::ok).collect()
    } else {
        let rows: Vec<Result<Row, String>> = once(session, &call.args)?;
        let errors: Vec<&str> = rows.iter().filter_map(|row| row.as_ref().err().map(String::as_str)).collect();
        if !errors.is_empty() {
            return Err(Failure::new(errors.join("\n")));
        }
        rows.into_iter().filter_map(Result::ok).collect()
    };
    session.print(view.render(rows)?);
    Ok(0)
}

/// How rows are shown.
struct View<'a> {
    format: &'a str,
    trunc: bool,
}

impl View<'_> {
    fn render(&self, mut rows: Vec<Row>) -> Result<String, Failure> {
        rows.iter_mut().for_each(|row| row.trunc = self.trunc);
        LISTING.render(self.format, rows)
    }
}

/// Short ids of the containers, newest first, as they are listed.
fn running(session: &Session, all: bool) -> Result<Vec<String>, Failure> {
    let query = ContainerListQuery { all, ..ContainerListQuery::default() };
    let containers = session.client()?.call::<ContainerList>(&[], &query, &())?;
    Ok(containers.iter().map(|one| crate::output::human::short_id(&one.id).to_owned()).collect())
}

/// One report of each, all asked for at once.
fn once(session: &Session, names: &[String]) -> Result<Vec<Result<Row, String>>, Failure> {
    type Once = As<ContainerStats, Json<Stats>>;
    let client = session.client()?;
    let query = ContainerStatsQuery { stream: Some(false), one_shot: false };
    let mut rows = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        let pending: Vec<_> = names.iter().map(|name| client.send::<Once>(&[name], &query, &())).collect();
        let replies = pending.into_iter().map(|sent| sent.and_then(client::Pending::wait));
        rows.extend(names.iter().zip(replies).map(|(name, reply)| match reply {
            Ok(stats) => Ok(Row::new(name, Some(Figures::of(&stats)))),
            Err(error) => Err(error.to_string()),
        }));
    }
    Ok(rows)
}

//! `search`.

use api::endpoints::{ImageSearch, ImageSearchQuery};
use api::types::SearchResult;

use crate::command::{Args, Command};
use crate::credentials;
use crate::flags::Flag;
use crate::flags::filters::filters;
use crate::output::listing::{Column, Listing};
use crate::output::width;
use crate::{Invocation, Outcome, Session};

const TABLE: &str = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";

pub static COMMAND: Command = Command {
    spellings: &["search"],
    usage: "[OPTIONS] TERM",
    about: "Search Docker Hub for images",
    args: Args::Exactly(1),
    flags: &[
        Flag::filter("filter", "Filter output based on conditions provided").short('f'),
        Flag::text("format", "Pretty-print search using a Go template"),
        Flag::int("limit", "Max number of search results"),
        Flag::bool("no-trunc", "Don't truncate output"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let term = call.arg(0);
    let domain = match term.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => values::DEFAULT_DOMAIN,
    };
    let auth = credentials::header(session, domain);
    let limit = call.int("limit").filter(|limit| *limit != 0);
    let query = ImageSearchQuery { term: term.into(), limit, filters: filters(call, "filter") };
    if query.filters.contains("is-automated") {
        session.eprintln(
            "WARNING: the \"is-automated\" filter is deprecated, and searching for \"is-automated=true\" will not yield any \
             results in future.",
        );
    }
    let headers = [("X-Registry-Auth", auth.as_str())];
    let mut found = session.client()?.call_with_headers::<ImageSearch>(&[], &query, &headers, &())?;
    found.sort_by_key(|one| std::cmp::Reverse(one.star_count));
    let trunc = !call.is("no-trunc");
    let template = match call.text_or_empty("format") {
        "" | "table" => TABLE,
        given => given,
    };
    session.print(LISTING.render(template, found.into_iter().map(|one| Row { one, trunc }))?);
    Ok(0)
}

struct Row {
    one: SearchResult,
    trunc: bool,
}

static LISTING: Listing<Row> = Listing {
    type_name: "*registry.searchContext",
    columns: &[
        Column { name: "Description", caption: "DESCRIPTION", value: |row| description(row).into() },
        Column {
            name: "IsOfficial",
            caption: "OFFICIAL",
            value: |row| if row.one.is_official { "[OK]" } else { "" }.into(),
        },
        Column { name: "Name", caption: "NAME", value: |row| row.one.name.as_str().into() },
        Column { name: "StarCount", caption: "STARS", value: |row| row.one.star_count.to_string().into() },
    ],
    label: None,
};

fn description(row: &Row) -> String {
    let text = row.one.description.replace(['\n', '\r'], " ");
    if row.trunc { width::ellipsis(&text, 45) } else { text }
}

//! `image history`, `history`.

use api::endpoints::{ImageHistory, ImageHistoryQuery};
use api::types::HistoryItem;

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::flags::platform::platform_json;
use crate::output::listing::{Column, Listing};
use crate::output::{human, local_time, width};
use crate::{Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image history", "history"],
    usage: "[OPTIONS] IMAGE",
    about: "Show the history of an image",
    args: Args::Exactly(1),
    complete: Complete::Images,
    flags: &[
        Flag::text("format", crate::output::listing::FORMAT_HELP),
        Flag::bool_on("human", "Print sizes and dates in human readable format").short('H'),
        Flag::bool("no-trunc", "Don't truncate output"),
        Flag::text(
            "platform",
            "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        Flag::bool("quiet", "Only show image IDs").short('q'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let human = call.is("human");
    let query = ImageHistoryQuery { platform: platform_json(call.text_or_empty("platform"))? };
    let template = match call.text_or_empty("format") {
        "" | "table" if call.is("quiet") => "{{.ID}}",
        "" | "table" if human => "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
        "" | "table" => "table {{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
        given => given,
    };
    let trunc = !call.is("no-trunc");
    let items = session.client()?.call::<ImageHistory>(&[call.arg(0)], &query, &())?;
    let rows = items.into_iter().map(|item| Row { item, trunc, human });
    session.print(LISTING.render(template, rows)?);
    Ok(0)
}

struct Row {
    item: HistoryItem,
    trunc: bool,
    human: bool,
}

static LISTING: Listing<Row> = Listing {
    type_name: "*image.historyContext",
    columns: &[
        Column { name: "Comment", caption: "COMMENT", value: |row| row.item.comment.as_str().into() },
        Column { name: "CreatedAt", caption: "CREATED AT", value: |row| local_time::rfc3339(row.item.created).into() },
        Column { name: "CreatedBy", caption: "CREATED BY", value: |row| created_by(row).into() },
        Column { name: "CreatedSince", caption: "CREATED", value: |row| created_since(row).into() },
        Column { name: "ID", caption: "IMAGE", value: |row| id(row).into() },
        Column { name: "Size", caption: "SIZE", value: |row| size(row).into() },
    ],
    label: None,
};

fn id(row: &Row) -> &str {
    // `<missing>` is shorter than any cut
    if row.trunc { human::short_id(&row.item.id) } else { &row.item.id }
}

fn created_by(row: &Row) -> String {
    let text = row.item.created_by.replace('\t', " ");
    if row.trunc { width::ellipsis(&text, 45) } else { text }
}

fn created_since(row: &Row) -> String {
    match (row.human, row.item.created) {
        (false, created) => local_time::rfc3339(created),
        (true, ..=0) => "N/A".into(),
        (true, created) => human::ago(created),
    }
}

fn size(row: &Row) -> String {
    if row.human { human::size(row.item.size) } else { row.item.size.to_string() }
}

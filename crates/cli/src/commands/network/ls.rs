//! `network ls`

use api::endpoints::{NetworkList, NetworkListQuery};
use api::types::Network;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::filters;
use crate::output::human;
use crate::output::listing::{Column, Listing};
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network ls", "network list"],
    usage: "[OPTIONS]",
    about: "List networks",
    args: Args::None,
    flags: &[
        Flag::filter("filter", "Provide filter values (e.g. \"driver=bridge\")").short('f'),
        Flag::text("format", crate::output::listing::FORMAT_HELP),
        Flag::bool("no-trunc", "Do not truncate the output"),
        Flag::bool("quiet", "Only display network IDs").short('q'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = NetworkListQuery { filters: filters(call, "filter") };
    let mut networks = session.client()?.call::<NetworkList>(&[], &query, &())?;
    networks.sort_by(|a, b| human::natural(&a.name, &b.name));
    let quiet = call.is("quiet");
    let configured = &session.config().networks_format;
    let format = match call.text_or_empty("format") {
        "" if quiet || configured.is_empty() => "table",
        "" => configured,
        given => given,
    };
    let template = match format {
        "table" if quiet => "{{.ID}}",
        "table" => "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
        "raw" if quiet => "network_id: {{.ID}}",
        "raw" => "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
        other => other,
    };
    let trunc = !call.is("no-trunc");
    session.print(LISTING.render(template, networks.into_iter().map(|network| Row { network, trunc }))?);
    Ok(0)
}

struct Row {
    network: Network,
    trunc: bool,
}

static LISTING: Listing<Row> = Listing {
    type_name: "*network.networkContext",
    columns: &[
        Column { name: "CreatedAt", caption: "CREATED AT", value: |row| created_at(row).into() },
        Column { name: "Driver", caption: "DRIVER", value: |row| row.network.driver.as_str().into() },
        Column { name: "ID", caption: "NETWORK ID", value: |row| id(row).into() },
        Column { name: "IPv4", caption: "IPV4", value: |row| row.network.enable_ipv4.to_string().into() },
        Column { name: "IPv6", caption: "IPV6", value: |row| row.network.enable_ipv6.to_string().into() },
        Column { name: "Internal", caption: "INTERNAL", value: |row| row.network.internal.to_string().into() },
        Column {
            name: "Labels",
            caption: "LABELS",
            value: |row| human::labels(row.network.labels.iter().flatten()).into(),
        },
        Column { name: "Name", caption: "NAME", value: |row| row.network.name.as_str().into() },
        Column { name: "Scope", caption: "SCOPE", value: |row| row.network.scope.as_str().into() },
    ],
    label: Some(|row, key| row.network.labels.as_ref().and_then(|labels| labels.get(key)).cloned().unwrap_or_default()),
};

fn id(row: &Row) -> &str {
    if row.trunc { human::short_id(&row.network.id) } else { &row.network.id }
}

/// As Go prints a time: `2026-11-27 12:01:19.309114676 +0000 UTC`.
fn created_at(row: &Row) -> String {
    let text = row.network.created.trim_end_matches('Z').replacen('T', " ", 1);
    format!("{text} +0000 UTC")
}

//! `container ls`, `ps`.

use std::cell::Cell;
use std::rc::Rc;

use api::endpoints::{ContainerList, ContainerListQuery};
use api::types::ContainerSummary;
use gotemplate::{Type, Value};
use values::Reference;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::filters;
use crate::output::listing::{Column, Listing};
use crate::output::{human, local_time, ports, width};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container ls", "container list", "container ps", "ps"],
    usage: "[OPTIONS]",
    about: "List containers",
    args: Args::None,
    flags: &[
        Flag::bool("all", "Show all containers (default shows just running)").short('a'),
        Flag::filter("filter", "Filter output based on conditions provided").short('f'),
        Flag::text("format", crate::output::listing::FORMAT_HELP),
        Flag::int("last", "Show n last created containers (includes all states)").short('n').shows_default("-1"),
        Flag::bool("latest", "Show the latest created container (includes all states)").short('l'),
        Flag::bool("no-trunc", "Don't truncate output"),
        Flag::bool("quiet", "Only display container IDs").short('q'),
        Flag::bool("size", "Display total file sizes").short('s'),
    ],
    run,
    ..Command::DEFAULT
};

const TABLE: &str = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

const RAW: &str = "container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
";

fn run(session: &Session, call: &Invocation) -> Outcome {
    let quiet = call.is("quiet");
    let mut format = call.text_or_empty("format");
    if format.is_empty() {
        format = if quiet { "table" } else { table_or(&session.config().ps_format) };
    } else if quiet {
        session.eprintln("WARNING: Ignoring custom format, because both --format and --quiet are set.");
    }
    let mut query = ContainerListQuery {
        all: call.is("all"),
        limit: call.int("last").unwrap_or(-1),
        size: call.is("size"),
        filters: filters(call, "filter"),
        ..ContainerListQuery::default()
    };
    if call.is("latest") && !call.given("last") {
        query.limit = 1;
    }
    query.limit = query.limit.max(0);
    if !quiet && !call.given("size") {
        query.size = uses_size(format)?;
    }
    let format = template(format, quiet, call.is("size"));
    let trunc = !call.is("no-trunc");
    let containers = session.client()?.call::<ContainerList>(&[], &query, &())?;
    let rows = containers.into_iter().map(|container| Row::new(container, trunc));
    session.print(LISTING.render(&format, rows)?);
    Ok(0)
}

fn table_or(configured: &str) -> &str {
    if configured.is_empty() { "table" } else { configured }
}

/// The template behind `format`.
fn template(format: &str, quiet: bool, size: bool) -> String {
    match format {
        "raw" if quiet => "container_id: {{.ID}}".into(),
        "raw" => raw(size),
        _ if quiet => "{{.ID}}".into(),
        "table" => format!("{TABLE}{}", if size { "\t{{.Size}}" } else { "" }),
        other => other.into(),
    }
}

/// The template of `raw`.
pub fn raw(size: bool) -> String {
    format!("{RAW}{}", if size { "size: {{.Size}}\n" } else { "" })
}

/// Whether the template shows sizes, which the daemon computes only when asked.
fn uses_size(format: &str) -> Result<bool, Failure> {
    let asked = Rc::new(Cell::new(false));
    let row = Row { container: ContainerSummary::default(), trunc: false, asked_size: Rc::clone(&asked) };
    LISTING.probe(format, row)?;
    Ok(asked.get())
}

/// A container of the listing.
pub struct Row {
    container: ContainerSummary,
    trunc: bool,
    /// Set when the size is looked at.
    asked_size: Rc<Cell<bool>>,
}

impl Row {
    /// `trunc`: ids, commands and names in their short forms.
    pub fn new(container: ContainerSummary, trunc: bool) -> Self {
        Self { container, trunc, asked_size: Rc::default() }
    }
}

/// Containers' columns.
pub static LISTING: Listing<Row> = Listing {
    type_name: "*formatter.ContainerContext",
    columns: &[
        Column { name: "Command", caption: "COMMAND", value: |row| command(row).into() },
        Column {
            name: "CreatedAt",
            caption: "CREATED AT",
            value: |row| local_time::go_default(row.container.created).into(),
        },
        Column { name: "ID", caption: "CONTAINER ID", value: |row| id(row).into() },
        Column { name: "Image", caption: "IMAGE", value: |row| image(row).into() },
        Column { name: "Labels", caption: "LABELS", value: |row| human::labels(&row.container.labels).into() },
        Column { name: "LocalVolumes", caption: "LOCAL VOLUMES", value: |row| local_volumes(row).into() },
        Column { name: "Mounts", caption: "MOUNTS", value: |row| mounts(row).into() },
        Column { name: "Names", caption: "NAMES", value: |row| names(row).into() },
        Column { name: "Networks", caption: "NETWORKS", value: |row| networks(row).into() },
        Column { name: "Platform", caption: "PLATFORM", value: platform },
        Column { name: "Ports", caption: "PORTS", value: |row| ports::display(&row.container.ports).into() },
        Column { name: "RunningFor", caption: "CREATED", value: |row| human::ago(row.container.created).into() },
        Column { name: "Size", caption: "SIZE", value: |row| size(row).into() },
        Column { name: "State", caption: "STATE", value: |row| row.container.state.as_str().into() },
        Column { name: "Status", caption: "STATUS", value: |row| row.container.status.as_str().into() },
    ],
    label: Some(|row, key| row.container.labels.get(key).cloned().unwrap_or_default()),
};

fn id(row: &Row) -> &str {
    if row.trunc { human::short_id(&row.container.id) } else { &row.container.id }
}

fn command(row: &Row) -> String {
    let command = &row.container.command;
    gotemplate::quote(&if row.trunc { width::ellipsis(command, 20) } else { command.clone() })
}

/// The name as the user knows it; a digest is left out of it, and an image without a name is its short id.
fn image(row: &Row) -> String {
    let (image, id) = (&row.container.image, human::short_id(&row.container.image_id));
    match image.as_str() {
        "" => "<no image>".into(),
        image if !row.trunc => image.into(),
        image if human::short_id(image) == id => id.into(),
        image => match image.parse::<Reference>() {
            Ok(reference) => Reference { digest: None, ..reference }.familiar(),
            Err(_) => image.into(),
        },
    }
}

fn local_volumes(row: &Row) -> String {
    row.container.mounts.iter().filter(|mount| mount.driver == "local").count().to_string()
}

fn mounts(row: &Row) -> String {
    let shown = row.container.mounts.iter().map(|mount| {
        let name = if mount.name.is_empty() { &mount.source } else { &mount.name };
        if row.trunc { width::ellipsis(name, 15) } else { name.clone() }
    });
    shown.collect::<Vec<_>>().join(",")
}

/// Its own name; with `--no-trunc` those of links to it too.
fn names(row: &Row) -> String {
    let names = row.container.names.iter().flatten();
    let names: Vec<&str> = names.map(|name| name.strip_prefix('/').unwrap_or(name)).collect();
    match names.iter().find(|name| !name.contains('/')) {
        Some(own) if row.trunc => (*own).into(),
        _ => names.join(","),
    }
}

fn networks(row: &Row) -> String {
    let networks = row.container.network_settings.networks.iter().flatten();
    networks.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
}

fn platform(row: &Row) -> Value {
    static NONE: Type = Type::String;
    let platform = row.container.image_manifest_descriptor.as_ref().and_then(|manifest| manifest.platform.as_ref());
    match platform.and_then(|platform| serde_json::to_value(platform).ok()) {
        Some(json) => Value::typed(&json, &crate::output::shapes::image::PLATFORM),
        None => Value::NilPointer(&NONE),
    }
}

fn size(row: &Row) -> String {
    row.asked_size.set(true);
    let own = human::size(row.container.size_rw);
    match row.container.size_rootfs {
        0 => own,
        all => format!("{own} (virtual {})", human::size(all)),
    }
}

//! `system df`.

mod verbose;

use api::endpoints::{SystemDf, SystemDfQuery};
use api::types::DiskUsage;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::output::listing::{Column, FORMAT_HELP, Listing};
use crate::{Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["system df"],
    usage: "[OPTIONS]",
    about: "Show docker disk usage",
    args: Args::None,
    flags: &[
        Flag::text("format", FORMAT_HELP),
        Flag::bool("verbose", "Show detailed information on space usage").short('v'),
    ],
    run,
    ..Command::DEFAULT
};

const TABLE: &str = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

const RAW: &str = "type: {{.Type}}
total: {{.TotalCount}}
active: {{.Active}}
size: {{.Size}}
reclaimable: {{.Reclaimable}}
";

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (format, verbose) = (call.text_or_empty("format"), call.is("verbose"));
    let query = SystemDfQuery { types: vec![], verbose };
    let usage = session.client()?.call::<SystemDf>(&[], &query, &())?;
    if verbose {
        let (text, failure) = verbose::render(usage, if format.is_empty() { "table" } else { format })?;
        session.print(text);
        return failure.map_or(Ok(0), Err);
    }
    let template = match format {
        "" | "table" => TABLE,
        "raw" => RAW,
        other => other,
    };
    session.print(LISTING.render(template, rows(usage))?);
    Ok(0)
}

/// One kind of object.
struct Row {
    kind: &'static str,
    total: i64,
    active: i64,
    size: i64,
    reclaimable: i64,
}

fn rows(usage: DiskUsage) -> [Row; 4] {
    macro_rules! row {
        ($kind:literal, $usage:expr) => {{
            let usage = $usage.unwrap_or_default();
            Row {
                kind: $kind,
                total: usage.total_count,
                active: usage.active_count,
                size: usage.total_size,
                reclaimable: usage.reclaimable,
            }
        }};
    }
    [
        row!("Images", usage.image_usage),
        row!("Containers", usage.container_usage),
        row!("Local Volumes", usage.volume_usage),
        row!("Build Cache", usage.build_cache_usage),
    ]
}

static LISTING: Listing<Row> = Listing {
    type_name: "*formatter.diskUsageImagesContext",
    columns: &[
        Column { name: "Active", caption: "ACTIVE", value: |row| row.active.to_string().into() },
        Column { name: "Reclaimable", caption: "RECLAIMABLE", value: |row| reclaimable(row).into() },
        Column { name: "Size", caption: "SIZE", value: |row| long_size(row.size).into() },
        Column { name: "TotalCount", caption: "TOTAL", value: |row| row.total.to_string().into() },
        Column { name: "Type", caption: "TYPE", value: |row| row.kind.into() },
    ],
    label: None,
};

/// With four digits, where other listings have three.
fn long_size(bytes: i64) -> String {
    values::size::human(bytes as f64)
}

fn reclaimable(row: &Row) -> String {
    let size = long_size(row.reclaimable);
    match row.size {
        ..=0 => size,
        total => format!("{size} ({}%)", row.reclaimable * 100 / total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let row = |size, reclaimable| Row { kind: "Images", total: 1, active: 0, size, reclaimable };
        assert_eq!(reclaimable(&row(0, 0)), "0B");
        assert_eq!(reclaimable(&row(2000, 1000)), "1kB (50%)");
        assert_eq!(reclaimable(&row(26, 0)), "0B (0%)");
    }
}

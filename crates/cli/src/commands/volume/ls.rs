//! `volume ls`

use api::endpoints::{VolumeList, VolumeListQuery};
use api::types::Volume;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::filters::filters;
use crate::output::human;
use crate::output::listing::{Column, Listing};
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["volume ls", "volume list"],
    usage: "[OPTIONS]",
    about: "List volumes",
    args: Args::None,
    flags: &[
        Flag::bool("cluster", "Display only cluster volumes, and use cluster volume list formatting"),
        Flag::filter("filter", "Provide filter values (e.g. \"dangling=true\")").short('f'),
        Flag::text("format", crate::output::listing::FORMAT_HELP),
        Flag::bool("quiet", "Only display volume names").short('q'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    if call.is("cluster") {
        return Err(Failure::new("--cluster: swarm mode is not supported yet"));
    }
    let query = VolumeListQuery { filters: filters(call, "filter") };
    let mut volumes = session.client()?.call::<VolumeList>(&[], &query, &())?.volumes;
    volumes.sort_by(|a, b| human::natural(&a.name, &b.name));
    let quiet = call.is("quiet");
    let configured = &session.config().volumes_format;
    let format = match call.text_or_empty("format") {
        "" if quiet || configured.is_empty() => "table",
        "" => configured,
        given => given,
    };
    let template = match format {
        "table" if quiet => "{{.Name}}",
        "table" => "table {{.Driver}}\t{{.Name}}",
        "raw" if quiet => "name: {{.Name}}",
        "raw" => RAW,
        other => other,
    };
    session.print(LISTING.render(template, volumes)?);
    Ok(0)
}

/// The template of `raw`.
pub const RAW: &str = "name: {{.Name}}\ndriver: {{.Driver}}\n";

/// Volumes' columns.
pub static LISTING: Listing<Volume> = Listing {
    type_name: "*formatter.volumeContext",
    columns: &[
        Column { name: "Availability", caption: "AVAILABILITY", value: |_| "N/A".into() },
        Column { name: "Driver", caption: "DRIVER", value: |volume| volume.driver.as_str().into() },
        Column { name: "Group", caption: "GROUP", value: |_| "N/A".into() },
        Column {
            name: "Labels",
            caption: "LABELS",
            value: |volume| human::labels(volume.labels.iter().flatten()).into(),
        },
        Column { name: "Links", caption: "LINKS", value: |volume| links(volume).into() },
        Column { name: "Mountpoint", caption: "MOUNTPOINT", value: |volume| volume.mountpoint.as_str().into() },
        Column { name: "Name", caption: "VOLUME NAME", value: |volume| volume.name.as_str().into() },
        Column { name: "Scope", caption: "SCOPE", value: |volume| volume.scope.as_str().into() },
        Column { name: "Size", caption: "SIZE", value: |volume| size(volume).into() },
        Column { name: "Status", caption: "STATUS", value: |_| "N/A".into() },
    ],
    label: Some(|volume, key| volume.labels.as_ref().and_then(|labels| labels.get(key)).cloned().unwrap_or_default()),
};

fn links(volume: &Volume) -> String {
    volume.usage_data.as_ref().map_or_else(|| "N/A".into(), |usage| usage.ref_count.to_string())
}

fn size(volume: &Volume) -> String {
    volume.usage_data.as_ref().map_or_else(|| "N/A".into(), |usage| values::size::human(usage.size as f64))
}

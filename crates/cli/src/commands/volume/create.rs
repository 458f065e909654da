//! `volume create`

use api::endpoints::VolumeCreate;
use api::types::VolumeCreateRequest;

use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::flags::pairs::{self, to_map};
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["volume create"],
    usage: "[OPTIONS] [VOLUME]",
    about: "Create a volume",
    args: Args::AtMost(1),
    flags: &[
        Flag::text("availability", AVAILABILITY).shows_default("\"active\""),
        Flag::text("driver", "Specify volume driver name").short('d').shows_default("\"local\""),
        Flag::text("group", "Cluster Volume group (cluster volumes)"),
        Flag::list("label", "Set metadata for a volume"),
        Flag::text("limit-bytes", "Minimum size of the Cluster Volume in bytes").typed("bytes"),
        Flag::text("name", "Specify volume name").hidden(),
        Flag::list("opt", "Set driver specific options")
            .typed("map")
            .short('o')
            .checked(pairs::check)
            .shows_default("map[]"),
        Flag::text("required-bytes", "Maximum size of the Cluster Volume in bytes").typed("bytes"),
        Flag::text("scope", "Cluster Volume access scope (\"single\", \"multi\")").shows_default("\"single\""),
        Flag::list("secret", "Cluster Volume secrets").typed("map").shows_default("map[]"),
        Flag::text("sharing", "Cluster Volume access sharing (\"none\", \"readonly\", \"onewriter\", \"all\")")
            .shows_default("\"none\""),
        Flag::list("topology-preferred", "A topology that the Cluster Volume would be preferred in"),
        Flag::list("topology-required", "A topology that the Cluster Volume must be accessible from"),
        Flag::text("type", "Cluster Volume access type (\"mount\", \"block\")").shows_default("\"block\""),
    ],
    run,
    ..Command::DEFAULT
};

pub(super) const AVAILABILITY: &str = "Cluster Volume availability (\"active\", \"pause\", \"drain\")";

/// Flags of a swarm's volumes, which the daemon refuses.
const CLUSTER: [&str; 10] = [
    "availability",
    "group",
    "limit-bytes",
    "required-bytes",
    "scope",
    "secret",
    "sharing",
    "topology-preferred",
    "topology-required",
    "type",
];

fn run(session: &Session, call: &Invocation) -> Outcome {
    let name = match (call.text_or_empty("name"), call.args.first()) {
        (named, None) => named,
        ("", Some(name)) => name,
        _ => {
            return Err(Failure::new(
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
            ));
        }
    };
    let given = |flag: &str| call.given(flag).then(|| to_map(call.all(flag)));
    let body = VolumeCreateRequest {
        name: name.to_owned(),
        driver: call.text("driver").unwrap_or("local").to_owned(),
        driver_opts: given("opt"),
        labels: given("label"),
        cluster_volume_spec: CLUSTER.iter().any(|flag| call.given(flag)).then(|| serde_json::json!({})),
    };
    let created = session.client()?.call::<VolumeCreate>(&[], &Default::default(), &body)?;
    session.println(created.name);
    Ok(0)
}

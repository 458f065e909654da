//! `inspect`: whatever has this name.

use api::endpoint::{Json, Method, NoBody};
use api::endpoints::SystemInfo;
use api::{Endpoint, NoQuery, Version};
use gotemplate::Type;

use crate::command::{Args, Command, Complete};
use crate::commands::{container, image, network, volume};
use crate::flags::Flag;
use crate::output::inspect::{Found, show};
use crate::output::raw::Raw;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["inspect"],
    usage: "[OPTIONS] NAME|ID [NAME|ID...]",
    about: "Return low-level information on Docker objects",
    args: Args::AtLeast(1),
    complete: Complete::Objects,
    flags: &[
        Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f'),
        Flag::bool("size", "Display total file sizes if the type is container").short('s'),
        Flag::text("type", "Only inspect objects of the given type").completes(Complete::Words(&[
            "config",
            "container",
            "image",
            "network",
            "node",
            "plugin",
            "secret",
            "service",
            "task",
            "volume",
        ])),
    ],
    run,
    ..Command::DEFAULT
};

/// The daemon's answer, or its refusal.
type Answer = Result<Result<Found, client::Error>, Failure>;

/// A kind of object `inspect` looks for.
struct Kind {
    name: &'static str,
    /// Exists in a swarm only, and is asked for when this daemon manages one.
    swarm: bool,
    find: fn(&Session, &str, bool) -> Answer,
}

/// In the order they are tried.
static KINDS: &[Kind] = &[
    Kind { name: "container", swarm: false, find: container::inspect::find_or_error },
    Kind { name: "image", swarm: false, find: |session, name, _| image::inspect::find_or_error(session, name, "") },
    Kind {
        name: "network",
        swarm: false,
        find: |session, name, _| network::inspect::find_or_error(session, name, false),
    },
    Kind { name: "volume", swarm: false, find: |session, name, _| volume::inspect::find_or_error(session, name) },
    Kind { name: "service", swarm: true, find: |session, name, _| other::<Service>(session, name, None) },
    Kind { name: "task", swarm: true, find: |session, name, _| other::<Task>(session, name, None) },
    Kind { name: "node", swarm: true, find: |session, name, _| other::<Node>(session, name, None) },
    Kind { name: "plugin", swarm: false, find: |session, name, _| other::<Plugin>(session, name, None) },
    Kind { name: "secret", swarm: true, find: |session, name, _| other::<Secret>(session, name, None) },
    Kind { name: "config", swarm: true, find: |session, name, _| other::<Config>(session, name, None) },
];

fn run(session: &Session, call: &Invocation) -> Outcome {
    let size = call.is("size");
    let wanted = match call.text("type") {
        None => None,
        Some("") => {
            return Err(Failure::new(
                "type is empty: must be one of \"config\", \"container\", \"image\", \"network\", \"node\", \"plugin\", \"secret\", \"service\", \"task\", \"volume\"",
            ));
        }
        Some(name) => Some(KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| unknown(name))?),
    };
    show(session, call.text_or_empty("format"), &call.args, |name| match wanted {
        Some(kind) => {
            let found = (kind.find)(session, name, size)??;
            warn_size(session, kind, size);
            Ok(found)
        }
        None => any(session, name, size),
    })
}

fn unknown(name: &str) -> Failure {
    Failure::new(format!(
        "unknown type: {}: must be one of \"config\", \"container\", \"image\", \"network\", \"node\", \"plugin\", \"secret\", \"service\", \"task\", \"volume\"",
        gotemplate::quote(name)
    ))
}

fn warn_size(session: &Session, kind: &Kind, size: bool) {
    if size && kind.name != "container" {
        session.eprintln(format_args!("WARNING: --size ignored for {}", kind.name));
    }
}

/// The first kind that has this name.
fn any(session: &Session, name: &str, size: bool) -> Result<Found, Failure> {
    let mut manages_swarm = None;
    for kind in KINDS {
        if kind.swarm && !*manages_swarm.get_or_insert_with(|| is_manager(session)) {
            continue;
        }
        match (kind.find)(session, name, size)? {
            Ok(found) => {
                warn_size(session, kind, size);
                return Ok(found);
            }
            Err(error) if error.is_not_found() || is_beyond(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(format!("Error: No such object: {name}")))
}

/// Whether the daemon says that it has no such kind of object at all.
fn is_beyond(error: &client::Error) -> bool {
    let says = |text: &str| error.message().contains(text);
    matches!(error, client::Error::Daemon { status: 501, .. }) || says("not supported") || says("not implemented")
}

fn is_manager(session: &Session) -> bool {
    let info = session.client().ok().and_then(|client| client.call::<SystemInfo>(&[], &Default::default(), &()).ok());
    info.is_some_and(|info| info.swarm.control_available)
}

fn other<E>(session: &Session, name: &str, shape: Option<&'static Type>) -> Answer
where
    E: Endpoint<Query = NoQuery, Body = NoBody>,
{
    let found = session.client()?.call::<Raw<E>>(&[name], &NoQuery, &());
    Ok(found.map(|json| Found::new(json, shape)))
}

/// Endpoints of which only the JSON counts here.
macro_rules! inspected {
    ($($name:ident $path:literal)*) => {$(
        struct $name;

        impl Endpoint for $name {
            const METHOD: Method = Method::Get;
            const PATH: &'static str = $path;
            const SINCE: Version = Version::new(1, 24);
            type Query = NoQuery;
            type Body = NoBody;
            type Reply = Json<serde_json::Value>;
        }
    )*};
}

inspected! {
    Service "/services/{id}"
    Task "/tasks/{id}"
    Node "/nodes/{id}"
    Plugin "/plugins/{name}/json"
    Secret "/secrets/{id}"
    Config "/configs/{id}"
}

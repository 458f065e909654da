//! `container inspect`.

use api::endpoints::{ContainerInspect, ContainerInspectQuery};
use serde_json::Value as Json;

use crate::command::{Args, Command, Complete, States};
use crate::flags::Flag;
use crate::output::inspect::{Found, show};
use crate::output::raw::Raw;
use crate::output::shapes;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container inspect"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Display detailed information on one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f'),
        Flag::bool("size", "Display total file sizes").short('s'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let size = call.is("size");
    show(session, call.text_or_empty("format"), &call.args, |name| find(session, name, size))
}

/// The container of this name or id.
pub fn find(session: &Session, name: &str, size: bool) -> Result<Found, Failure> {
    Ok(find_or_error(session, name, size)??)
}

/// The same, with the daemon's refusal apart.
pub fn find_or_error(session: &Session, name: &str, size: bool) -> Result<Result<Found, client::Error>, Failure> {
    let query = ContainerInspectQuery { size };
    let found = session.client()?.call::<Raw<ContainerInspect>>(&[name], &query, &());
    Ok(found
        .map(|json| Found { complete: fill_default_network, ..Found::new(json, Some(&shapes::container::INSPECT)) }))
}

/// Since 1.52 `NetworkSettings` has no addresses of its own; templates of all the years before read the default bridge's
/// there (`{{.NetworkSettings.IPAddress}}`).
fn fill_default_network(container: &mut Json) {
    const FIELDS: &[&str] = &[
        "EndpointID",
        "Gateway",
        "GlobalIPv6Address",
        "GlobalIPv6PrefixLen",
        "IPAddress",
        "IPPrefixLen",
        "IPv6Gateway",
        "MacAddress",
    ];
    let Some(settings) = container.get_mut("NetworkSettings").and_then(Json::as_object_mut) else {
        return;
    };
    let bridge = settings.get("Networks").and_then(|networks| networks.get("bridge")).cloned().unwrap_or_default();
    for field in FIELDS {
        if let (false, Some(value)) = (settings.contains_key(*field), bridge.get(field)) {
            settings.insert((*field).into(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_default_bridge_fills_old_fields() {
        let check = |mut given: Json, expected: Json| {
            fill_default_network(&mut given);
            assert_eq!(given, expected);
        };
        let networks = json!({"bridge": {"IPAddress": "172.17.0.2", "IPPrefixLen": 16, "Aliases": []}});
        check(
            json!({"NetworkSettings": {"Networks": networks}}),
            json!({"NetworkSettings": {"Networks": networks, "IPAddress": "172.17.0.2", "IPPrefixLen": 16}}),
        );
        let old = json!({"NetworkSettings": {"Networks": networks, "IPAddress": "", "IPPrefixLen": 0}});
        check(old.clone(), old);
        check(json!({"NetworkSettings": null}), json!({"NetworkSettings": null}));
        check(json!([]), json!([]));
    }
}

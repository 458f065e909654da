//! `network create`

use api::endpoints::NetworkCreate;
use api::types::{ConfigReference, Ipam, NetworkCreateRequest};

use super::subnets::subnets;
use crate::command::{Args, Command};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::flags::pairs::{self, to_map};
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network create"],
    usage: "[OPTIONS] NETWORK",
    about: "Create a network",
    args: Args::Exactly(1),
    flags: &[
        Flag::bool("attachable", "Enable manual container attachment"),
        Flag::list("aux-address", "Auxiliary IPv4 or IPv6 addresses used by Network driver")
            .typed("map")
            .checked(pairs::check)
            .shows_default("map[]"),
        Flag::text("config-from", "The network from which to copy the configuration"),
        Flag::bool("config-only", "Create a configuration only network"),
        Flag::text("driver", "Driver to manage the Network").short('d').shows_default("\"bridge\""),
        Flag::strings("gateway", "IPv4 or IPv6 Gateway for the master subnet").checked(address),
        Flag::bool("ingress", "Create swarm routing-mesh network"),
        Flag::bool("internal", "Restrict external access to the network"),
        Flag::strings("ip-range", "Allocate container ip from a sub-range").checked(network),
        Flag::text("ipam-driver", "IP Address Management Driver").shows_default("\"default\""),
        Flag::list("ipam-opt", "Set IPAM driver specific options")
            .typed("map")
            .checked(pairs::check)
            .shows_default("map[]"),
        Flag::bool_on("ipv4", "Enable or disable IPv4 address assignment"),
        Flag::bool("ipv6", "Enable or disable IPv6 address assignment"),
        Flag::list("label", "Set metadata on a network"),
        Flag::list("opt", "Set driver specific options")
            .typed("map")
            .short('o')
            .checked(pairs::check)
            .shows_default("map[]"),
        Flag::text("scope", "Control the network's scope"),
        Flag::strings("subnet", "Subnet in CIDR format that represents a network segment"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let given = |name: &str| call.given(name).then(|| call.is(name));
    let from = call.text_or_empty("config-from");
    let body = NetworkCreateRequest {
        name: call.arg(0).into(),
        driver: call.text("driver").unwrap_or("bridge").into(),
        scope: call.text_or_empty("scope").into(),
        enable_ipv4: given("ipv4"),
        enable_ipv6: given("ipv6"),
        ipam: Some(Ipam {
            driver: call.text("ipam-driver").unwrap_or("default").into(),
            options: Some(to_map(call.all("ipam-opt"))),
            config: Some(subnets(call)?),
        }),
        internal: call.is("internal"),
        attachable: call.is("attachable"),
        ingress: call.is("ingress"),
        config_only: call.is("config-only"),
        config_from: (!from.is_empty()).then(|| ConfigReference { network: from.into() }),
        options: Some(to_map(call.all("opt"))),
        labels: Some(to_map(call.all("label"))),
    };
    let created = session.client()?.call::<NetworkCreate>(&[], &Default::default(), &body)?;
    session.println(created.id);
    Ok(0)
}

fn address(text: &str) -> Result<(), String> {
    let parsed: Result<std::net::IpAddr, _> = text.trim().parse();
    parsed.map(drop).map_err(|_| format!("invalid string being converted to IP address: {text}"))
}

fn network(text: &str) -> Result<(), String> {
    match super::subnets::parse(text) {
        Some(_) => Ok(()),
        None => Err(format!("invalid CIDR address: {text}")),
    }
}

/// For errors of what is found wrong here.
pub(super) fn failure(text: impl Into<String>) -> Failure {
    Failure::new(text)
}

//! `network connect`

use std::collections::BTreeMap;

use api::endpoints::NetworkConnect;
use api::types::{EndpointIpamConfig, EndpointSettings, NetworkConnectRequest};

use crate::command::{Args, Command, Complete};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network connect"],
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Connect a container to a network",
    args: Args::Exactly(2),
    complete: Complete::Networks,
    flags: &[
        Flag::strings("alias", "Add network-scoped alias for the container"),
        Flag::strings("driver-opt", "driver options for the network"),
        Flag::int(
            "gw-priority",
            "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
        ),
        Flag::text("ip", "IPv4 address (e.g., \"172.30.100.104\")"),
        Flag::text("ip6", "IPv6 address (e.g., \"2001:db8::33\")"),
        Flag::list("link", "Add link to another container"),
        Flag::strings("link-local-ip", "Add a link-local address for the container"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let list = |name: &str| Some(call.all(name).map(str::to_owned).collect::<Vec<_>>());
    let mut options = BTreeMap::new();
    for text in call.all("driver-opt") {
        let (key, value) =
            text.split_once('=').ok_or_else(|| Failure::new("invalid key/value pair format in driver options"))?;
        options.insert(key.to_owned(), value.to_owned());
    }
    let settings = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: call.text_or_empty("ip").into(),
            ipv6_address: call.text_or_empty("ip6").into(),
            link_local_ips: list("link-local-ip").unwrap_or_default(),
        }),
        links: list("link").filter(|links| !links.is_empty()),
        aliases: list("alias"),
        driver_opts: Some(options),
        gw_priority: call.int("gw-priority").unwrap_or(0),
        ..EndpointSettings::default()
    };
    let body = NetworkConnectRequest { container: call.arg(1).into(), endpoint_config: Some(settings) };
    session.client()?.call::<NetworkConnect>(&[call.arg(0)], &Default::default(), &body)?;
    Ok(0)
}

//! `container port`

use api::NoQuery;
use api::endpoints::{ContainerInspect, ContainerInspectQuery, ContainerReach};
use api::types::{self, PortBinding, PortReach};

use crate::command::{Args, Command, Complete, States};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container port", "port"],
    usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
    about: "List port mappings or a specific mapping for the container",
    args: Args::Between(1, 2),
    complete: Complete::ContainerThenNothing(States::Running),
    flags: &[Flag::bool("who", "Tell who can reach each port, and why").ours()],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let name = call.arg(0);
    if call.is("who") {
        return who(session, call);
    }
    let container = session.client()?.call::<ContainerInspect>(&[name], &ContainerInspectQuery::default(), &())?;
    let ports = container.network_settings.ports.unwrap_or_default();
    if call.args.len() == 1 {
        let mut lines: Vec<(u16, String)> = Vec::new();
        for (inside, bindings) in &ports {
            let number = inside.split('/').next().and_then(|port| port.parse().ok()).unwrap_or(0);
            let bound = bindings.iter().flatten().map(|binding| format!("{inside} -> {}\n", address(binding)));
            lines.extend(bound.map(|line| (number, line)));
        }
        lines.sort_by_key(|(number, _)| *number);
        session.print(lines.into_iter().map(|(_, line)| line).collect::<String>());
        return Ok(0);
    }
    let asked = call.arg(1);
    let inside = inside(asked)?;
    match ports.get(&inside).and_then(Option::as_ref).filter(|bindings| !bindings.is_empty()) {
        Some(bindings) => {
            session.print(bindings.iter().map(|binding| address(binding) + "\n").collect::<String>());
            Ok(0)
        }
        None => Err(Failure::new(format!("Error: No public port '{asked}' published for {name}"))),
    }
}

/// `80`, `80/udp`
fn inside(asked: &str) -> Result<String, Failure> {
    let (port, protocol) = asked.split_once('/').unwrap_or((asked, "tcp"));
    if port.parse::<u16>().is_err() {
        let number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let why = if number { "value out of range" } else { "invalid syntax" };
        return Err(Failure::new(format!("Error: invalid port ({port}): strconv.ParseUint: parsing {port:?}: {why}")));
    }
    Ok(format!("{port}/{protocol}"))
}

/// `--who`
fn who(session: &Session, call: &Invocation) -> Outcome {
    let name = call.arg(0);
    let mut reach = session.client()?.call::<ContainerReach>(&[name], &NoQuery, &())?;
    if call.args.len() > 1 {
        let inside = inside(call.arg(1))?;
        reach.ports.retain(|port| port.port == inside);
        if reach.ports.is_empty() {
            return Err(Failure::new(format!("Error: {name} neither publishes nor exposes port '{}'", call.arg(1))));
        }
    }
    session.print(text(&reach));
    Ok(0)
}

fn text(reach: &types::ContainerReach) -> String {
    let notes = reach.notes.iter().map(|note| format!("{note}\n"));
    notes.chain(reach.ports.iter().map(port_text)).collect()
}

fn port_text(port: &PortReach) -> String {
    let binding = PortBinding { host_ip: port.host_ip.clone(), host_port: port.host_port.clone() };
    let mut text = match (port.host_ip.as_str(), port.host_port.as_str()) {
        ("", _) => format!("{} (not published)\n", port.port),
        (_, "") => format!("{} (routed)\n", port.port),
        _ => format!("{} -> {}\n", port.port, address(&binding)),
    };
    for one in &port.who {
        let who = match one.who.as_str() {
            "host" => "this host",
            "host-networks" => "host's networks",
            "containers" => "other containers",
            other => other,
        };
        text += &format!("  {who:<16}  {:<7}  {}\n", one.reaches, one.why);
    }
    text
}

/// `0.0.0.0:80`, `[::]:80`
fn address(binding: &PortBinding) -> String {
    if binding.host_ip.contains(':') {
        format!("[{}]:{}", binding.host_ip, binding.host_port)
    } else {
        format!("{}:{}", binding.host_ip, binding.host_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::types::Reach;

    #[test]
    fn who_reaches_what() {
        let who = vec![
            Reach { who: "host".into(), reaches: "yes".into(), why: "[2001:db8::2]:8080".into() },
            Reach { who: "host-networks".into(), reaches: "depends".into(), why: "on the moon".into() },
        ];
        let port = PortReach { port: "80/tcp".into(), host_ip: "2001:db8::2".into(), host_port: "8080".into(), who };
        let bare = PortReach { port: "81/tcp".into(), ..PortReach::default() };
        let routed = PortReach { host_ip: "::".into(), ..bare.clone() };
        let notes = vec!["It is new.".into()];
        let reach = types::ContainerReach { notes, ports: vec![port, bare, routed], ..Default::default() };
        let expected = "It is new.\n80/tcp -> [2001:db8::2]:8080\n\
            \x20 this host         yes      [2001:db8::2]:8080\n\
            \x20 host's networks   depends  on the moon\n81/tcp (not published)\n81/tcp (routed)\n";
        assert_eq!(text(&reach), expected);
    }
}

//! `container port`

use api::endpoints::{ContainerInspect, ContainerInspectQuery};
use api::types::PortBinding;

use crate::command::{Args, Command, Complete, States};
use crate::failure::Failure;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container port", "port"],
    usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
    about: "List port mappings or a specific mapping for the container",
    args: Args::Between(1, 2),
    complete: Complete::ContainerThenNothing(States::Running),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let name = call.arg(0);
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
    let (port, protocol) = asked.split_once('/').unwrap_or((asked, "tcp"));
    if port.parse::<u16>().is_err() {
        let number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let why = if number { "value out of range" } else { "invalid syntax" };
        return Err(Failure::new(format!("Error: invalid port ({port}): strconv.ParseUint: parsing {port:?}: {why}")));
    }
    let inside = format!("{port}/{protocol}");
    match ports.get(&inside).and_then(Option::as_ref).filter(|bindings| !bindings.is_empty()) {
        Some(bindings) => {
            session.print(bindings.iter().map(|binding| address(binding) + "\n").collect::<String>());
            Ok(0)
        }
        None => Err(Failure::new(format!("Error: No public port '{asked}' published for {name}"))),
    }
}

/// `0.0.0.0:80`, `[::]:80`
fn address(binding: &PortBinding) -> String {
    if binding.host_ip.contains(':') {
        format!("[{}]:{}", binding.host_ip, binding.host_port)
    } else {
        format!("{}:{}", binding.host_ip, binding.host_port)
    }
}

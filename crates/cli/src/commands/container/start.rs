//! `container start`

use api::endpoints::{
    ContainerAttach, ContainerAttachQuery, ContainerInspect, ContainerInspectQuery, ContainerStart,
    ContainerStartQuery, ContainerWait, ContainerWaitQuery,
};
use client::Accepted;

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::run::exit_status;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::streams::foreground::{Foreground, Target, detach_keys};
use crate::streams::{End, Wiring, copy};
use crate::{Invocation, Outcome, Session, terminal};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container start", "start"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Start one or more stopped containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::Stopped),
    flags: &[
        Flag::bool("attach", "Attach STDOUT/STDERR and forward signals").short('a'),
        Flag::bool("interactive", "Attach container's STDIN").short('i'),
        Flag::text("detach-keys", "Override the key sequence for detaching a container"),
        Flag::text("checkpoint", "Restore from this checkpoint").absent("checkpoints are not there yet"),
        Flag::text("checkpoint-dir", "Use a custom checkpoint storage directory")
            .absent("checkpoints are not there yet"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    if !call.is("attach") && !call.is("interactive") {
        return start_all(session, &call.args);
    }
    match call.args.as_slice() {
        [name] => start_attached(session, call, name),
        _ => Err(Failure::new("you cannot start and attach multiple containers at once")),
    }
}

/// All at once; told in the order they were named.
fn start_all(session: &Session, names: &[String]) -> Outcome {
    let client = session.client()?;
    let query = ContainerStartQuery::default();
    let mut failed: Vec<&str> = Vec::new();
    for names in names.chunks(256) {
        let started: Vec<_> = if let [name] = names {
            vec![client.call::<ContainerStart>(&[name], &query, &())]
        } else {
            let pending: Vec<_> = names.iter().map(|n| client.send::<ContainerStart>(&[n], &query, &())).collect();
            pending.into_iter().map(|pending| pending.and_then(client::Pending::wait)).collect()
        };
        for (name, started) in names.iter().zip(started) {
            match started {
                Ok(()) => session.println(name),
                Err(error) => {
                    session.eprintln(error);
                    failed.push(name);
                }
            }
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    Err(Failure::new(format!("Error: failed to start containers: {}", failed.join(", "))))
}

fn start_attached(session: &Session, call: &Invocation, name: &str) -> Outcome {
    let client = session.client()?;
    let container = client.call::<ContainerInspect>(&[name], &ContainerInspectQuery::default(), &())?;
    let id = container.id.as_str();
    let config = container.config;
    let removes = container.host_config.auto_remove;
    let stdin = call.is("interactive") && config.open_stdin;
    let (detach_keys, keys) = detach_keys(session, call);
    let query = ContainerAttachQuery {
        detach_keys,
        stream: true,
        stdin,
        stdout: true,
        stderr: true,
        ..ContainerAttachQuery::default()
    };
    let streams = client.hijack::<ContainerAttach>(&[id], &query, &())?;
    let condition = if removes { "removed" } else { "next-exit" };
    let query = ContainerWaitQuery { condition: condition.to_owned() };
    let waiting = client.send::<ContainerWait>(&[id], &query, &())?.accepted()?;
    let sized = config.tty && terminal::stdout_is_terminal();
    // a terminal's process gets its signals as keys
    let proxied = (!config.tty).then_some(id);
    let foreground = Foreground::begin(client, Target::Container(id.to_owned()), proxied, sized);
    if let Err(error) = client.call::<ContainerStart>(&[id], &ContainerStartQuery::default(), &()) {
        if removes {
            let _ = Accepted::wait(waiting);
        }
        return Err(error.into());
    }
    foreground.ready(sized);
    match copy(streams, &Wiring { tty: config.tty, stdin, output: true, detach_keys: keys }) {
        End::Detached => Ok(0),
        End::Failed(error) => Err(Failure::new(error)),
        End::Finished => exit_status(session, waiting),
    }
}

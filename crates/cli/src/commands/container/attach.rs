//! `container attach`

use api::endpoints::{
    ContainerAttach, ContainerAttachQuery, ContainerInspect, ContainerInspectQuery, ContainerWait, ContainerWaitQuery,
};

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::run::exit_status;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::streams::foreground::{Foreground, Target, check_tty, detach_keys};
use crate::streams::{End, Wiring, copy};
use crate::{Invocation, Outcome, Session, terminal};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container attach", "attach"],
    usage: "[OPTIONS] CONTAINER",
    about: "Attach local standard input, output, and error streams to a running container",
    args: Args::Exactly(1),
    complete: Complete::Containers(States::Unpaused),
    flags: &[
        Flag::text("detach-keys", "Override the key sequence for detaching a container"),
        Flag::bool("no-stdin", "Do not attach STDIN"),
        Flag::bool_on("sig-proxy", "Proxy all received signals to the process"),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let client = session.client()?;
    let container = client.call::<ContainerInspect>(&[call.arg(0)], &ContainerInspectQuery::default(), &())?;
    let state = container.state;
    if !state.running {
        return Err(Failure::new("You cannot attach to a stopped container, start it first"));
    }
    if state.paused {
        return Err(Failure::new("You cannot attach to a paused container, unpause it first"));
    }
    if state.restarting {
        return Err(Failure::new("You cannot attach to a restarting container, wait until it is running"));
    }
    let id = container.id.as_str();
    let config = container.config;
    check_tty(!call.is("no-stdin"), config.tty)?;

    let (keys_text, keys) = detach_keys(session, call);
    let stdin = !call.is("no-stdin") && config.open_stdin;
    // its end is waited for from now on: one that ends while we attach is not missed
    let waiting = client.send::<ContainerWait>(&[id], &ContainerWaitQuery::default(), &())?.accepted()?;
    let sized = config.tty && terminal::stdout_is_terminal();
    let proxied = (call.is("sig-proxy") && !config.tty).then_some(id);
    let query = ContainerAttachQuery {
        detach_keys: keys_text,
        stream: true,
        stdin,
        stdout: true,
        stderr: true,
        ..ContainerAttachQuery::default()
    };
    let streams = client.hijack::<ContainerAttach>(&[id], &query, &())?;
    let foreground = Foreground::begin(client, Target::Container(id.to_owned()), proxied, sized);
    if sized {
        foreground.ready_redrawing();
    } else {
        foreground.ready(false);
    }
    match copy(streams, &Wiring { tty: config.tty, stdin, output: true, detach_keys: keys }) {
        End::Detached => Err(Failure::new("read escape sequence")),
        End::Failed(error) => Err(Failure::new(error)),
        End::Finished => exit_status(session, waiting),
    }
}

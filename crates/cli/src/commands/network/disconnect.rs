//! `network disconnect`

use api::endpoints::NetworkDisconnect;
use api::types::NetworkDisconnectRequest;

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network disconnect"],
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Disconnect a container from a network",
    args: Args::Exactly(2),
    complete: Complete::Networks,
    flags: &[Flag::bool("force", "Force the container to disconnect from a network").short('f')],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let body = NetworkDisconnectRequest { container: call.arg(1).into(), force: call.is("force") };
    session.client()?.call::<NetworkDisconnect>(&[call.arg(0)], &Default::default(), &body)?;
    Ok(0)
}

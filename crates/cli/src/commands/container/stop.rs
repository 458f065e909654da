//! `container stop`

use api::endpoints::{ContainerStop, ContainerStopQuery};

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::stopping;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container stop", "stop"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Stop one or more running containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::Running),
    flags: stopping::FLAGS,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = ContainerStopQuery { signal: call.text_or_empty("signal").to_owned(), timeout: call.int("timeout") };
    stopping::call::<ContainerStop>(session, &call.args, &query, call.text_or_empty("signal"))
}

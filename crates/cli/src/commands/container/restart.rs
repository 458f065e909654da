//! `container restart`

use api::endpoints::{ContainerRestart, ContainerRestartQuery};

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::stopping;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container restart", "restart"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Restart one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    flags: stopping::FLAGS,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = ContainerRestartQuery { signal: call.text_or_empty("signal").to_owned(), timeout: call.int("timeout") };
    stopping::call::<ContainerRestart>(session, &call.args, &query, call.text_or_empty("signal"))
}

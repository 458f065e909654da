//! `container unpause`

use api::NoQuery;
use api::endpoints::ContainerUnpause;

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::each;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container unpause", "unpause"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Unpause all processes within one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::Paused),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    each::call::<ContainerUnpause>(session, &call.args, &NoQuery)
}

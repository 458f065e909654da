//! `container pause`

use api::NoQuery;
use api::endpoints::ContainerPause;

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::each;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container pause", "pause"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Pause all processes within one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::Unpaused),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    each::call::<ContainerPause>(session, &call.args, &NoQuery)
}

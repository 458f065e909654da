//! `container kill`

use api::endpoints::{ContainerKill, ContainerKillQuery};

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::each;
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container kill", "kill"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Kill one or more running containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::Running),
    flags: &[Flag::text("signal", "Signal to send to the container").short('s').completes(Complete::Signals)],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = ContainerKillQuery { signal: call.text_or_empty("signal").to_owned() };
    each::call::<ContainerKill>(session, &call.args, &query)
}

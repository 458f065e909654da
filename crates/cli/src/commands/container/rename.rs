//! `container rename`

use api::endpoints::{ContainerRename, ContainerRenameQuery};

use crate::command::{Args, Command, Complete, States};
use crate::failure::Failure;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container rename", "rename"],
    usage: "CONTAINER NEW_NAME",
    about: "Rename a container",
    args: Args::Exactly(2),
    complete: Complete::ContainerThenNothing(States::All),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let (old, new) = (call.arg(0).trim(), call.arg(1).trim());
    if old.is_empty() || new.is_empty() {
        return Err(Failure::new("Error: Neither old nor new names may be empty"));
    }
    let query = ContainerRenameQuery { name: new.to_owned() };
    match session.client()?.call::<ContainerRename>(&[old], &query, &()) {
        Ok(()) => Ok(0),
        Err(error) => Err(Failure::new(format!("{error}\nError: failed to rename container named {old}"))),
    }
}

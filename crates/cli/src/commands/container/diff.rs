//! `container diff`, `diff`.

use api::endpoints::ContainerChanges;
use api::query::NoQuery;

use crate::command::{Args, Command, Complete, States};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container diff", "diff"],
    usage: "CONTAINER",
    about: "Inspect changes to files or directories on a container's filesystem",
    args: Args::Exactly(1),
    complete: Complete::Containers(States::All),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    if call.arg(0).is_empty() {
        return Err(Failure::new("Container name cannot be empty"));
    }
    let changes = session.client()?.call::<ContainerChanges>(&[call.arg(0)], &NoQuery, &())?;
    let mut text = String::new();
    for change in changes.into_iter().flatten() {
        let kind = match change.kind {
            0 => 'C',
            1 => 'A',
            _ => 'D',
        };
        text.push_str(&format!("{kind} {}\n", change.path));
    }
    session.print(text);
    Ok(0)
}

//! `container create`

use crate::command::{Args, Command, Complete};
use crate::commands::container::creating;
use crate::failure::Failure;
use crate::flags::{Flag, container};
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container create", "create"],
    usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Create a new container",
    args: Args::AtLeast(1),
    complete: Complete::ImageThenNothing,
    flags: &[Flag::text("pull", "Pull image before creating (\"always\", \"|missing\", \"never\")")
        .shows_default("\"missing\"")
        .completes(Complete::Words(&["always", "missing", "never"]))],
    shared: container::GROUPS,
    interspersed: false,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let with_help = |failure: Failure| {
        let program = session.program;
        let text = format!("{program}: {}\n\nRun '{program} create --help' for more information", failure.message);
        Failure::new(text).status(125)
    };
    creating::check_pull(call).map_err(with_help)?;
    let request = container::translate(session, call).map_err(with_help)?;
    session.println(creating::create(session, call, request)?);
    Ok(0)
}

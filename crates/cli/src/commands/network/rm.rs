//! `network rm`

use api::endpoints::NetworkRemove;

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network rm", "network remove"],
    usage: "NETWORK [NETWORK...]",
    about: "Remove one or more networks",
    args: Args::AtLeast(1),
    complete: Complete::Networks,
    flags: &[Flag::bool("force", "Do not error if the network does not exist").short('f')],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let mut failed = false;
    for name in &call.args {
        match session.client()?.call::<NetworkRemove>(&[name], &Default::default(), &()) {
            Ok(()) => session.println(name),
            Err(error) if call.is("force") && error.is_not_found() => {}
            Err(error) => {
                session.eprintln(error);
                failed = true;
            }
        }
    }
    if failed { Err(Failure::new("exit status 1")) } else { Ok(0) }
}

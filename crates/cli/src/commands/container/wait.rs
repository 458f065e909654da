//! `container wait`

use api::endpoints::{ContainerWait, ContainerWaitQuery};
use api::types::WaitResponse;

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::each;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container wait", "wait"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Block until one or more containers stop, then print their exit codes",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let tell = |_: &str, reply: WaitResponse| {
        if let Some(error) = reply.error {
            session.eprintln(error.message);
        }
        session.println(reply.status_code);
    };
    each::run::<ContainerWait>(session, &call.args, &ContainerWaitQuery::default(), tell, |_| false)
}

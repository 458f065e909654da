//! `container rm`

use api::endpoints::{ContainerRemove, ContainerRemoveQuery};

use crate::command::{Args, Command, Complete, States};
use crate::commands::container::each;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container rm", "container remove", "rm"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Remove one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::bool("force", "Force the removal of a running container (uses SIGKILL)").short('f'),
        Flag::bool("link", "Remove the specified link").short('l'),
        Flag::bool("volumes", "Remove anonymous volumes associated with the container").short('v'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = ContainerRemoveQuery { volumes: call.is("volumes"), force: call.is("force"), link: call.is("link") };
    let names: Vec<String> = call.args.iter().map(|name| name.trim_matches('/').to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(Failure::new("container name cannot be empty"));
    }
    // by force, one that is not there is as good as removed
    let forgiven = |error: &client::Error| query.force && error.is_not_found();
    each::run::<ContainerRemove>(session, &names, &query, |name, ()| session.println(name), forgiven)
}

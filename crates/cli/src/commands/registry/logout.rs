//! `logout`.

use crate::command::{Args, Command};
use crate::credentials;
use crate::{Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["logout"],
    usage: "[SERVER]",
    about: "Log out from a registry",
    long: "Log out from a registry.\nIf no server is specified, the default is defined by the daemon.",
    args: Args::AtMost(1),
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let key = credentials::key_of_server(call.arg(0));
    session.println(format!("Removing login credentials for {key}"));
    if let Err(failure) = credentials::erase(session, &key) {
        session.eprintln(format!("WARNING: could not erase credentials:\n{}", failure.message));
    }
    Ok(0)
}

//! `container inspect`.

use api::endpoints::{ContainerInspect, ContainerInspectQuery};

use crate::command::{Args, Command, Complete, States};
use crate::flags::Flag;
use crate::output::inspect::{Found, show};
use crate::output::raw::Raw;
use crate::output::shapes;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container inspect"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Display detailed information on one or more containers",
    args: Args::AtLeast(1),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f'),
        Flag::bool("size", "Display total file sizes").short('s'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let size = call.is("size");
    show(session, call.text_or_empty("format"), &call.args, |name| find(session, name, size))
}

/// The container of this name or id.
pub fn find(session: &Session, name: &str, size: bool) -> Result<Found, Failure> {
    Ok(find_or_error(session, name, size)??)
}

/// The same, with the daemon's refusal apart.
pub fn find_or_error(session: &Session, name: &str, size: bool) -> Result<Result<Found, client::Error>, Failure> {
    let query = ContainerInspectQuery { size };
    let found = session.client()?.call::<Raw<ContainerInspect>>(&[name], &query, &());
    Ok(found.map(|json| Found { json, shape: Some(&shapes::container::INSPECT) }))
}

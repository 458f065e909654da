//! `volume inspect`

use api::endpoints::VolumeInspect;

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::output::inspect::{Found, show};
use crate::output::raw::Raw;
use crate::output::shapes;
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["volume inspect"],
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Display detailed information on one or more volumes",
    args: Args::AtLeast(1),
    complete: Complete::Volumes,
    flags: &[Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f')],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    show(session, call.text_or_empty("format"), &call.args, |name| Ok(find_or_error(session, name)??))
}

/// The volume of this name, the daemon's refusal apart.
pub fn find_or_error(session: &Session, name: &str) -> Result<Result<Found, client::Error>, Failure> {
    let found = session.client()?.call::<Raw<VolumeInspect>>(&[name], &Default::default(), &());
    Ok(found.map(|json| Found::new(json, Some(&shapes::volume::INSPECT))))
}

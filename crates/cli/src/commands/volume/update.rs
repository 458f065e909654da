//! `volume update`: of a swarm's volumes only.

use api::endpoints::VolumeInspect;

use super::create::AVAILABILITY;
use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["volume update"],
    usage: "[OPTIONS] [VOLUME]",
    about: "Update a volume (cluster volumes only)",
    args: Args::Exactly(1),
    complete: Complete::Volumes,
    flags: &[Flag::text("availability", AVAILABILITY).shows_default("\"active\"")],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    session.client()?.call::<VolumeInspect>(&[call.arg(0)], &Default::default(), &())?;
    Err(Failure::new("can only update cluster volumes"))
}

//! `volume rm`

use api::endpoints::{VolumeRemove, VolumeRemoveQuery};

use crate::command::{Args, Command, Complete};
use crate::commands::container::each;
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["volume rm", "volume remove"],
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Remove one or more volumes",
    long: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
    args: Args::AtLeast(1),
    complete: Complete::Volumes,
    flags: &[Flag::bool("force", "Force the removal of one or more volumes").short('f')],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    each::call::<VolumeRemove>(session, &call.args, &VolumeRemoveQuery { force: call.is("force") })
}

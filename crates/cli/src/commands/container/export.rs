//! `container export`, `export`.

use api::endpoints::ContainerExport;

use crate::command::{Args, Command, Complete, States};
use crate::flags::Flag;
use crate::output::file;
use crate::{Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container export", "export"],
    usage: "[OPTIONS] CONTAINER",
    about: "Export a container's filesystem as a tar archive",
    args: Args::Exactly(1),
    complete: Complete::Containers(States::All),
    flags: &[Flag::text("output", "Write to a file, instead of STDOUT")
        .short('o')
        .completes(crate::command::Complete::Files)],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let output = file::place(call, "export container")?;
    let mut tar = session.client()?.download::<ContainerExport>(&[call.arg(0)], &api::NoQuery)?;
    file::write(output, &mut tar)?;
    Ok(0)
}

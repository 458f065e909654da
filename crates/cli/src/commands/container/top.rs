//! `container top`, `top`.

use api::endpoints::{ContainerTop, ContainerTopQuery};

use crate::command::{Args, Command, Complete, States};
use crate::output::columns;
use crate::{Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["container top", "top"],
    usage: "CONTAINER [ps OPTIONS]",
    about: "Display the running processes of a container",
    args: Args::AtLeast(1),
    complete: Complete::ContainerThenNothing(States::Running),
    interspersed: false,
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let query = ContainerTopQuery { ps_args: call.args[1..].join(" ") };
    let top = session.client()?.call::<ContainerTop>(&[call.arg(0)], &query, &())?;
    let titles = top.titles.unwrap_or_default();
    let rows = std::iter::once(&titles).chain(top.processes.iter().flatten());
    let text: String = rows.map(|row| row.join("\t") + "\n").collect();
    session.print(columns::align_with(&text, 20, 3));
    Ok(0)
}

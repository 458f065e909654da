//! `container logs`

use api::Version;
use api::endpoints::{ContainerInspect, ContainerInspectQuery, ContainerLogs, ContainerLogsQuery};
use api::stream::{MULTIPLEXED_STREAM, RAW_STREAM};
use values::Timestamp;

use crate::command::{Args, Command, Complete, States};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::{Invocation, Outcome, Session, moment, streams};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["container logs", "logs"],
    usage: "[OPTIONS] CONTAINER",
    about: "Fetch the logs of a container",
    args: Args::Exactly(1),
    complete: Complete::Containers(States::All),
    flags: &[
        Flag::bool("details", "Show extra details provided to logs"),
        Flag::bool("follow", "Follow log output").short('f'),
        Flag::text(
            "since",
            "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
        Flag::text("tail", "Number of lines to show from the end of the logs").short('n').shows_default("\"all\""),
        Flag::bool("timestamps", "Show timestamps").short('t'),
        Flag::text(
            "until",
            "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
    ],
    run,
    ..Command::DEFAULT
};

/// The first version whose content type says whether output is framed.
const TELLS_FRAMING: Version = Version::new(1, 42);

fn run(session: &Session, call: &Invocation) -> Outcome {
    let client = session.client()?;
    let name = call.arg(0);
    let query = ContainerLogsQuery {
        follow: call.is("follow"),
        stdout: true,
        stderr: true,
        since: when(call, "since")?,
        until: when(call, "until")?,
        timestamps: call.is("timestamps"),
        tail: call.text("tail").unwrap_or("all").to_owned(),
        details: call.is("details"),
    };
    let reply = client.output::<ContainerLogs>(&[name], &query)?;
    let framed = match reply.head.field("content-type") {
        Some(MULTIPLEXED_STREAM) => true,
        Some(RAW_STREAM) if client.version() >= TELLS_FRAMING => false,
        // an old daemon: frames are known by the absence of a terminal
        _ => !has_terminal(session, name)?,
    };
    let copied = if framed { streams::demultiplex(reply) } else { streams::plain(reply) };
    copied.map(|()| 0).map_err(Failure::new)
}

fn has_terminal(session: &Session, name: &str) -> Result<bool, Failure> {
    let client = session.client()?;
    let container = client.call::<ContainerInspect>(&[name], &ContainerInspectQuery::default(), &())?;
    Ok(container.config.tty)
}

fn when(call: &Invocation, flag: &str) -> Result<String, Failure> {
    match call.text_or_empty(flag) {
        "" => Ok(String::new()),
        text => moment::to_unix(text, Timestamp::now().unix_nanos())
            .map_err(|why| Failure::new(format!("invalid value for {flag:?}: {why}"))),
    }
}

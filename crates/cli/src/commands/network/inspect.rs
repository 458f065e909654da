//! `network inspect`

use api::endpoints::{NetworkInspect, NetworkInspectQuery};

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::output::inspect::{Found, show};
use crate::output::raw::Raw;
use crate::output::shapes;
use crate::{Failure, Invocation, Outcome, Session};

/// The row.
pub static COMMAND: Command = Command {
    spellings: &["network inspect"],
    usage: "[OPTIONS] NETWORK [NETWORK...]",
    about: "Display detailed information on one or more networks",
    args: Args::AtLeast(1),
    complete: Complete::Networks,
    flags: &[
        Flag::text("format", crate::output::inspect::FORMAT_HELP).short('f'),
        Flag::bool("verbose", "Verbose output for diagnostics").short('v'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let verbose = call.is("verbose");
    show(session, call.text_or_empty("format"), &call.args, |name| Ok(find_or_error(session, name, verbose)??))
}

/// The network of this name or id, the daemon's refusal apart.
pub fn find_or_error(session: &Session, name: &str, verbose: bool) -> Result<Result<Found, client::Error>, Failure> {
    let query = NetworkInspectQuery { verbose, ..NetworkInspectQuery::default() };
    let found = session.client()?.call::<Raw<NetworkInspect>>(&[name], &query, &());
    Ok(found.map(|json| Found::new(json, Some(&shapes::network::INSPECT))))
}

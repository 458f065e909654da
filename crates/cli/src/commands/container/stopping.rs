//! What `stop` and `restart` share: who waits is told what for.

use std::time::Duration;

use api::endpoint::Decode;
use api::endpoints::{ContainerWhy, ContainerWhyQuery};
use api::{Endpoint, NoBody};

use crate::command::Complete;
use crate::commands::container::each;
use crate::flags::Flag;
use crate::{Outcome, Session};

pub static FLAGS: &[Flag] = &[
    Flag::text("signal", "Signal to send to the container").short('s').completes(Complete::Signals),
    Flag::int("timeout", "Seconds to wait before killing the container").short('t'),
    Flag::int("time", "").alias_of("timeout").deprecated("use --timeout instead"),
];

/// A container that heeds its stop signal has usually ended by then.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends `E` for each of `names`; of those which take long it is said on stderr if they cannot end by this signal.
///
/// # Errors
/// Status 1 if any failed.
pub fn call<E>(session: &Session, names: &[String], query: &E::Query, signal: &str) -> Outcome
where
    E: Endpoint<Body = NoBody>,
    E::Reply: Decode,
{
    each::call_patiently::<E>(session, names, query, PATIENCE, |name| warn(session, name, signal))
}

/// A daemon that is not ours has no answer.
fn warn(session: &Session, name: &str, signal: &str) {
    let query = ContainerWhyQuery { signal: signal.to_owned() };
    let Ok(client) = session.client() else { return };
    if let Ok(why) = client.call::<ContainerWhy>(&[name], &query, &())
        && !why.stop_warning.is_empty()
    {
        session.eprintln(format!("{name}: {}", why.stop_warning));
    }
}

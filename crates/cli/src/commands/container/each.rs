//! The same request for each of several containers, all at once, told in the order they were named.

use std::time::{Duration, Instant};

use api::endpoint::{Decode, Encode};
use api::{Endpoint, NoBody};

use crate::Session;
use crate::failure::{Failure, Outcome};

/// As many requests are under way at once; a connection each.
const AT_ONCE: usize = 256;

/// Sends `E` for each of `names`; prints the names that went well on stdout and errors on stderr.
///
/// # Errors
/// Status 1 if any failed.
pub fn call<E>(session: &Session, names: &[String], query: &E::Query) -> Outcome
where
    E: Endpoint<Body = NoBody>,
    E::Reply: Decode,
{
    run::<E>(session, names, query, |name, _| session.println(name), |_| false)
}

/// As [`call`], for what may take long: `late` is called with each name for which there is no answer after this time.
///
/// # Errors
/// As [`call`].
pub fn call_patiently<E>(
    session: &Session,
    names: &[String],
    query: &E::Query,
    patience: Duration,
    late: impl Fn(&str),
) -> Outcome
where
    E: Endpoint<Body = NoBody>,
    E::Body: Encode<Value = ()>,
    E::Reply: Decode,
{
    let client = session.client()?;
    let mut errors = Vec::new();
    for names in names.chunks(AT_ONCE) {
        let pending: Vec<_> = names.iter().map(|name| client.send::<E>(&[name], query, &())).collect();
        let until = Instant::now() + patience;
        for (name, pending) in names.iter().zip(&pending) {
            let left = until.saturating_duration_since(Instant::now());
            if pending.as_ref().is_ok_and(|pending| !pending.is_answered(left)) {
                late(name);
            }
        }
        for (name, pending) in names.iter().zip(pending) {
            match pending.and_then(client::Pending::wait) {
                Ok(_) => session.println(name),
                Err(error) => errors.push(error.to_string()),
            }
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::new(errors.join("\n"))) }
}

/// As [`call`]; `tell` prints what is to be said for a name that went well, and errors that are to be `forgiven`
/// are told, but are no failure.
///
/// # Errors
/// Status 1 if any failed that was not forgiven.
pub fn run<E>(
    session: &Session,
    names: &[String],
    query: &E::Query,
    tell: impl Fn(&str, <E::Reply as Decode>::Value),
    forgiven: impl Fn(&client::Error) -> bool,
) -> Outcome
where
    E: Endpoint<Body = NoBody>,
    E::Body: Encode<Value = ()>,
    E::Reply: Decode,
{
    let client = session.client()?;
    let mut errors = Vec::new();
    for names in names.chunks(AT_ONCE) {
        let replies: Vec<_> = if let [name] = names {
            // alone, it can use the connection that is there
            vec![client.call::<E>(&[name], query, &())]
        } else {
            let pending: Vec<_> = names.iter().map(|name| client.send::<E>(&[name], query, &())).collect();
            pending.into_iter().map(|pending| pending.and_then(client::Pending::wait)).collect()
        };
        for (name, reply) in names.iter().zip(replies) {
            match reply {
                Ok(value) => tell(name, value),
                Err(error) if forgiven(&error) => session.eprintln(error),
                Err(error) => errors.push(error.to_string()),
            }
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::new(errors.join("\n"))) }
}

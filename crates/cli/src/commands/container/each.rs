//! The same request for each of several containers, all at once, told in the order they were named.

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
    with::<E>(session, names, query, |_| {})
}

/// As [`call`], with something done with the daemon's reply before its name is printed.
pub fn with<E>(
    session: &Session,
    names: &[String],
    query: &E::Query,
    then: impl Fn(<E::Reply as Decode>::Value),
) -> Outcome
where
    E: Endpoint<Body = NoBody>,
    E::Reply: Decode,
{
    run::<E>(session, names, query, |name, value| {
        then(value);
        session.println(name);
    })
}

/// As [`call`]; what is printed for a name that went well is up to `tell`.
pub fn run<E>(
    session: &Session,
    names: &[String],
    query: &E::Query,
    tell: impl Fn(&str, <E::Reply as Decode>::Value),
) -> Outcome
where
    E: Endpoint<Body = NoBody>,
    E::Body: Encode<Value = ()>,
    E::Reply: Decode,
{
    let client = session.client()?;
    let mut errors = Vec::new();
    for names in names.chunks(AT_ONCE) {
        let sent: Vec<_> = if let [name] = names {
            // alone, it can use the connection that is there
            vec![client.call::<E>(&[name], query, &())]
        } else {
            let pending: Vec<_> = names.iter().map(|name| client.send::<E>(&[name], query, &())).collect();
            pending.into_iter().map(|pending| pending.and_then(client::Pending::wait)).collect()
        };
        for (name, outcome) in names.iter().zip(sent) {
            match outcome {
                Ok(value) => tell(name, value),
                Err(error) => errors.push(error.to_string()),
            }
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::new(errors.join("\n"))) }
}

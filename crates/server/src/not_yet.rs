//! Docker's endpoints that this daemon does not have yet. They answer what is missing, in place of a bare 404.
//!
//! A row leaves this table when its endpoint enters the one in [`crate::routes`].

use api::{Method, path};
use values::Error;

use Method::{Get, Post};

/// Method, path, and what is not supported yet.
const NOT_YET: &[(Method, &str, &str)] = &[
    (Get, "/containers/{id}/checkpoints", "checkpoints"),
    (Post, "/containers/{id}/checkpoints", "checkpoints"),
    (Post, "/build", "building images"),
    (Post, "/build/cancel", "building images"),
    (Post, "/session", "building images with BuildKit"),
    (Post, "/grpc", "building images with BuildKit"),
    (Get, "/images/{name}/attestations", "attestations of images"),
    (Post, "/plugins/create", "managed plugins"),
    (Post, "/plugins/pull", "managed plugins"),
    (Get, "/plugins/privileges", "managed plugins"),
];

/// What swarm's endpoints say on a node that is in no swarm, which is every node so far.
const NO_SWARM: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node \
                        to swarm and try again.";

/// The first parts of swarm's paths.
const SWARM: &[&str] = &["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"];

/// The error for a known endpoint that is missing; `None` for a path that Docker does not have either.
pub(crate) fn refusal(method: &str, given: &str) -> Option<Error> {
    if matches!((method, given), ("POST", "/swarm/init" | "/swarm/join")) {
        return Some(not_supported("swarm mode"));
    }
    if SWARM.iter().any(|first| given.strip_prefix(first).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    {
        return Some(Error::unavailable(NO_SWARM));
    }
    // only those of a swarm can be changed
    if method == "PUT" && given.starts_with("/volumes/") {
        return Some(Error::unavailable(NO_SWARM));
    }
    if let Some(refusal) = missing_object(method, given) {
        return Some(refusal);
    }
    let row = NOT_YET.iter().find(|(m, pattern, _)| m.as_str() == method && path::matches(pattern, given).is_some());
    row.map(|(_, _, what)| not_supported(what))
}

fn not_supported(what: &str) -> Error {
    Error::not_implemented(format!("{what} is not supported yet"))
}

/// Objects of which there are none: whoever asks for one by name is told so.
fn missing_object(method: &str, given: &str) -> Option<Error> {
    if !matches!(method, "GET" | "DELETE") {
        return None;
    }
    let name = given.strip_prefix("/plugins/")?.strip_suffix("/json")?;
    Some(Error::not_found(format!("plugin {name:?} not found")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::ROUTES;
    use values::ErrorKind;

    #[test]
    fn refusals() {
        let check = |method: &str, path: &str, expected: Option<(ErrorKind, &str)>| {
            let got = refusal(method, path);
            assert_eq!(got.as_ref().map(|e| (e.kind, e.message.as_str())), expected, "{method} {path}");
        };
        check("POST", "/build", Some((ErrorKind::NotImplemented, "building images is not supported yet")));
        check("GET", "/services/web", Some((ErrorKind::Unavailable, NO_SWARM)));
        check("PUT", "/volumes/data", Some((ErrorKind::Unavailable, NO_SWARM)));
        check("GET", "/plugins/x/json", Some((ErrorKind::NotFound, "plugin \"x\" not found")));
        check("GET", "/nosuch", None);
        check("GET", "/build", None);
        check("GET", "/swarming", None);
    }

    #[test]
    fn nothing_here_that_is_served() {
        for (method, pattern, _) in NOT_YET {
            assert!(!ROUTES.iter().any(|r| r.method == *method && r.path == *pattern), "{method} {pattern}");
        }
    }
}

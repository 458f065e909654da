//! What a container is called, when it ends and what happens then.

use api::types::RestartPolicy;

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::{Flag, check};

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::bool("help", "Print usage"),
    Flag::text("name", "Assign a name to the container"),
    Flag::bool("rm", "Automatically remove the container and its associated anonymous volumes when it exits"),
    Flag::text("cidfile", "Write the container ID to the file").completes(Complete::Files),
    Flag::text("platform", "Set platform if server is multi-platform capable"),
    Flag::bool("quiet", "Suppress the pull output").short('q'),
    Flag::bool_on("disable-content-trust", "Skip image verification"),
    Flag::text("runtime", "Runtime to use for this container"),
    Flag::text("isolation", "Container isolation technology"),
    Flag::text("restart", "Restart policy to apply when a container exits")
        .shows_default("\"no\"")
        .completes(Complete::Words(&["always", "no", "on-failure", "unless-stopped"])),
    Flag::text("stop-signal", "Signal to stop the container").completes(Complete::Signals),
    Flag::int("stop-timeout", "Timeout (in seconds) to stop a container"),
    Flag::bool("init", "Run an init inside the container that forwards signals and reaps processes"),
    Flag::list("label", "Set meta data on a container").short('l').checked(check::label),
    Flag::list("label-file", "Read in a line delimited file of labels").completes(Complete::Files),
    Flag::list("annotation", "Add an annotation to the container (passed through to the OCI runtime)")
        .typed("map")
        .shows_default("map[]"),
    Flag::bool("use-api-socket", "Bind mount Docker API socket and required auth"),
];

/// Puts them into the request.
///
/// # Errors
/// Docker's sentence for a value it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    if !call.is("disable-content-trust") {
        return Err(Failure::new("content trust is not supported: --disable-content-trust=false"));
    }
    let labels = super::files::key_values(call, "label-file", "label", |_| None)?;
    draft.config.labels = Some(crate::flags::pairs::to_map(labels));
    draft.config.stop_signal = call.text_or_empty("stop-signal").to_owned();
    draft.config.stop_timeout = call.int("stop-timeout");

    let host = &mut draft.host;
    host.restart_policy = restart_policy(call.text("restart").unwrap_or("no"))?;
    host.auto_remove = call.is("rm");
    host.container_id_file = call.text_or_empty("cidfile").to_owned();
    host.runtime = call.text_or_empty("runtime").to_owned();
    host.isolation = call.text_or_empty("isolation").to_owned();
    host.init = call.given("init").then(|| call.is("init"));
    host.annotations = crate::flags::pairs::to_map(call.all("annotation"));
    Ok(())
}

/// Whether the container may come back by itself.
pub fn restarts(policy: &RestartPolicy) -> bool {
    !matches!(policy.name.as_str(), "" | "no")
}

/// `NAME[:COUNT]`; the daemon knows which names there are.
pub fn restart_policy(text: &str) -> Result<RestartPolicy, Failure> {
    let (name, count) = match text.split_once(':') {
        Some(("", _)) => {
            return Err(Failure::new("invalid restart policy format: no policy provided before colon"));
        }
        Some((name, count)) => (name, count),
        None => (text, ""),
    };
    let maximum_retry_count = match count {
        "" => 0,
        count => count
            .parse()
            .map_err(|_| Failure::new("invalid restart policy format: maximum retry count must be an integer"))?,
    };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count })
}

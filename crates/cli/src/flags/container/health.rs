//! Health checks.

use api::types::HealthConfig;

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::Flag;

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::text("health-cmd", "Command to run to check health"),
    Flag::text(
        "health-on-failure",
        "Action to take once the container turns unhealthy (\"none\", \"kill\", \"restart\", \"stop\")",
    )
    .ours()
    .completes(Complete::Words(&["none", "kill", "restart", "stop"])),
    Flag::duration("health-interval", "Time between running the check (ms|s|m|h)"),
    Flag::int("health-retries", "Consecutive failures needed to report unhealthy"),
    Flag::duration("health-start-interval", "Time between running the check during the start period (ms|s|m|h)"),
    Flag::duration(
        "health-start-period",
        "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)",
    ),
    Flag::duration("health-timeout", "Maximum time to allow one check to run (ms|s|m|h)"),
    Flag::bool("no-healthcheck", "Disable any container-specified HEALTHCHECK"),
];

/// Puts them into the request. Zeros say nothing: the image's values stay.
///
/// # Errors
/// Docker's sentence for a value it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let command = call.text_or_empty("health-cmd");
    let time = |name: &str| call.nanoseconds(name).unwrap_or(0);
    let figures = [
        ("health-interval", time("health-interval")),
        ("health-timeout", time("health-timeout")),
        ("health-retries", call.int("health-retries").unwrap_or(0)),
        ("health-start-period", time("health-start-period")),
        ("health-start-interval", time("health-start-interval")),
    ];
    let on_failure = call.text_or_empty("health-on-failure").to_owned();
    let settings = !on_failure.is_empty() || !command.is_empty() || figures.iter().any(|(_, value)| *value != 0);
    if call.is("no-healthcheck") {
        if settings {
            return Err(Failure::new("--no-healthcheck conflicts with --health-* options"));
        }
        draft.config.healthcheck = Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() });
        return Ok(());
    }
    if !settings {
        return Ok(());
    }
    if let Some((name, _)) = figures.iter().find(|(_, value)| *value < 0) {
        return Err(Failure::new(format!("--{name} cannot be negative")));
    }
    let [interval, timeout, retries, start_period, start_interval] = figures.map(|(_, value)| value);
    let test = (!command.is_empty()).then(|| vec!["CMD-SHELL".to_owned(), command.to_owned()]);
    draft.config.healthcheck =
        Some(HealthConfig { test, interval, timeout, start_period, start_interval, retries, on_failure });
    Ok(())
}

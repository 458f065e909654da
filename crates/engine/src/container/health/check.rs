//! How a container's health is asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use api::types::{ContainerConfig, HealthConfig};
use serde::{Deserialize, Serialize};
use values::{Error, Result};

/// Docker's defaults, where neither request nor image say anything.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;

/// Docker's shortest time in a health check, nanoseconds.
const SHORTEST: i64 = 1_000_000;

/// What is done when a container becomes unhealthy; Podman's words for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OnFailure {
    #[default]
    None,
    /// SIGKILL; then its restart policy decides.
    Kill,
    /// Its stop signal, then it is started again, after a delay that doubles as long as it does not recover.
    Restart,
    /// As a user's stop.
    Stop,
}

impl FromStr for OnFailure {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "" | "none" => Ok(Self::None),
            "kill" => Ok(Self::Kill),
            "restart" => Ok(Self::Restart),
            "stop" => Ok(Self::Stop),
            _ => Err(Error::invalid(format!(
                "invalid OnFailure in Healthcheck: {word:?}: must be one of none, kill, restart, stop"
            ))),
        }
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Stop => "stop",
        })
    }
}

/// A check that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Program and arguments.
    pub argv: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    /// Failures of a starting container do not count so long.
    pub start_period: Duration,
    /// Between probes of a starting container within that time.
    pub start_interval: Duration,
    /// Failures in a row that make it unhealthy; at least 1.
    pub retries: u32,
    pub on_failure: OnFailure,
}

impl Check {
    /// `None`: this container's health is not asked for.
    pub fn of(config: &ContainerConfig) -> Option<Self> {
        let wanted = config.healthcheck.as_ref()?;
        let (kind, words) = wanted.test.as_deref().unwrap_or_default().split_first()?;
        let argv = match kind.as_str() {
            "CMD" => words.to_vec(),
            "CMD-SHELL" => shell(config).into_iter().chain(words.iter().cloned()).collect(),
            _ => return None,
        };
        let time = |nanos: i64, default: Duration| match u64::try_from(nanos) {
            Ok(0) | Err(_) => default,
            Ok(nanos) => Duration::from_nanos(nanos),
        };
        Some(Self {
            argv,
            interval: time(wanted.interval, INTERVAL),
            timeout: time(wanted.timeout, TIMEOUT),
            start_period: time(wanted.start_period, Duration::ZERO),
            start_interval: time(wanted.start_interval, START_INTERVAL),
            retries: match wanted.retries {
                ..=0 => RETRIES,
                many => u32::try_from(many).unwrap_or(u32::MAX),
            },
            on_failure: wanted.on_failure.parse().unwrap_or_default(),
        })
    }
}

fn shell(config: &ContainerConfig) -> Vec<String> {
    match config.shell.as_slice() {
        [] => vec!["/bin/sh".into(), "-c".into()],
        words => words.to_vec(),
    }
}

/// Refuses what cannot be carried out.
///
/// # Errors
/// `InvalidArgument`, for figures in Docker's words. (What is no check at all Docker ignores, and it crashes on `CMD`
/// without a program.)
pub fn validate(check: &HealthConfig) -> Result<()> {
    for (name, value) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if value != 0 && value < SHORTEST {
            return Err(Error::invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    if check.retries < 0 {
        return Err(Error::invalid("Retries in Healthcheck cannot be negative"));
    }
    check.on_failure.parse::<OnFailure>()?;
    match check.test.as_deref().unwrap_or_default() {
        [] => Ok(()),
        [kind, ..] if kind == "NONE" => Ok(()),
        [kind] if kind == "CMD" || kind == "CMD-SHELL" => {
            Err(Error::invalid(format!("Test in Healthcheck has no command after {kind:?}")))
        }
        [kind, words @ ..] if kind == "CMD" || kind == "CMD-SHELL" => match words.iter().find(|w| w.contains('\0')) {
            Some(word) => Err(Error::invalid(format!("invalid argument: {word:?} contains a NUL byte"))),
            None => Ok(()),
        },
        [kind, ..] => {
            Err(Error::invalid(format!("Unknown healthcheck type '{kind}' (expected 'CMD', 'CMD-SHELL' or 'NONE')")))
        }
    }
}

/// What is asked for besides the test says nothing without one.
///
/// # Errors
/// `InvalidArgument`.
pub fn validate_merged(config: &ContainerConfig) -> Result<()> {
    let action = config.healthcheck.as_ref().map_or("", |check| check.on_failure.as_str());
    if !matches!(action, "" | "none") && Check::of(config).is_none() {
        return Err(Error::invalid(format!(
            "OnFailure {action:?} in Healthcheck: neither the request nor the image has a health check (--health-cmd)"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> ContainerConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_run() {
        let check = |json: &str, expected: Option<&[&str]>| {
            let argv = Check::of(&config(json)).map(|c| c.argv);
            assert_eq!(argv, expected.map(|words| words.iter().map(|w| (*w).to_owned()).collect()), "{json}");
        };
        check("{}", None);
        check(r#"{"Healthcheck":{}}"#, None);
        check(r#"{"Healthcheck":{"Test":[],"Interval":5000000}}"#, None);
        check(r#"{"Healthcheck":{"Test":["NONE"]}}"#, None);
        check(r#"{"Healthcheck":{"Test":["FOO","x"]}}"#, None);
        check(r#"{"Healthcheck":{"Test":["CMD","a","b c"]}}"#, Some(&["a", "b c"]));
        check(r#"{"Healthcheck":{"Test":["CMD-SHELL","a b"]}}"#, Some(&["/bin/sh", "-c", "a b"]));
        let shell = r#"{"Shell":["/bin/bash","-ec"],"Healthcheck":{"Test":["CMD-SHELL","a b"]}}"#;
        check(shell, Some(&["/bin/bash", "-ec", "a b"]));
    }

    #[test]
    fn defaults_are_dockers() {
        let check = Check::of(&config(r#"{"Healthcheck":{"Test":["CMD","x"]}}"#)).unwrap();
        let seconds = [check.interval, check.timeout, check.start_period, check.start_interval].map(|t| t.as_secs());
        assert_eq!((seconds, check.retries, check.on_failure), ([30, 30, 0, 5], 3, OnFailure::None));
    }

    #[test]
    fn however_many_retries() {
        for (asked, expected) in [(0, 3), (-1, 3), (7, 7), (1_i64 << 40, u32::MAX)] {
            let json = format!(r#"{{"Healthcheck":{{"Test":["CMD","x"],"Retries":{asked}}}}}"#);
            assert_eq!(Check::of(&config(&json)).unwrap().retries, expected, "{asked}");
        }
    }

    #[test]
    fn refused() {
        let check = |json: &str, expected: &str| {
            let wanted: HealthConfig = serde_json::from_str(json).unwrap();
            let said = validate(&wanted).map_or_else(|e| e.message, |()| String::new());
            assert_eq!(said, expected, "{json}");
        };
        check(r#"{"Test":["CMD","x"],"OnFailure":"restart"}"#, "");
        check(r#"{"Test":["NONE","x"],"Interval":1000000}"#, "");
        check(r#"{"Interval":-5}"#, "Interval in Healthcheck cannot be less than 1ms");
        check(r#"{"StartInterval":999999}"#, "StartInterval in Healthcheck cannot be less than 1ms");
        check(r#"{"Retries":-1}"#, "Retries in Healthcheck cannot be negative");
        check(r#"{"Test":["CMD"]}"#, r#"Test in Healthcheck has no command after "CMD""#);
        check(r#"{"Test":["FOO","x"]}"#, "Unknown healthcheck type 'FOO' (expected 'CMD', 'CMD-SHELL' or 'NONE')");
        let words = r#"invalid OnFailure in Healthcheck: "reboot": must be one of none, kill, restart, stop"#;
        check(r#"{"OnFailure":"reboot"}"#, words);
    }

    #[test]
    fn an_action_needs_a_check() {
        let check = |json: &str, fine: bool| assert_eq!(validate_merged(&config(json)).is_ok(), fine, "{json}");
        check(r#"{"Healthcheck":{"OnFailure":"kill"}}"#, false);
        check(r#"{"Healthcheck":{"OnFailure":"none"}}"#, true);
        check(r#"{"Healthcheck":{"Test":["CMD","x"],"OnFailure":"kill"}}"#, true);
        check("{}", true);
    }
}

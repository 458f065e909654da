//! `HEALTHCHECK`

use oci::image::Healthcheck;
use values::{Error, Result, duration};

/// `NONE`, or `[--interval=… --timeout=… --start-period=… --start-interval=… --retries=…] CMD …`.
pub(super) fn parse(text: &str) -> Result<Healthcheck> {
    let mut health = Healthcheck::default();
    let mut rest = text.trim();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, tail) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        set(&mut health, flag)?;
        rest = tail.trim_start();
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = command.trim();
    match kind.to_ascii_uppercase().as_str() {
        "NONE" if command.is_empty() => health.test = vec!["NONE".into()],
        "NONE" => return Err(Error::invalid("HEALTHCHECK NONE takes no arguments")),
        "CMD" if command.is_empty() => return Err(Error::invalid("Missing command after HEALTHCHECK CMD")),
        "CMD" => {
            health.test = match super::json_words(command) {
                Some(words) => [vec!["CMD".into()], words].concat(),
                None => vec!["CMD-SHELL".into(), command.into()],
            };
        }
        other => return Err(Error::invalid(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)"))),
    }
    Ok(health)
}

fn set(health: &mut Healthcheck, flag: &str) -> Result<()> {
    let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
    let time = || match duration::parse_go(value)? {
        nanos if nanos != 0 && nanos < 1_000_000 => {
            Err(Error::invalid(format!("Interval {name:?} cannot be less than 1ms")))
        }
        nanos => Ok(nanos),
    };
    match name {
        "interval" => health.interval = time()?,
        "timeout" => health.timeout = time()?,
        "start-period" => health.start_period = time()?,
        "start-interval" => health.start_interval = time()?,
        "retries" => {
            let retries = value.parse::<i64>().ok().filter(|n| *n >= 0);
            health.retries =
                retries.ok_or_else(|| Error::invalid(format!("--retries must be at least 0 not {value}")))?;
        }
        _ => return Err(Error::invalid(format!("unknown flag: --{name}"))),
    }
    Ok(())
}

//! Go's durations (`1h2m3.5s`) and Docker's spoken ones (`About an hour`).

use crate::{Error, Result};
use std::time::Duration;

/// Parses what Go's `time.ParseDuration` takes, as signed nanoseconds.
pub fn parse_go(s: &str) -> Result<i64> {
    let bad = || Error::invalid(format!("time: invalid duration {s:?}"));
    let (negative, mut rest) = match s.as_bytes().first() {
        Some(b'-') => (true, &s[1..]),
        Some(b'+') => (false, &s[1..]),
        _ => (false, s),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total: f64 = 0.0;
    let mut exact: i128 = 0;
    while !rest.is_empty() {
        let n = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(|| missing_unit(s))?;
        let (number, tail) = rest.split_at(n);
        let value: f64 = number.parse().map_err(|_| bad())?;
        let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_len);
        let nanos: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(Error::invalid(format!("time: unknown unit {unit:?} in duration {s:?}"))),
        };
        total += value * nanos as f64;
        let part = match number.parse::<i64>() {
            Ok(whole) => i128::from(whole) * i128::from(nanos),
            Err(_) => (value * nanos as f64).round() as i128,
        };
        exact = exact.saturating_add(part);
        rest = next;
    }
    if total > i64::MAX as f64 {
        return Err(bad());
    }
    i64::try_from(if negative { -exact } else { exact }).map_err(|_| bad())
}

fn missing_unit(s: &str) -> Error {
    Error::invalid(format!("time: missing unit in duration {s:?}"))
}

/// Prints signed nanoseconds as Go's `Duration.String` does: `1h0m0s`, `1.5s`, `100ms`, `0s`.
pub fn format_go(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let fraction = |n: u64, unit: u64, name: &str| {
        let whole = n / unit;
        let width = unit.ilog10() as usize;
        let frac = if n.is_multiple_of(unit) { String::new() } else { format!(".{:0width$}", n % unit) };
        let frac = frac.trim_end_matches('0');
        format!("{whole}{frac}{name}")
    };
    let text = match n {
        0 => "0s".into(),
        1..1_000 => format!("{n}ns"),
        1_000..1_000_000 => fraction(n, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(n, 1_000_000, "ms"),
        _ => {
            let minutes = n / 60_000_000_000;
            let seconds = fraction(n % 60_000_000_000, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, m) => format!("{m}m{seconds}"),
                (h, m) => format!("{h}h{m}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// `Less than a second`, `5 minutes`, `About an hour`, `2 weeks`: Docker's words for a length of time.
pub fn human(d: Duration) -> String {
    let seconds = d.as_secs();
    let minutes = seconds / 60;
    // Go rounds hours to the nearest
    let hours = (d.as_secs_f64() / 3600.0).round() as u64;
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (s, ..) if s < 60 => format!("{s} seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, m, _) if m < 60 => format!("{m} minutes"),
        (_, _, 1) => "About an hour".into(),
        (_, _, h) if h < 48 => format!("{h} hours"),
        (_, _, h) if h < 24 * 7 * 2 => format!("{} days", h / 24),
        (_, _, h) if h < 24 * 30 * 2 => format!("{} weeks", h / 24 / 7),
        (_, _, h) if h < 24 * 365 * 2 => format!("{} months", h / 24 / 30),
        (_, _, h) => format!("{} years", h / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations() {
        for (text, nanos) in [
            ("0", 0),
            ("1s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("100ms", 100_000_000),
            ("-2s", -2_000_000_000),
            ("1h2m3.5s", 3_723_500_000_000),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse_go(text).unwrap(), nanos, "{text}");
        }
        let huge = format!("{0}m{0}m", "7".repeat(46));
        for bad in ["", "5", "s", "1x", "1.2.3s", "-", "99999999999h", &huge] {
            assert!(parse_go(bad).is_err(), "{bad}");
        }
        for (nanos, text) in [
            (0, "0s"),
            (1_500_000_000, "1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (100_000_000, "100ms"),
            (1_500, "1.5µs"),
            (90_000_000_000, "1m30s"),
        ] {
            assert_eq!(format_go(nanos), text);
        }
    }

    #[test]
    fn spoken() {
        for (secs, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (120, "2 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (3 * 86400, "3 days"),
            (15 * 86400, "2 weeks"),
            (100 * 86400, "3 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(secs)), text);
        }
    }
}

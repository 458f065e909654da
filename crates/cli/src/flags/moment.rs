//! Moments as `--since` and `--until` take them: a time ago (`10m`), a local or zoned RFC 3339 time or date, or UNIX
//! seconds; sent as `SECONDS` or `SECONDS.NANOSECONDS`.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use crate::Failure;

/// The moment as the API takes it; nothing for nothing.
///
/// # Errors
/// What is no moment.
pub fn since(text: &str) -> Result<String, Failure> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if text != "0"
        && let Ok(nanos) = values::duration::parse_go(text)
    {
        let now = values::Timestamp::now();
        let at = i128::from(now.secs) * 1_000_000_000 + i128::from(now.nanos) - i128::from(nanos);
        return Ok(at.div_euclid(1_000_000_000).to_string());
    }
    if let Some(moment) = calendar(text) {
        return Ok(moment);
    }
    if is_unix(text) {
        return Ok(text.into());
    }
    let quoted = gotemplate::quote(text);
    Err(Failure::new(match out_of_range(text) {
        Some(part) => format!("parsing time {quoted}: {part} out of range"),
        None => format!("failed to parse value as time or duration: {quoted}"),
    }))
}

/// Which part of a well-formed date no calendar has.
fn out_of_range(text: &str) -> Option<&'static str> {
    let mut parts = text.get(..10)?.split('-').map(|part| part.parse::<u16>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let date = |day: u16| Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok();
    match (date(1), date(day)) {
        (None, _) => Some("month"),
        (_, None) => Some("day"),
        _ => None,
    }
}

/// `SECONDS[.FRACTION]`
fn is_unix(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((seconds, fraction)) => digits(seconds) && digits(fraction),
        None => digits(text),
    }
}

/// `2006-01-02`, `2006-01-02T15`, `…T15:04`, `…T15:04:05`, `…T15:04:05.999`, each also with `Z` or `+02:00`.
fn calendar(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let date: Date = date.parse().ok()?;
    let (clock, zone) = split_zone(rest);
    let time = match clock.strip_prefix(['T', 't']) {
        None if clock.is_empty() => Time::midnight(),
        None => return None,
        Some(clock) => self::clock(clock)?,
    };
    let zone = match zone {
        "" => crate::output::local_time::zone(),
        "Z" | "z" => TimeZone::UTC,
        zone => TimeZone::fixed(offset(zone)?),
    };
    let moment = DateTime::from_parts(date, time).to_zoned(zone).ok()?.timestamp();
    let nanos = moment.as_nanosecond();
    Some(format!("{}.{:09}", nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000)))
}

fn split_zone(rest: &str) -> (&str, &str) {
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    rest.split_at(at)
}

fn clock(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':').map(|part| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten());
    let hour = parts.next()??;
    let minute = parts.next().unwrap_or(Some(0))?;
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    Time::new(hour, minute, second, nanos).ok()
}

/// `+02:00`
fn offset(text: &str) -> Option<Offset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    Offset::from_seconds(sign * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_become_unix_time() {
        for (text, expected) in [
            ("", Some("")),
            ("0", Some("0")),
            ("1136073600", Some("1136073600")),
            ("1136073600.000000001", Some("1136073600.000000001")),
            ("2006-01-02T15:04:05.999999999+07:00", Some("1136189045.999999999")),
            ("2006-01-02T15:04:05Z", Some("1136214245.000000000")),
            ("2006-01-02T15:04Z", Some("1136214240.000000000")),
            ("2006-01-02T15-01:00", Some("1136217600.000000000")),
            ("2006-01-02Z", Some("1136160000.000000000")),
            ("2006-01-02T15:04:0Z", None),
            ("2006-13-02Z", None),
            ("yesterday", None),
            ("1.x", None),
            ("2006-01-0é", None),
        ] {
            assert_eq!(since(text).ok().as_deref(), expected, "{text}");
        }
        let ago: i64 = since("1h").unwrap().parse().unwrap();
        assert!((values::Timestamp::now().secs - 3600 - ago).abs() <= 1);
        assert_eq!(since("x").unwrap_err().message, "failed to parse value as time or duration: \"x\"");
    }
}

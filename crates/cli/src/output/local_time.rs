//! Moments in the user's time zone (`TZ`, else `/etc/localtime`, else UTC). Only what prints such a time pays for
//! looking the zone up.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The user's time zone.
pub fn zone() -> TimeZone {
    match std::env::var("TZ").as_deref() {
        Ok("" | "UTC") => TimeZone::UTC,
        _ => TimeZone::try_system().unwrap_or(TimeZone::UTC),
    }
}

fn local(seconds: i64, nanos: i64, format: &str) -> String {
    let nanos = i32::try_from(nanos).unwrap_or(0);
    match Timestamp::new(seconds, nanos) {
        Ok(moment) => moment.to_zoned(zone()).strftime(format).to_string(),
        Err(_) => String::new(),
    }
}

/// `2024-01-02 03:04:05 +0000 UTC`, as Go prints a time.
pub fn go_default(unix_seconds: i64) -> String {
    local(unix_seconds, 0, "%Y-%m-%d %H:%M:%S %z %Z")
}

/// RFC 3339 with the zone's offset and no fraction: `2024-01-02T03:04:05Z`.
pub fn rfc3339(unix_seconds: i64) -> String {
    zulu(local(unix_seconds, 0, "%Y-%m-%dT%H:%M:%S%:z"))
}

/// RFC 3339 with the zone's offset and nine digits: `2024-01-02T03:04:05.000000000Z`.
pub fn rfc3339_nine(unix_nanos: i64) -> String {
    const BILLION: i64 = 1_000_000_000;
    zulu(local(unix_nanos.div_euclid(BILLION), unix_nanos.rem_euclid(BILLION), "%Y-%m-%dT%H:%M:%S.%9f%:z"))
}

/// Go writes an offset of zero as `Z`.
fn zulu(text: String) -> String {
    match text.strip_suffix("+00:00") {
        Some(moment) => format!("{moment}Z"),
        None => text,
    }
}

/// An RFC 3339 moment as Go's `time.ANSIC`, in the zone it is written in: `Fri May 30 12:07:29 2025`.
/// `None` for what is no such moment.
pub fn ansic(rfc3339: &str) -> Option<String> {
    let text = rfc3339.strip_suffix('Z').map_or_else(|| rfc3339.to_owned(), |moment| format!("{moment}+00:00"));
    let at = text.rfind(['+', '-']).filter(|&at| at > 10)?;
    let civil: jiff::civil::DateTime = text[..at].parse().ok()?;
    Some(civil.strftime("%a %b %e %H:%M:%S %Y").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ansic_keeps_the_zone() {
        for (text, expected) in [
            ("2025-05-30T12:07:29.000000000+00:00", Some("Fri May 30 12:07:29 2025")),
            ("2025-05-03T12:07:29Z", Some("Sat May  3 12:07:29 2025")),
            ("2025-05-03T12:07:29-07:00", Some("Sat May  3 12:07:29 2025")),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(ansic(text).as_deref(), expected, "{text}");
        }
    }
}

//! Moments as a user writes them for `--since` and `--until`, as UNIX time for the API.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use values::duration;

/// Turns `10m`, `2006-01-02T15:04:05.9Z`, `2006-01-02`, `1136073845.9` into `SECONDS.NANOS`; `now` is in
/// nanoseconds since 1970. Times without a zone are the user's.
///
/// # Errors
/// The sentence for the user.
pub fn to_unix(text: &str, now: i64) -> Result<String, String> {
    if let Ok(ago) = duration::parse_go(text) {
        // a relative time is to the second
        return Ok(now.saturating_sub(ago).div_euclid(1_000_000_000).to_string());
    }
    if let Some(nanos) = civil(text) {
        return Ok(wire(nanos));
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = seconds.strip_prefix('-').unwrap_or(seconds);
    if !whole.is_empty() && digits(whole) && digits(fraction) && fraction.len() <= 9 {
        return Ok(text.to_owned());
    }
    Err(format!("failed to parse value as time or duration: {text:?}"))
}

fn wire(nanos: i64) -> String {
    const BILLION: i64 = 1_000_000_000;
    format!("{}.{:09}", nanos.div_euclid(BILLION), nanos.rem_euclid(BILLION))
}

/// A date, with as much of a time and a zone as was written.
fn civil(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time),
        None => (text.strip_suffix('Z').unwrap_or(text), if text.ends_with('Z') { "Z" } else { "" }),
    };
    let date: Date = date.parse().ok().filter(|_| date.len() == 10)?;
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let clock = match clock.len() {
        0 => "00:00:00".to_owned(),
        2 => format!("{clock}:00:00"),
        5 => format!("{clock}:00"),
        _ => clock.to_owned(),
    };
    let moment: DateTime = format!("{date}T{clock}").parse().ok()?;
    let stamp = if zone.is_empty() {
        moment.to_zoned(TimeZone::system()).ok()?.timestamp()
    } else {
        format!("{moment}{zone}").parse().ok()?
    };
    i64::try_from(stamp.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now = 1_700_000_000_500_000_000;
        for (text, expected) in [
            ("10m", Ok("1699999400")),
            ("1136073845", Ok("1136073845")),
            ("1136073845.9", Ok("1136073845.9")),
            ("2006-01-02T15:04:05Z", Ok("1136214245.000000000")),
            ("2006-01-02T15:04:05.5+01:00", Ok("1136210645.500000000")),
            ("2006-01-02T15:04Z", Ok("1136214240.000000000")),
            ("2006-01-02T15Z", Ok("1136214000.000000000")),
            ("2006-01-02Z", Ok("1136160000.000000000")),
            ("foo", Err("failed to parse value as time or duration: \"foo\"")),
            ("", Err("failed to parse value as time or duration: \"\"")),
        ] {
            assert_eq!(to_unix(text, now), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}

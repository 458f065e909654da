//! What the prunes of all nouns share: the moment of their `until` filter.

use api::Filters;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use values::{Error, Result, Timestamp};

/// The moment before which something must have been made to go; `None`: however young it is.
///
/// The filter names a time ago (`10m`), a UNIX time, or a date with or without time and zone; without one it is local.
///
/// # Errors
/// `InvalidArgument` for what is no moment, and for more than one.
pub fn until(filters: &Filters, now: Timestamp) -> Result<Option<Timestamp>> {
    let mut given = filters.get("until");
    let Some(text) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Error::invalid("more than one until filter specified"));
    }
    let parsed = ago(text, now).or_else(|| Timestamp::from_unix_text(text)).or_else(|| calendar(text));
    parsed.map(Some).ok_or_else(|| Error::invalid(format!("failed to parse value as time or duration: {text:?}")))
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let nanos = values::duration::parse_go(text).ok().filter(|_| text != "0")?;
    moment(i128::from(now.secs) * 1_000_000_000 + i128::from(now.nanos) - i128::from(nanos))
}

fn moment(nanos: i128) -> Option<Timestamp> {
    let secs = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    Some(Timestamp { secs, nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()? })
}

fn calendar(text: &str) -> Option<Timestamp> {
    if let Ok(zoned) = text.parse::<Timestamp>() {
        return Some(zoned);
    }
    let local = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(DateTime::from))?;
    moment(local.to_zoned(TimeZone::system()).ok()?.timestamp().as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now = Timestamp { secs: 1_000_000, nanos: 0 };
        let check = |texts: &[&str], expected: Result<Option<i64>, &str>| {
            let mut filters = Filters::new();
            texts.iter().for_each(|text| filters.add("until", *text));
            let got = until(&filters, now).map(|t| t.map(|t| t.secs)).map_err(|e| e.message);
            assert_eq!(got, expected.map_err(str::to_owned), "{texts:?}");
        };
        check(&[], Ok(None));
        check(&["1h"], Ok(Some(1_000_000 - 3600)));
        check(&["5000"], Ok(Some(5000)));
        check(&["2024-01-01T00:00:00Z"], Ok(Some(1_704_067_200)));
        check(&["2024-01-01T01:00:00+01:00"], Ok(Some(1_704_067_200)));
        check(&["x"], Err("failed to parse value as time or duration: \"x\""));
        check(&["1h", "2h"], Err("more than one until filter specified"));
        let mut filters = Filters::new();
        filters.add("until", "2024-01-01");
        assert!(until(&filters, now).is_ok_and(|t| t.is_some_and(|t| (t.secs - 1_704_067_200).abs() <= 86_400)));
    }
}

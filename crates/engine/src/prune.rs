//! What the prunes of all nouns share: their filters `until`, `label` and `label!`.

use api::Filters;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use values::{Error, Result, Timestamp};

/// Which of the things that nobody uses shall go.
pub struct Wanted {
    filters: Filters,
    /// When it must have been made; `None`: however young it is.
    until: Option<Timestamp>,
}

impl Wanted {
    /// `more`: filters of that noun alone.
    ///
    /// # Errors
    /// `InvalidArgument` for a filter that is none, for an `until` that is no moment, and for more than one.
    pub fn by(filters: &Filters, more: &[&str]) -> Result<Self> {
        filters.validate(&[&["label", "label!", "until"], more].concat())?;
        Ok(Self { filters: filters.clone(), until: until(filters, Timestamp::now())? })
    }

    /// With every `label`, and not with every `label!`, as Docker has it.
    pub fn has<'a>(&self, created: Timestamp, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let spared = self.filters.contains("label!") && self.filters.matches_labels("label!", &label);
        self.until.is_none_or(|until| created <= until) && self.filters.matches_labels("label", &label) && !spared
    }
}

/// When things must have been made to go, or to be shown.
///
/// # Errors
/// `InvalidArgument` in Docker's words for what is no moment, and for more than one.
pub fn until(filters: &Filters, now: Timestamp) -> Result<Option<Timestamp>> {
    let mut given = filters.get("until");
    let Some(text) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Error::invalid("more than one until filter specified"));
    }
    let parsed = moment(text, now);
    parsed.map(Some).ok_or_else(|| Error::invalid(format!("failed to parse value as time or duration: {text:?}")))
}

/// A time ago (`10m`), a UNIX time, or a date with or without time and zone; without one it is local.
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    ago(text, now).or_else(|| Timestamp::from_unix_text(text)).or_else(|| calendar(text))
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let nanos = values::duration::parse_go(text).ok().filter(|_| text != "0")?;
    from_nanos(i128::from(now.secs) * 1_000_000_000 + i128::from(now.nanos) - i128::from(nanos))
}

fn from_nanos(nanos: i128) -> Option<Timestamp> {
    let secs = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    Some(Timestamp { secs, nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()? })
}

fn calendar(text: &str) -> Option<Timestamp> {
    if let Ok(zoned) = text.parse::<Timestamp>() {
        return Some(zoned);
    }
    let local = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(DateTime::from))?;
    from_nanos(local.to_zoned(TimeZone::system()).ok()?.timestamp().as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_labels_and_age() {
        let check = |json: &str, labels: &[(&str, &str)], expected: bool| {
            let wanted = Wanted::by(&Filters::from_json(json).unwrap(), &["all"]).unwrap();
            let label = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
            assert_eq!(wanted.has(Timestamp { secs: 5000, nanos: 1 }, label), expected, "{json} {labels:?}");
        };
        check("", &[], true);
        check(r#"{"until":["5000"]}"#, &[], false);
        check(r#"{"until":["5001"],"all":["1"]}"#, &[], true);
        check(r#"{"label":["a","b=2"]}"#, &[("a", ""), ("b", "2")], true);
        check(r#"{"label":["a","b=2"]}"#, &[("a", ""), ("b", "3")], false);
        check(r#"{"label!":["a"]}"#, &[("a", "x")], false);
        check(r#"{"label!":["a"]}"#, &[("b", "")], true);
        check(r#"{"label!":["a","b"]}"#, &[("b", "")], true);
        for bad in [r#"{"all":["1"]}"#, r#"{"until":["x"]}"#] {
            assert!(Wanted::by(&Filters::from_json(bad).unwrap(), &[]).is_err(), "{bad}");
        }
    }

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

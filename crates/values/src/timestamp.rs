use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    fmt::{self, Write as _},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A moment in UTC, to the nanosecond. Written as RFC 3339, as Go's `time.RFC3339Nano` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z (negative before).
    pub secs: i64,
    /// 0..1_000_000_000, always forward in time from `secs`.
    pub nanos: u32,
}

/// Year, month, day, hour, minute, second.
type Civil = (i64, u32, u32, u32, u32, u32);

impl Timestamp {
    /// Go's zero time, which Docker prints for "never".
    pub const ZERO: Self = Self { secs: -62_135_596_800, nanos: 0 };

    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Nanoseconds since the epoch, saturating.
    pub fn unix_nanos(self) -> i64 {
        self.secs.saturating_mul(1_000_000_000).saturating_add(i64::from(self.nanos))
    }

    /// Time passed from `earlier` to `self`; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = (i128::from(self.secs) - i128::from(earlier.secs)) * 1_000_000_000 + i128::from(self.nanos)
            - i128::from(earlier.nanos);
        if nanos <= 0 { Duration::ZERO } else { Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)) }
    }

    pub fn plus(self, d: Duration) -> Self {
        let nanos = self.nanos + d.subsec_nanos();
        let secs = self.secs.saturating_add(i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
        Self { secs: secs.saturating_add(i64::from(nanos / 1_000_000_000)), nanos: nanos % 1_000_000_000 }
    }

    /// `2006-01-02T15:04:05.12Z`: the fraction without trailing zeros, none when zero.
    pub fn to_rfc3339_nano(self) -> String {
        let mut s = self.to_second();
        if self.nanos != 0 {
            let frac = format!("{:09}", self.nanos);
            let _ = write!(s, ".{}", frac.trim_end_matches('0'));
        }
        s.push('Z');
        s
    }

    /// `2006-01-02T15:04:05.120000000Z`: always nine digits, as `docker logs -t` prints.
    pub fn to_rfc3339_nine(self) -> String {
        let mut s = self.to_second();
        let _ = write!(s, ".{:09}Z", self.nanos);
        s
    }

    /// `2006-01-02T15:04:05`
    pub fn to_second(self) -> String {
        let (y, mo, d, h, mi, s) = self.civil();
        format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}")
    }

    /// Howard Hinnant's days-from-civil arithmetic, the other way round.
    fn civil(self) -> Civil {
        let days = self.secs.div_euclid(86_400);
        let rem = self.secs.rem_euclid(86_400) as u32;
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        let year = yoe + era * 400 + i64::from(month <= 2);
        (year, month, day, rem / 3600, rem / 60 % 60, rem % 60)
    }

    fn from_civil((y, mo, d, h, mi, s): Civil, offset_secs: i64, nanos: u32) -> Self {
        let y = if mo <= 2 { y - 1 } else { y };
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let mp = i64::from(if mo > 2 { mo - 3 } else { mo + 9 });
        let doy = (153 * mp + 2) / 5 + i64::from(d) - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        let days = era * 146_097 + doe - 719_468;
        let secs = days * 86_400 + i64::from(h) * 3600 + i64::from(mi) * 60 + i64::from(s) - offset_secs;
        Self { secs, nanos }
    }

    /// `SECONDS[.FRACTION]`, as the API's `since` and `until` are sent; the fraction is padded to nine digits.
    pub fn from_unix_text(s: &str) -> Option<Self> {
        let (whole, frac) = s.split_once('.').unwrap_or((s, ""));
        let secs = whole.parse().ok()?;
        Some(Self { secs, nanos: parse_fraction(frac)? })
    }
}

/// Up to nine digits as nanoseconds; more digits are cut.
fn parse_fraction(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let cut = &digits[..digits.len().min(9)];
    Some(format!("{cut:0<9}").parse().unwrap_or(0))
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    /// RFC 3339 with any offset: `2006-01-02T15:04:05[.n…](Z|±hh:mm)`.
    fn from_str(s: &str) -> Result<Self> {
        parse_rfc3339(s).ok_or_else(|| Error::invalid(format!("invalid RFC 3339 time: {s}")))
    }
}

fn parse_rfc3339(s: &str) -> Option<Timestamp> {
    let b = s.as_bytes();
    let num = |from: usize, to: usize| -> Option<u32> {
        let t = s.get(from..to)?;
        t.bytes().all(|c| c.is_ascii_digit()).then(|| t.parse().ok())?
    };
    let at = |i: usize, c: u8| b.get(i) == Some(&c);
    if !(at(4, b'-') && at(7, b'-') && (at(10, b'T') || at(10, b't') || at(10, b' ')) && at(13, b':') && at(16, b':')) {
        return None;
    }
    let (y, mo, d) = (i64::from(num(0, 4)?), num(5, 7)?, num(8, 10)?);
    let (h, mi, sec) = (num(11, 13)?, num(14, 16)?, num(17, 19)?);
    if !(1..=12).contains(&mo) || d == 0 || d > days_in(y, mo) || h > 23 || mi > 59 || sec > 59 {
        return None;
    }
    let rest = s.get(19..)?;
    let digits = rest.strip_prefix('.').map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
    if rest.starts_with('.') && digits == 0 {
        return None;
    }
    let (frac, zone) = if digits > 0 { (&rest[1..=digits], &rest[digits + 1..]) } else { ("", rest) };
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let hours: i64 = zone.get(1..3)?.parse().ok()?;
            let minutes: i64 = zone.get(4..6)?.parse().ok()?;
            let secs = hours * 3600 + minutes * 60;
            if *sign == b'-' { -secs } else { secs }
        }
        _ => return None,
    };
    Some(Timestamp::from_civil((y, mo, d, h, mi, sec), offset, parse_fraction(frac)?))
}

impl From<SystemTime> for Timestamp {
    fn from(t: SystemTime) -> Self {
        match t.duration_since(UNIX_EPOCH) {
            Ok(d) => Self { secs: d.as_secs() as i64, nanos: d.subsec_nanos() },
            Err(e) => {
                let d = e.duration();
                let (secs, nanos) = (-(d.as_secs() as i64), d.subsec_nanos());
                if nanos == 0 { Self { secs, nanos } } else { Self { secs: secs - 1, nanos: 1_000_000_000 - nanos } }
            }
        }
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339_nano())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_rfc3339_nano())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
        if s.is_empty() {
            return Ok(Self::ZERO);
        }
        s.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_as_go_prints() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59.123456789Z",
            "2000-03-01T00:00:00.1Z",
            "1969-12-31T23:59:59.5Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_rfc3339_nano(), text);
        }
        let t: Timestamp = "2024-01-01T02:00:00.5+02:00".parse().unwrap();
        assert_eq!(t.to_rfc3339_nine(), "2024-01-01T00:00:00.500000000Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in [
            "",
            "2024",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T25:00:00Z",
            "é024-01-01T00:00:00Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn unix_text() {
        assert_eq!(Timestamp::from_unix_text("5.25"), Some(Timestamp { secs: 5, nanos: 250_000_000 }));
        assert_eq!(Timestamp::from_unix_text("5"), Some(Timestamp { secs: 5, nanos: 0 }));
        assert_eq!(Timestamp::from_unix_text("x"), None);
    }
}

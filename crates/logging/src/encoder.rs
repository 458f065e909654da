//! From a line of the file to what the client is sent.

use crate::Options;
use crate::entry::{self, Entry, Text};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use values::Timestamp;

/// `2006-01-02T15:04:05.000000000`: compares as the time it names.
type Moment = [u8; MOMENT];
const MOMENT: usize = 29;
const SECOND: usize = 19;

/// Filters lines and writes what is left with the prefixes asked for.
pub struct Encoder {
    options: Options,
    since: Option<Moment>,
    until: Option<Moment>,
    /// The last line's attributes and their text: they are the same on every line.
    details: (Vec<u8>, String),
}

impl Encoder {
    pub fn new(options: Options) -> Self {
        let moment = |t: Option<Timestamp>| t.and_then(|t| moment_of(t.to_rfc3339_nine().as_bytes()));
        let (since, until) = (moment(options.since), moment(options.until));
        Self { options, since, until, details: Default::default() }
    }

    /// Appends the entry of `line` (without its newline) if it is wanted. Breaks when it is later than all wanted ones.
    pub fn append(&mut self, line: &[u8], out: &mut Vec<u8>) -> ControlFlow<()> {
        let Some(entry) = entry::parse(line) else { return ControlFlow::Continue(()) };
        let needs_time = self.options.timestamps || self.since.is_some() || self.until.is_some();
        let moment = if needs_time { moment_of(&entry.time) } else { None };
        if needs_time && moment.is_none() {
            return ControlFlow::Continue(());
        }
        if self.until.is_some() && moment > self.until {
            return ControlFlow::Break(());
        }
        let wanted = if entry.stderr { self.options.stderr } else { self.options.stdout };
        if wanted && (self.since.is_none() || moment >= self.since) {
            self.write(&entry, moment, out);
        }
        ControlFlow::Continue(())
    }

    fn write(&mut self, entry: &Entry<'_>, moment: Option<Moment>, out: &mut Vec<u8>) {
        let start = out.len();
        if self.options.framed {
            out.extend_from_slice(&[1 + u8::from(entry.stderr), 0, 0, 0, 0, 0, 0, 0]);
        }
        if let (true, Some(moment)) = (self.options.timestamps, moment) {
            out.extend_from_slice(&moment);
            out.extend_from_slice(b"Z ");
        }
        if self.options.details {
            out.extend_from_slice(self.details_of(entry).as_bytes());
            out.push(b' ');
        }
        match &entry.text {
            Text::Escaped(text) => entry::append_unescaped(text, out),
            Text::Plain(text) => out.extend_from_slice(text.as_bytes()),
        }
        if self.options.framed {
            let len = u32::try_from(out.len() - start - 8).unwrap_or(u32::MAX);
            out[start + 4..start + 8].copy_from_slice(&len.to_be_bytes());
        }
    }

    fn details_of(&mut self, entry: &Entry<'_>) -> &str {
        let attrs = entry.attrs.as_deref().unwrap_or_default();
        if self.details.0 != attrs {
            let map: BTreeMap<String, String> = serde_json::from_slice(attrs).unwrap_or_default();
            let pairs: Vec<String> =
                map.iter().map(|(k, v)| format!("{}={}", query_escape(k), query_escape(v))).collect();
            self.details = (attrs.to_vec(), pairs.join(","));
        }
        &self.details.1
    }
}

/// Escapes as in a URL's query: space as `+`, everything but letters, digits and `-_.~` as `%XX`.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// The comparable form of an RFC 3339 time; None when it is none.
fn moment_of(time: &[u8]) -> Option<Moment> {
    utc_moment(time).or_else(|| {
        let time: Timestamp = std::str::from_utf8(time).ok()?.parse().ok()?;
        utc_moment(time.to_rfc3339_nine().as_bytes())
    })
}

/// The same for `2006-01-02T15:04:05[.n…]Z` only.
fn utc_moment(time: &[u8]) -> Option<Moment> {
    let body = time.strip_suffix(b"Z")?;
    let (second, fraction) = body.split_at_checked(SECOND)?;
    let digits = match fraction {
        [] => &[][..],
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut moment = *b"0000-00-00T00:00:00.000000000";
    let shaped = |(have, want): (&u8, &u8)| if *want == b'0' { have.is_ascii_digit() } else { have == want };
    if !second.iter().zip(&moment).all(shaped) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    moment[..SECOND].copy_from_slice(second);
    moment[SECOND + 1..][..digits.len()].copy_from_slice(digits);
    Some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Options = Options {
        stdout: true,
        stderr: true,
        since: None,
        until: None,
        tail: None,
        timestamps: false,
        details: false,
        framed: false,
    };

    const LINES: [&str; 5] = [
        r#"{"log":"one\n","stream":"stdout","attrs":{"b":"x y","a":"1&2"},"time":"2024-01-01T00:00:01Z"}"#,
        r#"{"log":"two\n","stream":"stderr","attrs":{"b":"x y","a":"1&2"},"time":"2024-01-01T00:00:02.5Z"}"#,
        r#"torn {"log":"#,
        r#"{"log":"three","stream":"stdout","time":"2024-01-01T02:00:03.000000001+02:00"}"#,
        r#"{"log":"four\n","stream":"stdout","time":"2024-01-01T00:00:04Z"}"#,
    ];

    fn check(options: Options, expected: &str) {
        let mut encoder = Encoder::new(options);
        let mut out = Vec::new();
        for line in LINES {
            if encoder.append(line.as_bytes(), &mut out).is_break() {
                out.extend_from_slice(b"END");
                break;
            }
        }
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn filters_and_prefixes() {
        check(ALL, "one\ntwo\nthreefour\n");
        check(Options { stdout: false, ..ALL }, "two\n");
        check(Options { stderr: false, ..ALL }, "one\nthreefour\n");
        check(Options { since: at("2024-01-01T00:00:02.5Z"), ..ALL }, "two\nthreefour\n");
        check(Options { since: at("2024-01-01T00:00:02.500000001Z"), ..ALL }, "threefour\n");
        check(Options { until: at("2024-01-01T00:00:03Z"), ..ALL }, "one\ntwo\nEND");
        check(Options { framed: true, stdout: false, ..ALL }, "\u{2}\0\0\0\0\0\0\u{4}two\n");
        check(Options { details: true, stdout: false, ..ALL }, "a=1%262,b=x+y two\n");
        check(
            Options { timestamps: true, details: true, framed: true, since: at("2024-01-01T00:00:03Z"), ..ALL },
            "\u{1}\0\0\0\0\0\0\u{25}2024-01-01T00:00:03.000000001Z  three\
             \u{1}\0\0\0\0\0\0\u{25}2024-01-01T00:00:04.000000000Z  four\n",
        );
    }

    #[test]
    fn moments() {
        for (time, expected) in [
            ("2024-01-01T00:00:00Z", Some("2024-01-01T00:00:00.000000000")),
            ("2024-01-01T00:00:00.12Z", Some("2024-01-01T00:00:00.120000000")),
            ("2024-01-01T01:00:00+01:00", Some("2024-01-01T00:00:00.000000000")),
            ("2024-01-01T00:00:00", None),
            ("x", None),
            ("", None),
            ("2024-01-01T00:00:0éZ", None),
        ] {
            assert_eq!(moment_of(time.as_bytes()), expected.map(|e| e.as_bytes().try_into().unwrap()), "{time}");
        }
    }
}

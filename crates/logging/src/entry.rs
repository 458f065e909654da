//! One line of a json-file log.
//!
//! Our writer and Docker's write the fields in one fixed order without spaces, so a line is taken apart by comparing
//! prefixes; whatever looks otherwise goes through serde_json, and what that refuses is no entry.

use memchr::{memchr, memchr2, memmem};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub text: Text<'a>,
    pub stderr: bool,
    /// The JSON object of attributes.
    pub attrs: Option<Cow<'a, [u8]>>,
    /// RFC 3339 text, unchecked.
    pub time: Cow<'a, [u8]>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// The inside of a JSON string, of escapes which [`append_unescaped`] knows.
    Escaped(&'a [u8]),
    Plain(String),
}

/// Takes `line` (without its newline) apart; None when it is no entry.
pub fn parse(line: &[u8]) -> Option<Entry<'_>> {
    parse_known(line).or_else(|| parse_any(line))
}

fn parse_known(line: &[u8]) -> Option<Entry<'_>> {
    let rest = line.strip_prefix(b"{\"log\":\"")?;
    let end = string_end(rest)?;
    let (text, rest) = (&rest[..end], &rest[end..]);
    let rest = rest.strip_prefix(b"\",\"stream\":\"std")?;
    let (stderr, rest) = match rest.strip_prefix(b"out\",\"") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(b"err\",\"")?),
    };
    let (attrs, rest) = match rest.strip_prefix(b"attrs\":") {
        Some(rest) => {
            // Quotes inside strings are escaped, so this can't be found within a value.
            let end = memmem::find(rest, b"},\"time\":\"")? + 1;
            (Some(Cow::Borrowed(&rest[..end])), &rest[end + 2..])
        }
        None => (None, rest),
    };
    let time = rest.strip_prefix(b"time\":\"")?.strip_suffix(b"\"}")?;
    (memchr(b'"', time).is_none()).then_some(Entry {
        text: Text::Escaped(text),
        stderr,
        attrs,
        time: Cow::Borrowed(time),
    })
}

/// Where the string which begins `rest` ends (its closing quote), if all its escapes are simple ones.
fn string_end(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest[at] == b'"' {
            return Some(at);
        }
        match rest.get(at + 1)? {
            b'n' | b'r' | b't' | b'"' | b'\\' | b'/' | b'b' | b'f' => at += 2,
            b'u' => {
                plain_char(rest.get(at + 2..at + 6)?)?;
                at += 6;
            }
            _ => return None,
        }
    }
}

/// The character of four hex digits, unless it is half of a surrogate pair.
fn plain_char(digits: &[u8]) -> Option<char> {
    let mut code = 0;
    for &digit in digits {
        code = code * 16 + char::from(digit).to_digit(16)?;
    }
    char::from_u32(code)
}

/// Appends the text which the checked JSON string content `text` means.
pub fn append_unescaped(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let byte = match rest.get(at + 1) {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'u') => {
                let c = rest.get(at + 2..at + 6).and_then(plain_char).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(at + 6..).unwrap_or_default();
                continue;
            }
            Some(&other) => other,
            None => return,
        };
        out.push(byte);
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(default)]
    log: String,
    #[serde(default, borrow)]
    stream: Cow<'a, str>,
    #[serde(default)]
    attrs: Option<BTreeMap<String, String>>,
    #[serde(default)]
    time: String,
}

fn parse_any(line: &[u8]) -> Option<Entry<'_>> {
    let fields: Fields<'_> = serde_json::from_slice(line).ok()?;
    let attrs = fields.attrs.filter(|a| !a.is_empty());
    Some(Entry {
        text: Text::Plain(fields.log),
        stderr: fields.stream == "stderr",
        attrs: attrs.and_then(|a| serde_json::to_vec(&a).ok()).map(Cow::Owned),
        time: Cow::Owned(fields.time.into_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(line: &str) -> Option<String> {
        parse(line.as_bytes()).map(|e| match e.text {
            Text::Plain(s) => s,
            Text::Escaped(t) => {
                let mut out = Vec::new();
                append_unescaped(t, &mut out);
                String::from_utf8(out).unwrap()
            }
        })
    }

    fn check(line: &str, fast: bool, expected: Option<&str>) {
        assert_eq!(parse_known(line.as_bytes()).is_some(), fast, "{line}");
        assert_eq!(text(line).as_deref(), expected, "{line}");
    }

    #[test]
    fn takes_lines_apart() {
        check(r#"{"log":"a\n","stream":"stdout","time":"2024-01-01T00:00:00Z"}"#, true, Some("a\n"));
        check(r#"{"log":"","stream":"stderr","time":"2024-01-01T00:00:00.5Z"}"#, true, Some(""));
        check(
            r#"{"log":"\u003cq\u003e\t\"\\\/\ufffd","stream":"stdout","time":"t"}"#,
            true,
            Some("<q>\t\"\\/\u{fffd}"),
        );
        check(r#"{"log":"\ud83d\ude00","stream":"stdout","time":"t"}"#, false, Some("😀"));
        check(r#"{"stream":"stdout", "log":"x", "time":"t"}"#, false, Some("x"));
        check(r#"{"log":"x","stream":"stdout","time":"t"#, false, None);
        check(r#"{"log":"x"#, false, None);
        check("", false, None);
        check(r#"{"log":"\"#, false, None);
        check(r#"{"log":"\u00"#, false, None);
    }

    #[test]
    fn finds_attributes() {
        let line = br#"{"log":"x","stream":"stderr","attrs":{"a":"},\"time\":\""},"time":"t"}"#;
        let entry = parse_known(line).unwrap();
        assert_eq!(entry.attrs.as_deref(), Some(&br#"{"a":"},\"time\":\""}"#[..]));
        assert!(entry.stderr);
        assert_eq!(&*entry.time, b"t");
        let line = br#"{"attrs":{"b":"1","a":"2"},"log":"x","stream":"stderr","time":"t"}"#;
        assert_eq!(parse(line).unwrap().attrs.as_deref(), Some(&br#"{"a":"2","b":"1"}"#[..]));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(\\{\"log\":\"|\\\\|\"|\\\\u00|,\"stream\":\"stdout\",|\"time\":\"|\"\\}|\\PC){0,30}") {
            let _ = text(&line);
        }

        #[test]
        fn no_bytes_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
            append_unescaped(&line, &mut Vec::new());
        }

        #[test]
        fn agrees_with_serde(log in "\\PC*[\u{0}-\u{ff}]{0,10}") {
            let line = format!("{{\"log\":{},\"stream\":\"stdout\",\"time\":\"t\"}}", serde_json::to_string(&log).unwrap());
            prop_assert!(parse_known(line.as_bytes()).is_some());
            prop_assert_eq!(text(&line), Some(log));
        }
    }
}

//! Go's quoted strings: writing (`%q`) and reading.

use std::fmt::Write;

/// The string in double quotes, escaped as Go's `strconv.Quote` does.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' {
            out.push_str("\\\"");
        } else {
            escape_into(&mut out, c);
        }
    }
    out.push('"');
    out
}

/// A character in single quotes, escaped as Go's `strconv.QuoteRune` does.
pub(crate) fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    if c == '\'' {
        out.push_str("\\'");
    } else {
        escape_into(&mut out, c);
    }
    out.push('\'');
    out
}

fn escape_into(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if is_printable(c) => out.push(c),
        c if (c as u32) < 0x80 => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c if (c as u32) < 0x10000 => {
            let _ = write!(out, "\\u{:04x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\U{:08x}", c as u32);
        }
    }
}

/// Near enough to Go's `strconv.IsPrint`: neither control nor a space other than U+0020 nor invisible.
fn is_printable(c: char) -> bool {
    match c {
        ' ' => true,
        c if c.is_control() || c.is_whitespace() => false,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    }
}

/// Reads a Go string literal in `"` or `` ` ``, quotes included; `None` where Go says `invalid syntax`.
pub(crate) fn unquote(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', ""));
    }
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            unescape(&mut chars, '"', &mut bytes)?;
        } else {
            push_char(&mut bytes, c);
        }
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Reads a Go character constant, quotes included.
pub(crate) fn unquote_char(literal: &str) -> Option<char> {
    let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut chars = inner.chars();
    let first = chars.next()?;
    if first != '\\' {
        return chars.next().is_none().then_some(first);
    }
    let mut bytes = Vec::new();
    unescape(&mut chars, '\'', &mut bytes)?;
    if chars.next().is_some() {
        return None;
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => text.chars().next(),
        Err(_) => bytes.first().map(|&byte| char::from(byte)),
    }
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn unescape(chars: &mut std::str::Chars<'_>, end: char, bytes: &mut Vec<u8>) -> Option<()> {
    match chars.next()? {
        'a' => bytes.push(7),
        'b' => bytes.push(8),
        'f' => bytes.push(12),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'v' => bytes.push(11),
        '\\' => bytes.push(b'\\'),
        c if c == end => push_char(bytes, c),
        'x' => bytes.push(u8::try_from(digits(chars, 2, 16)?).ok()?),
        'u' => push_char(bytes, char::from_u32(digits(chars, 4, 16)?)?),
        'U' => push_char(bytes, char::from_u32(digits(chars, 8, 16)?)?),
        c @ '0'..='7' => {
            let rest = digits(chars, 2, 8)?;
            bytes.push(u8::try_from(c.to_digit(8)? * 64 + rest).ok()?);
        }
        _ => return None,
    }
    Some(())
}

fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    let mut value: u32 = 0;
    for _ in 0..count {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, expected) in
            [("a", r#""a""#), ("a\"b\\", r#""a\"b\\""#), ("\n\t\x01é…", r#""\n\t\x01é…""#), ("\u{2028}", r#""\u2028""#)]
        {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote_char('\''), r"'\''");
    }

    #[test]
    fn reads_go_literals() {
        for (literal, expected) in [
            (r#""a\tb\"\u00e9\x41\101""#, Some("a\tb\"éAA")),
            ("`a\\n`", Some("a\\n")),
            (r#""\'""#, None),
            (r#""\q""#, None),
            (r#""\xZZ""#, None),
            (r#""\777""#, None),
        ] {
            assert_eq!(unquote(literal).as_deref(), expected, "{literal}");
        }
        assert_eq!(unquote_char(r"'\n'"), Some('\n'));
        assert_eq!(unquote_char("'ab'"), None);
    }
}

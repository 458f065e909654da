//! Checks of flag values. Each refuses with the words Go's parsers use, since people and scripts read them.

use values::{duration, size};

/// `strconv.ParseBool`: `1 t T true TRUE True` and their opposites.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A boolean.
pub fn boolean(text: &str) -> Result<(), String> {
    parse_bool(text).map(drop).ok_or_else(|| syntax("ParseBool", text))
}

/// Go's base-0 integer: `10`, `-0x1f`, `0o17`, `017`, `0b11`, `1_000`.
pub fn parse_int(text: &str) -> Option<i64> {
    i64::try_from(integer(text)?).ok()
}

/// A signed 64-bit integer.
pub fn int64(text: &str) -> Result<(), String> {
    match integer(text) {
        None => Err(syntax("ParseInt", text)),
        Some(n) if i64::try_from(n).is_err() => Err(range("ParseInt", text)),
        Some(_) => Ok(()),
    }
}

/// An unsigned 64-bit integer.
pub fn uint64(text: &str) -> Result<(), String> {
    unsigned(text, u64::MAX)
}

/// An unsigned 16-bit integer.
pub fn uint16(text: &str) -> Result<(), String> {
    unsigned(text, u64::from(u16::MAX))
}

fn unsigned(text: &str, max: u64) -> Result<(), String> {
    match integer(text).filter(|_| !text.starts_with(['-', '+'])) {
        None => Err(syntax("ParseUint", text)),
        Some(n) if n > i128::from(max) => Err(range("ParseUint", text)),
        Some(_) => Ok(()),
    }
}

fn syntax(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: invalid syntax")
}

fn range(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: value out of range")
}

/// The value of a base-0 integer; saturated far outside of 64 bits, `None` for bad syntax.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let body = if radix == 10 && !body.contains('_') { body.to_owned() } else { without_underscores(body, radix)? };
    if body.is_empty() || !body.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(&body, radix).unwrap_or(i128::MAX);
    Some(if negative { -value } else { value })
}

/// Underscores may stand between digits, and after a base prefix; Go allows them only for base 0 literals.
fn without_underscores(body: &str, radix: u32) -> Option<String> {
    let misplaced = body.ends_with('_') || body.contains("__") || (radix == 10 && body.starts_with('_'));
    (!misplaced).then(|| body.replace('_', ""))
}

/// A size as `-m` takes it, in bytes.
///
/// # Errors
/// The sentence for the user.
pub fn parse_bytes(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1); // only --memory-swap lets it through its check
    }
    size::parse_binary(text).map_err(|_| bad_size(text))
}

/// go-units tells a number it cannot read from a unit it does not know.
fn bad_size(text: &str) -> String {
    let Some(last) = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ') else {
        return format!("invalid size: '{text}'");
    };
    let (number, suffix) = (&text[..=last], &text[last + 1..]);
    match number.strip_suffix(' ').unwrap_or(number).parse::<f64>() {
        Err(_) => format!("strconv.ParseFloat: parsing {number:?}: invalid syntax"),
        Ok(n) if n < 0.0 => format!("invalid size: '{text}'"),
        Ok(_) => format!("invalid suffix: '{}'", suffix.to_lowercase()),
    }
}

/// A size.
pub fn bytes(text: &str) -> Result<(), String> {
    if text == "-1" { Err(bad_size(text)) } else { parse_bytes(text).map(drop) }
}

/// A size, or -1 for no limit.
pub fn bytes_or_unlimited(text: &str) -> Result<(), String> {
    parse_bytes(text).map(drop)
}

/// A Go duration, in nanoseconds.
///
/// # Errors
/// The sentence for the user.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    duration::parse_go(text).map_err(|error| error.message)
}

/// A Go duration.
pub fn duration(text: &str) -> Result<(), String> {
    parse_duration(text).map(drop)
}

/// `key=value`; nothing at all is taken, too.
pub fn filter(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains('=') {
        return Ok(());
    }
    Err("bad format of filter (expected name=value)".into())
}

/// A label: anything but an empty name.
pub fn label(text: &str) -> Result<(), String> {
    match text.split_once('=').map_or(text, |(name, _)| name).trim() {
        "" => Err(format!("invalid label '{text}': empty name")),
        _ => Ok(()),
    }
}

/// An environment variable: anything but an empty name.
pub fn environment(text: &str) -> Result<(), String> {
    if text.is_empty() || text.starts_with('=') {
        return Err(format!("invalid environment variable: {text}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_gos() {
        for (text, expected) in [
            ("10", Some(10)),
            ("-0x1F", Some(-31)),
            ("017", Some(15)),
            ("0", Some(0)),
            ("0o17", Some(15)),
            ("0b11", Some(3)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("x", None),
            ("", None),
            ("-", None),
            ("08", None),
        ] {
            assert_eq!(parse_int(text), expected, "{text}");
        }
        assert_eq!(int64("x"), Err("strconv.ParseInt: parsing \"x\": invalid syntax".into()));
        assert!(int64("99999999999999999999").unwrap_err().ends_with("value out of range"));
        assert!(uint16("70000").unwrap_err().ends_with("value out of range"));
        assert!(uint16("-1").unwrap_err().ends_with("invalid syntax"));
    }

    #[test]
    fn sizes_say_what_is_wrong() {
        for (text, message) in [
            ("zz", "invalid size: 'zz'"),
            ("5x", "invalid suffix: 'x'"),
            ("5kk", "invalid suffix: 'kk'"),
            ("-5", "invalid size: '-5'"),
            (".", "strconv.ParseFloat: parsing \".\": invalid syntax"),
            ("-1", "invalid size: '-1'"),
        ] {
            assert_eq!(bytes(text), Err(message.into()), "{text}");
        }
        assert_eq!(bytes_or_unlimited("-1"), Ok(()));
        assert_eq!(parse_bytes("500m"), Ok(500 << 20));
    }
}

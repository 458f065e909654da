//! Number and character constants.

use crate::ast::Number;
use crate::lex::{Kind, Token};
use crate::quote::{quote, unquote_char};

/// The constant's value, or Go's sentence about why it has none.
pub(crate) fn number(token: &Token) -> Result<Number, String> {
    let text = token.text.as_str();
    if token.kind == Kind::CharConstant {
        let value = unquote_char(text).map(|c| Number::Int(i64::from(c as u32)));
        return value.ok_or_else(|| format!("malformed character constant: {text}"));
    }
    if text.ends_with('i') {
        return Err(format!("complex constants are not supported: {text}"));
    }
    match parse_number(text) {
        Some(number) => Ok(number),
        None if text.bytes().all(|b| b.is_ascii_digit() || b == b'+' || b == b'-') => {
            Err(format!("integer overflow: {}", quote(text)))
        }
        None => Err(format!("illegal number syntax: {}", quote(text))),
    }
}

/// Whether each `_` stands between two digits (or a base prefix and a digit).
fn underscores_part_digits(digits: &str) -> bool {
    let part = |piece: &str| !piece.is_empty() && !piece.starts_with('.') && !piece.ends_with('.');
    !digits.contains('_') || digits.split('_').all(part)
}

/// A Go number literal with its sign.
fn parse_number(text: &str) -> Option<Number> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if !underscores_part_digits(digits) {
        return None;
    }
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let (radix, body) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if body.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(value) = i128::from_str_radix(body, radix) {
        return i64::try_from(value * sign).ok().map(Number::Int);
    }
    if radix != 10 || !body.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    body.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| Number::Float(value * sign as f64))
}

//! The functions templates may call: Go's built-in ones and Docker's.

use crate::Functions;
use crate::compare::{compare, equal, ordered};
use crate::json::to_json;
use crate::print::{sprint, sprintln};
use crate::printf::sprintf;
use crate::value::{List, Value};

/// What a parameter takes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Param {
    Any,
    Str,
    Int,
    Strings,
}

/// A function's parameters; `rest` is the kind of any number of further ones.
pub(crate) struct Signature {
    pub(crate) fixed: &'static [Param],
    pub(crate) rest: Option<Param>,
}

const fn takes(fixed: &'static [Param]) -> Signature {
    Signature { fixed, rest: None }
}

const fn takes_more(fixed: &'static [Param], rest: Param) -> Signature {
    Signature { fixed, rest: Some(rest) }
}

/// The parameters of a function, `None` if there is none of this name.
pub(crate) fn signature(name: &str, set: Functions) -> Option<Signature> {
    use Param::*;
    if set == Functions::Header {
        match name {
            "json" | "title" | "lower" | "upper" => return Some(takes(&[Str])),
            "split" | "join" => return Some(takes(&[Str, Str])),
            "truncate" => return Some(takes(&[Str, Int])),
            _ => {}
        }
    }
    Some(match name {
        "and" | "or" | "index" | "slice" | "eq" | "call" => takes_more(&[Any], Any),
        "html" | "js" | "print" | "println" | "urlquery" => takes_more(&[], Any),
        "printf" => takes_more(&[Str], Any),
        "len" | "not" | "json" => takes(&[Any]),
        "ne" | "lt" | "le" | "gt" | "ge" => takes(&[Any, Any]),
        "split" => takes(&[Str, Str]),
        "join" => takes(&[Strings, Str]),
        "title" | "lower" | "upper" => takes(&[Str]),
        "pad" => takes(&[Str, Int, Int]),
        "truncate" => takes(&[Str, Int]),
        _ => return None,
    })
}

pub(crate) fn is_known(name: &str) -> bool {
    signature(name, Functions::Docker).is_some()
}

/// Calls a function with arguments that fit its signature.
pub(crate) fn call(name: &str, set: Functions, args: &[Value]) -> Result<Value, String> {
    if set == Functions::Header
        && let "json" | "title" | "lower" | "upper" | "split" | "join" | "truncate" = name
    {
        return Ok(args[0].clone());
    }
    let text = |index: usize| args[index].as_str().unwrap_or_default();
    Ok(match name {
        "index" => return index(args),
        "slice" => return slice(args),
        "eq" => Value::Bool(equal(args)?),
        "ne" => Value::Bool(!equal(args)?),
        "lt" => Value::Bool(compare(&args[0], &args[1])?.is_some_and(|order| order.is_lt())),
        "le" => Value::Bool(ordered(&args[0], &args[1], |order| order.is_le())?),
        "gt" => Value::Bool(ordered(&args[0], &args[1], |order| order.is_gt())?),
        "ge" => Value::Bool(ordered(&args[0], &args[1], |order| order.is_ge())?),
        "len" => length(&args[0])?,
        "not" => Value::Bool(!args[0].is_true()),
        "print" => sprint(args).into(),
        "println" => sprintln(args).into(),
        "printf" => sprintf(text(0), &args[1..]).into(),
        "html" => escape_html(&arguments(args)).into(),
        "js" => escape_js(&arguments(args)).into(),
        "urlquery" => escape_query(&arguments(args)).into(),
        "json" => to_json(&args[0], false).trim().into(),
        "split" => split(text(0), text(1)),
        "join" => join(&args[0], text(1)).into(),
        "title" => title(text(0)).into(),
        "lower" => text(0).to_lowercase().into(),
        "upper" => text(0).to_uppercase().into(),
        "pad" => pad(text(0), count(&args[1])?, count(&args[2])?).into(),
        "truncate" => truncate(text(0), &args[1])?.into(),
        _ => return Err(format!("{name:?} is not a defined function")),
    })
}

/// One string as it is; anything else as `print` shows it.
fn arguments(args: &[Value]) -> String {
    match args {
        [Value::Str(text)] => text.to_string(),
        _ => sprint(args),
    }
}

/// Why `call` fails: templates hold no functions as values. `text` is how the template writes the value.
pub(crate) fn uncallable(value: &Value, text: &str) -> String {
    match value {
        Value::Missing | Value::Nil => "call of nil".into(),
        other => format!("non-function {text} of type {}", other.type_name()),
    }
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        // what Go's reflection says of a nil
        Value::Missing => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Nil | Value::NilPointer(_) => return Err("len of nil pointer".into()),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        other => match other.as_str() {
            Some(text) => text.len(),
            None => return Err(format!("len of type {}", other.type_name())),
        },
    };
    Ok(Value::Int(length as i64))
}

fn index(args: &[Value]) -> Result<Value, String> {
    let mut item = args[0].clone();
    if let Value::Missing | Value::Nil = item {
        return Err("index of untyped nil".into());
    }
    for at in &args[1..] {
        item = match &item {
            Value::List(list) => list.items()[position(at, list.items().len())?].clone(),
            Value::Map(map) => match at {
                Value::Str(_) if map.key != "string" => {
                    return Err(format!("value has type string; should be {}", map.key));
                }
                Value::Str(key) | Value::Named(key, _) => {
                    map.get(key).cloned().unwrap_or_else(|| Value::zero(map.item))
                }
                Value::Missing | Value::Nil => return Err("value is nil; should be of type string".into()),
                other => return Err(format!("value has type {}; should be string", other.type_name())),
            },
            Value::Missing | Value::Nil => return Err("index of nil pointer".into()),
            Value::NilPointer(_) => return Err("index of nil pointer".into()),
            other => match other.as_str() {
                Some(text) => Value::Int(i64::from(text.as_bytes()[position(at, text.len())?])),
                None => return Err(format!("can't index item of type {}", other.type_name())),
            },
        };
    }
    Ok(item)
}

fn position(at: &Value, length: usize) -> Result<usize, String> {
    match at {
        Value::Int(index) => match usize::try_from(*index) {
            Ok(index) if index < length => Ok(index),
            _ => Err(format!("index out of range: {index}")),
        },
        Value::Missing | Value::Nil => Err("cannot index slice/array with nil".into()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    }
}

fn slice(args: &[Value]) -> Result<Value, String> {
    let (item, bounds) = (&args[0], &args[1..]);
    if let Value::Missing | Value::Nil = item {
        return Err("slice of untyped nil".into());
    }
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let length = match item {
        Value::List(list) => list.items().len(),
        other => match other.as_str() {
            Some(_) if bounds.len() == 3 => return Err("cannot 3-index slice a string".into()),
            Some(text) => text.len(),
            None => return Err(format!("can't slice item of type {}", other.type_name())),
        },
    };
    let mut found = [0, length, length];
    for (slot, bound) in found.iter_mut().zip(bounds) {
        *slot = position(bound, length + 1)?;
    }
    let [from, to, most] = found;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if to > most {
        return Err(format!("invalid slice index: {to} > {most}"));
    }
    Ok(match item {
        Value::List(list) => Value::List(List { items: Some(list.items()[from..to].into()), item: list.item }),
        other => lossy(&other.as_str().unwrap_or_default().as_bytes()[from..to]).into(),
    })
}

/// Go cuts strings at bytes; half a character becomes the replacement character here.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn split(text: &str, separator: &str) -> Value {
    if separator.is_empty() {
        return Value::strings(text.chars().map(String::from));
    }
    Value::strings(text.split(separator))
}

fn join(list: &Value, separator: &str) -> String {
    let Value::List(list) = list else {
        return String::new();
    };
    list.items().iter().filter_map(Value::as_str).collect::<Vec<_>>().join(separator)
}

/// Every word's first letter in upper case; words are parted by anything but letters, digits, `_` and `'`.
fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = if c.is_ascii() { !(c.is_ascii_alphanumeric() || c == '_') } else { c.is_whitespace() };
    }
    out
}

fn count(value: &Value) -> Result<usize, String> {
    match value {
        Value::Int(count) => usize::try_from(*count).map_err(|_| "strings: negative Repeat count".into()),
        _ => Ok(0),
    }
}

fn pad(text: &str, before: usize, after: usize) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Padding is for columns: what no screen holds is not worth the memory.
    let (before, after) = (before.min(1 << 20), after.min(1 << 20));
    format!("{}{text}{}", " ".repeat(before), " ".repeat(after))
}

fn truncate(text: &str, length: &Value) -> Result<String, String> {
    let &Value::Int(length) = length else {
        return Ok(text.into());
    };
    match usize::try_from(length) {
        Ok(length) if length > text.len() => Ok(text.into()),
        Ok(length) => Ok(lossy(&text.as_bytes()[..length])),
        Err(_) => Err(format!("runtime error: slice bounds out of range [:{length}]")),
    }
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..='\x1f' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

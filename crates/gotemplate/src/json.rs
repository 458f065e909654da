//! JSON as Go's `encoding/json` writes it.

use std::fmt::Write;

use crate::print;
use crate::types::Field;
use crate::value::Value;

/// The value in JSON. `escape_html` writes `<`, `>` and `&` as `\u003c` and so on, which Go does unless told not to.
pub fn to_json(value: &Value, escape_html: bool) -> String {
    let mut out = String::new();
    write_json(&mut out, value, escape_html);
    out
}

fn write_json(out: &mut String, value: &Value, html: bool) {
    match value {
        Value::Missing | Value::Nil | Value::NilPointer(_) => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) | Value::Duration(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Float(value) => out.push_str(&number(*value)),
        Value::Number(text) => out.push_str(text),
        Value::Str(text) | Value::Named(text, _) | Value::Time(text) => write_string(out, text, html),
        Value::List(list) => match &list.items {
            None => out.push_str("null"),
            Some(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_json(out, item, html);
                }
                out.push(']');
            }
        },
        Value::Map(map) => match &map.entries {
            None => out.push_str("null"),
            Some(entries) => write_object(out, entries.iter().map(|(key, item)| (key.as_str(), item)), html),
        },
        Value::Struct(record) => {
            let hidden = |field: &Field, value: &Value| field.json.is_empty() || field.omit_empty && value.is_empty();
            let fields = record.shape.fields.iter().zip(&record.fields);
            let shown = fields.filter(|(field, value)| !hidden(field, value));
            write_object(out, shown.map(|(field, value)| (field.json, value)), html);
        }
        // Such a type marshals itself, with Go's default escaping.
        Value::Object(object) => {
            let entries = object.json();
            write_object(out, entries.iter().map(|(name, value)| (name.as_str(), value)), true);
        }
    }
}

fn write_object<'a>(out: &mut String, entries: impl Iterator<Item = (&'a str, &'a Value)>, html: bool) {
    out.push('{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, key, html);
        out.push(':');
        write_json(out, value, html);
    }
    out.push('}');
}

fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // Go trims the exponent's leading zero here.
        print::exponent(&format!("{value:e}"), 'e').replace("e-0", "e-")
    } else {
        format!("{value}")
    }
}

fn write_string(out: &mut String, text: &str, html: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            '<' | '>' | '&' if html => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

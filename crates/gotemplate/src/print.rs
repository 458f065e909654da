//! How Go prints values: `%v`, and numbers and times.

use std::fmt::Write;

use crate::value::Value;

/// The value as an action prints it.
pub(crate) fn printed(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Missing => out.push_str("<no value>"),
        value => write_value(&mut out, value, false),
    }
    out
}

/// The value as `%v` prints it; with `plus`, as `%+v`.
pub(crate) fn write_value(out: &mut String, value: &Value, plus: bool) {
    match value {
        Value::Missing | Value::Nil | Value::NilPointer(_) => out.push_str("<nil>"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Number(text) | Value::Str(text) | Value::Named(text, _) => out.push_str(text),
        Value::Time(text) => out.push_str(&time(text)),
        Value::Duration(nanos) => out.push_str(&duration(*nanos)),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write_value(out, item, plus);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push_str("map[");
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                write_value(out, item, plus);
            }
            out.push(']');
        }
        Value::Struct(record) => {
            out.push('{');
            for (index, (field, value)) in record.shape.fields.iter().zip(&record.fields).enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                if plus {
                    out.push_str(field.go);
                    out.push(':');
                }
                write_value(out, value, plus);
            }
            out.push('}');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (name, value)) in object.json().iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                if plus {
                    let _ = write!(out, "{name}:");
                }
                write_value(out, value, plus);
            }
            out.push('}');
        }
    }
}

/// Operands without a gap between two strings' neighbours: Go's `fmt.Sprint`.
pub(crate) fn sprint(values: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Str(_));
        if index > 0 && !is_text(value) && !is_text(&values[index - 1]) {
            out.push(' ');
        }
        write_value(&mut out, value, false);
    }
    out
}

/// Operands with gaps and a newline: Go's `fmt.Sprintln`.
pub(crate) fn sprintln(values: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        write_value(&mut out, value, false);
    }
    out.push('\n');
    out
}

/// `%v` of a float: the shortest digits, with an exponent below 1e-4 and from 1e6.
pub(crate) fn float(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".into()
        } else if value > 0.0 {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) { exponent(&format!("{value:e}"), 'e') } else { format!("{value}") }
}

/// Rust's `1.5e-7` as Go's `1.5e-07`.
pub(crate) fn exponent(text: &str, letter: char) -> String {
    let Some((digits, power)) = text.split_once('e') else {
        return text.into();
    };
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{digits}{letter}{sign}{power:0>2}")
}

/// A duration as Go shows it: `1h0m0s`, `1.5s`, `100ms`, `0s`.
fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    let part = |size: u64, unit: u64, name: &str| {
        let width = unit.ilog10() as usize;
        let text = format!("{}.{:0width$}", size / unit, size % unit);
        format!("{}{name}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    let text = match size {
        0 => "0s".into(),
        1..1_000 => format!("{size}ns"),
        1_000..1_000_000 => part(size, 1_000, "µs"),
        1_000_000..1_000_000_000 => part(size, 1_000_000, "ms"),
        _ => {
            let minutes = size / 60_000_000_000;
            let seconds = part(size % 60_000_000_000, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// An RFC 3339 time as Go's `Time.String` shows it, e.g. `2024-01-02 03:04:05.6 +0000 UTC`.
fn time(text: &str) -> String {
    let Some((date, rest)) = text.split_once('T') else {
        return text.into();
    };
    if let Some(clock) = rest.strip_suffix('Z') {
        return format!("{date} {} +0000 UTC", trim_fraction(clock));
    }
    let Some(at) = rest.rfind(['+', '-']) else {
        return text.into();
    };
    let zone = rest[at..].replace(':', "");
    format!("{date} {} {zone} {zone}", trim_fraction(&rest[..at]))
}

fn trim_fraction(clock: &str) -> &str {
    if clock.contains('.') { clock.trim_end_matches('0').trim_end_matches('.') } else { clock }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        for (value, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (123456789.0, "1.23456789e+08"),
            (123456.0, "123456"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (-2.0, "-2"),
        ] {
            assert_eq!(float(value), expected);
        }
    }

    #[test]
    fn durations_print_as_in_go() {
        for (nanos, expected) in [
            (0, "0s"),
            (30_000_000_000, "30s"),
            (90_500_000_000, "1m30.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_500, "-1.5µs"),
            (100_000_000, "100ms"),
        ] {
            assert_eq!(duration(nanos), expected);
        }
    }

    #[test]
    fn times_print_as_in_go() {
        assert_eq!(time("2024-01-02T03:04:05.600Z"), "2024-01-02 03:04:05.6 +0000 UTC");
        assert_eq!(time("2024-01-02T03:04:05+02:00"), "2024-01-02 03:04:05 +0200 +0200");
        assert_eq!(time("0001-01-01T00:00:00Z"), "0001-01-01 00:00:00 +0000 UTC");
    }
}

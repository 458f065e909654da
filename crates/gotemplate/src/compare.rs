//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`: Go templates compare values of one basic kind only.

use std::cmp::Ordering;

use crate::print::write_value;
use crate::value::Value;

const BAD_TYPE: &str = "invalid type for comparison";
const INCOMPATIBLE: &str = "incompatible types for comparison";
const NO_ARGUMENT: &str = "missing argument for comparison";

#[derive(PartialEq)]
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    Other,
}

fn basic(value: &Value) -> Basic<'_> {
    match value {
        Value::Bool(value) => Basic::Bool(*value),
        Value::Int(value) | Value::Duration(value) => Basic::Int(*value),
        Value::Float(value) => Basic::Float(*value),
        other => other.as_str().map_or(Basic::Other, Basic::Str),
    }
}

fn is_nil(value: &Value) -> bool {
    matches!(value, Value::Missing | Value::Nil | Value::NilPointer(_))
}

/// Whether the first value equals any of the others.
pub(crate) fn equal(args: &[Value]) -> Result<bool, String> {
    let (first, others) = args.split_first().ok_or(NO_ARGUMENT)?;
    if others.is_empty() {
        return Err(NO_ARGUMENT.into());
    }
    for other in others {
        if equal_two(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_two(left: &Value, right: &Value) -> Result<bool, String> {
    match (basic(left), basic(right)) {
        (Basic::Other, Basic::Other) => {
            if let Some(value) = [left, right].into_iter().find(|value| matches!(value, Value::List(_) | Value::Map(_)))
            {
                return Err(not_comparable(value));
            }
            match (left, right) {
                _ if is_nil(left) || is_nil(right) => Ok(is_nil(left) == is_nil(right)),
                (Value::Time(left), Value::Time(right)) => Ok(left == right),
                _ => Err(not_comparable(left)),
            }
        }
        (Basic::Other, _) | (_, Basic::Other) => {
            let missing = |value: &Value| matches!(value, Value::Missing | Value::Nil);
            if missing(left) || missing(right) { Ok(false) } else { Err(INCOMPATIBLE.into()) }
        }
        (left, right) if std::mem::discriminant(&left) != std::mem::discriminant(&right) => Err(INCOMPATIBLE.into()),
        (left, right) => Ok(left == right),
    }
}

fn not_comparable(value: &Value) -> String {
    let mut text = String::from("non-comparable type ");
    write_value(&mut text, value, false);
    format!("{text}: {}", value.type_name())
}

/// The order of two values; `None` where one is not a number.
pub(crate) fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    match (basic(left), basic(right)) {
        (Basic::Other, _) | (_, Basic::Other) => Err(BAD_TYPE.into()),
        (Basic::Bool(_), Basic::Bool(_)) => Err(BAD_TYPE.into()),
        (Basic::Int(left), Basic::Int(right)) => Ok(Some(left.cmp(&right))),
        (Basic::Float(left), Basic::Float(right)) => Ok(left.partial_cmp(&right)),
        (Basic::Str(left), Basic::Str(right)) => Ok(Some(left.cmp(right))),
        _ => Err(INCOMPATIBLE.into()),
    }
}

/// Whether two values' order is as asked.
pub(crate) fn ordered(left: &Value, right: &Value, wanted: fn(Ordering) -> bool) -> Result<bool, String> {
    Ok(compare(left, right)?.is_some_and(wanted))
}

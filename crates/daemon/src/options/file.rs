//! `daemon.json`: one object, whose keys are rows of the table.

use serde_json::Value;
use values::{Error, Result};

use super::merge::Values;
use super::{Kind, Row, by_key};

/// Reads the text of a `daemon.json`. One of nothing but white space is an empty one.
///
/// Errors: `InvalidArgument` for what is not JSON, for unknown keys and for values of a wrong type, each named.
pub fn parse(text: &str) -> Result<Values> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Values::new());
    }
    let value: Value = serde_json::from_str(text).map_err(|e| Error::invalid(e.to_string()))?;
    let Value::Object(object) = value else { return Err(Error::invalid("it must be an object, {...}")) };
    let unknown: Vec<&str> = object.keys().map(String::as_str).filter(|key| by_key(key).is_none()).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(Error::invalid(format!(
            "the following directives don't match any configuration option: {unknown}"
        )));
    }
    let mut values = Values::new();
    for (key, value) in object {
        let Some(row) = by_key(&key) else { continue };
        if !is_unset(&value) {
            values.insert(row.key, typed(row, value)?);
        }
    }
    Ok(values)
}

/// What says nothing: as if the key were not there.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn typed(row: &Row, value: Value) -> Result<Value> {
    let texts = |mut values: Box<dyn Iterator<Item = &Value> + '_>| values.all(Value::is_string);
    let (fits, wanted) = match row.kind {
        Kind::Bool => (value.is_boolean(), "true or false"),
        Kind::Int => (value.is_i64(), "a whole number"),
        Kind::Size => (value.is_string() || value.is_u64(), "a size such as \"64m\", or a number of bytes"),
        Kind::Text => (value.is_string(), "a string"),
        Kind::List => (value.as_array().is_some_and(|v| texts(Box::new(v.iter()))), "a list of strings"),
        Kind::Map => (value.as_object().is_some_and(|v| texts(Box::new(v.values()))), "an object of strings"),
        Kind::Ulimits => {
            (value.as_object().is_some_and(|v| v.values().all(is_ulimit)), "{NAME: {\"Soft\": N, \"Hard\": N}}")
        }
        Kind::Pools => {
            (value.as_array().is_some_and(|v| v.iter().all(is_pool)), "[{\"base\": NETWORK, \"size\": LENGTH}]")
        }
        Kind::Runtimes => (
            value.as_object().is_some_and(|v| v.values().all(is_runtime)),
            "{NAME: {\"path\": PROGRAM, \"runtimeArgs\": [ARGUMENT]}}",
        ),
        Kind::Options => (value.as_object().is_some_and(|v| v.values().all(is_options)), "{DRIVER: {KEY: \"VALUE\"}}"),
        Kind::Other => (true, ""),
    };
    if fits {
        return Ok(value);
    }
    Err(Error::invalid(format!("invalid value for directive {}: {wanted} is expected, not {value}", row.key)))
}

fn is_ulimit(value: &Value) -> bool {
    ["Soft", "Hard"].iter().all(|key| value.get(key).is_some_and(Value::is_i64))
}

fn is_pool(value: &Value) -> bool {
    value.get("base").is_some_and(Value::is_string)
        && value.get("size").and_then(Value::as_u64).is_some_and(|size| size <= 32)
}

fn is_options(value: &Value) -> bool {
    value.as_object().is_some_and(|options| options.values().all(Value::is_string))
}

/// Docker's runtimes of another kind (`runtimeType`: containerd's shims) have no program's path.
fn is_runtime(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    let texts = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    object.get("path").is_some_and(Value::is_string)
        && object.get("runtimeArgs").is_none_or(texts)
        && object.keys().all(|key| key == "path" || key == "runtimeArgs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: Result<usize, &str>| {
            let found = parse(text).map(|v| v.len()).map_err(|e| e.message);
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        };
        check("", Ok(0));
        check(" \n", Ok(0));
        check("\u{feff}{}", Ok(0));
        check(r#"{"debug": true, "hosts": ["unix:///a"], "dns": [], "bip": "", "group": null}"#, Ok(2));
        check(r#"{"log-opts": {"max-size": "1m"}, "default-shm-size": 1024, "mtu": 1400}"#, Ok(3));
        check(r#"{"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}}}"#, Ok(1));
        check(r#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}"#, Ok(1));
        check(
            r#"{"foo": 1, "debug": true, "bar": {}}"#,
            Err("the following directives don't match any configuration option: bar, foo"),
        );
        check("[]", Err("it must be an object, {...}"));
        check(r#"{"debug": "yes"}"#, Err("invalid value for directive debug: true or false is expected, not \"yes\""));
        check(r#"{"hosts": "x"}"#, Err("invalid value for directive hosts: a list of strings is expected, not \"x\""));
    }

    #[test]
    fn wrong_types() {
        for bad in [
            r#"{"mtu": 1.5}"#,
            r#"{"mtu": "1400"}"#,
            r#"{"dns": [1]}"#,
            r#"{"log-opts": {"max-file": 3}}"#,
            r#"{"default-ulimits": {"nofile": 1}}"#,
            r#"{"default-ulimits": {"nofile": {"Soft": 1}}}"#,
            r#"{"default-address-pools": [{"base": "10.0.0.0/8"}]}"#,
            r#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 99}]}"#,
            r#"{"default-shm-size": -1}"#,
            r#"{"debug": true"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

//! YAML as JSON's values, by the core schema of YAML 1.2.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// So deep nobody nests; a hostile file must not use our stack up.
const DEPTH: usize = 64;
/// Aliases make large documents of small ones.
const MOST: usize = 100_000;

/// Reads the first document.
///
/// # Errors
/// What is wrong, with its line.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut events = Parser::new_from_str(text);
    let mut reader = Reader { anchors: HashMap::new(), left: MOST };
    while let Some(event) = events.next() {
        match event.map_err(|e| e.to_string())?.0 {
            Event::StreamEnd => break,
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                return Err("a value outside of a document".into());
            }
            Event::DocumentStart(_) => return reader.next(&mut events, DEPTH)?.ok_or_else(|| "no value".into()),
            _ => {}
        }
    }
    Ok(Value::Null)
}

struct Reader {
    anchors: HashMap<usize, Value>,
    left: usize,
}

impl Reader {
    /// The next value; None at the end of what it would be in.
    fn next(
        &mut self,
        events: &mut Parser<'_, saphyr_parser::StrInput<'_>>,
        depth: usize,
    ) -> Result<Option<Value>, String> {
        let (event, span) = events.next().ok_or("it ends early")?.map_err(|e| e.to_string())?;
        self.left = self.left.checked_sub(1).ok_or("it is too large")?;
        let deeper = depth.checked_sub(1).ok_or("it is nested too deeply")?;
        let (anchor, value) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => (anchor, plain(&text)),
            Event::Scalar(text, _, anchor, _) => (anchor, Value::String(text.into_owned())),
            Event::SequenceStart(anchor, _) => {
                let mut list = Vec::new();
                while let Some(value) = self.next(events, deeper)? {
                    list.push(value);
                }
                (anchor, Value::Array(list))
            }
            Event::MappingStart(anchor, _) => (anchor, self.mapping(events, deeper, span.start.line())?),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().ok_or("an alias without its anchor")?;
                self.left = self.left.checked_sub(size(&value)).ok_or("it is too large")?;
                return Ok(Some(value));
            }
            _ => return Ok(None),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(Some(value))
    }

    fn mapping(
        &mut self,
        events: &mut Parser<'_, saphyr_parser::StrInput<'_>>,
        depth: usize,
        line: usize,
    ) -> Result<Value, String> {
        let mut map = Map::new();
        while let Some(key) = self.next(events, depth)? {
            let key = match key {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let value = self.next(events, depth)?.ok_or("a key without a value")?;
            if map.insert(key.clone(), value).is_some() {
                return Err(format!("key {key:?} twice in the mapping at line {line}"));
            }
        }
        Ok(Value::Object(map))
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(hex), _) => i64::from_str_radix(hex, 16).ok(),
        (_, Some(octal)) => i64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    };
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let float = || text.parse::<f64>().ok().filter(|_| is_number).and_then(Number::from_f64).map(Value::Number);
    number.map(|n| Value::Number(n.into())).or_else(float).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values() {
        let check = |text: &str, expected: Value| assert_eq!(parse(text), Ok(expected), "{text}");
        check("", Value::Null);
        check("a: 1\nb: [x, 'y', \"2\"]\n", json!({"a": 1, "b": ["x", "y", "2"]}));
        check("---\nk:\n  - p: /dev/x\n    m: 0o660\n  - ~\n", json!({"k": [{"p": "/dev/x", "m": 432}, null]}));
        check("a: &x {b: true}\nc: *x\n", json!({"a": {"b": true}, "c": {"b": true}}));
        check(
            "v: 0.6.0\nw: 1.5\nx: -3\ny: 'true'\nz: yes\n",
            json!({"v": "0.6.0", "w": 1.5, "x": -3, "y": "true", "z": "yes"}),
        );
        check("{\"json\": [1, {\"too\": null}]}", json!({"json": [1, {"too": null}]}));
        for bad in ["a: [", "a: 1\na: 2\n", "\t- x: :", "a: *nothing\n"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&"[".repeat(500)).is_err());
    }

    #[test]
    fn aliases_do_not_blow_up() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let before = n - 1;
            text.push_str(&format!(
                "a{n}: &a{n} [*a{before},*a{before},*a{before},*a{before},*a{before},*a{before}]\n"
            ));
        }
        assert_eq!(parse(&text), Err("it is too large".into()));
    }
}

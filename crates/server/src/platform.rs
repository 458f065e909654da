//! `platform=` of the API: an OCI platform as JSON.

use serde_json::Value;
use values::{Error, Platform, Result};

/// A platform out of a query; `None` where none was given.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub(crate) fn one(text: &str) -> Result<Option<Platform>> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

/// The same where the parameter may be repeated in words, but not in fact.
///
/// # Errors
/// `InvalidArgument` in Docker's words, `many` for more than one.
pub(crate) fn only(texts: &[String], many: &'static str) -> Result<Option<Platform>> {
    match texts {
        [] => Ok(None),
        [text] => parse(text).map(Some),
        _ => Err(Error::invalid(many)),
    }
}

fn parse(text: &str) -> Result<Platform> {
    let failed = |why: String| Error::invalid(format!("failed to parse platform: {why}"));
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(error) => return Err(failed(why_not(text).unwrap_or_else(|| error.to_string()))),
    };
    let Value::Object(fields) = value else {
        return Err(failed(format!("json: cannot unmarshal {} into Go value of type v1.Platform", kind(&value))));
    };
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let (os, architecture, variant) = (field("os"), field("architecture"), field("variant"));
    if os.is_empty() || architecture.is_empty() {
        return Err(Error::invalid("both OS and Architecture must be provided"));
    }
    let variant = if variant.is_empty() { String::new() } else { format!("/{variant}") };
    format!("{os}/{architecture}{variant}").parse()
}

/// Go's words for what does not even begin like JSON.
fn why_not(text: &str) -> Option<String> {
    match text.trim_start().chars().next() {
        None => Some("unexpected end of JSON input".to_owned()),
        Some('{' | '[' | '"' | '-' | '0'..='9' | 't' | 'f' | 'n') => None,
        Some(other) => Some(format!("invalid character '{other}' looking for beginning of value")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms() {
        for (text, expected) in [
            (r#"{"os":"linux","architecture":"amd64"}"#, Ok("linux/amd64")),
            (r#"{"os":"linux","architecture":"arm","variant":"v6"}"#, Ok("linux/arm/v6")),
            (r#"{"os":"linux"}"#, Err("both OS and Architecture must be provided")),
            ("{}", Err("both OS and Architecture must be provided")),
            ("linux/amd64", Err("failed to parse platform: invalid character 'l' looking for beginning of value")),
            ("", Err("failed to parse platform: unexpected end of JSON input")),
            ("[]", Err("failed to parse platform: json: cannot unmarshal array into Go value of type v1.Platform")),
        ] {
            let parsed = parse(text).map(|p| p.to_string()).map_err(|e| e.message);
            assert_eq!(parsed.as_deref().map_err(String::as_str), expected, "{text}");
        }
        assert_eq!(one(""), Ok(None));
        assert_eq!(only(&["{}".into(), "{}".into()], "several").unwrap_err().message, "several");
    }
}

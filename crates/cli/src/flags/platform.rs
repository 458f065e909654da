//! `--platform os[/arch[/variant]]` as the API takes it: an OCI platform in JSON.

use serde_json::json;
use values::Platform;

use crate::Failure;

/// The platform in JSON; nothing for nothing.
///
/// # Errors
/// What is no platform.
pub fn platform_json(text: &str) -> Result<String, Failure> {
    platform_json_or_error(text).map_err(|error| Failure::new(format!("invalid platform: {}", error.message)))
}

/// The same with the error as it is.
///
/// # Errors
/// What is no platform.
pub fn platform_json_or_error(text: &str) -> values::Result<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let platform: Platform = text.parse()?;
    let mut json = json!({"architecture": platform.architecture, "os": platform.os});
    if !platform.variant.is_empty() {
        json["variant"] = platform.variant.into();
    }
    Ok(json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_become_json() {
        for (text, expected) in [
            ("", ""),
            ("linux/amd64", r#"{"architecture":"amd64","os":"linux"}"#),
            ("linux/arm/v7", r#"{"architecture":"arm","os":"linux","variant":"v7"}"#),
        ] {
            assert_eq!(platform_json(text).unwrap(), expected);
        }
        assert_eq!(
            platform_json("xx").unwrap_err().message,
            r#"invalid platform: "xx": unknown operating system or architecture: invalid argument"#
        );
    }
}

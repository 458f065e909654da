//! `--detach-keys`: `ctrl-p,ctrl-q` as bytes.

use values::{Error, Result};

const DEFAULT: &[u8] = &[0x10, 0x11];

/// A comma list of single characters and `ctrl-X`, X in `a-z @ [ \ ] ^ _`. `None` or empty: the default.
pub fn parse(text: Option<&str>) -> Result<Vec<u8>> {
    let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(DEFAULT.to_vec()) };
    let bad = |key: &str| Error::invalid(format!("invalid detach keys ({text}): unknown character: '{key}'"));
    text.split(',')
        .map(|key| match (key.as_bytes(), key.strip_prefix("ctrl-").map(str::as_bytes)) {
            ([one], _) => Ok(*one),
            (_, Some([c @ (b'a'..=b'z')])) => Ok(c - b'a' + 1),
            (_, Some(b"@")) => Ok(0),
            (_, Some([c @ (b'[' | b'\\' | b']' | b'^' | b'_')])) => Ok(c - b'[' + 27),
            _ => Err(bad(key)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_reads() {
        for (text, bytes) in [
            (None, &[16, 17][..]),
            (Some("ctrl-p,ctrl-q"), &[16, 17]),
            (Some("a"), b"a"),
            (Some("ctrl-@,ctrl-[,ctrl-_"), &[0, 27, 31]),
        ] {
            assert_eq!(parse(text).unwrap(), bytes);
        }
        for bad in ["ctrl-", "ctrl-P", "ab", "a,,b"] {
            assert!(parse(Some(bad)).is_err(), "{bad}");
        }
    }
}

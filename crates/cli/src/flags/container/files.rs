//! `--env-file` and `--label-file`: one `KEY=VALUE` or `KEY` a line, and their merging with the flags'.

use crate::Invocation;
use crate::failure::Failure;

/// The lines of all files of flag `files`, then the values of flag `flags`. A bare `KEY` in a file is looked up
/// with `lookup` and left out when that knows nothing.
///
/// # Errors
/// Docker's sentence for a file that cannot be read or a line that is none.
pub fn key_values(
    call: &Invocation,
    files: &str,
    flags: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for path in call.all(files) {
        let bytes = std::fs::read(path).map_err(|error| Failure::new(format!("open {path}: {}", reason(&error))))?;
        let lines = parse(&bytes, flags == "env", &lookup);
        all.extend(lines.map_err(|why| Failure::new(format!("invalid {flags} file ({path}): {why}")))?);
    }
    all.extend(call.all(flags).map(str::to_owned));
    Ok(all)
}

/// `strerror`'s words, as Go prints them: in lower case and without the number.
pub fn reason(error: &std::io::Error) -> String {
    values::system_words(error)
}

fn parse(bytes: &[u8], env: bool, lookup: &impl Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line)
            .map_err(|_| format!("invalid utf8 bytes at line {}: {:?}", number + 1, String::from_utf8_lossy(line)))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.is_empty() {
            return Err(format!("no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("variable '{name}' contains whitespaces"));
        }
        match value {
            Some(value) => lines.push(format!("{name}={value}")),
            None if env => lines.extend(lookup(name).map(|value| format!("{name}={value}"))),
            None => lines.push(name.to_owned()),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, env: bool, expected: Result<&[&str], &str>) {
        let lookup = |name: &str| (name == "SET").then(|| "v".to_owned());
        let lines = parse(text.as_bytes(), env, &lookup);
        match expected {
            Ok(expected) => assert_eq!(lines.unwrap(), expected, "{text:?}"),
            Err(expected) => assert_eq!(lines.unwrap_err(), expected, "{text:?}"),
        }
    }

    #[test]
    fn files() {
        check("A=b c\n\n# x\n  B=\"q\"\r\nC=\n", true, Ok(&["A=b c", "B=\"q\"", "C="]));
        check("SET\nUNSET\n", true, Ok(&["SET=v"]));
        check("bare\n", false, Ok(&["bare"]));
        check("\u{feff}A=1", true, Ok(&["A=1"]));
        check("=x", true, Err("no variable name on line '=x'"));
        check("a b=x", true, Err("variable 'a b' contains whitespaces"));
    }
}

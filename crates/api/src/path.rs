//! Path patterns such as `/containers/{id}/json`.

use crate::encoding;

/// Fills the `{..}` parts of a pattern with `values`, in order, percent-encoded (slashes of image names stay).
/// Missing values leave the part empty.
pub fn fill(pattern: &str, values: &[&str]) -> String {
    let mut out = String::with_capacity(pattern.len() + 64);
    let mut values = values.iter();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some(value) = values.next() {
            encoding::push_path(&mut out, value);
        }
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out
}

/// Matches a decoded path with a pattern; gives what stands for each `{..}`.
///
/// A part is greedy and may contain slashes (image names do), but is never empty. Only one part in a pattern is supported
/// without a literal behind it.
pub fn matches<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let Some((prefix, rest)) = pattern.split_once('{') else {
        return (pattern == path).then(Vec::new);
    };
    let tail = path.strip_prefix(prefix)?;
    let (_, suffix) = rest.split_once('}')?;
    let value = tail.strip_suffix(suffix)?;
    (!value.is_empty()).then(|| vec![value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_and_match() {
        let check = |pattern: &str, value: &str, path: &str| {
            assert_eq!(fill(pattern, &[value]), path);
            assert_eq!(matches(pattern, path), Some(vec![value]), "{pattern} {path}");
        };
        check("/containers/{id}/json", "abc", "/containers/abc/json");
        check("/images/{name}/json", "localhost:5000/a/b:c", "/images/localhost:5000/a/b:c/json");
        check("/containers/{id}", "abc", "/containers/abc");
        assert_eq!(fill("/info", &[]), "/info");
        assert_eq!(fill("/containers/{id}", &["a b"]), "/containers/a%20b");
    }

    #[test]
    fn no_match() {
        for (pattern, path) in [
            ("/containers/{id}/json", "/containers//json"),
            ("/containers/{id}/json", "/containers/json"),
            ("/containers/{id}/json", "/containers/a/top"),
            ("/info", "/info/"),
        ] {
            assert_eq!(matches(pattern, path), None, "{pattern} {path}");
        }
    }
}

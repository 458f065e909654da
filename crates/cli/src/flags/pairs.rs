//! Flags whose values are `KEY=VALUE`.

use std::collections::BTreeMap;

/// A bare key has an empty value, the last of a key counts.
pub fn to_map<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> BTreeMap<String, String> {
    let pair = |text: T| {
        let (key, value) = text.as_ref().split_once('=').unwrap_or((text.as_ref(), ""));
        (key.to_owned(), value.to_owned())
    };
    texts.into_iter().map(pair).collect()
}

/// Refuses a bare key.
pub fn check(text: &str) -> Result<(), String> {
    if text.contains('=') { Ok(()) } else { Err(format!("invalid field {text}: it must be KEY=VALUE")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps() {
        let map = to_map(["a=1", "b", "a=2=3", "c="]);
        let pairs: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "2=3"), ("b", ""), ("c", "")]);
        assert_eq!((check("a="), check("a").is_err()), (Ok(()), true));
    }
}

//! Query strings, as typed structs.

use values::{Error, Result};

use crate::encoding;
use crate::filters::Filters;

/// The query of an endpoint.
pub trait Query: Default + Sized {
    /// Writes what differs from the default, without a leading `?`.
    fn encode(&self) -> String;

    /// Reads a raw query string (without `?`); unknown parameters are ignored, of repeated ones the first counts unless a
    /// list is asked for.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed number, filter or escape.
    fn decode(raw: &str) -> Result<Self>;
}

/// For endpoints without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoQuery;

impl Query for NoQuery {
    fn encode(&self) -> String {
        String::new()
    }

    fn decode(_: &str) -> Result<NoQuery> {
        Ok(NoQuery)
    }
}

/// One value of a query.
pub trait Parameter: Sized + Default + PartialEq {
    /// Appends the values to send; none for the default.
    fn put(&self, values: &mut Vec<String>);

    /// Reads the values that came.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed value.
    fn take(values: &[&str]) -> Result<Self>;
}

/// Parses a raw query string into decoded pairs.
///
/// # Errors
/// `InvalidArgument` for a malformed escape.
pub fn pairs(raw: &str) -> Result<Vec<(String, String)>> {
    let decode = |s: &str| encoding::decode(s, true).ok_or_else(|| Error::invalid(format!("invalid URL escape {s:?}")));
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect()
}

/// Appends `key=value` for each value of a parameter.
pub fn append<P: Parameter>(out: &mut String, key: &str, parameter: &P) {
    if *parameter == P::default() {
        return;
    }
    let mut values = Vec::new();
    parameter.put(&mut values);
    for value in values {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(key);
        out.push('=');
        encoding::push_query(out, &value);
    }
}

/// Reads a parameter from decoded pairs.
///
/// # Errors
/// `InvalidArgument` for a malformed value.
pub fn extract<P: Parameter>(pairs: &[(String, String)], key: &str) -> Result<P> {
    let values: Vec<&str> = pairs.iter().filter(|(k, _)| k == key).map(|(_, v)| v.as_str()).collect();
    if values.is_empty() { Ok(P::default()) } else { P::take(&values) }
}

/// Docker's idea of truth in a query: everything but these words.
fn truth(text: &str) -> bool {
    !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
}

impl Parameter for bool {
    fn put(&self, values: &mut Vec<String>) {
        values.push(if *self { "1" } else { "0" }.to_owned());
    }
    fn take(values: &[&str]) -> Result<bool> {
        Ok(values.first().is_some_and(|v| truth(v)))
    }
}

/// Absent means the endpoint's own default.
impl Parameter for Option<bool> {
    fn put(&self, values: &mut Vec<String>) {
        if let Some(value) = self {
            value.put(values);
        }
    }
    fn take(values: &[&str]) -> Result<Self> {
        bool::take(values).map(Some)
    }
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::invalid(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
}

/// The empty string is zero.
impl Parameter for i64 {
    fn put(&self, values: &mut Vec<String>) {
        values.push(self.to_string());
    }
    fn take(values: &[&str]) -> Result<i64> {
        match values.first() {
            None | Some(&"") => Ok(0),
            Some(text) => number(text),
        }
    }
}

/// The empty string is absent.
impl Parameter for Option<i64> {
    fn put(&self, values: &mut Vec<String>) {
        if let Some(value) = self {
            value.put(values);
        }
    }
    fn take(values: &[&str]) -> Result<Self> {
        match values.first() {
            None | Some(&"") => Ok(None),
            Some(text) => number(text).map(Some),
        }
    }
}

impl Parameter for String {
    fn put(&self, values: &mut Vec<String>) {
        values.push(self.clone());
    }
    fn take(values: &[&str]) -> Result<String> {
        Ok(values.first().copied().unwrap_or_default().to_owned())
    }
}

impl Parameter for Option<String> {
    fn put(&self, values: &mut Vec<String>) {
        values.extend(self.clone());
    }
    fn take(values: &[&str]) -> Result<Self> {
        Ok(values.first().map(|v| (*v).to_owned()))
    }
}

/// A repeated parameter.
impl Parameter for Vec<String> {
    fn put(&self, values: &mut Vec<String>) {
        values.extend(self.iter().cloned());
    }
    fn take(values: &[&str]) -> Result<Self> {
        Ok(values.iter().map(|v| (*v).to_owned()).collect())
    }
}

impl Parameter for Filters {
    fn put(&self, values: &mut Vec<String>) {
        values.push(self.to_json());
    }
    fn take(values: &[&str]) -> Result<Filters> {
        Filters::from_json(values.first().copied().unwrap_or_default())
    }
}

/// Declares a query: each field with its name on the wire.
macro_rules! query {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $wire:literal => pub $field:ident : $kind:ty ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $kind, )*
        }

        impl $crate::query::Query for $name {
            fn encode(&self) -> String {
                let mut out = String::new();
                $( $crate::query::append(&mut out, $wire, &self.$field); )*
                out
            }

            fn decode(raw: &str) -> values::Result<Self> {
                let pairs = $crate::query::pairs(raw)?;
                Ok($name { $( $field: $crate::query::extract(&pairs, $wire)?, )* })
            }
        }
    };
}

pub(crate) use query;

#[cfg(test)]
mod tests {
    use super::*;

    query! {
        /// All kinds of parameters.
        pub struct Sample {
            "all" => pub all: bool,
            "pause" => pub pause: Option<bool>,
            "limit" => pub limit: i64,
            "t" => pub timeout: Option<i64>,
            "names" => pub names: Vec<String>,
            "filters" => pub filters: Filters,
        }
    }

    #[test]
    fn truths() {
        for (raw, expected) in [
            ("", false),
            ("all", false),
            ("all=", false),
            ("all=0", false),
            ("all=False", false),
            ("all=no", false),
            ("all=none", false),
            ("all=1", true),
            ("all=true", true),
            ("all=True", true),
            ("all=yes", true),
        ] {
            assert_eq!(Sample::decode(raw).expect(raw).all, expected, "{raw}");
        }
    }

    #[test]
    fn there_and_back() {
        let mut filters = Filters::new();
        filters.add("label", "a=b c");
        let sample = Sample {
            all: true,
            pause: Some(false),
            limit: -1,
            timeout: Some(0),
            names: vec!["a/b:c".into(), "d".into()],
            filters,
        };
        let raw = sample.encode();
        assert_eq!(
            raw,
            "all=1&pause=0&limit=-1&t=0&names=a%2Fb%3Ac&names=d&filters=%7B%22label%22%3A%7B%22a%3Db+c%22%3Atrue%7D%7D"
        );
        assert_eq!(Sample::decode(&raw).expect("own encoding"), sample);
        assert_eq!(Sample::default().encode(), "");
    }

    #[test]
    fn malformed() {
        for raw in ["limit=x", "t=1.5", "filters=x", "all=%zz"] {
            assert!(Sample::decode(raw).is_err(), "{raw}");
        }
    }
}

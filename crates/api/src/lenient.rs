//! Reading what Go's decoder would read.

use std::fmt;
use std::ops::Deref;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Deserializes a field, taking `null` for the default value.
///
/// # Errors
/// The deserializer's own, for a value of a wrong type.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Go's `omitempty`: true for zero, `""`, `false`, `None` and empty collections.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Go's `struct{}` as a map's value: written as `{}`, read from anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Empty {}

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Empty {})
    }
}

/// A list of strings that may also be given as one string, which is then its only element (not split at blanks).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StrSlice(pub Vec<String>);

impl Deref for StrSlice {
    type Target = Vec<String>;
    fn deref(&self) -> &Vec<String> {
        &self.0
    }
}

impl From<Vec<String>> for StrSlice {
    fn from(list: Vec<String>) -> Self {
        StrSlice(list)
    }
}

impl From<StrSlice> for Vec<String> {
    fn from(list: StrSlice) -> Self {
        list.0
    }
}

impl<'de> Deserialize<'de> for StrSlice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrSliceVisitor)
    }
}

struct StrSliceVisitor;

impl<'de> Visitor<'de> for StrSliceVisitor {
    type Value = StrSlice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_str<E>(self, value: &str) -> Result<StrSlice, E> {
        Ok(StrSlice(vec![value.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<StrSlice, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Option<String>>()? {
            list.push(item.unwrap_or_default());
        }
        Ok(StrSlice(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_or_array() {
        let check = |json: &str, expected: &[&str]| {
            let got: StrSlice = serde_json::from_str(json).expect(json);
            assert_eq!(*got, expected, "{json}");
        };
        check(r#""echo hi""#, &["echo hi"]);
        check(r#"["echo","hi"]"#, &["echo", "hi"]);
        check("[]", &[]);
        check(r#"["a",null]"#, &["a", ""]);
        assert!(serde_json::from_str::<StrSlice>("3").is_err());
    }

    #[test]
    fn empty_reads_anything() {
        for json in ["{}", "null", "[]", r#"{"a":1}"#, "true"] {
            assert_eq!(serde_json::from_str::<Empty>(json).expect(json), Empty {});
        }
        assert_eq!(serde_json::to_string(&Empty {}).expect("plain"), "{}");
    }
}

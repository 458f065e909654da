//! Filters of lists, events and prunes: `{"KEY":{"VALUE":true}}`, or as old clients send it `{"KEY":["VALUE"]}`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use values::{Error, Result};

/// Values by key; values of one key are alternatives, keys add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    fields: BTreeMap<String, BTreeSet<String>>,
}

impl Filters {
    pub fn new() -> Filters {
        Filters::default()
    }

    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.fields.entry(key.into()).or_default().insert(value.into());
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub fn contains(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// The values of a key, none when it is absent.
    pub fn get<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields.get(key).into_iter().flatten().map(String::as_str)
    }

    /// True when the key is absent or one of its values satisfies `test`.
    pub fn matches(&self, key: &str, test: impl FnMut(&str) -> bool) -> bool {
        !self.contains(key) || self.get(key).any(test)
    }

    /// True when the key is absent or each `k` or `k=v` of it is among `labels`.
    pub fn matches_labels<'a>(&self, key: &str, labels: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.get(key).all(|wanted| match wanted.split_once('=') {
            Some((k, v)) => labels(k) == Some(v),
            None => labels(wanted).is_some(),
        })
    }

    /// The one boolean of a key: `default` when absent.
    ///
    /// # Errors
    /// `InvalidArgument` when the value is no boolean or there are several that differ.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        if !self.contains(key) {
            return Ok(default);
        }
        let mut truths = self.get(key).map(|value| match value {
            "1" | "true" | "True" | "TRUE" | "t" | "T" => Some(true),
            "0" | "false" | "False" | "FALSE" | "f" | "F" => Some(false),
            _ => None,
        });
        match (truths.next().flatten(), truths.next()) {
            (Some(truth), None) => Ok(truth),
            _ => {
                let given: Vec<&str> = self.get(key).collect();
                Err(Error::invalid(format!("invalid filter '{key}=[{}]'", given.join(" "))))
            }
        }
    }

    /// Refuses keys that are not in `accepted`.
    ///
    /// # Errors
    /// `InvalidArgument` with the text `invalid filter 'KEY'`.
    pub fn validate(&self, accepted: &[&str]) -> Result<()> {
        match self.keys().find(|key| !accepted.contains(key)) {
            Some(key) => Err(Error::invalid(format!("invalid filter '{key}'"))),
            None => Ok(()),
        }
    }

    /// The newer wire form; empty filters are the empty string.
    pub fn to_json(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let form: BTreeMap<&str, BTreeMap<&str, bool>> = self
            .fields
            .iter()
            .map(|(key, values)| (key.as_str(), values.iter().map(|v| (v.as_str(), true)).collect()))
            .collect();
        serde_json::to_string(&form).unwrap_or_default()
    }

    /// Reads either wire form; the empty string has no filters.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn from_json(text: &str) -> Result<Filters> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Values {
            Map(BTreeMap<String, bool>),
            List(Vec<String>),
        }
        if text.is_empty() {
            return Ok(Filters::new());
        }
        let form: BTreeMap<String, Option<Values>> =
            serde_json::from_str(text).map_err(|_| Error::invalid("invalid filter"))?;
        let values = |v: Option<Values>| match v {
            Some(Values::Map(map)) => map.into_iter().filter(|(_, on)| *on).map(|(value, _)| value).collect(),
            Some(Values::List(list)) => list.into_iter().collect(),
            None => BTreeSet::new(),
        };
        Ok(Filters { fields: form.into_iter().map(|(key, v)| (key, values(v))).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let check = |json: &str, expected: &[(&str, &[&str])]| {
            let filters = Filters::from_json(json).expect(json);
            let got: Vec<(&str, Vec<&str>)> = filters.keys().map(|k| (k, filters.get(k).collect())).collect();
            let expected: Vec<(&str, Vec<&str>)> = expected.iter().map(|(k, v)| (*k, v.to_vec())).collect();
            assert_eq!(got, expected, "{json}");
        };
        check("", &[]);
        check("{}", &[]);
        check(r#"{"status":{"exited":true,"dead":false}}"#, &[("status", &["exited"])]);
        check(
            r#"{"status":["exited","dead"],"label":["a=b"]}"#,
            &[("label", &["a=b"]), ("status", &["dead", "exited"])],
        );
        for bad in ["x", "[]", r#"{"a":3}"#, r#"{"a":{"b":1}}"#] {
            assert!(Filters::from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn out_is_the_map_form() {
        let mut filters = Filters::new();
        assert_eq!(filters.to_json(), "");
        filters.add("label", "b");
        filters.add("label", "a=1");
        assert_eq!(filters.to_json(), r#"{"label":{"a=1":true,"b":true}}"#);
    }

    #[test]
    fn unknown_key() {
        let filters = Filters::from_json(r#"{"nme":["x"]}"#).expect("valid");
        assert_eq!(filters.validate(&["name"]).map_err(|e| e.to_string()), Err("invalid filter 'nme'".into()));
        assert!(filters.validate(&["nme"]).is_ok());
    }

    #[test]
    fn labels_all_must_match() {
        let filters = Filters::from_json(r#"{"label":["a","b=2"]}"#).expect("valid");
        let has = |pairs: &'static [(&str, &str)]| {
            filters.matches_labels("label", |k| pairs.iter().find(|(key, _)| *key == k).map(|(_, v)| *v))
        };
        assert!(has(&[("a", ""), ("b", "2")]));
        assert!(!has(&[("a", "")]));
        assert!(!has(&[("a", ""), ("b", "3")]));
    }

    #[test]
    fn flags() {
        let flag =
            |json: &str| Filters::from_json(json).expect(json).flag("dangling", false).map_err(|e| e.to_string());
        assert_eq!(flag(""), Ok(false));
        assert_eq!(flag(r#"{"dangling":["true"]}"#), Ok(true));
        assert_eq!(flag(r#"{"dangling":["0"]}"#), Ok(false));
        assert_eq!(flag(r#"{"dangling":["maybe"]}"#), Err("invalid filter 'dangling=[maybe]'".into()));
    }
}

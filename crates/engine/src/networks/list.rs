//! `network ls`.

use api::Filters;
use api::types::Network;
use regex_lite::Regex;
use values::{Error, Result};

use super::{in_use, is_predefined, list};
use crate::shared::Shared;

const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

/// The networks that the filters let through.
///
/// # Errors
/// `InvalidArgument` for filters that Docker does not know, or values they cannot have.
pub fn listed(shared: &Shared, filters: &Filters) -> Result<Vec<Network>> {
    filters.validate(FILTERS)?;
    let dangling = dangling(filters)?;
    if let Some(kind) = filters.get("type").find(|kind| !matches!(*kind, "builtin" | "custom")) {
        return Err(Error::internal(format!("invalid filter: 'type'='{kind}'")));
    }
    let patterns = Patterns::new(filters);
    let mut found = list(shared);
    found.retain(|network| patterns.match_(network) && matches(network, filters));
    if let Some(wanted) = dangling {
        let used = in_use(shared);
        found.retain(|network| (!is_predefined(&network.name) && !used.contains(&network.id)) == wanted);
    }
    Ok(found)
}

fn dangling(filters: &Filters) -> Result<Option<bool>> {
    let mut values = filters.get("dangling");
    let (first, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(Error::invalid("got more than one value for filter key \"dangling\""));
    }
    match first {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(
            "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")",
        )),
    }
}

/// Ids and names are matched as patterns; what is none matches nothing but itself.
struct Patterns {
    ids: Option<Vec<(String, Option<Regex>)>>,
    names: Option<Vec<(String, Option<Regex>)>>,
}

impl Patterns {
    fn new(filters: &Filters) -> Self {
        let of = |key: &str| {
            let all = filters.get(key).map(|text| (text.to_owned(), Regex::new(text).ok()));
            filters.contains(key).then(|| all.collect())
        };
        Self { ids: of("id"), names: of("name") }
    }

    fn match_(&self, network: &Network) -> bool {
        let one = |all: &Option<Vec<(String, Option<Regex>)>>, text: &str| {
            let is = |(plain, regex): &(String, Option<Regex>)| {
                plain == text || regex.as_ref().is_some_and(|regex| regex.is_match(text))
            };
            all.as_ref().is_none_or(|all| all.iter().any(is))
        };
        one(&self.ids, &network.id) && one(&self.names, &network.name)
    }
}

fn matches(network: &Network, filters: &Filters) -> bool {
    let labels = |key: &str| network.labels.as_ref()?.get(key).map(String::as_str);
    let kind = if is_predefined(&network.name) { "builtin" } else { "custom" };
    filters.matches("driver", |driver| network.driver == driver)
        && filters.matches("scope", |scope| network.scope == scope)
        && filters.matches("type", |wanted| kind == wanted)
        && filters.matches_labels("label", labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_labels() {
        let network = Network {
            name: "back-end".into(),
            id: "0123".into(),
            driver: "bridge".into(),
            scope: "local".into(),
            labels: Some([("k".to_owned(), "v".to_owned())].into()),
            ..Network::default()
        };
        let check = |filters: &[(&str, &str)], expected: bool| {
            let mut all = Filters::new();
            filters.iter().for_each(|(key, value)| all.add(*key, *value));
            let found = Patterns::new(&all).match_(&network) && matches(&network, &all);
            assert_eq!(found, expected, "{filters:?}");
        };
        check(&[], true);
        check(&[("name", "end")], true);
        check(&[("name", "^end")], false);
        check(&[("name", "["), ("name", "^back")], true);
        check(&[("name", "[")], false);
        check(&[("id", "^01"), ("driver", "bridge"), ("scope", "local"), ("type", "custom"), ("label", "k=v")], true);
        check(&[("driver", "bri")], false);
        check(&[("type", "builtin")], false);
        check(&[("type", "builtin"), ("type", "custom")], true);
        check(&[("label", "k=w")], false);
    }

    #[test]
    fn dangling_is_yes_or_no() {
        let check = |values: &[&str], expected: Result<Option<bool>, &str>| {
            let mut all = Filters::new();
            values.iter().for_each(|value| all.add("dangling", *value));
            let found = dangling(&all).map_err(|e| e.message);
            assert!(
                matches!((&found, expected), (Ok(a), Ok(b)) if *a == b)
                    || found.unwrap_err().contains(expected.unwrap_err())
            );
        };
        check(&[], Ok(None));
        check(&["1"], Ok(Some(true)));
        check(&["false"], Ok(Some(false)));
        check(&["x"], Err("must be \"true\""));
        check(&["true", "false"], Err("got more than one value"));
    }
}

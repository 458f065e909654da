//! `--filter key=value` as the API takes it.

use api::Filters;

use super::Flag;
use crate::{Invocation, Session};

/// Of a prune that has no others.
pub static PRUNE_FLAGS: &[Flag] = &[
    Flag::filter("filter", "Provide filter values (e.g. \"until=<timestamp>\")"),
    Flag::bool("force", "Do not prompt for confirmation").short('f'),
];

/// All values of the flag `name`. The part before the first `=` is the key, spaces around it and its case do not count.
pub fn filters(call: &Invocation, name: &str) -> Filters {
    let mut filters = Filters::new();
    for (key, value) in call.all(name).filter_map(|given| given.split_once('=')) {
        filters.add(key.trim().to_lowercase(), value.trim());
    }
    filters
}

/// The same for a prune, with `pruneFilters` of config.json added. A label on the command line supersedes the same one there,
/// and one that is asked for is not spared.
pub fn prune_filters(session: &Session, call: &Invocation, name: &str) -> Filters {
    with_configured(filters(call, name), &session.config().prune_filters)
}

fn with_configured(mut filters: Filters, configured: &[String]) -> Filters {
    for (key, value) in configured.iter().filter_map(|given| given.split_once('=')) {
        let has = |filters: &Filters, key: &str| filters.get(key).any(|given| given == value);
        let superseded = match key {
            "label" => has(&filters, "label!"),
            "label!" => has(&filters, "label"),
            _ => false,
        };
        if !superseded {
            filters.add(key, value);
        }
    }
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_filters() {
        let mut given = Filters::new();
        given.add("label", "a=b");
        let configured = ["label!=a=b".to_owned(), "label!=c".to_owned(), "until=1h".to_owned()];
        let all = with_configured(given, &configured);
        assert_eq!(all.get("label!").collect::<Vec<_>>(), ["c"]);
        assert_eq!((all.get("until").collect::<Vec<_>>(), all.get("label").count()), (vec!["1h"], 1));
    }
}

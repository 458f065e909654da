//! `--filter key=value` as the API takes it.

use api::Filters;

use crate::Invocation;

/// All values of the flag `name`. The part before the first `=` is the key, spaces around it and its case do not count.
pub fn filters(call: &Invocation, name: &str) -> Filters {
    let mut filters = Filters::new();
    for (key, value) in call.all(name).filter_map(|given| given.split_once('=')) {
        filters.add(key.trim().to_lowercase(), value.trim());
    }
    filters
}

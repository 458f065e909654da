//! Removing networks: one by name, or all that no container is on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::Filters;
use api::types::NetworkPruneResponse;
use sys::crash;
use values::{Error, Result, Timestamp};

use super::{NetworkRecord, find, in_use, is_predefined};
use crate::shared::{Shared, blocking};

pub async fn remove(shared: &Arc<Shared>, key: &str) -> Result<()> {
    let found = find(shared, key)?;
    if is_predefined(&found.name) {
        let name = found.name;
        return Err(Error::forbidden(format!("{name} is a pre-defined network and cannot be removed")));
    }
    let running = |c: &Arc<crate::container::Container>| {
        let endpoint = c.volatile().endpoints.into_iter().find(|e| e.network_id == found.id)?;
        Some(format!("name:\"{}\" id:\"{}\"", c.name(), &endpoint.endpoint_id[..12.min(endpoint.endpoint_id.len())]))
    };
    let active: Vec<String> = shared.registry.all().iter().filter_map(running).collect();
    if !active.is_empty() {
        let (name, active) = (&found.name, active.join(", "));
        return Err(Error::forbidden(format!(
            "error while removing network: network {name} has active endpoints ({active})"
        )));
    }
    let lent = |record: &&Arc<NetworkRecord>| record.shown.config_from.network == found.name;
    if shared.directory.all().iter().any(|record| lent(&record)) {
        let name = &found.name;
        return Err(Error::forbidden(format!(
            "error while removing network: configuration network {name:?} is in use"
        )));
    }
    let (s, id) = (shared.clone(), found.id.clone());
    blocking(move || {
        s.networks.remove(&id)?;
        crash::point("network.removed");
        // last: until here a restarted daemon makes it again, for somebody to remove
        s.records.delete_network(&id)
    })
    .await?;
    shared.directory.remove(&found.id);
    let attributes = BTreeMap::from([("name".into(), found.name), ("type".into(), found.driver)]);
    shared.events.emit("network", "destroy", &found.id, attributes);
    Ok(())
}

/// `until` and `label` filter.
pub async fn prune(shared: &Arc<Shared>, filters: &Filters) -> Result<NetworkPruneResponse> {
    filters.validate(&["label", "label!", "until"])?;
    let before = match filters.get("until").collect::<Vec<_>>()[..] {
        [] => None,
        [one] => Some(moment(one)?),
        _ => return Err(Error::invalid("more than one until filter specified")),
    };
    let used: BTreeSet<String> = in_use(shared).into_iter().collect();
    let mut deleted = vec![];
    for record in shared.directory.all() {
        let labels = |key: &str| record.shown.labels.as_ref()?.get(key).map(String::as_str);
        let excluded = filters.contains("label!") && {
            let mut unwanted = filters.get("label!");
            unwanted.any(|wanted| match wanted.split_once('=') {
                Some((k, v)) => labels(k) == Some(v),
                None => labels(wanted).is_some(),
            })
        };
        let young = before.is_some_and(|moment| record.shown.created > moment.to_rfc3339_nano());
        if used.contains(record.id()) || excluded || young || !filters.matches_labels("label", labels) {
            continue;
        }
        // whoever was faster in using or removing it
        if remove(shared, record.id()).await.is_ok() {
            deleted.push(record.name().to_owned());
        }
    }
    deleted.sort();
    shared.events.emit("network", "prune", "", BTreeMap::from([("reclaimed".into(), "0".into())]));
    Ok(NetworkPruneResponse { networks_deleted: Some(deleted) })
}

/// A time ago (`24h`), seconds of UNIX time, or RFC 3339.
fn moment(text: &str) -> Result<Timestamp> {
    if let Ok(nanos) = values::duration::parse_go(text) {
        let now = Timestamp::now();
        return Ok(Timestamp { secs: now.secs - nanos / 1_000_000_000, nanos: now.nanos });
    }
    let parsed = Timestamp::from_unix_text(text).or_else(|| text.parse().ok());
    parsed.ok_or_else(|| Error::invalid(format!("failed to parse value as time or duration: {text:?}")))
}

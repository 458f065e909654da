//! Removing networks: one by name, or all that no container is on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::Filters;
use api::types::NetworkPruneResponse;
use sys::crash;
use values::{Error, Result, Timestamp};

use super::{NetworkRecord, find, in_use, is_predefined};
use crate::prune::Wanted;
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
    let wanted = Wanted::by(filters, &[])?;
    let used: BTreeSet<String> = in_use(shared).into_iter().collect();
    let mut deleted = vec![];
    for record in shared.directory.all() {
        let label = |key: &str| record.shown.labels.as_ref()?.get(key).map(String::as_str);
        let created = record.shown.created.parse().unwrap_or(Timestamp::ZERO);
        if used.contains(record.id()) || !wanted.has(created, label) {
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

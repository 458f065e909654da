//! Removing volumes: one by name, those that went with a container, or all that no container has.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Filters;
use api::types::VolumePruneResponse;
use sys::crash;
use values::{Error, Id, Result, ResultExt};

use super::list::{label, size};
use super::{emit, users};
use crate::container::record::Record;
use crate::prune::Wanted;
use crate::shared::{Shared, blocking};

/// `DELETE /volumes/{name}`. `force`: one that is not there is no error.
///
/// # Errors
/// `NotFound`; `Conflict` naming the containers that have it.
pub async fn remove(shared: &Arc<Shared>, name: &str, force: bool) -> Result<()> {
    let (s, n) = (shared.clone(), name.to_owned());
    match blocking(move || remove_unused(&s, &n, None)).await {
        Err(e) if force && e.kind == values::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The volumes that were made for a container alone and which no other has; it is being removed.
///
/// # Errors
/// `Internal` with the reason.
pub fn remove_anonymous(shared: &Shared, record: &Record) -> Result<()> {
    let named = crate::container::mounts::named_volumes(&record.host);
    let mounts = record.mounts.iter().filter(|mount| mount.kind == "volume" && !named.contains(&mount.name));
    for mount in mounts {
        if shared.volumes.get(&mount.name).is_ok_and(|volume| volume.is_anonymous()) {
            match remove_unused(shared, &mount.name, Some(&record.id)) {
                Err(e) if !matches!(e.kind, values::ErrorKind::Conflict | values::ErrorKind::NotFound) => {
                    return Err(e);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// `except`: a container whose use of it counts no more.
fn remove_unused(shared: &Shared, name: &str, except: Option<&Id>) -> Result<()> {
    let volumes = &shared.volumes;
    volumes.get(name)?;
    {
        // whoever wants it meanwhile waits, and makes a new one
        let mut all = volumes.lock();
        let Some(entry) = all.get(name) else { return Err(Error::not_found(format!("get {name}: no such volume"))) };
        let users: Vec<String> =
            users(shared, name).into_iter().filter(|id| Some(id) != except).map(|id| id.to_string()).collect();
        if entry.holds > 0 || !users.is_empty() {
            return Err(Error::conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
        }
        let directory = volumes.root.join(name);
        volumes.trash.throw(&directory).during(|| directory.display())?;
        all.remove(name);
        crash::point("volume.thrown");
        shared.records.delete_volume(name)?;
    }
    emit(shared, "destroy", name);
    Ok(())
}

/// Docker reads this one as other flags are not read.
fn says_all(filters: &Filters) -> Result<bool> {
    let given: Vec<&str> = filters.get("all").collect();
    let [text] = given[..] else {
        let given = given.join(" ");
        return Err(Error::invalid(format!("invalid filter 'all=[{given}]': only one value is expected")));
    };
    let bad = || Error::invalid(format!("invalid filter 'all': strconv.ParseBool: parsing {text:?}: invalid syntax"));
    crate::container::log::boolean(text).ok_or_else(bad)
}

/// Without `all` only those that nobody named.
///
/// # Errors
/// `InvalidArgument` for an unknown filter.
pub async fn prune(shared: &Arc<Shared>, filters: Filters) -> Result<VolumePruneResponse> {
    let wanted = Wanted::by(&filters, &["all"])?;
    let everything = filters.contains("all") && says_all(&filters)?;
    let s = shared.clone();
    let pruned = blocking(move || {
        let mut pruned = VolumePruneResponse::default();
        for record in s.volumes.all() {
            let wanted = wanted.has(record.created, |key| label(&record, key));
            if wanted && (everything || record.is_anonymous()) && users(&s, &record.name).is_empty() {
                let size = size(&s, &record.name);
                // somebody began to use it, or removed it
                if remove_unused(&s, &record.name, None).is_ok() {
                    pruned.space_reclaimed += size;
                    pruned.volumes_deleted.get_or_insert_default().push(record.name.clone());
                }
            }
        }
        Ok(pruned)
    })
    .await?;
    let attributes = BTreeMap::from([("reclaimed".to_owned(), pruned.space_reclaimed.to_string())]);
    shared.events.emit("volume", "prune", "", attributes);
    Ok(pruned)
}

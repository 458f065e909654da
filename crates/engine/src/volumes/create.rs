//! `POST /volumes/create`, and volumes that containers bring about.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;

use api::types::{Volume, VolumeCreateRequest};
use rustix::fs::chmod;
use sys::crash;
use values::{Error, Id, Result, Timestamp};

use super::{ANONYMOUS, Entry, Hold, LOCAL, MAKING, VolumeRecord, Volumes, check_options};
use crate::shared::{Shared, blocking};

/// A volume that shall be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub name: String,
    /// Empty: the local one.
    pub driver: String,
    pub options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

impl Request {
    /// One that nobody names.
    pub fn anonymous() -> Self {
        let labels = BTreeMap::from([(ANONYMOUS.to_owned(), String::new())]);
        Self { name: Id::random().to_string(), labels, ..Self::default() }
    }
}

/// One that exists stays as it is, as in Docker.
///
/// # Errors
/// `InvalidArgument` for a bad name or option, `NotFound` for an unknown driver.
pub async fn create(shared: &Arc<Shared>, body: VolumeCreateRequest) -> Result<Volume> {
    if body.cluster_volume_spec.is_some() {
        return Err(Error::unavailable(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.",
        ));
    }
    let mut request = match body.name.is_empty() {
        true => Request::anonymous(),
        false => Request { name: body.name, ..Request::default() },
    };
    request.driver = body.driver;
    request.options = body.driver_opts.clone().unwrap_or_default();
    let labels = match (body.labels, request.labels) {
        (None, own) if own.is_empty() => None,
        (given, own) => Some(given.unwrap_or_default().into_iter().chain(own).collect()),
    };
    request.labels = BTreeMap::new();
    let s = shared.clone();
    blocking(move || {
        let mut hold = make_as(&s, request, labels, body.driver_opts)?;
        if hold.is_new {
            hold.sync()?;
            crash::point("volume.made");
            s.records.save_volumes(&[&hold.record])?;
            crash::point("volume.recorded");
            hold.settle();
        }
        super::inspect(&s, &hold.record.name)
    })
    .await
}

/// The volume, made if it is not there; not recorded then.
///
/// # Errors
/// As [`create`].
pub fn make(shared: &Arc<Shared>, request: Request) -> Result<Hold> {
    let labels = Some(request.labels.clone()).filter(|labels| !labels.is_empty());
    let options = Some(request.options.clone()).filter(|options| !options.is_empty());
    make_as(shared, request, labels, options)
}

fn make_as(
    shared: &Arc<Shared>,
    request: Request,
    labels: Option<BTreeMap<String, String>>,
    options: Option<BTreeMap<String, String>>,
) -> Result<Hold> {
    let name = &request.name;
    let what = || format!("create {name}");
    if !matches!(request.driver.as_str(), "" | LOCAL) {
        let driver = &request.driver;
        return Err(Error::not_found(format!(
            "error looking up volume plugin {driver}: plugin \"{driver}\" not found"
        ))
        .context(what()));
    }
    check_name(name).map_err(|e| e.context(what()))?;
    let volumes = &shared.volumes;
    let mut all = volumes.lock();
    let (record, is_new) = match all.get_mut(name) {
        Some(entry) => {
            entry.holds += 1;
            (entry.record.clone(), false)
        }
        None => {
            check_options(&request.options).map_err(|e| e.context(what()))?;
            let record = Arc::new(VolumeRecord { name: name.clone(), created: Timestamp::now(), labels, options });
            volumes.make_directory(name).map_err(|e| {
                // what is left of it is known by its mark
                let _ = volumes.trash.throw(&volumes.root.join(name));
                Error::from(e).context(what())
            })?;
            all.insert(name.clone(), Entry { record: record.clone(), holds: 1 });
            (record, true)
        }
    };
    drop(all);
    Ok(Hold { shared: shared.clone(), record, is_new, is_settled: false })
}

impl Volumes {
    fn make_directory(&self, name: &str) -> io::Result<()> {
        let directory = self.root.join(name);
        fs::create_dir(&directory)?;
        // not less by the umask
        chmod(&directory, 0o701.into())?;
        fs::write(directory.join(MAKING), "")?;
        let data = self.path(name);
        fs::create_dir(&data)?;
        chmod(&data, 0o755.into())?;
        match self.owner {
            Some((uid, gid)) => std::os::unix::fs::chown(&data, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}

/// Docker's rule.
fn check_name(name: &str) -> Result<()> {
    if name.chars().count() < 2 {
        return Err(Error::invalid("volume name is too short, names should be at least two alphanumeric characters"));
    }
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && letters.all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let is_good = |name: &str| check_name(name).is_ok();
        assert!(["db", "a.b", "data_volume", "0-x"].into_iter().all(is_good));
        assert!(!["", "x", "a b", "a/b", "..", ".x", "-x", "aé"].into_iter().any(is_good));
    }
}

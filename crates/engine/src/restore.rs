//! After a start of the daemon: reconnect to what lives, record what ended, sweep what nobody owns.
//!
//! There is no recovery code besides this: what shims tell goes through the ordinary state machine, and every resource
//! carries the id of its container, so that what has no record is torn down.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use values::{Id, Result, Timestamp};

use crate::container::record::{Endpoint, Record, Volatile};
use crate::container::state::{Ask, Fact, Phase, wanted_at_boot};
use crate::container::supervisor::supervise;
use crate::container::{Container, Mail, launch, lost};
use crate::shared::{Shared, blocking};
use crate::shim_link;

/// Name of the file in a shim's directory that tells its place on the network.
pub const ENDPOINT_FILE: &str = "endpoint.json";

/// A shim directory, by the name `ID.GENERATION`.
struct Trace {
    generation: u64,
    directory: PathBuf,
}

pub async fn restore(shared: &Arc<Shared>) -> Result<()> {
    let s = shared.clone();
    let (records, mut traces) =
        blocking(move || Ok((s.records.all()?, find_traces(&s.config.run_root.join("shims"))))).await?;
    let mut restored = vec![];
    for (record, volatile) in records {
        if let Err(e) = shared.registry.reserve(&record.name, &record.id) {
            tracing::error!("container {}: {e}", record.id);
        }
        let found = traces.remove(&record.id).unwrap_or_default();
        restored.push(restore_one(shared, record, volatile, found).await);
    }
    for (id, left) in traces {
        for trace in left {
            end_stray(shared, &id, &trace).await;
        }
    }
    let s = shared.clone();
    blocking(move || sweep(&s)).await?;
    for container in restored {
        resume(&container);
    }
    Ok(())
}

fn find_traces(shims: &Path) -> BTreeMap<Id, Vec<Trace>> {
    let mut traces: BTreeMap<Id, Vec<Trace>> = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(shims) else { return traces };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let parsed =
            name.to_str().and_then(|n| n.split_once('.')).and_then(|(id, g)| Some((Id::parse(id)?, g.parse().ok()?)));
        match parsed {
            Some((id, generation)) => {
                traces.entry(id).or_default().push(Trace { generation, directory: entry.path() });
            }
            None => {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
    for of_one in traces.values_mut() {
        of_one.sort_by_key(|t| std::cmp::Reverse(t.generation));
    }
    traces
}

async fn restore_one(
    shared: &Arc<Shared>,
    record: Record,
    mut volatile: Volatile,
    traces: Vec<Trace>,
) -> Arc<Container> {
    let id = record.id.clone();
    let was = volatile.state.phase;
    let mut traces = traces.into_iter();
    let newest = traces.next();
    for older in traces {
        end_stray(shared, &id, &older).await;
    }
    if let Some(trace) = &newest {
        // the launch may not have been written down before the daemon died
        volatile.state.generation = volatile.state.generation.max(trace.generation);
        volatile.endpoint = endpoint(&trace.directory);
    }
    if was == Phase::Removing {
        // its removal begins anew in `resume`
        volatile.state.phase = Phase::Exited;
    }
    let container = supervise(shared, record, volatile);
    shared.registry.insert(container.clone());
    let Some(trace) = newest else {
        if matches!(was, Phase::Running { .. } | Phase::Starting { .. }) {
            container.post(Mail::Fact(Fact::Lost { at: Timestamp::now() }));
        }
        return container;
    };
    if let Some((stream, started)) = reconnect(&trace).await {
        let endpoint = endpoint(&trace.directory);
        launch::hand_over(&container, trace.generation, trace.directory, stream, &started, endpoint);
        if was == Phase::Removing {
            return container;
        }
    } else if matches!(was, Phase::Running { .. } | Phase::Starting { .. }) {
        lost::recover(shared.clone(), container.clone(), trace.directory).await;
    } else {
        end_stray(shared, &id, &trace).await;
    }
    container
}

async fn reconnect(trace: &Trace) -> Option<(tokio::net::UnixStream, shim::protocol::Started)> {
    let mut stream = shim_link::connect(&trace.directory).await.ok()?;
    let state = shim_link::subscribe(&mut stream).await.ok()?;
    Some((stream, state.started?))
}

fn endpoint(directory: &Path) -> Option<Endpoint> {
    let text = std::fs::read(directory.join(ENDPOINT_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A shim, or what is left of one, which no container owns.
async fn end_stray(shared: &Arc<Shared>, id: &Id, trace: &Trace) {
    if let Ok(mut stream) = shim_link::connect(&trace.directory).await
        && shim_link::subscribe(&mut stream).await.is_ok()
    {
        shim_link::end(&mut stream).await;
    }
    let directory = trace.directory.clone();
    let path = (shared.registry.get(id).is_none()).then(|| shared.cgroup_path(id));
    let _ = blocking(move || {
        if let Some(path) = path {
            lost::end_cgroup(&path);
        }
        let _ = std::fs::remove_dir_all(&directory);
        Ok(())
    })
    .await;
}

/// Removes directories, snapshots, cgroups and addresses which belong to no container.
fn sweep(shared: &Arc<Shared>) -> Result<()> {
    let all = shared.registry.all();
    let known: HashSet<&str> = all.iter().map(|c| c.id.as_str()).collect();
    for root in [&shared.config.data_root, &shared.config.run_root] {
        let Ok(entries) = std::fs::read_dir(root.join("containers")) else { continue };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(|n| known.contains(n)) {
                tracing::info!("removing {}, which no container owns", entry.path().display());
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
    for key in shared.snapshots.prepared()? {
        if !known.contains(key.as_str()) {
            shared.snapshots.remove(&key)?;
        }
    }
    let live = |c: &Arc<Container>| matches!(c.state().phase, Phase::Running { .. } | Phase::Starting { .. });
    let running: HashSet<String> = all.iter().filter(|c| live(c)).map(|c| c.id.to_string()).collect();
    for name in cgroup::children(&shared.config.cgroup_parent) {
        if Id::parse(&name).is_some() && !running.contains(&name) {
            lost::end_cgroup(&format!("{}/{name}", shared.config.cgroup_parent.trim_end_matches('/')));
        }
    }
    if let Some(networks) = &shared.networks {
        let addresses: Vec<_> =
            all.iter().filter_map(|c| c.volatile().endpoint.map(|e| (c.id.to_string(), e.ip, e.host_ifname))).collect();
        networks.restore(&addresses)?;
    }
    Ok(())
}

/// Sets going again what the daemon's end interrupted, and what its policy wants up.
fn resume(container: &Arc<Container>) {
    let container = container.clone();
    tokio::spawn(async move {
        let state = container.state();
        let record = container.record();
        let policy = record.policy();
        match state.phase {
            Phase::Exited if policy.auto_remove => {
                let _ = container.ask(Ask::Remove { force: true }).await;
            }
            Phase::Backoff => container.post(Mail::Fact(Fact::BackoffElapsed { generation: state.generation })),
            Phase::Exited | Phase::Created if wanted_at_boot(&state, &policy) => {
                let _ = container.ask(Ask::Start).await;
            }
            _ => {}
        }
    });
}

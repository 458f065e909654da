//! After a start of the daemon: reconnect to what lives, record what ended, sweep what nobody owns.
//!
//! There is no recovery code besides this: what shims tell goes through the ordinary state machine, and every resource
//! carries the id of its container, so that what has no record is torn down.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use values::{Error, Id, Result, ResultExt, Timestamp};

use network::{Endpoint, Published};

use crate::container::record::{Record, Volatile};
use crate::container::state::{Ask, Fact, Phase, Then, wanted_at_boot};
use crate::container::supervisor::supervise;
use crate::container::waiting::Waiting;
use crate::container::{Container, Mail, launch, lost, networks};
use crate::shared::{Shared, blocking};
use crate::shim_link;

/// Name of the file in a shim's directory that tells its places on networks; of the one the first release wrote.
const NETWORK_FILE: &str = "network.json";
const ENDPOINT_FILE: &str = "endpoint.json";

/// What a daemon writes beside a shim for the one that comes after it.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub struct NetworkNote {
    pub endpoints: Vec<Endpoint>,
    pub ports: Vec<Published>,
}

impl NetworkNote {
    /// Whether one was written for that run.
    pub fn is_there(directory: &Path) -> bool {
        directory.join(NETWORK_FILE).exists()
    }

    pub fn write(&self, directory: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|e| Error::internal(e.to_string()))?;
        let (path, new) = (directory.join(NETWORK_FILE), directory.join("network.new"));
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, &path))
            .during(|| format!("write {}", path.display()))
    }

    fn read(directory: &Path, bridge: &str) -> Self {
        let read = |name: &str| std::fs::read(directory.join(name)).ok();
        let new = read(NETWORK_FILE).and_then(|text| serde_json::from_slice(&text).ok());
        let old = || {
            let mut endpoint: Endpoint = serde_json::from_slice(&read(ENDPOINT_FILE)?).ok()?;
            endpoint.network_id = bridge.into();
            Some(Self { endpoints: vec![endpoint], ports: vec![] })
        };
        new.or_else(old).unwrap_or_default()
    }
}

/// Name of the file in a shim's directory that tells its container's control group, where that has a parent of its own.
pub const CGROUP_FILE: &str = "cgroup";

/// A shim that takes longer to answer is waited for in the background.
const PROMPT: Duration = Duration::from_secs(2);
/// One that was in the middle of a start is given up after this.
const PATIENCE: Duration = Duration::from_secs(20);

/// A shim directory, by the name `ID.GENERATION`.
struct Trace {
    generation: u64,
    directory: PathBuf,
}

/// A container and what was found of it.
struct Found {
    record: Record,
    volatile: Volatile,
    /// The phase as it was written down.
    was: Phase,
    end: End,
    /// Where it asks for names.
    dns: Option<network::dns::Sockets>,
}

enum End {
    /// Nothing ran, or it is told already.
    Rests,
    /// Its shim answers.
    Runs(PathBuf, Shim),
    /// Its shim has not answered yet.
    Unclear(PathBuf, JoinHandle<Option<Shim>>),
    /// It ended without a daemon.
    Ended(Fact),
}

impl End {
    /// Its container has not ended, as far as can be told.
    fn goes_on(&self) -> bool {
        match self {
            End::Runs(_, shim) => runs(shim),
            End::Unclear(..) => true,
            End::Rests | End::Ended(_) => false,
        }
    }

    /// Its shim tells of an end.
    fn has_ended(&self) -> bool {
        matches!(self, End::Runs(_, (_, said)) if said.exited.is_some())
    }
}

/// One that is supervised, what was found of it, and its phase as it was written down.
type Taken = (Arc<Container>, End, Phase);

/// A shim that answered, and what it said.
type Shim = (tokio::net::UnixStream, shim::protocol::State);

/// Names come first: containers that go on ask for them all the while, and what they have asked waits in their sockets
/// until all that answer are known.
pub async fn restore(shared: &Arc<Shared>) -> Result<()> {
    let s = shared.clone();
    let networks = tokio::task::spawn_blocking(move || crate::open::raise_networks(&s));
    let s = shared.clone();
    let (records, mut traces) =
        blocking(move || Ok((s.records.all()?, find_traces(&s.config.run_root.join("shims"))))).await?;
    let known: HashSet<Id> = records.iter().map(|(r, _)| r.id.clone()).collect();
    // all at once: one that does not answer shall not hold up the others
    let mut looks = Each::default();
    // what belongs to one that cannot be looked at is left as it is
    let mut untouched = HashMap::new();
    for (record, volatile) in records {
        let of_it = traces.remove(&record.id).unwrap_or_default();
        let newest = of_it.first().map(|trace| trace.directory.clone());
        untouched.insert(record.id.clone(), (record.name.clone(), newest));
        looks.begin(&record.id.clone(), look(shared.clone(), record, volatile, of_it));
    }
    let mut strays = Each::default();
    for (id, left) in traces {
        for trace in left {
            let noted = std::fs::read_to_string(trace.directory.join(CGROUP_FILE));
            let cgroup = noted.unwrap_or_else(|_| shared.cgroup_path(&id));
            strays.begin(&id, end_stray(trace, Some(cgroup)));
        }
    }
    let found = looks.done().await;
    strays.done().await;
    found.iter().for_each(|f| drop(untouched.remove(&f.record.id)));
    for (id, (name, _)) in &untouched {
        let _ = shared.registry.reserve(name, id);
    }
    let runs = |f: &&Found| matches!(f.end, End::Runs(..) | End::Unclear(..));
    let live = found.iter().filter(runs).map(|f| (f.record.id.clone(), f.volatile.endpoints.clone()));
    let untouched = untouched.into_iter().map(|(id, (_, newest))| {
        let note = newest.map(|directory| NetworkNote::read(&directory, &shared.bridge_id()));
        (id, note.unwrap_or_default().endpoints)
    });
    let live: HashMap<Id, Vec<Endpoint>> = live.chain(untouched).collect();
    let running: HashSet<Id> = live.keys().cloned().collect();
    let live: Vec<_> = live.into_iter().map(|(id, endpoints)| (id.to_string(), endpoints)).collect();
    let rests_elsewhere =
        |f: &&Found| !running.contains(&f.record.id) && !f.record.host.resources.cgroup_parent.is_empty();
    let elsewhere: Vec<String> =
        found.iter().filter(rests_elsewhere).map(|f| shared.cgroup_place(&f.record).path).collect();
    let (taken, dns): (Vec<_>, Vec<_>) = found.into_iter().map(|f| take_up(shared, f)).unzip();
    serve_names(shared, &taken, dns);
    networks.await.map_err(|e| Error::internal(format!("setting up networks: {e}")))?;
    // before any container may be started again: what is swept now belongs to nobody
    let s = shared.clone();
    let stale = blocking(move || sweep(&s, &known, &running, &elsewhere, &live)).await?;
    // now all are there, for those which join others
    let mut tellings = Each::default();
    for (container, end, was) in taken {
        tellings.begin(&container.id.clone(), acquaint(shared.clone(), container, end, was));
    }
    let acquainted = tellings.done().await;
    let s = shared.clone();
    blocking(move || {
        if let Err(e) = s.cgroup_parents.tidy(&s) {
            tracing::warn!("control groups above those of removed containers are left: {e}");
        }
        crate::open::settle_networks(&s.networks)
    })
    .await?;
    for (container, _) in &acquainted {
        let rerouted = stale.contains(container.id.as_str());
        if let Err(e) = crate::networks::agree(shared, container, rerouted).await {
            tracing::error!("the networks of container {} are not those that were recorded: {e}", container.id);
        }
    }
    for (container, was) in acquainted {
        tokio::spawn(resume(shared.clone(), container, was));
    }
    Ok(())
}

/// What is done for each of many containers at the same time.
struct Each<T>(Vec<(Id, JoinHandle<T>)>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<T: Send + 'static> Each<T> {
    fn begin(&mut self, id: &Id, work: impl Future<Output = T> + Send + 'static) {
        self.0.push((id.clone(), tokio::spawn(work)));
    }

    /// What came of it. One that fails is told of, and missing: it is no reason to have none of the others.
    async fn done(self) -> Vec<T> {
        let mut all = vec![];
        for (id, work) in self.0 {
            match work.await {
                Ok(done) => all.push(done),
                Err(e) => {
                    tracing::error!("container {id} is not restored; its next chance is the daemon's next start: {e}")
                }
            }
        }
        all
    }
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

/// Finds out what became of a container.
async fn look(shared: Arc<Shared>, record: Record, mut volatile: Volatile, traces: Vec<Trace>) -> Found {
    let was = volatile.state.phase;
    let held = matches!(was, Phase::Running { .. } | Phase::Starting { .. });
    // A launch is written down before its directory is made, and its end before its shim is let go.
    let current =
        |t: &Trace| t.generation > volatile.state.generation || held && t.generation == volatile.state.generation;
    let (current, past): (Vec<_>, Vec<_>) = traces.into_iter().partition(current);
    for trace in past {
        end_stray(trace, None).await;
    }
    let mut current = current.into_iter();
    let Some(trace) = current.next() else {
        let end = if held { End::Ended(Fact::Lost { at: Timestamp::now() }) } else { End::Rests };
        return Found { record, volatile, was, end, dns: None };
    };
    let older: Vec<Trace> = current.collect();
    volatile.state.generation = trace.generation;
    let note = NetworkNote::read(&trace.directory, &shared.bridge_id());
    volatile.endpoints = note.endpoints;
    volatile.ports = note.ports;
    // one that runs is waited for as long as its shim lives: it may be stopped, or the machine asleep
    let patience = if matches!(was, Phase::Running { .. }) { None } else { Some(PATIENCE) };
    let mut answer = tokio::spawn(reconnect(trace.directory.clone(), patience));
    let end = match tokio::time::timeout(PROMPT, &mut answer).await {
        Err(_) => End::Unclear(trace.directory, answer),
        Ok(Ok(Some(shim))) => End::Runs(trace.directory, shim),
        Ok(_) => {
            // what was to follow the last run came to nothing: it is that one's end which counts
            older.iter().for_each(|of| lost::pass_on(&of.directory, &trace.directory));
            if held || lost::recorded_exit(&trace.directory).is_some() {
                if !held {
                    volatile.state.phase = Phase::Starting { then: None };
                }
                End::Ended(lost::find_out(&record.id, shared.cgroup_place(&record).path, trace.directory).await)
            } else {
                end_stray(trace, None).await;
                End::Rests
            }
        }
    };
    for stray in older {
        end_stray(stray, None).await;
    }
    let dns = match &end {
        End::Runs(_, shim) if runs(shim) && networks::has_dns(&volatile.endpoints) => {
            listen(&shared, &record, shim).await
        }
        _ => None,
    };
    Found { record, volatile, was, end, dns }
}

/// Opens the sockets by which a container that goes on asks for names. What fails is tried again, and told, later.
async fn listen(shared: &Arc<Shared>, record: &Record, (_, said): &Shim) -> Option<network::dns::Sockets> {
    let started = said.started.as_ref()?;
    let (shared, pid, birth) = (shared.clone(), started.pid, started.birth);
    let opened = blocking(move || {
        let netns = network::namespace_of(pid)?;
        if sys::stat::birth(pid) == birth { shared.networks.dns_sockets(netns).map(Some) } else { Ok(None) }
    });
    opened.await.inspect_err(|e| tracing::debug!("container {}: {e}", record.id)).ok().flatten()
}

/// Supervises it.
fn take_up(shared: &Arc<Shared>, found: Found) -> (Taken, Option<network::dns::Sockets>) {
    let Found { record, mut volatile, was, end, dns } = found;
    if let Err(e) = shared.registry.reserve(&record.name, &record.id) {
        tracing::error!("container {}: {e}", record.id);
    }
    if was == Phase::Removing {
        // its removal begins anew
        volatile.state.phase = Phase::Exited;
    }
    let container = supervise(shared, record, volatile);
    shared.registry.insert(container.clone());
    ((container, end, was), dns)
}

/// Lets containers that go on be found by their names, and answers what they ask.
fn serve_names(shared: &Arc<Shared>, taken: &[Taken], dns: Vec<Option<network::dns::Sockets>>) {
    // all of them first: who is not announced yet is not there
    for (container, ..) in taken.iter().filter(|(_, end, _)| end.goes_on()) {
        shared.serving.begin(&container.id);
        crate::networks::announce(shared, container, &container.volatile().endpoints);
    }
    for ((container, ..), sockets) in taken.iter().zip(dns) {
        let Some(sockets) = sockets else { continue };
        match crate::dns::serve(shared, &container.id, sockets) {
            Ok(served) => shared.serving.dns(&container.id, served),
            Err(e) => tracing::error!("container {} cannot ask for names: {e}", container.id),
        }
    }
}

/// Tells the supervisor what was found, and waits until it knows: whoever asks from then on hears of that, not of what was
/// written down.
async fn acquaint(shared: Arc<Shared>, container: Arc<Container>, end: End, was: Phase) -> (Arc<Container>, Phase) {
    let has_ended = end.has_ended();
    tell(&shared, &container, end).await;
    settled(&container, has_ended).await;
    (container, was)
}

async fn tell(shared: &Arc<Shared>, container: &Arc<Container>, end: End) {
    match end {
        End::Rests => {}
        End::Ended(fact) => container.post(Mail::Fact(fact)),
        End::Runs(directory, shim) => {
            if runs(&shim) {
                serve_again(shared, container).await;
            }
            tell_running(shared, container, directory, shim).await;
        }
        End::Unclear(directory, answer) => {
            // it is the shim that does not answer: the container goes on, and its ports with it
            let served = container.state().is_running();
            if served {
                serve_again(shared, container).await;
            }
            let (shared, container) = (shared.clone(), container.clone());
            tokio::spawn(async move {
                let pid = shim_link::peer(&directory).await.unwrap_or(0);
                let waiting = container.wait_for(Waiting::for_answer(Timestamp::now(), pid));
                tracing::warn!("container {}: {}", container.id, waiting.text());
                match answer.await {
                    Ok(Some(shim)) => {
                        if !served && runs(&shim) {
                            serve_again(&shared, &container).await;
                        }
                        tell_running(&shared, &container, directory, shim).await;
                    }
                    _ => lost::recover(shared, container, directory).await,
                }
            });
        }
    }
}

/// Waits until the supervisor knows what was told. `has_ended`: of an end the shim tells once more, by itself.
async fn settled(container: &Container, has_ended: bool) {
    container.has_read().await;
    if has_ended {
        let generation = container.state().generation;
        let ended = container.until(|state| !state.is_running() || state.generation != generation);
        // who does not is waited for no longer, as one that says nothing at all
        let _ = tokio::time::timeout(PROMPT, ended).await;
    }
}

/// It was started, and has not ended meanwhile.
fn runs((_, said): &Shim) -> bool {
    said.started.is_some() && said.exited.is_none()
}

async fn tell_running(shared: &Arc<Shared>, container: &Arc<Container>, directory: PathBuf, (stream, said): Shim) {
    let state = container.state();
    let Some(started) = said.started else { return };
    let volatile = container.volatile();
    let places = launch::Places { endpoints: volatile.endpoints, ports: volatile.ports };
    if said.exited.is_none() {
        let (s, c, endpoints, of) = (shared.clone(), container.clone(), places.endpoints.clone(), started.clone());
        let again = move || {
            answer_again(&s, &c, &endpoints, &of);
            Ok(())
        };
        if let Err(e) = blocking(again).await {
            tracing::error!("container {} may not find others by name, nor be found: {e}", container.id);
        }
    }
    launch::hand_over(container, state.generation, directory, stream, &started, places);
    // the daemon may have ended between the deed and the note of it
    let group = shared.cgroup_path(&container.id);
    let frozen = blocking(move || Ok(cgroup::Cgroup::open(&group).and_then(|c| c.frozen()).ok())).await;
    match frozen.ok().flatten().unwrap_or(state.is_paused()) {
        true if !state.is_paused() => container.post(Mail::Fact(Fact::Frozen)),
        false if state.is_paused() => container.post(Mail::Fact(Fact::Thawed)),
        _ => {}
    }
}

/// `None`: there is no shim. One that does not answer within `patience` is ended.
async fn reconnect(directory: PathBuf, patience: Option<Duration>) -> Option<Shim> {
    let mut stream = shim_link::connect(&directory).await.ok()?;
    match shim_link::subscribe(&mut stream, patience).await {
        Ok(state) => Some((stream, state)),
        Err(e) => {
            if e.kind == values::ErrorKind::Unavailable {
                tracing::warn!("shim in {}: {e}; it is killed", directory.display());
                shim_link::kill_peer(&stream);
            }
            None
        }
    }
}

/// The ports of a container that ran meanwhile.
async fn serve_again(shared: &Arc<Shared>, container: &Arc<Container>) {
    let volatile = container.volatile();
    let endpoint = networks::port_endpoint(&volatile.endpoints).cloned();
    let Some(endpoint) = endpoint.filter(|_| !volatile.ports.is_empty()) else { return };
    let (s, c) = (shared.clone(), container.clone());
    let adopted = blocking(move || s.networks.adopt_ports(c.id.as_str(), &c.name(), &volatile.ports, &endpoint)).await;
    let id = &container.id;
    match adopted {
        Ok((relays, problems)) => {
            problems.iter().for_each(|problem| tracing::warn!("container {id}: {problem}"));
            shared.serving.relay(id, relays);
        }
        Err(e) => tracing::error!("the ports of container {id} cannot be opened again: {e}"),
    }
}

/// Names and links of a container that ran meanwhile.
fn answer_again(
    shared: &Arc<Shared>,
    container: &Arc<Container>,
    endpoints: &[Endpoint],
    started: &shim::protocol::Started,
) {
    let record = container.record();
    let namespace = || crate::networks::namespace(container, started.pid, started.birth);
    if let Err(e) = crate::networks::answer(shared, container, endpoints, namespace)
        && sys::stat::birth(started.pid) == started.birth
    {
        tracing::error!("container {} cannot ask for names: {e}", container.id);
    }
    if let Ok(links) = crate::container::links::resolve(shared, &record) {
        let passages = crate::container::links::passages(shared, &links, endpoints);
        shared.serving.open(&shared.networks, &container.id, passages);
    }
}

/// A shim, or what is left of one, which no container owns. `cgroup`: its container's, to be ended, too.
async fn end_stray(trace: Trace, cgroup: Option<String>) {
    if let Some((mut stream, state)) = reconnect(trace.directory.clone(), Some(PROMPT)).await {
        shim_link::end(&mut stream, state.exited.is_some()).await;
    }
    let place = trace.directory.clone();
    let ended = blocking(move || {
        if let Some(path) = cgroup {
            lost::end_cgroup(&path);
        }
        lost::forget_now(trace.directory);
        Ok(())
    });
    if let Err(e) = ended.await {
        tracing::error!("what is left in {}: {e}", place.display());
    }
}

/// Removes directories, snapshots, cgroups and addresses which belong to no container. `elsewhere`: groups of resting
/// containers with a parent of their own. Answers who had links that were not written down.
fn sweep(
    shared: &Arc<Shared>,
    known: &HashSet<Id>,
    running: &HashSet<Id>,
    elsewhere: &[String],
    live: &[(String, Vec<Endpoint>)],
) -> Result<HashSet<String>> {
    let is_known = |name: &str| Id::parse(name).is_some_and(|id| known.contains(&id));
    for root in [&shared.config.data_root, &shared.config.run_root] {
        let Ok(entries) = std::fs::read_dir(root.join("containers")) else { continue };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(is_known) {
                tracing::info!("removing {}, which no container owns", entry.path().display());
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
    for key in shared.snapshots.prepared()? {
        if !is_known(image::owner(&key)) {
            shared.snapshots.remove(&key)?;
        }
    }
    for (id, path) in crate::cgroups::in_own_parent(&shared.config) {
        if !running.contains(&id) {
            lost::end_cgroup(&path);
        }
    }
    for path in elsewhere {
        lost::end_cgroup(path);
    }
    Ok(shared.networks.restore(live)?.into_iter().map(|stale| stale.purpose).collect())
}

/// What was asked for, and what its policy wants.
async fn resume(shared: Arc<Shared>, container: Arc<Container>, was: Phase) {
    // what was found is on its way
    let state = container.until(|s| !matches!(s.phase, Phase::Starting { .. })).await;
    let policy = container.record().policy();
    match state.phase {
        Phase::Exited if was == Phase::Removing || policy.auto_remove => {
            let _ = container.ask(Ask::Remove { force: true }).await;
        }
        Phase::Dead | Phase::Running { then: Some(Then::Remove), .. } => {
            let _ = container.ask(Ask::Remove { force: true }).await;
        }
        Phase::Backoff => shared.pace.restart(&container, state.generation).await,
        Phase::Exited | Phase::Created if wanted_at_boot(&state, &policy) => {
            let begin = async { drop(container.ask(Ask::Start).await) };
            shared.pace.start(&container, begin).await;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_fails_leaves_the_others() {
        let mut each = Each::default();
        for number in 0..3 {
            each.begin(&Id::random(), async move {
                assert_ne!(number, 1, "a record that nobody expected");
                number
            });
        }
        assert_eq!(each.done().await, [0, 2]);
    }
}

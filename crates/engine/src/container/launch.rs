//! Starting a container: its network, its files, its shim, all that can overlap overlapping.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use network::{Endpoint, Published, Relay};
use shim::protocol::{self, FailureKind, Fds, Reply};
use sys::crash;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use values::{Error, Id, Result, ResultExt, RootMount, Timestamp};

use super::etc;
use super::handle::{Container, Mail, Pending};
use super::links::Link;
use super::modes::NetworkMode;
use super::record::Record;
use super::state::Fact;
use super::waiting::Step;
use crate::cgroups::Driver;
use crate::selinux::{self, Reach};
use crate::shared::{Shared, blocking};
use crate::shim_link::{self, ShimLink};
use crate::undo::Undo;
use crate::{oci, runtimes, volumes};

/// The words Docker's clients know; 126 and 127 are chosen by what follows them.
const FAILED: &str = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init";
/// What failed before there was a process: no word of its init.
const BEFORE_INIT: &str = "unable to apply cgroup configuration";
/// What an external runtime says follows, from its own log.
const FAILED_OUTSIDE: &str =
    "failed to create task for container: failed to create shim task: OCI runtime create failed";
/// For the previous shim to be gone: it has only a cgroup to remove (see `lost::let_go`).
const CLOSING: Duration = Duration::from_secs(25);

/// For what only the kernel can keep waiting: netlink, the files of the host that are mounted.
const PATIENCE: Duration = Duration::from_secs(60);

struct Failure {
    code: i32,
    message: String,
}

fn late(what: &str, patience: Duration) -> Failure {
    let seconds = patience.as_secs();
    Failure {
        code: 128,
        message: format!("{what} could not be made ready within {seconds} seconds: the kernel keeps it waiting"),
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        // 128: the engine, not the program, is the reason
        Self { code: 128, message: e.message }
    }
}

/// Ends as `Launched` or `LaunchFailed`.
pub async fn launch(shared: Arc<Shared>, container: Arc<Container>, generation: u64, closing: Option<JoinHandle<()>>) {
    container.start_waits_for(Step::Place, 0);
    let mut ready = Ok(());
    if let Some(closing) = closing
        && tokio::time::timeout(CLOSING, closing).await.is_err()
    {
        ready = Err(late("the place of its last life", CLOSING));
    }
    let outcome = match ready {
        Ok(()) => attempt(&shared, &container, generation).await,
        Err(failure) => Err(failure),
    };
    container.start_waits_no_more();
    if let Err(failure) = outcome {
        let Failure { code, message } = failure;
        // a shim that was killed in the middle may have left a running container
        let path = shared.cgroup_path(&container.id);
        let _ = blocking(move || {
            super::lost::end_cgroup(&path);
            Ok(())
        })
        .await;
        // who attached sees the end
        container.pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
        container.post(Mail::Fact(Fact::LaunchFailed { code, message, at: Timestamp::now() }));
    }
}

struct Sandbox {
    netns: Option<OwnedFd>,
    /// The user namespace that `netns` belongs to.
    userns: Option<OwnedFd>,
    places: Places,
    relays: Vec<Relay>,
    dns: Option<network::dns::Sockets>,
}

/// Where a container is to be found.
#[derive(Clone, Default)]
pub struct Places {
    pub endpoints: Vec<Endpoint>,
    pub ports: Vec<Published>,
}

async fn attempt(shared: &Arc<Shared>, container: &Arc<Container>, generation: u64) -> Result<(), Failure> {
    let record = container.record();
    let mut undo = Undo::default();
    // a copy into the container has its root filesystem mounted
    let busy = || Error::conflict(format!("container {}: files are being copied into it", container.id));
    let files = tokio::time::timeout(super::files::PATIENCE, container.files.read());
    let _files = files.await.map_err(|_| busy())?;
    let joined = super::join::joined(shared, &record)?;
    // nobody changes its networks meanwhile
    let _held = container.networking.lock().await;
    let record = if container.record().networks == record.networks { record } else { container.record() };

    let (s, r) = (shared.clone(), record.clone());
    crash::point("start.begun");
    container.start_waits_for(Step::Network, 0);
    let making = tokio::task::spawn_blocking(move || make_sandbox(&s, &r));
    let directory = shared.shim_dir(&container.id, generation);
    let spawned = spawn_shim(shared, &directory, &mut undo).and_then(|spawned| {
        note_cgroup(shared, &record, &directory)?;
        Ok(spawned)
    });
    // whatever became of the shim: what the other task made must be given back
    let mut sandbox = made(shared, &container.id, making).await?;
    let (s, id, places) = (shared.clone(), container.id.clone(), sandbox.places.clone());
    undo.push(move || release(&s, &id, &places));
    let links = serve(shared, &record, &mut sandbox)?;
    crash::point("start.network");
    let (mut stream, shim) = spawned?;

    if !sandbox.places.endpoints.is_empty() {
        // a daemon that comes after this one reads it there
        crate::networks::note(&directory, &sandbox.places.endpoints, &sandbox.places.ports)?;
    }
    crash::point("start.endpoint");
    let external = external(shared, &record)?;
    container.start_waits_for(Step::Files, 0);
    let mounts = super::mounts::of(shared, &record)?;
    super::mounts::reach(shared, &mounts).await?;
    let (s, d, places, built_in) = (shared.clone(), directory.clone(), sandbox.places.clone(), external.is_none());
    let (r, first) = (record.clone(), container.state().exits == 0);
    let preparing = blocking(move || {
        let (prepared, mounted) = prepare(&s, &r, mounts, &places.endpoints, &links, joined, first)?;
        super::links::catch_up(&s, &r, &links, &places.endpoints)?;
        Ok((complete(&s, &r, prepared, built_in, &d)?, s.snapshots.lowest(&r.layers)?, mounted))
    });
    let (prepared, lowest, mounted) =
        tokio::time::timeout(PATIENCE, preparing).await.map_err(|_| late("its files and mounts", PATIENCE))??;
    crash::point("start.prepared");
    let prefix = if built_in { FAILED } else { FAILED_OUTSIDE };
    let (attached, streams) = take_attached(container);
    let order = protocol::Launch {
        container: prepared,
        directory: directory.clone(),
        stdio: stdio(&record),
        log: log_order(shared, &record)?,
        external,
        fds: Fds {
            netns: sandbox.netns.is_some(),
            userns: sandbox.userns.is_some(),
            lowest: lowest.is_some(),
            attached,
        },
    };
    let fds = sandbox.netns.into_iter().chain(sandbox.userns).chain(lowest).chain(mounted).chain(streams).collect();
    container.start_waits_for(Step::Runtime, shim);
    let started = outcome(shim_link::launch(&mut stream, order, fds).await?, prefix)?;
    crash::point("start.answered");
    undo.commit();
    sandbox.places.endpoints.iter().for_each(|endpoint| shared.emit_network("connect", container, endpoint));
    super::links::follow(shared, container, &sandbox.places.endpoints);
    volumes::emit_mounts(shared, container);
    hand_over(container, generation, directory, stream, &started, sandbox.places);
    crash::point("start.handed-over");
    // the next start finds its network namespace made
    shared.networks.prefetch();
    Ok(())
}

/// Waits for the sandbox; one that comes too late is given back when it comes.
async fn made(shared: &Arc<Shared>, id: &Id, mut making: JoinHandle<Result<Sandbox>>) -> Result<Sandbox, Failure> {
    if let Ok(sandbox) = tokio::time::timeout(PATIENCE, &mut making).await {
        return Ok(sandbox.map_err(|e| Error::internal(e.to_string()))??);
    }
    let (shared, id) = (shared.clone(), id.clone());
    tokio::spawn(async move {
        if let Ok(Ok(sandbox)) = making.await {
            release(&shared, &id, &sandbox.places);
        }
    });
    Err(late("its network", PATIENCE))
}

/// Begins what this process does for the container's networks: relayed ports, names, the passages of links.
fn serve(shared: &Arc<Shared>, record: &Record, sandbox: &mut Sandbox) -> Result<Vec<Link>> {
    let (id, endpoints) = (&record.id, &sandbox.places.endpoints);
    shared.serving.begin(id);
    shared.serving.relay(id, std::mem::take(&mut sandbox.relays));
    if let Some(sockets) = sandbox.dns.take() {
        shared.serving.dns(id, crate::dns::serve(shared, id, sockets)?);
        shared.names.set(id, super::networks::member(shared, record, endpoints));
    }
    let links = super::links::resolve(shared, record)?;
    let passages = super::links::passages(shared, &links, endpoints);
    shared.serving.open(&shared.networks, id, passages);
    Ok(links)
}

/// What the shim must know of the runtime, where that is not the built-in one.
fn external(shared: &Shared, record: &Record) -> Result<Option<protocol::External>> {
    let runtime = runtimes::find(&shared.config.runtimes, &record.host.runtime)?;
    let by_systemd = shared.config.cgroup_driver == Driver::Systemd;
    runtime.map(|r| runtimes::external(r, shared.cgroup_path(&record.id), by_systemd)).transpose()
}

/// What depends on which runtime it is.
fn complete(
    shared: &Shared,
    record: &Record,
    mut prepared: runtime::Launch,
    built_in: bool,
    directory: &Path,
) -> Result<runtime::Launch> {
    if prepared.map_root && !built_in {
        return Err(Error::not_implemented(
            "userns-remap is not supported with other runtimes than the built-in one: use --userns=host",
        ));
    }
    if prepared.spec.hooks.is_some() && built_in {
        make_bundle(&directory.join("bundle"), &mut prepared)?;
    }
    let limits = prepared.spec.linux.as_ref().and_then(|linux| linux.resources.clone()).unwrap_or_default();
    shared.cgroup_parents.note(shared, record, built_in.then_some(&limits))?;
    Ok(prepared)
}

/// The clients that attached before the start, and their streams, in the same order.
fn take_attached(container: &Container) -> (Vec<protocol::Attach>, Vec<OwnedFd>) {
    let pending = std::mem::take(&mut *container.pending.lock().unwrap_or_else(PoisonError::into_inner));
    let with_stream = |client: Pending| Some((client.attach, OwnedFd::from(client.stream.into_std().ok()?)));
    pending.into_iter().filter_map(with_stream).unzip()
}

/// The shim's answer. `prefix`: Docker's words before those of the runtime.
fn outcome(reply: Reply, prefix: &str) -> Result<protocol::Started, Failure> {
    let failed = match reply {
        Reply::Started(started) => return Ok(started),
        Reply::Failed(failed) => failed,
        Reply::Refused(why) => return Err(Error::internal(why).into()),
        other => return Err(Error::internal(format!("the shim answered unexpectedly: {other:?}")).into()),
    };
    let code = exit_code(failed.kind, &failed.message);
    if is_daemons_own(&failed.message) {
        return Err(Failure { code, message: failed.message });
    }
    let prefix = match failed.message.starts_with(BEFORE_INIT) {
        true => prefix.trim_end_matches(": error during container init"),
        false => prefix,
    };
    Err(Failure { code, message: format!("{prefix}: {}", failed.message) })
}

/// By what failed, or else, as Docker's clients do, by the words of the failure.
pub fn exit_code(kind: FailureKind, message: &str) -> i32 {
    if runtime::part_refused(message).is_some() {
        return 128;
    }
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| message.contains(w));
    match kind {
        FailureKind::NotFound => 127,
        FailureKind::NotExecutable => 126,
        FailureKind::Other if has(&["executable file not found", "no such file or directory"]) => 127,
        FailureKind::Other if has(&["permission denied", "is a directory"]) => 126,
        FailureKind::Other => 128,
    }
}

/// What Docker's daemon finds out itself has no prefix of the runtime.
pub fn is_daemons_own(message: &str) -> bool {
    let own = ["unable to find user ", "unable to find group ", "uids and gids must be in range "];
    own.iter().any(|words| message.starts_with(words)) || runtime::part_refused(message).is_some()
}

/// From here on the supervisor owns the shim.
pub fn hand_over(
    container: &Arc<Container>,
    generation: u64,
    directory: PathBuf,
    stream: UnixStream,
    started: &protocol::Started,
    places: Places,
) {
    let (link, service) = ShimLink::new();
    let fact = Fact::Launched { pid: started.pid, birth: started.birth, at: started.at };
    let Places { endpoints, ports } = places;
    container.post(Mail::Launched { fact, link, endpoints, ports, directory });
    let told = container.clone();
    service.start(stream, move |what| told.post(Mail::Told { generation, told: what }));
}

/// Runs the shim with one end of a socketpair as its descriptor 0; returns the other, and its number.
fn spawn_shim(shared: &Shared, directory: &Path, undo: &mut Undo) -> Result<(UnixStream, i32)> {
    // what an earlier daemon left under this name is not ours
    let _ = std::fs::remove_dir_all(directory);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .during(|| format!("mkdir {}", directory.display()))?;
    let path = directory.to_owned();
    undo.push(move || super::lost::forget_now(path));
    crash::point("start.directory");
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let program = &shared.config.shim;
    let mut child = tokio::process::Command::new(format!("/proc/self/fd/{}", shared.shim_program.as_raw_fd()))
        .arg0(program)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(shared.shim_stderr())
        .env_clear()
        .envs(crash::environment())
        .spawn()
        .during(|| format!("cannot run {}", program.display()))?;
    crash::point("start.spawned");
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
    // Without its socket it ends by itself, unless it is stuck. Once dropped, tokio reaps it whenever it ends.
    undo.push(move || {
        let _ = child.start_kill();
    });
    Ok((UnixStream::from_std(ours)?, pid))
}

/// Writes down where the control group is that the shim will make, if it is not where all are: a daemon that finds the
/// shim but no record any more ends it by that.
fn note_cgroup(shared: &Shared, record: &Record, directory: &Path) -> Result<()> {
    if record.host.resources.cgroup_parent.is_empty() {
        return Ok(());
    }
    let path = directory.join(crate::restore::CGROUP_FILE);
    std::fs::write(&path, shared.cgroup_place(record).path).during(|| format!("write {}", path.display()))
}

fn make_sandbox(shared: &Shared, record: &Record) -> Result<Sandbox> {
    let none = Sandbox { netns: None, userns: None, places: Places::default(), relays: vec![], dns: None };
    match record.network() {
        NetworkMode::Host | NetworkMode::Container(_) => Ok(none),
        NetworkMode::None => {
            let remap = oci::of_remap(&record.host, &shared.config.defaults);
            let made = network::isolated(remap.map(crate::open::namespace_owner))?;
            Ok(Sandbox { netns: Some(made.netns), userns: made.userns, ..none })
        }
        NetworkMode::Bridge | NetworkMode::Named(_) => {
            connected(shared, record).during(|| "failed to set up container networking")
        }
    }
}

fn connected(shared: &Shared, record: &Record) -> Result<Sandbox> {
    let requests = super::networks::requests(shared, record)?;
    let host_ids = record.host.userns_mode == "host";
    let made = shared.networks.sandbox(record.id.as_str(), &requests, host_ids)?;
    let taken = crate::networks::publish(shared, record, &made.endpoints).inspect_err(|_| {
        release(shared, &record.id, &Places { endpoints: made.endpoints.clone(), ports: vec![] });
    })?;
    let places = Places { endpoints: made.endpoints, ports: taken.published };
    let asks = super::networks::has_dns(&places.endpoints);
    let sockets = || shared.networks.dns_sockets(made.netns.try_clone()?);
    let dns = asks.then(sockets).transpose().inspect_err(|_| release(shared, &record.id, &places))?;
    Ok(Sandbox { netns: Some(made.netns), userns: made.userns, places, relays: taken.relays, dns })
}

/// Gives back what a launch took that came to nothing.
fn release(shared: &Shared, id: &Id, places: &Places) {
    shared.serving.end(&shared.networks, id);
    shared.names.remove(id);
    if !places.ports.is_empty()
        && let Err(e) = shared.networks.unpublish(id.as_str())
    {
        tracing::error!("taking back the ports of container {id}: {e}");
    }
    places.endpoints.iter().for_each(|e| shared.networks.release(id.as_str(), &e.network_id));
    crate::lingering::sweep_later(shared, &places.endpoints);
}

/// Files and plan: everything the shim needs to know.
fn prepare(
    shared: &Arc<Shared>,
    record: &Record,
    mut mounts: Vec<super::mounts::Resolved>,
    endpoints: &[Endpoint],
    links: &[Link],
    joined: oci::Joined,
    first: bool,
) -> Result<(runtime::Launch, Vec<OwnedFd>)> {
    let etc = etc::write(shared, record, endpoints, links)?;
    // until the state says that it is being started, which it does: then its layers are not exchanged either
    let _inside = shared.images.enter(&record.layers)?;
    let mounted = super::mounts::images::open(shared, &record.id, &mut mounts)?;
    crash::point("start.images-opened");
    let root = || shared.snapshots.mounts(record.id.as_str(), &record.layers, record.snapshot_options());
    let rootfs = shared.images.mended(&record.image, &record.layers, root)?;
    if let Some(bytes) = record.storage_size() {
        shared.snapshots.limit(record.id.as_str(), bytes)?;
    }
    if let (RootMount::Overlay { work, volatile: true, .. }, false) = (&rootfs, first) {
        // overlayfs refuses an upper directory that a volatile mount has used (Documentation/filesystems/overlayfs)
        let _ = std::fs::remove_dir_all(work.join("work/incompat"));
    }
    relabel(record, &etc, &mounts)?;
    let cgroup_path = shared.cgroup_place(record).told;
    let link_env = super::links::variables(links, &record.name);
    let input = input(shared, record, &mounts, etc.as_input(), cgroup_path, joined, rootfs);
    let launch = oci::launch(&oci::Input { link_env: &link_env, ..input })?;
    Ok((launch, mounted.lowest))
}

/// Where containers are labelled for SELinux: the files that are ours, and volumes as was asked (`:z`, `:Z`).
fn relabel(record: &Record, etc: &etc::Files, mounts: &[super::mounts::Resolved]) -> Result<()> {
    let label = &record.mount_label;
    if label.is_empty() {
        return Ok(());
    }
    for file in [&etc.hostname, &etc.hosts, &etc.resolv_conf].into_iter().filter(|file| file.exists()) {
        selinux::relabel(file, label, Reach::Private)?;
    }
    for mount in mounts.iter().filter(|mount| mount.is_on_host()) {
        match mount.relabel() {
            Some(reach) if mount.part.is_empty() => selinux::relabel(Path::new(mount.host_path()), label, reach)?,
            Some(reach) => selinux::relabel_open(&mount.open()?, mount.host_path(), label, reach)?,
            None => {}
        }
    }
    Ok(())
}

/// [`input`] for an exec in a running container.
pub fn exec_input<'a>(shared: &'a Shared, record: &'a Record, link_env: &'a [String]) -> oci::Input<'a> {
    let nowhere = RootMount::Directory { path: "/".into() };
    let input = input(shared, record, &[], oci::EtcFiles::default(), String::new(), oci::Joined::default(), nowhere);
    oci::Input { link_env, ..input }
}

/// For hooks, which look for the configuration and the root file system in a bundle.
fn make_bundle(directory: &Path, launch: &mut runtime::Launch) -> Result<()> {
    let root = directory.join("rootfs");
    std::fs::create_dir_all(&root).during(|| format!("mkdir {}", root.display()))?;
    if let Some(root) = &mut launch.spec.root {
        root.path = "rootfs".into();
    }
    let text = serde_json::to_vec(&launch.spec).map_err(|e| Error::internal(e.to_string()))?;
    let path = directory.join("config.json");
    std::fs::write(&path, text).during(|| format!("write {}", path.display()))?;
    launch.bundle = Some(directory.to_owned());
    Ok(())
}

/// What the OCI specification of a container follows from.
pub fn input<'a>(
    shared: &'a Shared,
    record: &'a Record,
    mounts: &'a [super::mounts::Resolved],
    etc: oci::EtcFiles<'a>,
    cgroup_path: String,
    joined: oci::Joined,
    rootfs: RootMount,
) -> oci::Input<'a> {
    oci::Input {
        id: record.id.as_str(),
        hostname: record.hostname(),
        config: &record.config,
        host: &record.host,
        mounts,
        etc,
        cgroup_path,
        defaults: &shared.config.defaults,
        machine: &shared.machine,
        joined,
        rootfs,
        plain: !runtimes::BUILT_IN.contains(&record.host.runtime.as_str()),
        link_env: &[],
        process_label: &record.process_label,
        mount_label: &record.mount_label,
    }
}

fn stdio(record: &Record) -> protocol::Stdio {
    let [rows, cols] = record.host.console_size;
    protocol::Stdio {
        terminal: record.config.tty,
        rows: u16::try_from(rows).unwrap_or(0),
        cols: u16::try_from(cols).unwrap_or(0),
        open_stdin: record.config.open_stdin,
        stdin_once: record.config.stdin_once,
    }
}

fn log_order(shared: &Shared, record: &Record) -> Result<protocol::Log> {
    let subject = super::log::Subject {
        id: record.id.as_str(),
        name: &record.name,
        image: &record.config.image,
        image_id: record.image.as_str(),
    };
    let settings = super::log::settings(&record.host.log_config, &record.config, subject)?;
    Ok(match settings {
        None => protocol::Log { max_files: 1, ..protocol::Log::default() },
        Some(s) => protocol::Log {
            path: Some(shared.log_path(record)),
            max_size: s.max_size,
            max_files: s.max_files,
            compress: s.compress,
            attrs: s.attrs,
            buffer: s.buffer,
        },
    })
}

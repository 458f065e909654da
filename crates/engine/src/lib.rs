//! The engine: containers and images as Docker's users know them, behind one object.
//!
//! [`Engine`] has one method for each thing a user can ask. Whoever calls it (the API server, later compose and the
//! builder) needs no knowledge of shims, snapshots or links.

mod apparmor;
mod byte_stream;
pub mod cdi;
mod cgroup_parents;
pub mod cgroups;
pub mod config;
pub mod container;
mod detach_keys;
mod disk_usage;
mod distribution;
mod dns;
mod events;
mod exec;
#[cfg(fuzzing)]
pub mod fuzzing;
mod garbage;
mod image_prune;
mod image_view;
mod images;
mod kept;
mod lingering;
mod machine;
mod names;
mod networks;
mod oci;
mod open;
mod pace;
mod prune;
mod reach;
mod records;
mod registry;
mod relay;
pub mod remap;
mod restore;
mod runtimes;
mod selinux;
mod serving;
mod settling;
mod shared;
mod shim_link;
mod system;
mod tidy;
mod undo;
mod verify;
mod volumes;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use api::Filters;
use api::progress::JsonMessage;
use api::types::{
    ContainerCreateRequest, ContainerInspect, ContainerReach, ContainerSummary, ContainerWhy, ContainersPruneResponse,
    CreateResponse, DiskUsage, ExecCreateRequest, ExecInspect, ExecStartRequest, FilesystemChange, HistoryItem,
    IdResponse, ImageDeleteItem, ImageInspect, ImagePruneResponse, ImageSummary, Network, NetworkConnectRequest,
    NetworkCreateRequest, NetworkCreateResponse, NetworkDisconnectRequest, NetworkDoctor, NetworkPruneResponse,
    PathStat, Stats, SystemInfo, SystemVersion, TopResponse, UpdateRequest, UpdateResponse, WaitResponse,
};
use api::types::{DistributionInspect, ManifestDocument, ManifestPut, ManifestStored, SearchResult};
use api::types::{Volume, VolumeCreateRequest, VolumeList, VolumePruneResponse};
use tokio::sync::mpsc::UnboundedSender;
use values::{Digest, Error, Platform, Result, Timestamp};

pub use ::registry::{AllCredentials, Credentials};
pub use byte_stream::ByteStream;
pub use config::Config;
pub use container::attach::{AttachOptions, Attached, DetachNotice, EndNotice};
pub use container::commit::CommitOptions;
pub use container::files::copy_in::CopyOptions;
pub use container::logs::{LogOptions, LogStream};
pub use container::stats::StatsStream;
pub use container::wait::WaitCondition;
pub use distribution::{PullOptions, PushOptions, SearchOptions};
pub use events::EventStream;
pub use exec::ExecStart;
pub use garbage::Policy as GcPolicy;
pub use images::ImportOptions;
pub use runtimes::BUILT_IN as BUILT_IN_RUNTIMES;

use container::Container;
use shared::Shared;

pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Opens the stores, reconnects to what runs, sweeps what nobody owns.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let shared = open::open(config).await?;
        restore::restore(&shared).await?;
        verify::verify_recent(&shared);
        shared.garbage.soon();
        Ok(Arc::new(Self { shared }))
    }

    /// The daemon ends. `stop_containers`: give them so long to end; `None`: they go on.
    pub async fn close(&self, stop_containers: Option<Duration>) {
        open::close(&self.shared, stop_containers).await;
    }

    fn find(&self, id: &str) -> Result<Arc<Container>> {
        container::links::find(&self.shared, id)
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    // ── system ──

    pub fn version(&self) -> SystemVersion {
        system::version(&self.shared.machine)
    }

    pub async fn info(&self) -> SystemInfo {
        let shared = &self.shared;
        let all = shared.registry.all();
        let count =
            |wanted: &dyn Fn(&container::state::State) -> bool| all.iter().filter(|c| wanted(&c.state())).count();
        let (paused, up) = (count(&|s| s.is_paused()), count(&|s| s.is_running()));
        let registries = shared.distribution();
        let facts = system::Facts {
            config: &shared.config,
            registries: registries.config(),
            daemon_id: &shared.daemon_id,
            running: up - paused,
            paused,
            stopped: all.len() - up,
            images: shared.images.list().len(),
            driver: shared.snapshots.driver(),
            driver_status: shared.snapshots.status(),
            event_listeners: shared.events.listeners(),
            selinux: shared.selinux.is_some(),
        };
        let mut info = system::info(&facts, &shared.machine);
        let of_firewall = self.shared.clone();
        let warnings = shared::blocking(move || {
            let unwatched = of_firewall.networks.unwatched().map(|text| format!("WARNING: {text}"));
            Ok([reach::warnings(&of_firewall), unwatched.into_iter().collect()].concat())
        })
        .await;
        info.warnings.get_or_insert_default().extend(warnings.unwrap_or_default());
        info
    }

    /// Filters it does not know count for nothing, as in Docker.
    pub fn events(&self, since: Option<Timestamp>, until: Option<Timestamp>, filters: Filters) -> EventStream {
        self.shared.events.listen(since, until, filters)
    }

    /// An event of the daemon itself (`reload`).
    pub fn emit_daemon_event(&self, action: &str) {
        let mut attributes = std::collections::BTreeMap::new();
        attributes.insert("name".into(), rustix::system::uname().nodename().to_string_lossy().into_owned());
        self.shared.events.emit("daemon", action, &self.shared.daemon_id, attributes);
    }

    /// Is what is kept what it should be? With credentials it is repaired. Ends early when nobody listens to `progress` any
    /// more.
    pub async fn system_verify(
        &self,
        repair: Option<AllCredentials>,
        progress: UnboundedSender<JsonMessage>,
    ) -> Result<()> {
        verify::verify(&self.shared, repair, progress).await
    }

    /// No kinds are all; `items`: each object, not the sums alone.
    pub async fn disk_usage(&self, kinds: Vec<String>, items: bool) -> Result<DiskUsage> {
        disk_usage::disk_usage(&self.shared, kinds, items).await
    }

    // ── containers ──

    pub async fn container_create(
        &self,
        name: Option<&str>,
        platform: Option<&str>,
        body: ContainerCreateRequest,
    ) -> Result<CreateResponse> {
        container::create::create(&self.shared, name, platform, body).await
    }

    /// Gives the containers one after the other, until `each` fails.
    pub fn container_list(
        &self,
        all: bool,
        limit: i64,
        size: bool,
        filters: &Filters,
        each: impl FnMut(ContainerSummary) -> Result<()>,
    ) -> Result<()> {
        container::list::list(&self.shared, all, limit, size, filters, each)
    }

    pub fn container_inspect(&self, id: &str, size: bool) -> Result<ContainerInspect> {
        container::view::inspect(&self.shared, &*self.find(id)?, size)
    }

    pub async fn container_start(&self, id: &str) -> Result<()> {
        container::verbs::start(&self.find(id)?).await
    }

    /// Answers a warning when the signal could not end it.
    pub async fn container_stop(&self, id: &str, signal: Option<&str>, timeout: Option<i64>) -> Result<Option<String>> {
        let container = self.find(id)?;
        let stop = async {
            let warning = container::deaf::warning(&container, container::verbs::parse(&container, signal)?);
            container::verbs::stop(&self.shared, &container, signal, timeout).await?;
            Ok(warning)
        };
        stop.await.map_err(|e: Error| e.context(format!("cannot stop container: {id}")))
    }

    /// As [`Engine::container_stop`].
    pub async fn container_restart(
        &self,
        id: &str,
        signal: Option<&str>,
        timeout: Option<i64>,
    ) -> Result<Option<String>> {
        let container = self.find(id)?;
        let restart = async {
            let warning = container::deaf::warning(&container, container::verbs::parse(&container, signal)?);
            container::verbs::restart(&self.shared, &container, signal, timeout).await?;
            Ok(warning)
        };
        restart.await.map_err(|e: Error| e.context(format!("Cannot restart container {id}")))
    }

    /// Why it is as it is, and what happens next. `signal`: which the stop warning is about.
    pub async fn container_why(&self, id: &str, signal: Option<&str>) -> Result<ContainerWhy> {
        container::why::why(&self.shared, &self.find(id)?, signal).await
    }

    /// Who can reach its ports, and why.
    pub async fn container_reach(&self, id: &str) -> Result<ContainerReach> {
        reach::reach(&self.shared, &self.find(id)?).await
    }

    pub async fn container_kill(&self, id: &str, signal: Option<&str>) -> Result<()> {
        let kill = async { container::verbs::kill(&self.find(id)?, signal).await };
        kill.await.map_err(|e| e.context(format!("cannot kill container: {id}")))
    }

    pub async fn container_pause(&self, id: &str) -> Result<()> {
        container::verbs::pause(&self.find(id)?).await
    }

    pub async fn container_unpause(&self, id: &str) -> Result<()> {
        container::verbs::unpause(&self.find(id)?).await
    }

    pub async fn container_rename(&self, id: &str, new_name: &str) -> Result<()> {
        let (shared, container, name) = (self.shared.clone(), self.find(id)?, new_name.to_owned());
        shared::whole(async move { container::rename::rename(&shared, &container, &name).await }).await
    }

    /// Subscribed when it returns.
    pub fn container_wait(
        &self,
        id: &str,
        condition: WaitCondition,
    ) -> Result<impl Future<Output = WaitResponse> + Send + 'static> {
        let gone = |error| match condition {
            WaitCondition::NextExit => Err(error),
            WaitCondition::NotRunning | WaitCondition::Removed => self.shared.departed.code(id).ok_or(error),
        };
        let ended = match self.find(id) {
            Ok(container) => Ok(container::wait::wait(&container, condition)),
            Err(error) => Err(gone(error)?),
        };
        Ok(async move {
            match ended {
                Ok(ended) => ended.await,
                Err(code) => WaitResponse { status_code: i64::from(code), ..WaitResponse::default() },
            }
        })
    }

    /// `link`: `id` is the name that a link gives; only that goes.
    pub async fn container_remove(&self, id: &str, force: bool, volumes: bool, link: bool) -> Result<()> {
        if link {
            return container::links::remove(&self.shared, id).await;
        }
        let container = self.find(id)?;
        container::remove::remove(&container, id, force, volumes).await
    }

    pub async fn container_attach(&self, id: &str, options: AttachOptions) -> Result<Attached> {
        container::attach::attach(&self.shared, &self.find(id)?, options).await
    }

    pub async fn container_logs(&self, id: &str, options: LogOptions) -> Result<LogStream> {
        container::logs::logs(&self.shared, &self.find(id)?, &options).await
    }

    pub async fn container_resize(&self, id: &str, rows: u16, cols: u16) -> Result<()> {
        let container = self.find(id)?;
        let (directory, link) = container.link()?;
        // one without a terminal has no size: docker says nothing either
        if container.record().config.tty {
            let asked = values::Timestamp::now();
            let outcome = link.ask(shim::protocol::Request::Resize { exec: None, rows, cols }).await;
            container.answered(asked, &directory, outcome).await?;
        }
        let mut attributes = container.event_attributes();
        attributes.insert("height".into(), rows.to_string());
        attributes.insert("width".into(), cols.to_string());
        self.shared.events.emit("container", "resize", container.id.as_str(), attributes);
        Ok(())
    }

    /// One report. `lately`: with the use of the processor over the last moments, which takes a moment.
    pub async fn container_stats(&self, id: &str, lately: bool) -> Result<Stats> {
        let container = self.find(id)?;
        match lately {
            true => container::stats::lately(&self.shared, &container).await,
            false => container::stats::now(&self.shared, &container).await,
        }
    }

    /// A report every second.
    pub fn container_stats_stream(&self, id: &str) -> Result<StatsStream> {
        Ok(StatsStream::new(&self.shared, &self.find(id)?))
    }

    pub async fn container_update(&self, id: &str, body: UpdateRequest) -> Result<UpdateResponse> {
        let (shared, container) = (self.shared.clone(), self.find(id)?);
        shared::whole(async move { container::update::update(&shared, &container, body).await }).await
    }

    pub async fn container_prune(&self, filters: &Filters) -> Result<ContainersPruneResponse> {
        container::prune::prune(&self.shared, filters).await
    }

    pub async fn container_top(&self, id: &str, ps_args: &str) -> Result<TopResponse> {
        let container = self.find(id)?;
        if !container.state().is_running() {
            return Err(container.not_running());
        }
        let path = self.shared.cgroup_path(&container.id);
        let pids = shared::blocking(move || cgroup::Cgroup::open(&path)?.pids()).await?;
        let top = container::top::top(&pids, ps_args).await?;
        self.shared.emit_container("top", &container);
        Ok(top)
    }

    // ── containers' files ──

    pub async fn container_stat_path(&self, id: &str, path: &str) -> Result<PathStat> {
        container::files::stat::stat(&self.shared, &self.find(id)?, path).await
    }

    /// What is at a path, and a tar of it.
    pub async fn container_copy_out(&self, id: &str, path: &str) -> Result<(PathStat, ByteStream)> {
        container::files::copy_out::copy_out(&self.shared, &self.find(id)?, path).await
    }

    pub async fn container_copy_in(
        &self,
        id: &str,
        path: &str,
        tar: Box<dyn Read + Send>,
        options: CopyOptions,
    ) -> Result<()> {
        container::files::copy_in::copy_in(&self.shared, &self.find(id)?, path, tar, options).await
    }

    pub async fn container_changes(&self, id: &str) -> Result<Vec<FilesystemChange>> {
        container::files::changes::changes(&self.shared, &self.find(id)?).await
    }

    /// The new image's id.
    pub async fn container_commit(&self, id: &str, options: CommitOptions) -> Result<Digest> {
        container::commit::commit(&self.shared, &self.find(id)?, options).await
    }

    pub async fn container_export(&self, id: &str) -> Result<ByteStream> {
        container::files::export::export(&self.shared, &self.find(id)?).await
    }

    // ── execs ──

    pub async fn exec_create(&self, container: &str, body: ExecCreateRequest) -> Result<IdResponse> {
        exec::create(&self.shared, &self.find(container)?, body).await
    }

    /// Admits the start; [`ExecStart::run`] does it.
    pub fn exec_start(&self, exec: &str, body: ExecStartRequest) -> Result<ExecStart> {
        exec::admit(&self.shared, exec, body)
    }

    pub fn exec_inspect(&self, exec: &str) -> Result<ExecInspect> {
        exec::inspect(&self.shared, exec)
    }

    pub async fn exec_resize(&self, exec: &str, rows: u16, cols: u16) -> Result<()> {
        exec::resize(&self.shared, exec, rows, cols).await
    }

    // ── images ──

    pub fn image_list(
        &self,
        all: bool,
        filters: &Filters,
        shared_size: bool,
        digests: bool,
        manifests: bool,
    ) -> Result<Vec<ImageSummary>> {
        images::list(&self.shared, all, filters, shared_size, digests, manifests)
    }

    pub fn image_inspect(&self, name: &str, platform: Option<&Platform>) -> Result<ImageInspect> {
        images::inspect(&self.shared, name, platform)
    }

    pub fn image_history(&self, name: &str, platform: Option<&Platform>) -> Result<Vec<HistoryItem>> {
        images::history(&self.shared, name, platform)
    }

    pub async fn image_load(
        &self,
        reader: Box<dyn Read + Send>,
        quiet: bool,
        platform: Option<Platform>,
        progress: UnboundedSender<JsonMessage>,
    ) -> Result<()> {
        images::load(&self.shared, reader, quiet, platform, progress).await
    }

    /// Ends with the new image's id as status.
    pub async fn image_import(
        &self,
        reader: Box<dyn Read + Send>,
        options: ImportOptions,
        progress: UnboundedSender<JsonMessage>,
    ) -> Result<()> {
        images::import(&self.shared, reader, options, progress).await
    }

    pub fn image_save(&self, names: &[String], platform: Option<&Platform>) -> Result<ByteStream> {
        images::save(&self.shared, names, platform)
    }

    pub async fn image_prune(&self, filters: Filters) -> Result<ImagePruneResponse> {
        image_prune::images(&self.shared, filters).await
    }

    pub async fn image_tag(&self, name: &str, repo: &str, tag: &str) -> Result<()> {
        images::tag(&self.shared, name, repo, tag).await
    }

    pub async fn image_remove(
        &self,
        name: &str,
        force: bool,
        noprune: bool,
        platform: Option<&Platform>,
    ) -> Result<Vec<ImageDeleteItem>> {
        images::remove(&self.shared, name, force, noprune, platform).await
    }

    // ── registries ──

    /// Ends early when nobody listens to `progress` any more.
    pub async fn image_pull(&self, options: PullOptions, progress: UnboundedSender<JsonMessage>) -> Result<()> {
        distribution::pull(&self.shared, options, progress).await
    }

    /// Ends early when nobody listens to `progress` any more.
    pub async fn image_push(&self, options: PushOptions, progress: UnboundedSender<JsonMessage>) -> Result<()> {
        distribution::push(&self.shared, options, progress).await
    }

    pub async fn image_search(&self, options: SearchOptions) -> Result<Vec<SearchResult>> {
        distribution::search(&self.shared, options).await
    }

    pub async fn distribution_inspect(&self, name: &str, credentials: Credentials) -> Result<DistributionInspect> {
        distribution::inspect(&self.shared, name, credentials).await
    }

    pub async fn distribution_manifest(
        &self,
        name: &str,
        insecure: bool,
        credentials: Credentials,
    ) -> Result<ManifestDocument> {
        distribution::manifest(&self.shared, name, insecure, credentials).await
    }

    pub async fn distribution_put(
        &self,
        name: &str,
        insecure: bool,
        credentials: Credentials,
        put: ManifestPut,
    ) -> Result<ManifestStored> {
        distribution::put_manifest(&self.shared, name, insecure, credentials, put).await
    }

    /// Whether a registry takes the credentials; the token to keep in place of a password, or nothing.
    pub async fn registry_login(&self, credentials: &Credentials) -> Result<String> {
        self.shared.distribution().login(credentials).await
    }

    /// Counts for pulls and pushes that begin from now on.
    pub fn set_registries(&self, config: ::registry::Config) {
        let mut current = self.shared.distribution.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *current = Arc::new(::registry::Client::new(config));
    }

    // ── volumes ──

    pub async fn volume_create(&self, body: VolumeCreateRequest) -> Result<Volume> {
        volumes::create(&self.shared, body).await
    }

    pub fn volume_list(&self, filters: &Filters) -> Result<VolumeList> {
        volumes::list(&self.shared, filters)
    }

    pub fn volume_inspect(&self, name: &str) -> Result<Volume> {
        volumes::inspect(&self.shared, name)
    }

    /// `force`: one that is not there is no error.
    pub async fn volume_remove(&self, name: &str, force: bool) -> Result<()> {
        volumes::remove(&self.shared, name, force).await
    }

    pub async fn volume_prune(&self, filters: Filters) -> Result<VolumePruneResponse> {
        volumes::prune(&self.shared, filters).await
    }

    /// Counts from now on.
    pub fn set_image_gc(&self, policy: GcPolicy) {
        self.shared.garbage.set_policy(policy);
    }

    // ── networks ──

    pub async fn network_create(&self, body: NetworkCreateRequest) -> Result<NetworkCreateResponse> {
        let shared = self.shared.clone();
        shared::whole(async move { networks::create(&shared, body).await }).await
    }

    pub async fn network_connect(&self, network: &str, body: NetworkConnectRequest) -> Result<()> {
        let (shared, network) = (self.shared.clone(), network.to_owned());
        shared::whole(async move { networks::connect(&shared, &network, body).await }).await
    }

    pub async fn network_disconnect(&self, network: &str, body: NetworkDisconnectRequest) -> Result<()> {
        let (shared, network) = (self.shared.clone(), network.to_owned());
        shared::whole(async move { networks::disconnect(&shared, &network, body).await }).await
    }

    pub async fn network_remove(&self, network: &str) -> Result<()> {
        let (shared, network) = (self.shared.clone(), network.to_owned());
        shared::whole(async move { networks::remove(&shared, &network).await }).await
    }

    pub async fn network_prune(&self, filters: &Filters) -> Result<NetworkPruneResponse> {
        networks::prune(&self.shared, filters).await
    }

    /// Are they as they should be?
    pub async fn network_doctor(&self) -> Result<NetworkDoctor> {
        networks::doctor(&self.shared).await
    }

    pub fn network_list(&self, filters: &Filters) -> Result<Vec<Network>> {
        networks::listed(&self.shared, filters)
    }

    pub fn network_inspect(&self, name: &str) -> Result<Network> {
        networks::inspect(&self.shared, name)
    }
}

//! A daemon's life, from its configuration to its end.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use engine::Engine;
use engine::remap::Remap;
use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit, setrlimit};
use values::{Error, Result, ResultExt};

use crate::configuration::Configuration;
use crate::roots::Roots;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::sockets::{self, Sockets};
use crate::systemd::{self, Notifier};
use crate::{log, memory, precedence};

const SHIM: &str = "lighter-shim";
/// Threads for what never blocks: more would only cost memory.
const WORKERS: std::ops::RangeInclusive<usize> = 2..=4;
/// Open files we ask for if the hard limit is infinite.
const MOST_FILES: u64 = 1 << 20;
/// Threads for what blocks. Each keeps some memory; what waits for one waits for others' disk and kernel work anyway.
const BLOCKING: usize = 48;
/// An idle thread for blocking work ends after this: before the engine gives memory back (`engine::tidy`).
const IDLE_THREAD: Duration = Duration::from_secs(2);
/// For threads that are still in the kernel's hands at the end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs until SIGTERM or SIGINT. Errors are those of the start.
pub fn run(configuration: Configuration) -> Result<()> {
    memory::keep_whole();
    // Before anything is opened: later a number could be some other file's.
    let inherited = systemd::inherited(env("LISTEN_PID").as_deref(), env("LISTEN_FDS").as_deref());
    if !rustix::process::geteuid().is_root() {
        return Err(Error::forbidden("lighter daemon needs to be started with root privileges"));
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    log::start(configuration.settings.log);
    precedence::take();
    let files = raise_file_limit();
    let roots = Roots::take(&configuration.settings)?;
    let workers = std::thread::available_parallelism().map_or(*WORKERS.start(), usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.clamp(*WORKERS.start(), *WORKERS.end()))
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(IDLE_THREAD)
        .thread_name("lighter")
        .enable_all()
        .build()
        .during(|| "start threads")?;
    let notifier = Notifier::new(env("NOTIFY_SOCKET"));
    let outcome = runtime.block_on(serve(configuration, &roots, inherited, &notifier, files));
    runtime.shutdown_timeout(LAST_WORDS);
    outcome
}

async fn serve(
    mut configuration: Configuration,
    roots: &Roots,
    inherited: Vec<OwnedFd>,
    notifier: &Notifier,
    file_limit: (i64, i64),
) -> Result<()> {
    let mut signals = Signals::catch()?;
    // Before the engine: a client that comes meanwhile waits in the queue, and a socket in use is told at once.
    let Sockets { listeners, files } = sockets::open(&configuration.settings, inherited).await?;
    let mut config = configuration.settings.engine(&roots.data, &roots.exec, shim()?);
    config.defaults.ulimits.entry("nofile".into()).or_insert(file_limit);
    engine::cgroups::check_daemon(config.cgroup_driver, &config.cgroup_parent)?;
    config.defaults.remap = configuration.settings.userns_remap.as_deref().map(Remap::of_option).transpose()?;
    let engine = Engine::open(config).await?;
    tracing::info!("Daemon has completed initialization");
    notifier.ready();
    let end = async {
        signals.until_end(&mut configuration, &engine, notifier).await;
        tracing::info!("Processing signal: ending");
        notifier.stopping();
    };
    let served = server::serve(listeners, engine.clone(), end).await;
    drop(files); // from here on clients are told that nobody is there
    close(&engine, &configuration.settings, &mut signals).await;
    tracing::info!("Daemon shutdown complete");
    served
}

async fn close(engine: &Engine, settings: &Settings, signals: &mut Signals) {
    let stop_containers = (!settings.live_restore).then_some(settings.shutdown_timeout);
    tokio::select! {
        () = engine.close(stop_containers) => {}
        () = signals.until_impatient() => tracing::warn!("ending at once, asked several times"),
    }
}

/// The program that stands by every container, beside our own.
fn shim() -> Result<PathBuf> {
    let program = std::env::current_exe().during(|| "find own program")?;
    let shim = program.with_file_name(SHIM);
    if shim.is_file() {
        return Ok(shim);
    }
    Err(Error::not_found(format!("{SHIM} is missing beside {}", program.display())))
}

/// A daemon needs some descriptors for every container and client. One that may not raise its limit goes on with it.
/// Returns the soft and hard limit it was started with: containers get those, not the daemon's own.
fn raise_file_limit() -> (i64, i64) {
    let mut limit = getrlimit(Resource::Nofile);
    let number = |l: Option<u64>| l.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1);
    let original = (number(limit.current), number(limit.maximum));
    let hard = limit.maximum.unwrap_or(MOST_FILES);
    if limit.current.is_some_and(|soft| soft < hard) {
        limit.current = Some(hard);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "cannot raise the limit of open files to {hard}");
        }
    }
    original
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

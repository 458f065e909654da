//! Starting our daemon when none answers on the default socket, so that `lighter run` works on a machine where
//! nobody set anything up.

use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use client::Error;

use crate::host::LIGHTER_SOCKET;

/// Set to anything but empty or `0`, no daemon is started.
const OFF: &str = "LIGHTER_NO_AUTOSTART";
/// What the daemon says while nobody watches.
const LOG: &str = "/var/lib/lighter/daemon.log";
/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after ours has ended another one may take.
const GRACE: Duration = Duration::from_millis(500);

/// Whether the environment lets us.
pub fn wanted() -> bool {
    !std::env::var_os(OFF).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Starts the daemon and returns when it answers.
///
/// # Errors
/// [`Error::Setup`] saying why there is no daemon now.
pub fn start() -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Setup(format!(
            "Cannot connect to the Docker daemon at unix://{LIGHTER_SOCKET}. Is the docker daemon running?\nStarting it needs root: run 'sudo lighter daemon', or name another daemon by -H or DOCKER_HOST."
        )));
    }
    let failed = |what: &str, error: &std::io::Error| Error::Setup(format!("cannot start the daemon: {what}: {error}"));
    let program = std::env::current_exe().map_err(|error| failed("own path", &error))?;
    let directory = std::path::Path::new(LOG).parent().expect("an absolute path");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(directory)
        .map_err(|error| failed(&directory.to_string_lossy(), &error))?;
    let log =
        OpenOptions::new().create(true).append(true).mode(0o600).open(LOG).map_err(|error| failed(LOG, &error))?;
    let log_too = log.try_clone().map_err(|error| failed(LOG, &error))?;
    eprintln!("lighter: no daemon is running, starting one (log: {LOG}; {OFF}=1 turns this off)");

    let mut command = Command::new(&program);
    command.arg("daemon").stdin(Stdio::null()).stdout(log).stderr(log_too).current_dir("/");
    sys::session::in_new_session(&mut command);
    let mut child = command.spawn().map_err(|error| failed(&program.to_string_lossy(), &error))?;
    let mut deadline = Instant::now() + PATIENCE;
    let mut ended = None;
    let mut pause = Duration::from_millis(2);
    loop {
        if UnixStream::connect(LIGHTER_SOCKET).is_ok() {
            return Ok(());
        }
        if ended.is_none()
            && let Ok(Some(status)) = child.try_wait()
        {
            // it makes way for one that another client has just started: that one gets a moment, too
            ended = Some(status);
            deadline = Instant::now() + GRACE;
        }
        if Instant::now() > deadline {
            return Err(Error::Setup(match ended {
                Some(status) => format!("the daemon ended at once ({status}): {}", last_line()),
                None => format!("the daemon did not answer within {PATIENCE:?}: see {LOG}"),
            }));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The end of the log, which is likely to say what was wrong.
fn last_line() -> String {
    let text = std::fs::read(LOG).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().last().map_or_else(|| format!("see {LOG}"), str::to_owned)
}

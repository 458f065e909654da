//! A look at the sources of mounts before they are mounted: `-v` makes those that are missing, `--mount` wants them there.
//!
//! A source may lie on a file system that does not answer (a server that is gone), and keep whoever looks there in the kernel.
//! That must be no thread which others need, and only one for each path: while one waits, the next to ask is told so at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use values::{Error, Result, Timestamp, system_words};

use super::{Kind, Resolved};
use crate::shared::{Shared, in_own_thread};

/// For a file system to say what is at a path.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who looks where, and since when.
#[derive(Default)]
pub struct Sources {
    looks: Mutex<Looks>,
}

#[derive(Default)]
struct Looks {
    all: BTreeMap<u64, (String, Timestamp)>,
    last: u64,
}

/// Until it is dropped somebody looks.
struct Look<'a>(&'a Sources, u64);

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.0.lock().all.remove(&self.1);
    }
}

impl Sources {
    fn lock(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, path: &str) -> Look<'_> {
        let mut looks = self.lock();
        looks.last += 1;
        let number = looks.last;
        looks.all.insert(number, (path.to_owned(), Timestamp::now()));
        Look(self, number)
    }

    /// The one of these that has been waited for the longest, if that is at least so long.
    fn waited_for(&self, mounts: &[Resolved], at_least: Duration) -> Option<(String, Timestamp)> {
        let (looks, now) = (self.lock(), Timestamp::now());
        let long = |(path, since): &&(String, Timestamp)| {
            now.since(*since) >= at_least && mounts.iter().any(|mount| mount.host_path() == path)
        };
        looks.all.values().filter(long).min_by_key(|(_, since)| *since).cloned()
    }

    /// Makes the missing sources of `-v`, and refuses the missing ones of `--mount`.
    fn prepare(&self, mounts: &[Resolved]) -> Result<()> {
        mounts.iter().filter(|mount| mount.is_on_host()).try_for_each(|mount| {
            let _look = self.look(mount.host_path());
            one(mount)
        })
    }
}

/// Called when a container is made, and before each start.
///
/// # Errors
/// `InvalidArgument` naming the path; `Unavailable` where its file system does not answer.
pub async fn reach(shared: &Arc<Shared>, mounts: &[Resolved]) -> Result<()> {
    if !mounts.iter().any(Resolved::is_on_host) {
        return Ok(());
    }
    let stuck = |(path, since): (String, Timestamp)| {
        let since = since.to_rfc3339_nano();
        Error::unavailable(format!(
            "the source {path} of a mount has not been reached since {since}: its file system does not answer"
        ))
    };
    if let Some(found) = shared.sources.waited_for(mounts, PATIENCE) {
        return Err(stuck(found));
    }
    let (s, list) = (shared.clone(), mounts.to_vec());
    match tokio::time::timeout(PATIENCE, in_own_thread(move || s.sources.prepare(&list))).await {
        Ok(outcome) => outcome,
        Err(_) => Err(shared
            .sources
            .waited_for(mounts, Duration::ZERO)
            .map_or_else(|| Error::unavailable("the sources of the mounts have not been reached in time"), stuck)),
    }
}

fn one(mount: &Resolved) -> Result<()> {
    let path = Path::new(mount.host_path());
    match std::fs::metadata(path) {
        Ok(_) if !mount.part.is_empty() => mount.open().map(drop),
        Ok(_) => Ok(()),
        Err(e) if mount.kind == Kind::Volume => Err(unmountable(mount, &e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && mount.create_source => std::fs::create_dir_all(path)
            .map_err(|e| {
                let (source, why) = (&mount.source, system_words(&e));
                Error::invalid(format!("error while creating mount source path '{source}': mkdir {source}: {why}"))
            }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let source = &mount.source;
            let why = format!("invalid mount config for type \"bind\": bind source path does not exist: {source}");
            Err(Error::invalid(why))
        }
        Err(e) => {
            let (source, why) = (&mount.source, system_words(&e));
            Err(Error::invalid(format!("invalid mount config for type \"bind\": stat {source}: {why}")))
        }
    }
}

/// A volume whose directory is not there.
fn unmountable(mount: &Resolved, error: &std::io::Error) -> Error {
    let (at, why) = (&mount.source, system_words(error));
    let failed = match mount.volume.as_ref().and_then(|volume| volume.backing.as_ref()) {
        Some(device) => format!("failed to mount local volume: mount {device}:{at}, flags: 0x1000: {why}"),
        None => format!("stat {at}: {why}"),
    };
    Error::internal(format!("error while mounting volume '{at}': {failed}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, parse_bind};
    use super::*;

    #[test]
    fn made_or_missed() {
        let sources = Sources::default();
        let base = std::env::temp_dir().join(format!("lighter-mounts-{}", std::process::id()));
        let missing = base.join("x/y").display().to_string();
        let mut made = parse_bind(&format!("{missing}:/b")).unwrap();
        sources.prepare(std::slice::from_ref(&made)).unwrap();
        assert!(Path::new(&missing).is_dir());
        std::fs::remove_dir_all(&base).unwrap();
        made.create_source = false;
        assert_eq!(
            sources.prepare(&[made]).unwrap_err().message,
            format!("invalid mount config for type \"bind\": bind source path does not exist: {missing}")
        );
        let file = std::env::temp_dir().join(format!("lighter-mounts-file-{}", std::process::id()));
        std::fs::write(&file, "").unwrap();
        let below = parse_bind(&format!("{}/d:/b", file.display())).unwrap();
        let message = sources.prepare(&[below]).unwrap_err().message;
        std::fs::remove_file(&file).unwrap();
        assert!(message.ends_with("not a directory"), "{message}");
    }

    #[test]
    fn who_waits_is_known_by_path() {
        let sources = Sources::default();
        let mounts = [parse_bind("/a:/x").unwrap(), parse_bind("/b:/y").unwrap()];
        assert_eq!(mounts[0].kind, Kind::Bind);
        let first = sources.look("/b");
        let other = sources.look("/c");
        assert_eq!(sources.waited_for(&mounts, Duration::ZERO).unwrap().0, "/b");
        assert_eq!(sources.waited_for(&mounts[..1], Duration::ZERO), None);
        assert_eq!(sources.waited_for(&mounts, Duration::from_secs(3600)), None);
        drop(first);
        assert_eq!(sources.waited_for(&mounts, Duration::ZERO), None);
        drop(other);
    }
}

//! How much a container may write: a project quota of its own on its directory.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use values::{Error, Result, ResultExt};

/// Projects below belong to the administrator (projid(5)).
const FIRST: u32 = 1 << 20;

/// One at a time, so that no two containers get the same number.
static CHOOSING: Mutex<()> = Mutex::new(());

/// Limits what is below `dir`, one of the directories in `all`, to so many bytes. What it holds already and has no project
/// does not count; `inner` are directories of it that were made before.
///
/// # Errors
/// `InvalidArgument` where the filesystem has no project quotas in force.
pub(crate) fn limit(all: &Path, dir: &Path, inner: &[&str], bytes: u64) -> Result<()> {
    let _one = CHOOSING.lock().unwrap_or_else(PoisonError::into_inner);
    let open = |path: &Path| File::open(path).during(|| path.display().to_string());
    let own = open(dir)?;
    let project = match sys::quota::project(own.as_fd()).map_err(unsupported)? {
        project if project >= FIRST => project,
        _ => free(all)?,
    };
    // first the limit: whatever is a project's is limited
    sys::quota::limit_project(own.as_fd(), project, bytes).map_err(unsupported)?;
    sys::quota::set_project(own.as_fd(), project).map_err(unsupported)?;
    for name in inner {
        let path = dir.join(name);
        if path.is_dir() {
            sys::quota::set_project(open(&path)?.as_fd(), project).map_err(unsupported)?;
        }
    }
    Ok(())
}

/// A number that no directory in `all` has.
fn free(all: &Path) -> Result<u32> {
    let entries = std::fs::read_dir(all).during(|| all.display().to_string())?;
    let projects = entries.flatten().filter_map(|entry| {
        let dir = File::open(entry.path()).ok()?;
        sys::quota::project(dir.as_fd()).ok()
    });
    Ok(projects.max().map_or(FIRST, |highest| highest.saturating_add(1).max(FIRST)))
}

fn unsupported(errno: Errno) -> Error {
    match errno {
        Errno::SRCH | Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => Error::invalid(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option, or ext4 with 'prjquota'",
        ),
        other => Error::internal(format!("set a project quota: {}", values::system_words(&other))),
    }
}

//! The daemon's directories and its pid file, each locked for as long as it lives (flock(2)): the names of everything it
//! makes in the kernel come from them, so no second daemon may have the same.

use std::fs::{DirBuilder, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use values::{Error, Result, ResultExt};

use crate::settings::Settings;

/// Held until the end; dropping it removes the pid file. After a `kill -9` the kernel drops the locks.
#[derive(Debug)]
pub struct Roots {
    /// Without symbolic links.
    pub data: PathBuf,
    pub exec: PathBuf,
    pidfile: PathBuf,
    _locks: [File; 3],
}

impl Roots {
    /// Makes the directories where they are missing, locks them, writes the pid file.
    ///
    /// Errors: `Conflict` if another daemon has one of them.
    pub fn take(settings: &Settings) -> Result<Self> {
        let data = directory(&settings.data_root, 0o710)?;
        let exec = directory(&settings.exec_root, 0o711)?;
        let held_by = || Pid::read(&settings.pidfile);
        let data_lock = lock_directory(&data, "data root", held_by)?;
        let exec_lock = lock_directory(&exec, "exec root", held_by)?;
        let pid_lock = write_pidfile(&settings.pidfile)?;
        Ok(Self { data, exec, pidfile: settings.pidfile.clone(), _locks: [data_lock, exec_lock, pid_lock] })
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.pidfile);
    }
}

/// Whoever wrote the pid file, for messages.
struct Pid(Option<u32>);

impl Pid {
    fn read(path: &Path) -> Self {
        Self(std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()))
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, " (pid {pid})"),
            None => Ok(()),
        }
    }
}

fn directory(path: &Path, mode: u32) -> Result<PathBuf> {
    let make = DirBuilder::new().recursive(true).mode(mode).create(path);
    make.during(|| format!("mkdir {}", path.display()))?;
    path.canonicalize().during(|| format!("resolve {}", path.display()))
}

fn lock_directory(path: &Path, what: &str, held_by: impl Fn() -> Pid) -> Result<File> {
    let file = File::open(path).during(|| format!("open {}", path.display()))?;
    lock(&file, || format!("another daemon{} has the {what} {}", held_by(), path.display()))?;
    Ok(file)
}

fn lock(file: &File, taken: impl FnOnce() -> String) -> Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(Error::conflict(taken())),
        Err(errno) => Err(Error::internal(format!("flock: {errno}"))),
    }
}

/// One left by a dead daemon is not locked and is written over.
fn write_pidfile(path: &Path) -> Result<File> {
    let shown = path.display();
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    let mut file = options.open(path).during(|| format!("open {shown}"))?;
    lock(&file, || format!("another daemon{} has the pid file {shown}", Pid::read(path)))?;
    refuse_foreign(&mut file, path)?;
    file.set_len(0).and_then(|()| file.rewind()).during(|| format!("write {shown}"))?;
    file.write_all(std::process::id().to_string().as_bytes()).during(|| format!("write {shown}"))?;
    Ok(file)
}

/// Somebody may have named a file that is none of ours.
fn refuse_foreign(file: &mut File, path: &Path) -> Result<()> {
    let mut text = String::new();
    let read = file.take(64).read_to_string(&mut text);
    if read.is_ok() && (text.trim().is_empty() || text.trim().parse::<u32>().is_ok()) {
        return Ok(());
    }
    Err(Error::conflict(format!("{} is not a pid file, and is left alone", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{flags, merge};

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("lighter-roots-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn take(&self, data: &str, exec: &str, more: &str) -> Result<Roots> {
            let at = |name: &str| self.0.join(name).to_str().unwrap().to_owned();
            let mut args = vec!["--data-root".into(), at(data), "--exec-root".into(), at(exec)];
            args.extend(more.split_whitespace().map(|word| word.replace('@', self.0.to_str().unwrap())));
            Roots::take(&Settings::new(&merge::merge(flags::parse(&args)?.values, Default::default())?)?)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_same_roots_are_refused() {
        let scratch = Scratch::new("same");
        let first = scratch.take("data", "exec", "").unwrap();
        let pidfile = scratch.0.join("exec/lighter.pid");
        assert_eq!(std::fs::read_to_string(&pidfile).unwrap(), std::process::id().to_string());
        let check = |data: &str, exec: &str, more: &str, expected: &str| {
            let message = scratch.take(data, exec, more).map_or_else(|e| e.message, |_| "fine".into());
            assert!(message.contains(expected), "{message}");
        };
        let pid = std::process::id();
        check("data", "exec", "", &format!("another daemon (pid {pid}) has the data root /"));
        check("data", "exec2", "", "another daemon has the data root /");
        check("data2", "exec", "", &format!("another daemon (pid {pid}) has the exec root /"));
        check("data2", "exec2", "-p @/exec/lighter.pid", &format!("another daemon (pid {pid}) has the pid file /"));
        check("data2", "exec2", "", "fine");
        drop(first);
        assert!(!pidfile.exists());
        std::fs::write(&pidfile, "4711").unwrap();
        check("data", "exec", "", "fine");
    }

    #[test]
    fn a_symbolic_link_leads_to_the_same_root() {
        let scratch = Scratch::new("link");
        let _first = scratch.take("data", "exec", "").unwrap();
        std::os::unix::fs::symlink("data", scratch.0.join("other")).unwrap();
        assert!(scratch.take("other", "exec2", "").unwrap_err().message.contains("has the data root"));
    }

    #[test]
    fn no_file_is_written_over() {
        let scratch = Scratch::new("foreign");
        std::fs::write(scratch.0.join("mine"), "dear diary").unwrap();
        let error = scratch.take("data", "exec", "-p @/mine").unwrap_err();
        assert!(error.message.ends_with("/mine is not a pid file, and is left alone"), "{error}");
        assert_eq!(std::fs::read_to_string(scratch.0.join("mine")).unwrap(), "dear diary");
    }
}

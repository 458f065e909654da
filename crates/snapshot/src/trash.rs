use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use values::{Result, ResultExt, Timestamp};

/// Where things go to be deleted: a rename for the caller, the deleting is a thread's, which exists only while there is
/// something to do and is emptied of what an earlier process left as soon as it is opened.
pub struct Trash {
    dir: PathBuf,
    worker: Arc<Worker>,
    count: AtomicU64,
}

#[derive(Default)]
struct Worker {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What ends with the thread dropping it.
    ending: Vec<Box<dyn Send>>,
    is_running: bool,
    /// Something was thrown since the thread last looked.
    has_more: bool,
    /// The thread is at it.
    is_busy: bool,
}

/// How long the thread waits for more before it ends.
const LINGER: Duration = Duration::from_secs(1);

impl Trash {
    /// `dir` is made if it is missing, on the filesystem of what will be thrown.
    pub fn open(dir: &Path) -> Result<Arc<Self>> {
        fs::create_dir_all(dir).during(|| dir.display())?;
        let trash = Self { dir: dir.into(), worker: Arc::default(), count: AtomicU64::new(0) };
        if fs::read_dir(dir).during(|| dir.display())?.next().is_some() {
            trash.wake();
        }
        Ok(Arc::new(trash))
    }

    /// Makes the file or directory at `path` vanish at once; its space comes back soon. Nothing happens where there is
    /// none.
    pub fn throw(&self, path: &Path) -> io::Result<()> {
        let now = Timestamp::now();
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        match fs::rename(path, self.dir.join(format!("{}.{:09}-{count}", now.secs, now.nanos))) {
            Ok(()) => self.wake(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Drops a thing whose end takes its time, as a mount's does.
    pub(crate) fn end(&self, thing: impl Send + 'static) {
        let mut state = self.worker.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ending.push(Box::new(thing));
        drop(state);
        self.wake();
    }

    /// Waits until all that was thrown is deleted, as far as it can be.
    pub fn wait(&self) {
        let mut state = self.worker.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.is_running
            && (state.has_more || state.is_busy || fs::read_dir(&self.dir).is_ok_and(|mut d| d.next().is_some()))
        {
            let step = Duration::from_millis(20);
            state = self.worker.changed.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wake(&self) {
        let mut state = self.worker.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.has_more = true;
        if state.is_running {
            self.worker.changed.notify_all();
            return;
        }
        let (dir, worker) = (self.dir.clone(), self.worker.clone());
        // Without a thread it stays in the trash until the next throw or opening.
        state.is_running = std::thread::Builder::new().name("trash".into()).spawn(move || run(&dir, &worker)).is_ok();
    }
}

fn run(dir: &Path, worker: &Worker) {
    loop {
        let mut state = worker.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.has_more, state.is_busy) = (false, true);
        let ending = std::mem::take(&mut state.ending);
        drop(state);
        drop(ending);
        empty(dir);
        let mut state = worker.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_busy = false;
        if !state.has_more {
            worker.changed.notify_all();
            let wait = worker.changed.wait_timeout_while(state, LINGER, |state| !state.has_more);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !state.has_more {
            state.is_running = false;
            return;
        }
    }
}

/// Deletes what can be deleted. The rest (something still mounted there, an immutable file) is tried again at the next
/// throw.
fn empty(dir: &Path) {
    let (Ok(open), Ok(entries)) = (File::open(dir), fs::read_dir(dir)) else { return };
    for entry in entries.flatten() {
        let _ = archive::remove_tree(open.as_fd(), entry.file_name().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Scratch;

    #[test]
    fn what_is_thrown_goes_away_soon() {
        let dir = Scratch::new();
        let left_over = dir.path().join("trash/old/inner");
        fs::create_dir_all(&left_over).unwrap();
        let trash = Trash::open(&dir.path().join("trash")).unwrap();
        for i in 0..50 {
            let tree = dir.path().join(format!("tree{i}"));
            fs::create_dir_all(tree.join("a/b")).unwrap();
            fs::write(tree.join("a/file"), "x").unwrap();
            trash.throw(&tree).unwrap();
            assert!(!tree.exists());
        }
        trash.throw(&dir.path().join("missing")).unwrap();
        trash.wait();
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 0);
        assert!(!left_over.exists());
    }
}

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use sys::crash;
use values::{Error, Result, ResultExt};

use crate::{
    batch::Batch,
    compact,
    frame::{self, HEADER_LEN, MAGIC},
    group::Group,
    index::{Index, Slot},
    scan::{self, End},
    table::Table,
};

/// What a finished commit has survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of this process.
    Process,
    /// The loss of power.
    Power,
}

/// What [`Store::open`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Records in all tables.
    pub records: usize,
    /// Bytes of unfinished transactions that were cut off the end of the file; nobody had been told they were durable.
    pub cut: u64,
}

/// The store of one daemon. Share it by `Arc`; all calls are short, block, and may come from any thread.
pub struct Store {
    inner: Arc<Inner>,
    opened: Opened,
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    /// Taken before `view` wherever both are.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) view: RwLock<View>,
    pub(crate) group: Group,
    pub(crate) closing: AtomicBool,
    /// Below this length the file is never compacted.
    floor: u64,
    /// Held, not read: its lock is the store's.
    _lock: File,
}

/// The end of the file.
pub(crate) struct Writer {
    pub(crate) file: Arc<File>,
    pub(crate) len: u64,
    /// Length known to be on the disk.
    pub(crate) durable: u64,
    /// Counts commits since the store was opened.
    pub(crate) number: u64,
    /// Counts files, that is, compactions.
    pub(crate) generation: u64,
    /// What is behind `len` is the rest of a failed write and must go before the next.
    stained: bool,
    /// A sync failed: what the disk holds is not known any more, so nothing further is promised.
    failed: Option<String>,
    compaction: Option<JoinHandle<()>>,
    pub(crate) compacting: bool,
    /// After a failed compaction: do not try again before the file has this length.
    pub(crate) compact_at: u64,
}

/// What readers see.
pub(crate) struct View {
    pub(crate) file: Arc<File>,
    pub(crate) index: Index,
}

pub(crate) const JOURNAL: &str = "journal";
pub(crate) const JOURNAL_NEW: &str = "journal.new";
const LOCK: &str = "lock";
const COMPACT_FLOOR: u64 = 1 << 20;
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

impl Store {
    /// Opens the store in `dir`, which is made if it is missing (mode 0700).
    ///
    /// # Errors
    /// `Conflict` while another process has it open; `Internal` where the file is damaged (see [`Store::salvage`]).
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_with_floor(dir, COMPACT_FLOOR)
    }

    pub(crate) fn open_with_floor(dir: &Path, floor: u64) -> Result<Self> {
        let lock = lock(dir)?;
        let path = dir.join(JOURNAL);
        let broken = |e: io::Error| Error::from(e).context(format!("store {}", path.display()));
        match fs::remove_file(dir.join(JOURNAL_NEW)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(broken(e)),
            _ => {}
        }
        if !path.try_exists().map_err(broken)? {
            create(dir).map_err(broken)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(broken)?;
        let mut index = Index::default();
        let cut = match scan::scan(&file, &mut index).map_err(broken)? {
            End::Whole => 0,
            End::Torn { at } => cut(&file, at).map_err(broken)?,
            End::Damaged { at } => return Err(damaged(&path, at)),
        };
        // what a process that died had not synced is in the page cache at best: now it counts as durable
        file.sync_data().map_err(broken)?;
        let len = file.metadata().map_err(broken)?.len();
        let opened = Opened { records: index.iter().count(), cut };
        let file = Arc::new(file);
        let writer = Writer {
            file: file.clone(),
            len,
            durable: len,
            number: 0,
            generation: 0,
            stained: false,
            failed: None,
            compaction: None,
            compacting: false,
            compact_at: 0,
        };
        let inner = Arc::new(Inner {
            dir: dir.into(),
            writer: Mutex::new(writer),
            view: RwLock::new(View { file, index }),
            group: Group::default(),
            closing: AtomicBool::new(false),
            floor,
            _lock: lock,
        });
        compact_if_due(&inner, &mut inner.writer());
        Ok(Self { inner, opened })
    }

    /// What opening found.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// The record under `key`.
    pub fn get<T: Serialize + DeserializeOwned>(&self, table: &Table<T>, key: &str) -> Result<Option<T>> {
        let (slot, file) = {
            let view = self.inner.view.read().unwrap_or_else(PoisonError::into_inner);
            match view.index.get(table.name(), key) {
                Some(slot) => (slot, view.file.clone()),
                None => return Ok(None),
            }
        };
        let bytes = self.inner.read(&file, table.name(), key, slot)?;
        table.decode(key, slot.schema, &bytes).map(Some)
    }

    /// Whether there is a record under `key`.
    pub fn contains<T>(&self, table: &Table<T>, key: &str) -> bool {
        self.inner.view.read().unwrap_or_else(PoisonError::into_inner).index.get(table.name(), key).is_some()
    }

    /// All keys of a table, in order.
    pub fn keys<T>(&self, table: &Table<T>) -> Vec<String> {
        let view = self.inner.view.read().unwrap_or_else(PoisonError::into_inner);
        view.index.table(table.name()).map(|(key, _)| key.to_owned()).collect()
    }

    /// All records of a table as of one moment, in the order of their keys.
    pub fn all<T: Serialize + DeserializeOwned>(&self, table: &Table<T>) -> Result<Vec<(String, T)>> {
        let mut out = Vec::new();
        self.for_each(table, |key, value| {
            out.push((key.to_owned(), value));
            Ok(())
        })?;
        Ok(out)
    }

    /// Calls `each` with all records of a table as of one moment, in the order of their keys, until it fails.
    pub fn for_each<T: Serialize + DeserializeOwned>(
        &self,
        table: &Table<T>,
        mut each: impl FnMut(&str, T) -> Result<()>,
    ) -> Result<()> {
        let (slots, file) = {
            let view = self.inner.view.read().unwrap_or_else(PoisonError::into_inner);
            let slots: Vec<(Box<str>, Slot)> = view.index.table(table.name()).map(|(k, s)| (k.into(), s)).collect();
            (slots, view.file.clone())
        };
        for (key, slot) in slots {
            let bytes = self.inner.read(&file, table.name(), &key, slot)?;
            each(&key, table.decode(&key, slot.schema, &bytes)?)?;
        }
        Ok(())
    }

    /// Does all of `batch` or, on an error, nothing. Readers see it before a `Power` commit has come to the disk.
    ///
    /// # Errors
    /// `Internal` with the kernel's reason: a full disk leaves everything as it was and the next commit may succeed;
    /// after a failed sync this store takes no commits any more.
    pub fn commit(&self, batch: Batch, durability: Durability) -> Result<()> {
        let number = self.inner.append(batch)?;
        crash::point("store.appended");
        match durability {
            Durability::Process => Ok(()),
            Durability::Power => self.inner.group.wait(number, || self.inner.sync()),
        }
    }

    /// Reads all records: those (`TABLE/KEY`) whose bytes on the disk are not those that were written.
    pub fn check(&self) -> Vec<String> {
        let (slots, file) = {
            let view = self.inner.view.read().unwrap_or_else(PoisonError::into_inner);
            let slots: Vec<(String, Slot)> =
                view.index.iter().map(|(t, key, slot)| (format!("{t}/{key}"), slot)).collect();
            (slots, view.file.clone())
        };
        slots
            .into_iter()
            .filter(|(_, slot)| self.inner.read(&file, "", "", *slot).is_err())
            .map(|(name, _)| name)
            .collect()
    }

    /// Makes all that was committed before durable against the loss of power.
    pub fn sync(&self) -> Result<()> {
        self.commit(Batch::new(), Durability::Power)
    }

    /// Length of the file and how much of it a compaction would keep, in bytes.
    pub fn usage(&self) -> (u64, u64) {
        let writer = self.inner.writer();
        let view = self.inner.view.read().unwrap_or_else(PoisonError::into_inner);
        (writer.len, view.index.live)
    }

    #[cfg(test)]
    pub(crate) fn wait_for_compaction(&self) {
        let thread = self.inner.writer().compaction.take();
        if let Some(thread) = thread {
            thread.join().unwrap();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.inner.closing.store(true, Ordering::Relaxed);
        let thread = self.inner.writer().compaction.take();
        if let Some(thread) = thread {
            // a panic there has left the old file in place
            let _ = thread.join();
        }
    }
}

impl Inner {
    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read(&self, file: &File, table: &str, key: &str, slot: Slot) -> Result<Vec<u8>> {
        let what = || format!("store {}: record {key} of table {table}", self.dir.display());
        let mut bytes = vec![0; slot.len as usize];
        file.read_exact_at(&mut bytes, slot.offset).during(what)?;
        if crc32fast::hash(&bytes) != slot.crc {
            return Err(Error::internal("its bytes on the disk have changed").context(what()));
        }
        Ok(bytes)
    }

    /// Writes `batch` behind the file's end and into the index; its number.
    fn append(self: &Arc<Self>, mut batch: Batch) -> Result<u64> {
        let mut writer = self.writer();
        if batch.is_empty() {
            return Ok(writer.number);
        }
        writer.make_usable().during(|| self.what())?;
        frame::seal(&mut batch.frame, writer.durable);
        let payload = &batch.frame[HEADER_LEN..];
        let ops = frame::ops(payload).ok_or_else(|| Error::internal("a batch that does not read as written"))?;
        if let Err(e) = writer.file.write_all_at(&batch.frame, writer.len) {
            writer.stained = true;
            // if this fails as well the next commit tries again
            let _ = writer.make_usable();
            return Err(e).during(|| self.what());
        }
        let offset = writer.len + HEADER_LEN as u64;
        self.view.write().unwrap_or_else(PoisonError::into_inner).index.apply(&ops, payload, offset);
        writer.len += batch.frame.len() as u64;
        writer.number += 1;
        compact_if_due(self, &mut writer);
        Ok(writer.number)
    }

    /// Syncs what is written now; the last commit's number.
    fn sync(&self) -> Result<u64> {
        let (file, len, number, generation) = {
            let mut writer = self.writer();
            writer.make_usable().during(|| self.what())?;
            (writer.file.clone(), writer.len, writer.number, writer.generation)
        };
        let result = file.sync_data();
        let mut writer = self.writer();
        if generation != writer.generation {
            // A compaction has brought all of it to the disk in a new file meanwhile.
            return Ok(number);
        }
        match result {
            Ok(()) => {
                writer.durable = writer.durable.max(len);
                Ok(number)
            }
            Err(e) => {
                writer.fail(&e);
                Err(e).during(|| self.what())
            }
        }
    }

    fn what(&self) -> String {
        format!("store {}", self.dir.join(JOURNAL).display())
    }
}

impl Writer {
    pub(crate) fn fail(&mut self, e: &io::Error) {
        self.failed = Some(e.to_string());
    }

    /// Cuts away the rest of a failed write.
    fn make_usable(&mut self) -> Result<()> {
        if let Some(why) = &self.failed {
            return Err(Error::internal(format!("an earlier sync failed ({why}); restart the daemon")));
        }
        if self.stained {
            self.file.set_len(self.len)?;
            self.stained = false;
        }
        Ok(())
    }
}

fn compact_if_due(inner: &Arc<Inner>, writer: &mut Writer) {
    if writer.compacting || writer.len < inner.floor.max(writer.compact_at) || inner.closing.load(Ordering::Relaxed) {
        return;
    }
    let live = inner.view.read().unwrap_or_else(PoisonError::into_inner).index.live;
    if writer.len - live.min(writer.len) <= live {
        return;
    }
    let background = inner.clone();
    let thread = std::thread::Builder::new().name("store-compact".into());
    // Without a thread there is only no compaction yet: the next commit tries again.
    if let Ok(thread) = thread.spawn(move || compact::run(&background)) {
        writer.compacting = true;
        writer.compaction = Some(thread);
    }
}

/// Makes `dir` and locks the store in it for this process.
pub(crate) fn lock(dir: &Path) -> Result<File> {
    let what = || format!("store {}", dir.display());
    fs::create_dir_all(dir).during(what)?;
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(LOCK));
    let lock = open.during(what)?;
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            // A daemon that was killed just now holds it until its last thread, or a child of it before exec, is gone.
            Err(TryLockError::WouldBlock) if Instant::now() < patience => std::thread::sleep(LOCK_PATIENCE / 50),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::conflict(format!("store {} is in use by another process", dir.display())));
            }
            Err(TryLockError::Error(e)) => return Err(e).during(what),
        }
    }
}

/// Makes an empty journal, whole or not at all.
fn create(dir: &Path) -> io::Result<()> {
    let new = dir.join(JOURNAL_NEW);
    let file = create_new(&new)?;
    file.write_all_at(MAGIC, 0)?;
    file.sync_all()?;
    put_in_place(dir)
}

pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Renames the new journal over the old one, durably.
pub(crate) fn put_in_place(dir: &Path) -> io::Result<()> {
    rename_new(dir)?;
    sync_dir(dir)
}

pub(crate) fn rename_new(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join(JOURNAL_NEW), dir.join(JOURNAL))
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Cuts the file at `at`; how many bytes that took away.
fn cut(file: &File, at: u64) -> io::Result<u64> {
    let len = file.metadata()?.len();
    file.set_len(at)?;
    Ok(len - at)
}

fn damaged(path: &Path, at: u64) -> Error {
    Error::internal(format!(
        "store {}: damaged at byte {at}, which had been written safely before; nothing was changed. \
         Restore the file from a copy, or salvage what is readable",
        path.display()
    ))
}

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use values::{Error, Result, ResultExt, Timestamp};

use crate::{
    compact,
    frame::{self, HEADER_LEN},
    index::Index,
    scan,
    store::{JOURNAL, JOURNAL_NEW, Store, lock, put_in_place},
};

/// What [`Store::salvage`] did.
#[derive(Debug)]
pub struct Salvaged {
    /// Records that could be kept. A record whose newest value was lost has the one before it, a lost delete has not
    /// happened.
    pub records: usize,
    /// The damaged file, as it was.
    pub kept: PathBuf,
}

impl Store {
    /// Makes a damaged store openable again: all readable transactions go into a new journal, the damaged one is kept
    /// beside it under another name. For a person who was told by [`Store::open`] what is at stake, not for a daemon
    /// on its own.
    pub fn salvage(dir: &Path) -> Result<Salvaged> {
        let _lock = lock(dir)?;
        let path = dir.join(JOURNAL);
        let what = || format!("salvage store {}", path.display());
        let old = File::open(&path).during(what)?;
        let len = old.metadata().during(what)?.len();
        let mut index = Index::default();
        scan::resync(&old, 0, len, |at, _, payload| {
            if let Some(ops) = frame::ops(payload) {
                index.apply(&ops, payload, at + HEADER_LEN as u64);
            }
            true
        })
        .during(what)?;
        let read = |_: &str, _: &str, slot: crate::index::Slot| {
            let mut value = vec![0; slot.len as usize];
            old.read_exact_at(&mut value, slot.offset).map_err(Error::from)?;
            Ok(value)
        };
        let live = compact::sorted(&index);
        let records = live.len();
        let (new, ..) = compact::copy(&dir.join(JOURNAL_NEW), live, read).during(what)?;
        new.sync_all().during(what)?;
        let now = Timestamp::now();
        let kept = dir.join(format!("{JOURNAL}.damaged-{}.{:09}", now.secs, now.nanos));
        fs::hard_link(&path, &kept).during(what)?;
        put_in_place(dir).during(what)?;
        Ok(Salvaged { records, kept })
    }
}

//! Compaction: what lives is written to a new file beside the old one, while commits go on; only for what came
//! meanwhile, one sync and the rename are commits held up.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use values::{Error, Result};

use crate::{
    frame::{self, HEADER_LEN, MAGIC},
    index::{Index, Slot},
    store::{Inner, JOURNAL_NEW, create_new, rename_new, sync_dir},
};

/// Size at which a frame of copied records is closed.
const FRAME: usize = 256 << 10;

/// Body of the compaction's thread.
pub(crate) fn run(inner: &Inner) {
    let failed = compact(inner).is_err();
    let mut writer = inner.writer();
    writer.compacting = false;
    if failed {
        // A full disk, as a rule: the old file is still in place and whole.
        let _ = fs::remove_file(inner.dir.join(JOURNAL_NEW));
        writer.compact_at = writer.len.saturating_mul(2);
    }
}

/// A live record: table, key, place.
type Live = (Box<str>, Box<str>, Slot);

/// From offsets in the old file to those in the new one, both ascending.
type Moves = Vec<(u64, u64)>;

fn compact(inner: &Inner) -> Result<()> {
    let (live, file, boundary) = snapshot(inner);
    let path = inner.dir.join(JOURNAL_NEW);
    let (new, moves, end) = copy(&path, live, |table, key, slot| {
        if inner.closing.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the store is closing"));
        }
        inner.read(&file, table, key, slot)
    })?;
    new.sync_data()?;
    switch(inner, new, &moves, boundary, end)
}

/// The live records in the order in which they lie in the file, and the length of the file they were taken at.
fn snapshot(inner: &Inner) -> (Vec<Live>, Arc<File>, u64) {
    let writer = inner.writer();
    let view = inner.view.read().unwrap_or_else(PoisonError::into_inner);
    (sorted(&view.index), view.file.clone(), writer.len)
}

pub(crate) fn sorted(index: &Index) -> Vec<Live> {
    let mut live: Vec<Live> = index.iter().map(|(t, k, s)| (t.into(), k.into(), s)).collect();
    live.sort_unstable_by_key(|(_, _, slot)| slot.offset);
    live
}

/// Writes the records into a new journal at `path`. The file, where the values went, and the file's length.
pub(crate) fn copy(
    path: &Path,
    live: Vec<Live>,
    mut read: impl FnMut(&str, &str, Slot) -> Result<Vec<u8>>,
) -> Result<(File, Moves, u64)> {
    let new = create_new(path)?;
    new.write_all_at(MAGIC, 0)?;
    let mut end = MAGIC.len() as u64;
    let mut moves = Moves::with_capacity(live.len());
    let mut out = vec![0; HEADER_LEN];
    for (table, key, slot) in live {
        let value = read(&table, &key, slot)?;
        frame::push_put(&mut out, &table, &key, slot.schema, &value);
        moves.push((slot.offset, end + (out.len() - value.len()) as u64));
        if out.len() >= FRAME {
            end += flush(&new, end, &mut out)?;
        }
    }
    end += flush(&new, end, &mut out)?;
    Ok((new, moves, end))
}

fn flush(new: &File, end: u64, out: &mut Vec<u8>) -> io::Result<u64> {
    if out.len() == HEADER_LEN {
        return Ok(0);
    }
    // Nothing reads this file before it is synced whole, so all in front of a frame counts as synced.
    frame::seal(out, end);
    new.write_all_at(out, end)?;
    let len = out.len() as u64;
    out.truncate(HEADER_LEN);
    Ok(len)
}

/// Adds what was committed since the snapshot and makes the new file the journal.
fn switch(inner: &Inner, new: File, moves: &Moves, boundary: u64, end: u64) -> Result<()> {
    let mut writer = inner.writer();
    append_tail(&writer.file, boundary..writer.len, &new, end)?;
    let len = end + (writer.len - boundary);
    new.sync_all()?;
    rename_new(&inner.dir)?;
    let new = Arc::new(new);
    let mut view = inner.view.write().unwrap_or_else(PoisonError::into_inner);
    for slot in view.index.slots_mut() {
        slot.offset = moved(slot.offset, moves, boundary, end);
    }
    view.file = new.clone();
    writer.file = new;
    writer.len = len;
    writer.durable = len;
    writer.generation += 1;
    writer.compact_at = 0;
    // From the rename on the new file is the journal, so this failure must not leave us writing to the old one.
    match sync_dir(&inner.dir) {
        Ok(()) => inner.group.reached(writer.number),
        Err(e) => writer.fail(&e),
    }
    Ok(())
}

fn append_tail(old: &File, range: std::ops::Range<u64>, new: &File, mut to: u64) -> io::Result<()> {
    let mut buffer = vec![0; FRAME];
    let mut at = range.start;
    while at < range.end {
        let n = buffer.len().min((range.end - at) as usize);
        old.read_exact_at(&mut buffer[..n], at)?;
        new.write_all_at(&buffer[..n], to)?;
        at += n as u64;
        to += n as u64;
    }
    Ok(())
}

fn moved(offset: u64, moves: &Moves, boundary: u64, end: u64) -> u64 {
    if offset >= boundary {
        return offset - boundary + end;
    }
    // every record older than the boundary was live at the snapshot, so it is in the list
    match moves.binary_search_by_key(&offset, |(from, _)| *from) {
        Ok(i) => moves[i].1,
        Err(_) => offset,
    }
}

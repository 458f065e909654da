//! Layers out of their blobs, several at a time.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    sync::{Mutex, PoisonError},
};

use archive::Compression;
use snapshot::Stage;
use values::{Digest, Error, Result, ResultExt};

use crate::{apply::apply, assemble::Assembly, images::Images, lease::Lease, report::Progress};

/// A layer of an image: where its bytes are and what must come out.
#[derive(Clone, Debug)]
pub(crate) struct LayerSource {
    pub(crate) blob: Digest,
    pub(crate) size: u64,
    pub(crate) diff_id: Digest,
}

/// Layers unpacked at the same time; each has threads of its own (`apply.rs`).
const PARALLEL_MAX: usize = 3;
const BUFFER: usize = 128 << 10;

/// To be told of what happens, by several threads.
type Tell<'a> = Mutex<&'a mut (dyn FnMut(Progress) + Send)>;

impl Images {
    /// Sees to it that all layers are unpacked, known and pinned. What others are unpacking is waited for.
    pub(crate) fn unpack<'i>(
        &'i self,
        sources: &[LayerSource],
        lease: &mut Lease<'i>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Vec<Digest>> {
        let diff_ids: Vec<Digest> = sources.iter().map(|s| s.diff_id.clone()).collect();
        let chain = crate::chain_ids(&diff_ids);
        let mut todo = Vec::new();
        for (i, layer) in chain.iter().enumerate() {
            if !lease.layer(layer) || !self.snapshots.has(&chain[..=i]) {
                todo.push(i);
            }
        }
        let tell: Tell<'_> = Mutex::new(progress);
        let plan = Assembly {
            chain: &chain,
            diff_ids: &diff_ids,
            todo,
            threads: PARALLEL_MAX,
            make: &|order, _| match order.position {
                _ if order.is_there => Ok(None),
                i => self.unpack_one(&sources[i], &chain[..i], &tell, order.is_over).map(Some),
            },
            is_over: &|| false,
            done: &|_| {},
        };
        self.assemble(&plan, lease)?;
        Ok(chain)
    }

    /// One layer into a stage; the bytes of its files.
    fn unpack_one(
        &self,
        source: &LayerSource,
        below: &[Digest],
        tell: &Tell<'_>,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Stage, u64)> {
        let what = || format!("layer {}", source.diff_id);
        let mut stage = self.snapshots.stage(below)?;
        let file = self.content.open_blob(&source.blob)?;
        let report = |current| tell.lock().unwrap_or_else(PoisonError::into_inner)(loading(source, current));
        let blob = Counting { file, read: 0, told: 0, is_over, report };
        let found = apply(Some(&mut stage), BufReader::with_capacity(BUFFER, blob)).during(what)?;
        if found.compression == Compression::None {
            stage.stored_at(&self.content.path(&source.blob)).during(what)?;
        }
        // a plain one was verified when it was stored
        let diff_id = found.plain.unwrap_or_else(|| source.blob.clone());
        if diff_id != source.diff_id {
            return Err(Error::invalid(format!(
                "invalid diffID for layer {}: expected {:?}, got {:?}",
                source.blob,
                source.diff_id.as_str(),
                diff_id.as_str()
            )));
        }
        Ok((stage, found.bytes))
    }
}

fn loading(source: &LayerSource, current: u64) -> Progress {
    Progress::Status {
        id: source.diff_id.short().into(),
        status: "Loading layer".into(),
        current: current.min(source.size),
        total: source.size,
    }
}

/// Tells now and then how far it is, and stops when another layer failed.
struct Counting<'a, F> {
    file: File,
    read: u64,
    told: u64,
    is_over: &'a (dyn Fn() -> bool + Sync),
    report: F,
}

const TELL_EVERY: u64 = 1 << 20;

impl<F: Fn(u64)> Read for Counting<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.is_over)() {
            return Err(io::Error::other("another layer failed"));
        }
        let n = self.file.read(buffer)?;
        self.read += n as u64;
        if self.read - self.told >= TELL_EVERY || (n == 0 && self.told < self.read) {
            self.told = self.read;
            (self.report)(self.read);
        }
        Ok(n)
    }
}

//! Layers out of their blobs, several at a time.

use std::{
    fs::File,
    io::{self, Read},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
};

use archive::{Compression, decompress};
use snapshot::Stage;
use values::{Digest, Error, Result, ResultExt};

use crate::{
    claims::Claims,
    images::Images,
    lease::Lease,
    pipeline::{Hashing, pipe},
    report::Progress,
};

/// A layer of an image: where its bytes are and what must come out.
#[derive(Clone, Debug)]
pub(crate) struct LayerSource {
    pub(crate) blob: Digest,
    pub(crate) size: u64,
    pub(crate) diff_id: Digest,
}

/// A layer to be unpacked.
struct Task<'a> {
    source: &'a LayerSource,
    /// Chain ids of what it stands on, then its own.
    chain: &'a [Digest],
}

/// Layers unpacked at the same time; each has a thread that reads and one that writes.
const PARALLEL_MAX: usize = 3;

impl Images {
    /// Sees to it that all layers are unpacked, known and pinned. What others are unpacking is waited for.
    pub(crate) fn unpack(
        &self,
        sources: &[LayerSource],
        lease: &mut Lease<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Digest>> {
        let diff_ids: Vec<Digest> = sources.iter().map(|s| s.diff_id.clone()).collect();
        let chain = crate::chain_ids(&diff_ids);
        let mut claims = Claims::new(self);
        let mut tasks = Vec::new();
        for (i, source) in sources.iter().enumerate() {
            // Lowest first, by everybody: so nobody waits for one who waits for him.
            claims.claim(&chain[i]);
            if !lease.layer(&chain[i]) || !self.snapshots.has(&chain[..=i]) {
                tasks.push(Task { source, chain: &chain[..=i] });
            }
        }
        if self.snapshots.is_parallel() {
            self.unpack_all(&tasks, lease, progress)?;
        } else {
            for task in &tasks {
                self.unpack_all(std::slice::from_ref(task), lease, progress)?;
            }
        }
        Ok(chain)
    }

    /// Unpacks again those layers which are known but not there.
    pub(crate) fn unpack_missing(&self, sources: &[LayerSource], lease: &mut Lease<'_>) -> Result<()> {
        let diff_ids: Vec<Digest> = sources.iter().map(|s| s.diff_id.clone()).collect();
        let chain = crate::chain_ids(&diff_ids);
        let mut claims = Claims::new(self);
        for (i, source) in sources.iter().enumerate() {
            claims.claim(&chain[i]);
            if !self.snapshots.has(&chain[..=i]) {
                self.unpack_all(&[Task { source, chain: &chain[..=i] }], lease, &mut |_| {})?;
            }
        }
        Ok(())
    }

    fn unpack_all(&self, tasks: &[Task<'_>], lease: &mut Lease<'_>, progress: &mut dyn FnMut(Progress)) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let crew = Crew {
            images: self,
            tasks,
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            why: Mutex::default(),
        };
        let (sender, receiver) = channel();
        let mut done: Vec<Done> = std::thread::scope(|scope| {
            let crew = &crew;
            let workers: Vec<_> = (0..tasks.len().min(PARALLEL_MAX))
                .map(|_| sender.clone())
                .map(|report| scope.spawn(move || crew.work(&report)))
                .collect();
            drop(sender);
            for (i, current) in receiver {
                progress(loading(tasks[i].source, current));
            }
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        if let Some(why) = crew.why.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(why);
        }
        if done.len() < tasks.len() {
            return Err(Error::internal("unpacking a layer failed unexpectedly"));
        }
        done.sort_by_key(|done| done.task);
        let sizes: Vec<(usize, u64)> = done.iter().map(|done| (done.task, done.bytes)).collect();
        let own = |task: usize| tasks[task].chain[tasks[task].chain.len() - 1].clone();
        let staged = done.into_iter().map(|done| (done.stage, own(done.task))).collect();
        self.snapshots.commit(staged)?;
        for (i, bytes) in sizes {
            let [below @ .., own] = tasks[i].chain else { continue };
            lease.add_layer(own, &tasks[i].source.diff_id, below.last(), bytes);
        }
        Ok(())
    }
}

/// Threads that share a list of layers to be unpacked.
struct Crew<'a> {
    images: &'a Images,
    tasks: &'a [Task<'a>],
    next: AtomicUsize,
    failed: AtomicBool,
    /// Of the first that failed: the others fail because of it.
    why: Mutex<Option<Error>>,
}

struct Done {
    task: usize,
    stage: Stage,
    bytes: u64,
}

impl Crew<'_> {
    /// One thread's share; bytes read are reported with the task's number.
    fn work(&self, report: &Sender<(usize, u64)>) -> Vec<Done> {
        let mut done = Vec::new();
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= self.tasks.len() || self.failed.load(Ordering::Relaxed) {
                return done;
            }
            let tell = |bytes| {
                // nobody listens any more: no reason to stop
                let _ = report.send((task, bytes));
            };
            match self.unpack(&self.tasks[task], tell) {
                Ok((stage, bytes)) => done.push(Done { task, stage, bytes }),
                Err(e) => {
                    if !self.failed.swap(true, Ordering::Relaxed) {
                        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                    }
                }
            }
        }
    }

    /// One layer into a stage; the bytes of its files.
    fn unpack(&self, task: &Task<'_>, report: impl Fn(u64) + Send) -> Result<(Stage, u64)> {
        let source = task.source;
        let what = || format!("layer {}", source.diff_id);
        let mut stage = self.images.snapshots.stage(&task.chain[..task.chain.len() - 1])?;
        let file = self.images.content.open_blob(&source.blob)?;
        let blob = Counting { file, read: 0, told: 0, failed: &self.failed, report };
        let (compression, mut plain) = decompress(blob).during(what)?;
        let (bytes, diff_id) = match compression {
            // verified when it was stored
            Compression::None => {
                let applied = stage.apply_stored(&mut plain).during(what)?;
                stage.stored_at(&self.images.content.path(&source.blob)).during(what)?;
                (applied.bytes, source.blob.clone())
            }
            _ => apply_compressed(&mut stage, &mut plain).during(what)?,
        };
        if diff_id != source.diff_id {
            return Err(Error::invalid(format!(
                "invalid diffID for layer {}: expected {:?}, got {:?}",
                source.blob,
                source.diff_id.as_str(),
                diff_id.as_str()
            )));
        }
        Ok((stage, bytes))
    }
}

/// Decompresses and hashes on a thread of its own while this one unpacks.
fn apply_compressed(stage: &mut Stage, plain: &mut (dyn Read + Send)) -> Result<(u64, Digest)> {
    std::thread::scope(|scope| {
        let (writer, reader) = pipe();
        let hashing = scope.spawn(move || {
            let mut plain = Hashing::new(plain);
            writer.send_all(&mut plain, |_| Ok(())).map(|_| plain.digest())
        });
        let applied = stage.apply(reader);
        let digest = hashing.join().map_err(|_| Error::internal("decompression failed unexpectedly"))?;
        // What the stream had to say is the reason, what came of it the consequence.
        let digest = digest.map_err(|e| Error::invalid(e.to_string()));
        match (applied, digest) {
            (Ok(applied), Ok(digest)) => Ok((applied.bytes, digest)),
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    })
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
    failed: &'a AtomicBool,
    report: F,
}

const TELL_EVERY: u64 = 1 << 20;

impl<F: Fn(u64)> Read for Counting<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed.load(Ordering::Relaxed) {
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

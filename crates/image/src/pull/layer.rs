//! One layer, in one pass: received, stored and hashed here; decompressed, hashed and unpacked on further threads (`apply.rs`).

use std::{
    io::{self, Read},
    path::Path,
};

use oci::image::Descriptor;
use snapshot::Stage;
use values::{Digest, Error, ErrorKind, Result, ResultExt};

use super::{
    partial::{Partial, Whole},
    remote::{PullEvent, PullStage, Remote},
};
use crate::{apply::apply, images::Images, pipeline::pipe};

/// A layer to be fetched, or unpacked, or both.
pub(crate) struct Task<'a> {
    pub(crate) descriptor: &'a Descriptor,
    /// What must come out unpacked; `None` where it is not a layer of an image.
    pub(crate) diff_id: Option<&'a Digest>,
    /// Chain ids of what it stands on, then its own; empty where it is not unpacked.
    pub(crate) chain: &'a [Digest],
    pub(crate) has_blob: bool,
    pub(crate) unpack: bool,
}

/// What came of it; not in its place yet.
pub(crate) struct Fetched {
    /// `None` where it was there.
    pub(crate) blob: Option<Whole>,
    /// The stage, and bytes of its files.
    pub(crate) unpacked: Option<(Stage, u64)>,
}

/// Bytes between two reports.
const TELL_EVERY: u64 = 1 << 20;

impl Images {
    pub(super) fn fetch_layer(
        &self,
        task: &Task<'_>,
        remote: &dyn Remote,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<Fetched> {
        if task.has_blob {
            let file = self.content.open_blob(&task.descriptor.digest)?;
            let pass = Pass { images: self, task, remote, is_over };
            let mut unpacked = pass.run(&mut { file }, None)?;
            stored_at(&mut unpacked, &self.content.path(&task.descriptor.digest))?;
            return Ok(Fetched { blob: None, unpacked });
        }
        let first = self.receive_layer(task, remote, is_over)?;
        match first {
            Received::Good(fetched) => Ok(fetched),
            // What was kept from before was not what it seemed (a power cut may have that effect): once more from the beginning.
            Received::BadStart(_) if !is_over() => match self.receive_layer(task, remote, is_over)? {
                Received::Good(fetched) => Ok(fetched),
                Received::BadStart(e) => Err(e),
            },
            Received::BadStart(e) => Err(e),
        }
    }

    fn receive_layer(
        &self,
        task: &Task<'_>,
        remote: &dyn Remote,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<Received> {
        let Descriptor { digest, size, .. } = task.descriptor;
        let mut partial = self.content.partials.take(digest, *size)?;
        let resumed = partial.old > 0;
        let rest = match remote.blob(task.descriptor, partial.old) {
            Ok(rest) => rest,
            Err(e) => {
                partial.leave();
                return Err(e);
            }
        };
        let mut source = partial.reader()?.chain(rest);
        let pass = Pass { images: self, task, remote, is_over };
        let outcome = pass.run(&mut source, Some(&mut partial));
        let judged = match outcome {
            Ok(unpacked) => match partial.finish()? {
                Some(blob) => {
                    let mut unpacked = unpacked;
                    stored_at(&mut unpacked, blob.path())?;
                    return Ok(Received::Good(Fetched { blob: Some(blob), unpacked }));
                }
                None => verification_failed(digest),
            },
            // not worth keeping; that the sender lied is the better reason
            Err(e) if e.kind == ErrorKind::InvalidArgument && partial.size == *size => match partial.finish()? {
                Some(whole) => {
                    whole.discard();
                    e
                }
                None => verification_failed(digest),
            },
            Err(e) if e.kind == ErrorKind::InvalidArgument => {
                partial.discard();
                e
            }
            // what is there now stays for the next try
            Err(e) => {
                partial.leave();
                return Err(e);
            }
        };
        if resumed { Ok(Received::BadStart(judged)) } else { Err(judged) }
    }
}

enum Received {
    Good(Fetched),
    BadStart(Error),
}

/// A layer that came as a plain tar needs no copy of it.
fn stored_at(unpacked: &mut Option<(Stage, u64)>, blob: &Path) -> Result<()> {
    unpacked.as_mut().map_or(Ok(()), |(stage, _)| stage.stored_at(blob))
}

fn verification_failed(digest: &Digest) -> Error {
    Error::invalid(format!("filesystem layer verification failed for digest {digest}"))
}

struct Pass<'a> {
    images: &'a Images,
    task: &'a Task<'a>,
    remote: &'a dyn Remote,
    is_over: &'a (dyn Fn() -> bool + Sync),
}

impl Pass<'_> {
    /// All of `source` through the three stages; what was unpacked.
    fn run(&self, source: &mut (dyn Read + Send), mut partial: Option<&mut Partial>) -> Result<Option<(Stage, u64)>> {
        let task = self.task;
        let (digest, total) = (&task.descriptor.digest, task.descriptor.size);
        let what = || format!("layer {digest}");
        let mut stage = match task.chain {
            [below @ .., _] if task.unpack => Some(self.images.snapshots.stage(below)?),
            _ => None,
        };
        let (mut seen, mut told) = (0, 0);
        let each = |bytes: &[u8]| {
            if (self.is_over)() {
                return Err(io::Error::other(Error::unavailable("the pull was given up")));
            }
            if let Some(partial) = partial.as_mut() {
                partial.add(bytes)?;
            }
            seen += bytes.len() as u64;
            let ends = bytes.is_empty() || seen == total;
            if task.has_blob && (seen - told >= TELL_EVERY || ends) {
                told = seen;
                self.tell(PullStage::Extracting { current: seen, total });
            }
            if ends && !task.has_blob && told == 0 {
                told = seen;
                self.tell(PullStage::Verifying);
                self.tell(PullStage::Downloaded);
                if task.unpack {
                    self.tell(PullStage::Extracting { current: seen, total });
                }
            }
            Ok(())
        };
        if task.diff_id.is_none() {
            // no layer of an image: kept as it is
            let mut each = each;
            let mut buffer = vec![0; 128 << 10];
            loop {
                let n = source.read(&mut buffer).map_err(reason).during(what)?;
                each(&buffer[..n]).map_err(reason).during(what)?;
                if n == 0 {
                    return Ok(None);
                }
            }
        }
        let (writer, chunks) = pipe();
        let (applied, received) = std::thread::scope(|scope| {
            let applying = scope.spawn(|| apply(stage.as_mut(), chunks));
            let received = writer.send_all(source, each);
            (applying.join().unwrap_or_else(|_| Err(Error::internal("unpacking failed unexpectedly"))), received)
        });
        // why it ended early is the reason, what the archive looked like then is not
        let whole = received.map_err(reason).during(what)?;
        let found = applied.during(what)?;
        if !whole {
            return Err(Error::internal(format!("layer {digest}: unpacking ended early")));
        }
        let diff_id = found.plain.as_ref().unwrap_or(digest);
        match task.diff_id.filter(|wanted| *wanted != diff_id) {
            Some(wanted) => Err(Error::invalid(format!(
                "invalid diffID for layer {digest}: expected {:?}, got {:?}",
                wanted.as_str(),
                diff_id.as_str()
            ))),
            None => Ok(stage.map(|stage| (stage, found.bytes))),
        }
    }

    fn tell(&self, stage: PullStage) {
        self.remote.tell(PullEvent { blob: &self.task.descriptor.digest, stage });
    }
}

/// An error of ours that came through a reader.
fn reason(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(ours) => ours.clone(),
        None => error.into(),
    }
}

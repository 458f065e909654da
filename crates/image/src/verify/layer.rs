//! One layer and the blob it is made of.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
};

use archive::decompress;
use snapshot::Stage;
use sys::crash;
use values::{Digest, Error, ErrorKind, Result};

use super::{Finding, Part, Remedy, Verified, Work};
use crate::{
    images::Images,
    lease::Lease,
    pipeline::{Hashing, pipe},
    unpack::LayerSource,
};

/// What can be said of a layer.
enum Verdict {
    Sound,
    /// And what there is to put in its place.
    Damaged(String, Option<Stage>),
    /// What it is made of is damaged itself.
    Unknown,
}

impl Images {
    pub(super) fn verify_layer(
        &self,
        work: &Work<'_>,
        chain: &[Digest],
        lease: &mut Lease<'_>,
        seen: &mut BTreeMap<Digest, Option<String>>,
        verified: &mut Verified,
    ) -> Result<()> {
        work.go_on()?;
        let [below @ .., own] = chain else { return Ok(()) };
        // removed meanwhile
        if !lease.layer(own) {
            return Ok(());
        }
        verified.layers += 1;
        let is_missing = !self.snapshots.has(chain);
        let mut remedy = None;
        let verdict = match work.needs.source(own) {
            Some(source) => {
                lease.blob(&source.blob);
                self.judge_layer(work, source, below, (own, is_missing), seen)?
            }
            None if is_missing => {
                remedy = Some("remove the containers that stand on it: the image it came with is gone");
                Verdict::Damaged("it is missing".into(), None)
            }
            // nothing is left to compare it with
            None => Verdict::Sound,
        };
        let (why, stage) = match verdict {
            Verdict::Sound => return Ok(()),
            Verdict::Unknown if !is_missing => return Ok(()),
            Verdict::Unknown => ("it is missing, and what it is made of is damaged".into(), None),
            Verdict::Damaged(why, stage) => (why, stage),
        };
        let images = work.needs.of_layer(own);
        let remedy = match (remedy, stage) {
            (Some(remedy), _) => Remedy::Wanted(remedy.into()),
            (None, None) => Remedy::Wanted(self.get_again(&images)),
            (None, Some(_)) if !work.how.repair => Remedy::Wanted("system verify --repair unpacks it again".into()),
            (None, Some(stage)) => match self.exchange(work, stage, own) {
                Ok(()) => Remedy::Done("unpacked again".into()),
                Err(e) => Remedy::Wanted(e.message),
            },
        };
        verified.findings.push(Finding { part: Part::Layer(own.clone()), why, images, remedy });
        Ok(())
    }

    /// Makes it once more and compares.
    fn judge_layer(
        &self,
        work: &Work<'_>,
        source: &LayerSource,
        below: &[Digest],
        (own, is_missing): (&Digest, bool),
        seen: &mut BTreeMap<Digest, Option<String>>,
    ) -> Result<Verdict> {
        let file = match self.content.open_blob(&source.blob) {
            Ok(file) => file,
            Err(e) => {
                let why = if e.kind == ErrorKind::NotFound { "it is missing".into() } else { e.message };
                seen.insert(source.blob.clone(), Some(why));
                return Ok(Verdict::Unknown);
            }
        };
        let staged = if is_missing { self.snapshots.stage(below) } else { self.snapshots.stage_again(own, below) };
        let (found, staged) = match staged {
            Ok(mut stage) => {
                let (found, applied) = unpack(work, file, Some(&mut stage))?;
                (found, applied.map(|()| stage))
            }
            Err(e) => (unpack(work, file, None)?.0, Err(e)),
        };
        let why = match found {
            Ok(digest) => self.content.judge(&source.blob, &digest)?,
            Err(e) => Some(e.message),
        };
        let is_sound = why.is_none();
        seen.insert(source.blob.clone(), why);
        if !is_sound {
            return Ok(Verdict::Unknown);
        }
        let compared = staged.and_then(|stage| match is_missing {
            true => Ok((Some("it is missing".into()), stage)),
            false => self.snapshots.compare(stage, own),
        });
        Ok(match compared {
            Ok((None, _)) => Verdict::Sound,
            Ok((Some(why), stage)) => Verdict::Damaged(why, Some(stage)),
            // the disk is full, or a layer below is missing, say
            Err(e) => Verdict::Damaged(format!("it cannot be compared: {e}"), None),
        })
    }

    /// Puts what was made in the place of what is damaged.
    fn exchange(&self, work: &Work<'_>, stage: Stage, own: &Digest) -> Result<()> {
        let busy = || Error::conflict("somebody reads it just now: try again");
        let _exchange = self.traffic.exchange(own).ok_or_else(busy)?;
        let running = (work.how.running_on)(own);
        if !running.is_empty() {
            return Err(Error::conflict(format!("stop {} and repair again", running.join(", "))));
        }
        self.snapshots.remove_layer(own)?;
        // a layer that is missing is unpacked again when somebody needs it
        crash::point("image.layer-exchanged");
        self.snapshots.commit(vec![(stage, own.clone())])
    }
}

/// Digest of all of a blob, or why it cannot be read; and whether what it holds was unpacked.
type Unpacked = (Result<Digest>, Result<()>);

/// # Errors
/// `Unavailable` where nobody wants to know any more.
fn unpack(work: &Work<'_>, file: File, stage: Option<&mut Stage>) -> Result<Unpacked> {
    let mut blob = Hashing::new(Watched { file, work });
    let (applied, read) = std::thread::scope(|scope| {
        let (writer, reader) = pipe();
        let blob = &mut blob;
        let reading = scope.spawn(move || {
            if let Ok((_, mut plain)) = decompress(BufReader::with_capacity(128 << 10, &mut *blob)) {
                // what is wrong with it comes out at the other end
                let _ = writer.send_all(&mut plain, |_| Ok(()));
            }
            io::copy(blob, &mut io::sink())
        });
        let applied = match stage {
            Some(stage) => stage.apply(reader).map(drop),
            None => Ok(()),
        };
        (applied, reading.join().map_err(|_| Error::internal("reading failed unexpectedly")))
    });
    work.go_on()?;
    let digest = read?.map(|_| blob.digest()).map_err(Error::from);
    Ok((digest, applied))
}

/// Tells how far it is, and stops when nobody wants to know.
struct Watched<'a> {
    file: File,
    work: &'a Work<'a>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.work.go_on().map_err(|e| io::Error::other(e.message))?;
        let n = self.file.read(buffer)?;
        self.work.tell(n as u64);
        Ok(n)
    }
}

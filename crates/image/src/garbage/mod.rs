//! Room on the disk: downloads that nobody finished and images that nobody has used for long go, as `plan.rs` says.

mod account;
mod plan;

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime},
};

use store::{Batch, Durability};
use values::{Digest, Result, Timestamp};

use crate::{
    claims::Claim,
    image::Image,
    images::Images,
    records::{IMAGES, ImageRecord, USES},
    report::{Removed, Use},
};
pub use account::{Account, Owner, Rest, Share};
pub use plan::Standing;
use plan::{Fact, Leftover, Limits, Piece, Step, plan};

/// What is to be freed, and what must not be for it.
pub struct Collection<'a> {
    /// Bytes.
    pub wanted: u64,
    /// How long an image with a name must have rested.
    pub min_age: Duration,
    /// Somebody wants it kept whatever happens.
    pub is_pinned: &'a dyn Fn(&Image) -> bool,
    /// Containers that stand on it. Asked under a lock: it must not call back.
    pub in_use: &'a dyn Fn(&Digest) -> Vec<Use>,
}

/// One thing that went, and the bytes that are free for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collected {
    /// What there was of a blob.
    Partial {
        digest: Digest,
        bytes: u64,
    },
    Image {
        id: Digest,
        removed: Vec<Removed>,
        bytes: u64,
    },
}

/// An image without a name is what a build or a pull left behind; for a while somebody may still know its id.
pub const NAMELESS_MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Uses are not written down more often.
const USE_STEP: i64 = 60 * 60;

impl Images {
    /// A container of the image was made or removed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn used(&self, id: &Digest) -> Result<()> {
        let now = Timestamp::now();
        {
            let mut ledger = self.ledger();
            if !ledger.images.contains_key(id) || ledger.uses.get(id).is_some_and(|at| now.secs - at.secs < USE_STEP) {
                return Ok(());
            }
            ledger.uses.insert(id.clone(), now);
        }
        let mut batch = Batch::new();
        batch.put(&USES, id.as_str(), &now)?;
        self.store.commit(batch, Durability::Process)
    }

    /// Removes what may go until so much is free, or nothing more may. What is needed meanwhile stays.
    ///
    /// # Errors
    /// Those of the store; what went before is gone.
    pub fn collect_garbage(&self, collection: &Collection<'_>, each: &mut dyn FnMut(Collected)) -> Result<()> {
        let facts = self.facts(collection)?;
        let held: Vec<Piece> = {
            let ledger = self.ledger();
            let tops = ledger.holds.values().filter_map(|top| ledger.chain(Some(top)));
            tops.flatten().map(Piece::Layer).collect()
        };
        let named = millis(collection.min_age);
        let limits = Limits { wanted: collection.wanted, named, nameless: millis(NAMELESS_MIN_AGE).min(named) };
        for step in plan(&facts, &self.leftovers(), &held, limits) {
            match step {
                Step::Leftover(digest, bytes) => {
                    if self.remove_leftover(&digest) {
                        each(Collected::Partial { digest, bytes });
                    }
                }
                Step::Image(id, bytes) => {
                    let since = facts.iter().find(|fact| fact.id == id).map_or(0, |fact| fact.idle);
                    if let Some(removed) = self.remove_idle(&id, since, collection)? {
                        each(Collected::Image { id, removed, bytes });
                    }
                }
            }
        }
        Ok(())
    }

    fn facts(&self, collection: &Collection<'_>) -> Result<Vec<Fact>> {
        let now = Timestamp::now();
        let parents: HashSet<Digest> = self.ledger().images.values().filter_map(|image| image.parent.clone()).collect();
        let mut facts = Vec::new();
        self.store.for_each(&IMAGES, |_, record| {
            let id = record.descriptor.digest.clone();
            let image = self.get(&id);
            let standing = match &image {
                // one that cannot be shown is a person's to decide about
                None => Standing::Needed,
                Some(_) if parents.contains(&id) || self.is_used(&id, collection.in_use) => Standing::Needed,
                Some(image) if (collection.is_pinned)(image) => Standing::Needed,
                Some(image) if image.repo_digests.is_empty() => Standing::Nameless,
                Some(_) if record.pulled => Standing::Named,
                Some(_) => Standing::Own,
            };
            let idle = since(now, self.last_used(&record));
            facts.push(Fact { standing, idle, pieces: self.pieces(&record), id });
            Ok(())
        })?;
        Ok(facts)
    }

    fn last_used(&self, record: &ImageRecord) -> Timestamp {
        let ledger = self.ledger();
        let id = &record.descriptor.digest;
        let named = ledger.images.get(id).map(|image| image.tagged_at);
        let used = ledger.uses.get(id).copied();
        named.into_iter().chain(used).fold(record.at, Timestamp::max)
    }

    fn pieces(&self, record: &ImageRecord) -> Vec<(Piece, u64)> {
        let ledger = self.ledger();
        let mut pieces = BTreeMap::new();
        for top in record.top.iter().chain(&record.other_tops) {
            for layer in ledger.chain(Some(top)).into_iter().flatten() {
                let bytes = ledger.layers.get(&layer).map_or(0, |known| known.bytes);
                pieces.insert(layer, bytes);
            }
        }
        let blobs = record.blobs.iter().map(|blob| {
            let bytes = ledger.blobs.get(blob).map_or(0, |known| known.size);
            (Piece::Blob(blob.clone()), bytes)
        });
        pieces.into_iter().map(|(layer, bytes)| (Piece::Layer(layer), bytes)).chain(blobs).collect()
    }

    /// Downloads that no pull is working on.
    fn leftovers(&self) -> Vec<Leftover> {
        let claimed = self.claimed();
        let now = SystemTime::now();
        let all = self.content.partials.list().into_iter().filter(|(digest, ..)| {
            // one that somebody takes up from now on is his
            !claimed.contains_key(&Claim::Blob(digest.clone()))
        });
        let leftover = |(digest, bytes, modified): (Digest, u64, SystemTime)| Leftover {
            digest,
            bytes,
            idle: now.duration_since(modified).map_or(0, millis),
        };
        all.map(leftover).collect()
    }

    /// Whether there was an unfinished download that no pull is working on; it is gone then.
    pub(crate) fn remove_leftover(&self, digest: &Digest) -> bool {
        let claimed = self.claimed();
        !claimed.contains_key(&Claim::Blob(digest.clone())) && self.content.partials.remove(digest)
    }

    /// `None`: somebody uses it now, or has used it since.
    fn remove_idle(&self, id: &Digest, idle: u64, collection: &Collection<'_>) -> Result<Option<Vec<Removed>>> {
        let removed = {
            let _writer = self.writer();
            let Some(image) = self.get(id) else { return Ok(None) };
            let Some(record) = self.store.get(&IMAGES, id.as_str())? else { return Ok(None) };
            let rested = since(Timestamp::now(), self.last_used(&record));
            if rested < idle || (collection.is_pinned)(&image) {
                return Ok(None);
            }
            {
                let mut ledger = self.ledger();
                if ledger.has_children(id) || !ledger.uses_of(id, collection.in_use).is_empty() {
                    return Ok(None);
                }
                ledger.leaving.insert(id.clone());
            }
            self.remove_whole(&image)?
        };
        self.collect()?;
        Ok(Some(removed))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds; 0 where a clock was set back.
fn since(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(now.unix_nanos().saturating_sub(then.unix_nanos()) / 1_000_000).unwrap_or(0)
}

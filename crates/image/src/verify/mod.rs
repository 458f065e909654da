//! Whether all that is kept is what it should be: content against its digests, layers against their content, records against
//! both. What can be mended is, on request.
//!
//! A layer is made once more of its blob, aside, and compared: so both are read once, and what was made takes the place of
//! what is damaged.

mod again;
mod layer;
mod needs;
mod records;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use values::{Digest, Error, Result};

use crate::images::Images;
pub use again::Again;
use needs::Needs;

/// How it is to be done. Everything is called from several threads.
pub struct Verification<'a> {
    pub repair: bool,
    /// Names of containers that run on a layer: it cannot be exchanged under them.
    pub running_on: &'a (dyn Fn(&Digest) -> Vec<String> + Sync),
    /// Bytes that were read, of how many.
    pub tell: &'a (dyn Fn(u64, u64) + Sync),
    /// Nobody wants to know any more.
    pub is_over: &'a (dyn Fn() -> bool + Sync),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What was looked at.
    pub blobs: usize,
    pub bytes: u64,
    pub layers: usize,
    pub images: usize,
    pub findings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub part: Part,
    pub why: String,
    /// Images that need it.
    pub images: Vec<Digest>,
    pub remedy: Remedy,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A record of the daemon's.
    Record(String),
    /// A blob.
    Content(Digest),
    /// An unpacked layer, by its chain id.
    Layer(Digest),
    Image(Digest),
    /// An image's name, in its short form.
    Name(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(name) => write!(f, "record {name}"),
            Self::Content(digest) => write!(f, "content {digest}"),
            Self::Layer(layer) => write!(f, "layer {layer}"),
            Self::Image(id) => write!(f, "image {id}"),
            Self::Name(name) => write!(f, "name {name}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// What was done.
    Done(String),
    /// What somebody can do.
    Wanted(String),
}

impl Images {
    /// Looks at everything. What is damaged is known thereafter: a pull gets content anew.
    ///
    /// # Errors
    /// `Unavailable` where `is_over` said so; those of the store.
    pub fn verify(&self, how: &Verification<'_>) -> Result<Verified> {
        let needs = self.needs()?;
        let layers = self.layers_lowest_first(None);
        let mut verified = self.verify_parts(how, &needs, &layers, true)?;
        self.verify_records(how, &needs, &mut verified)?;
        verified.findings.sort_by(|a, b| a.part.cmp(&b.part));
        Ok(verified)
    }

    /// Layers with their chains; all, or those that are asked for.
    pub(crate) fn layers_lowest_first(&self, only: Option<&HashSet<Digest>>) -> Vec<Vec<Digest>> {
        let ledger = self.ledger();
        let wanted = ledger.layers.keys().filter(|layer| only.is_none_or(|only| only.contains(layer)));
        let mut chains: Vec<Vec<Digest>> = wanted.filter_map(|layer| ledger.chain(Some(layer))).collect();
        chains.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        chains
    }

    /// Layers, the content they are made of, and with `all` all other content.
    pub(crate) fn verify_parts(
        &self,
        how: &Verification<'_>,
        needs: &Needs,
        layers: &[Vec<Digest>],
        all: bool,
    ) -> Result<Verified> {
        let blobs: BTreeMap<Digest, u64> = match all {
            true => self.ledger().blobs.iter().map(|(digest, blob)| (digest.clone(), blob.size)).collect(),
            false => BTreeMap::new(),
        };
        let of_layers: Vec<_> = layers.iter().filter_map(|chain| needs.source(chain.last()?)).collect();
        let read_twice: HashSet<&Digest> = of_layers.iter().map(|source| &source.blob).collect();
        let others = blobs.iter().filter(|(digest, _)| !read_twice.contains(digest)).map(|(_, size)| size);
        let total = of_layers.iter().map(|source| source.size).sum::<u64>() + others.sum::<u64>();
        let work = Work { how, needs, total, done: AtomicU64::new(0) };
        let mut lease = self.lease();
        let mut verified = Verified { bytes: blobs.values().sum(), ..Verified::default() };
        // why each blob is not what it should be
        let mut seen: BTreeMap<Digest, Option<String>> = BTreeMap::new();
        for chain in layers {
            self.verify_layer(&work, chain, &mut lease, &mut seen, &mut verified)?;
        }
        for (digest, size) in blobs {
            // one that was removed meanwhile is none of ours any more
            if !seen.contains_key(&digest) && lease.blob(&digest) {
                let why = self.content.examine(&digest, how.is_over)?;
                work.tell(size);
                seen.insert(digest, why);
            }
        }
        verified.blobs = seen.len();
        for (digest, why) in seen {
            let Some(why) = why else { continue };
            let images = needs.of_blob(&digest);
            let remedy = Remedy::Wanted(self.get_again(&images));
            verified.findings.push(Finding { part: Part::Content(digest), why, images, remedy });
        }
        Ok(verified)
    }

    /// The first name of each image, or its short id.
    pub fn names_of(&self, ids: &[Digest]) -> Vec<String> {
        let ledger = self.ledger();
        let name = |id: &Digest| ledger.tags_of(id).map(|tag| tag.reference.familiar()).min();
        ids.iter().map(|id| name(id).unwrap_or_else(|| id.short().into())).collect()
    }

    /// Whether there is a record of a layer.
    pub fn has_layer(&self, layer: &Digest) -> bool {
        self.ledger().layers.contains_key(layer)
    }

    /// How to come by an image's content again.
    fn get_again(&self, images: &[Digest]) -> String {
        let ledger = self.ledger();
        let mut names: Vec<String> =
            images.iter().flat_map(|id| ledger.tags_of(id)).map(|tag| tag.reference.familiar()).collect();
        names.sort();
        match (names.first(), images.is_empty()) {
            (Some(name), _) => format!("pull {name}, or load it again"),
            (None, true) => "nothing: no image needs it".into(),
            (None, false) => "load or build the image again".into(),
        }
    }
}

/// What all steps share.
struct Work<'a> {
    how: &'a Verification<'a>,
    needs: &'a Needs,
    total: u64,
    done: AtomicU64,
}

impl Work<'_> {
    fn tell(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.how.tell)(done.min(self.total), self.total);
    }

    fn go_on(&self) -> Result<()> {
        if (self.how.is_over)() { Err(Error::unavailable("context canceled")) } else { Ok(()) }
    }
}

//! What each byte of content and layers is kept for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use values::{Digest, Result};

use super::{
    Collection,
    plan::{Piece, Standing},
};
use crate::{images::Images, report::owner};

/// Whom something is kept for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Image(Digest),
    /// A container whose image is gone, by its id.
    Container(String),
}

/// All that these need and nobody else does. Nobody: work in progress, or it goes just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub owners: Vec<Owner>,
    pub bytes: u64,
}

/// An image, whether it may go by itself, and how long it has rested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub id: Digest,
    pub standing: Standing,
    pub idle: Duration,
}

/// All of [`Images::disk_usage`], each byte once, and unfinished downloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub shares: Vec<Share>,
    pub images: Vec<Rest>,
    /// Digest, bytes, since when nothing was added.
    pub downloads: Vec<(Digest, u64, Duration)>,
}

impl Images {
    /// What is kept for whom. `collection` says what stays whatever happens.
    ///
    /// # Errors
    /// Those of the store.
    pub fn account(&self, collection: &Collection<'_>) -> Result<Account> {
        let facts = self.facts(collection)?;
        let mut owners: HashMap<Piece, BTreeSet<Owner>> = HashMap::new();
        let mut note = |piece: &Piece, owner: Owner| owners.entry(piece.clone()).or_default().insert(owner);
        for fact in &facts {
            for (piece, _) in &fact.pieces {
                note(piece, Owner::Image(fact.id.clone()));
            }
        }
        let ledger = self.ledger();
        for (holder, top) in &ledger.holds {
            for layer in ledger.chain(Some(top)).into_iter().flatten() {
                note(&Piece::Layer(layer), Owner::Container(owner(holder).to_owned()));
            }
        }
        let blobs = ledger.blobs.iter().map(|(digest, blob)| (Piece::Blob(digest.clone()), blob.size));
        let layers = ledger.layers.iter().map(|(layer, known)| (Piece::Layer(layer.clone()), known.bytes));
        let mut shares: BTreeMap<BTreeSet<Owner>, u64> = BTreeMap::new();
        for (piece, bytes) in blobs.chain(layers) {
            *shares.entry(owners.remove(&piece).unwrap_or_default()).or_default() += bytes;
        }
        drop(ledger);
        let millis = Duration::from_millis;
        let share = |(owners, bytes): (BTreeSet<Owner>, u64)| Share { owners: owners.into_iter().collect(), bytes };
        let rest = |fact: super::plan::Fact| Rest { id: fact.id, standing: fact.standing, idle: millis(fact.idle) };
        Ok(Account {
            shares: shares.into_iter().map(share).collect(),
            images: facts.into_iter().map(rest).collect(),
            downloads: self.leftovers().into_iter().map(|one| (one.digest, one.bytes, millis(one.idle))).collect(),
        })
    }
}

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
};

use snapshot::Snapshotter;
use store::Store;
use sys::crash;
use values::{Digest, Result};

use crate::{claims::Claimed, compress::Compressed, content::Content, image::Image, ledger::Ledger, traffic::Traffic};

/// What [`Images::open`] works on.
pub struct Config {
    /// Directory for content; made if it is missing.
    pub root: PathBuf,
    pub store: Arc<Store>,
    pub snapshots: Arc<dyn Snapshotter>,
    /// Which start of the machine this is; empty: not known.
    pub boot: String,
}

/// All images of a daemon. Share it by `Arc`; all calls block and may come from any thread.
pub struct Images {
    pub(crate) store: Arc<Store>,
    pub(crate) snapshots: Arc<dyn Snapshotter>,
    pub(crate) content: Content,
    /// Held only for moments, never during input or output of more than a rename.
    ledger: Mutex<Ledger>,
    /// Held while records change, which may wait for the disk. Taken before the ledger.
    writer: Mutex<()>,
    /// Layers somebody is unpacking, blobs somebody is fetching.
    pub(crate) claimed: Mutex<Claimed>,
    pub(crate) unclaimed: Condvar,
    pub(crate) traffic: Traffic,
    /// Layers that somebody sends compressed, by their plain digests.
    pub(crate) compressed: Mutex<HashMap<Digest, Weak<Compressed>>>,
    pub(crate) boot: String,
    /// Layers to be looked at after an unclean end.
    pub(crate) recent: Mutex<HashSet<Digest>>,
    problems: Mutex<Vec<String>>,
}

impl Images {
    pub(crate) fn new(config: Config, content: Content, ledger: Ledger, problems: Vec<String>) -> Self {
        Self {
            store: config.store,
            snapshots: config.snapshots,
            content,
            ledger: Mutex::new(ledger),
            writer: Mutex::new(()),
            claimed: Mutex::default(),
            unclaimed: Condvar::new(),
            traffic: Traffic::default(),
            compressed: Mutex::default(),
            boot: config.boot,
            recent: Mutex::default(),
            problems: Mutex::new(problems),
        }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found wrong at opening, for the log: images whose manifest or configuration is damaged or missing are not
    /// shown, but their records stay.
    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_problems(&self, more: impl Iterator<Item = String>) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }

    /// All images, newest first.
    pub fn list(&self) -> Vec<Arc<Image>> {
        let mut images: Vec<_> = self.ledger().images.values().cloned().collect();
        images.sort_by_key(|image| std::cmp::Reverse(image.created()));
        images
    }

    /// The image with that id.
    pub fn get(&self, id: &Digest) -> Option<Arc<Image>> {
        self.ledger().images.get(id).cloned()
    }

    /// Whether `id` is `ancestor` or was built on it, as far as that is known: by the parent it names, or because its
    /// layers begin with all of the ancestor's.
    pub fn descends(&self, id: &Digest, ancestor: &Digest) -> bool {
        let ledger = self.ledger();
        let (Some(image), Some(wanted)) = (ledger.images.get(id), ledger.images.get(ancestor)) else {
            return id == ancestor;
        };
        let mut parent = image.parent.as_ref();
        for _ in 0..ledger.images.len() {
            match parent {
                Some(known) if known == ancestor => return true,
                Some(known) => parent = ledger.images.get(known).and_then(|image| image.parent.as_ref()),
                None => break,
            }
        }
        id == ancestor || !wanted.chain.is_empty() && image.chain.starts_with(&wanted.chain)
    }

    /// Whether a blob of that size is here.
    pub fn has_content(&self, digest: &Digest, size: u64) -> bool {
        self.content.is_sealed(digest, size).is_some()
    }

    /// A manifest's, index's or configuration's bytes as they came.
    pub fn content(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.content.read(digest)
    }

    /// Waits until what was removed has given its room back.
    pub fn wait_for_trash(&self) {
        self.content.trash().wait();
        self.snapshots.trash().wait();
    }

    /// Throws away what nobody needs.
    pub(crate) fn collect(&self) -> Result<()> {
        if !self.ledger().has_dead() {
            return Ok(());
        }
        let _writer = self.writer();
        let mut batch = store::Batch::new();
        {
            let mut ledger = self.ledger();
            let dead = ledger.take_dead();
            if dead.is_empty() {
                return Ok(());
            }
            // Under the ledger's lock: whoever looks next must not find half of it.
            for digest in &dead.blobs {
                self.content.remove(digest)?;
            }
            for chain_id in &dead.layers {
                self.snapshots.remove_layer(chain_id)?;
                batch.delete(&crate::records::LAYERS, chain_id.as_str());
            }
        }
        crash::point("image.collected");
        // Records of layers that are gone are harmless: they are swept at the next opening.
        self.store.commit(batch, store::Durability::Process)
    }
}

//! Who needs what: counts over images, blobs and layers, in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use values::{Digest, Reference, Timestamp};

use crate::image::Image;
use crate::records::ImageRecord;

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) images: BTreeMap<Digest, Arc<Image>>,
    /// Full names.
    pub(crate) tags: BTreeMap<String, Tag>,
    pub(crate) blobs: HashMap<Digest, Blob>,
    pub(crate) layers: HashMap<Digest, Layer>,
    /// When a container of an image was last made or removed.
    pub(crate) uses: HashMap<Digest, Timestamp>,
    /// Images that cannot be shown or used, and what of theirs is kept (and counted).
    pub(crate) broken: BTreeMap<Digest, ImageRecord>,
    /// Containers which keep layers of an image that is gone, and their topmost layers.
    pub(crate) holds: HashMap<String, Digest>,
    /// Images that somebody is about to need, and how many ([`crate::Kept`]).
    pub(crate) kept: HashMap<Digest, usize>,
    /// Images whose removal is decided and not yet done: nobody begins to need them.
    pub(crate) leaving: HashSet<Digest>,
}

#[derive(Clone)]
pub(crate) struct Tag {
    pub(crate) reference: Reference,
    pub(crate) image: Digest,
    pub(crate) at: Timestamp,
}

pub(crate) struct Blob {
    pub(crate) size: u64,
    /// Images and pins.
    uses: u32,
}

pub(crate) struct Layer {
    pub(crate) diff_id: Digest,
    pub(crate) parent: Option<Digest>,
    pub(crate) bytes: u64,
    /// Images, layers above, holds and pins.
    uses: u32,
}

/// What nobody needs any more.
#[derive(Default)]
pub(crate) struct Dead {
    pub(crate) blobs: Vec<Digest>,
    pub(crate) layers: Vec<Digest>,
}

impl Dead {
    pub(crate) fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.layers.is_empty()
    }
}

impl Ledger {
    /// One more use of a blob; false where there is none.
    pub(crate) fn use_blob(&mut self, digest: &Digest) -> bool {
        self.blobs.get_mut(digest).map(|blob| blob.uses += 1).is_some()
    }

    pub(crate) fn unused_blobs(&self) -> Vec<Digest> {
        self.blobs.iter().filter(|(_, blob)| blob.uses == 0).map(|(digest, _)| digest.clone()).collect()
    }

    /// Takes a blob out if it has no uses.
    pub(crate) fn take_unused(&mut self, digest: &Digest) -> bool {
        let unused = self.blobs.get(digest).is_some_and(|blob| blob.uses == 0);
        unused && self.blobs.remove(digest).is_some()
    }

    pub(crate) fn drop_blob(&mut self, digest: &Digest) {
        if let Some(blob) = self.blobs.get_mut(digest) {
            blob.uses -= 1;
        }
    }

    /// A blob which is in its place now, with no uses yet where it is new.
    pub(crate) fn add_blob(&mut self, digest: Digest, size: u64) {
        self.blobs.entry(digest).or_insert(Blob { size, uses: 0 }).size = size;
    }

    /// A blob which an image needs and which is not there: its uses count, its bytes do not.
    pub(crate) fn miss_blob(&mut self, digest: Digest) {
        self.blobs.entry(digest).or_insert(Blob { size: 0, uses: 0 });
    }

    pub(crate) fn use_layer(&mut self, chain_id: &Digest) -> bool {
        self.layers.get_mut(chain_id).map(|layer| layer.uses += 1).is_some()
    }

    /// The layers up to `top` stay for a holder, which has one hold; whether they are there.
    pub(crate) fn hold(&mut self, holder: String, top: Digest) -> bool {
        let is_there = self.use_layer(&top);
        if is_there && let Some(before) = self.holds.insert(holder, top) {
            self.drop_layer(&before);
        }
        is_there
    }

    pub(crate) fn drop_layer(&mut self, chain_id: &Digest) {
        if let Some(layer) = self.layers.get_mut(chain_id) {
            layer.uses -= 1;
        }
    }

    /// A layer which is in its place now; it uses its parent.
    pub(crate) fn add_layer(&mut self, chain_id: Digest, diff_id: Digest, parent: Option<Digest>, bytes: u64) {
        if self.layers.contains_key(&chain_id) {
            return;
        }
        if let Some(parent) = &parent {
            self.use_layer(parent);
        }
        self.layers.insert(chain_id, Layer { diff_id, parent, bytes, uses: 0 });
    }

    /// Counts again what layers use of each other, for those that were added before their parents.
    pub(crate) fn count_parents(&mut self) {
        let parents: Vec<Digest> = self.layers.values().filter_map(|layer| layer.parent.clone()).collect();
        for layer in self.layers.values_mut() {
            layer.uses = 0;
        }
        for parent in parents {
            self.use_layer(&parent);
        }
    }

    /// The chain below and with `top`, lowest first; `None` where a link of it is missing.
    pub(crate) fn chain(&self, top: Option<&Digest>) -> Option<Vec<Digest>> {
        let mut chain = Vec::new();
        let mut next = top;
        while let Some(chain_id) = next {
            // a record that names itself as its ancestor would go on for ever
            if chain.len() > self.layers.len() {
                return None;
            }
            chain.push(chain_id.clone());
            next = self.layers.get(chain_id)?.parent.as_ref();
        }
        chain.reverse();
        Some(chain)
    }

    /// Takes out what has no uses, layers before what they stand on.
    pub(crate) fn take_dead(&mut self) -> Dead {
        let mut dead = Dead::default();
        dead.blobs.extend(self.blobs.extract_if(|_, blob| blob.uses == 0).map(|(digest, _)| digest));
        loop {
            let free: Vec<_> = self.layers.extract_if(|_, layer| layer.uses == 0).collect();
            if free.is_empty() {
                return dead;
            }
            for (chain_id, layer) in free {
                if let Some(parent) = &layer.parent {
                    self.drop_layer(parent);
                }
                dead.layers.push(chain_id);
            }
        }
    }

    /// Whether anything has no uses.
    pub(crate) fn has_dead(&self) -> bool {
        self.blobs.values().any(|b| b.uses == 0) || self.layers.values().any(|l| l.uses == 0)
    }

    /// Whether another image names this one as what it was built on.
    pub(crate) fn has_children(&self, id: &Digest) -> bool {
        self.images.values().any(|other| other.parent.as_ref() == Some(id))
    }

    /// The names of an image.
    pub(crate) fn tags_of<'a>(&'a self, id: &'a Digest) -> impl Iterator<Item = &'a Tag> {
        self.tags.values().filter(move |tag| tag.image == *id)
    }

    /// Gives an image the names it has now.
    pub(crate) fn refresh(&mut self, id: &Digest) {
        let Some(image) = self.images.get(id) else { return };
        let mut fresh = Image::clone(image);
        let mut repositories = HashSet::new();
        let digest = image.published.as_ref().unwrap_or(id);
        (fresh.repo_tags, fresh.repo_digests) = (Vec::new(), Vec::new());
        for tag in self.tags_of(id) {
            if tag.reference.tag.is_some() {
                fresh.repo_tags.push(tag.reference.familiar());
            }
            if repositories.insert(tag.reference.name()) {
                fresh.repo_digests.push(format!("{}@{digest}", tag.reference.familiar_name()));
            }
            fresh.tagged_at = fresh.tagged_at.max(tag.at);
        }
        fresh.repo_tags.sort_unstable();
        fresh.repo_digests.sort_unstable();
        self.images.insert(id.clone(), Arc::new(fresh));
    }
}

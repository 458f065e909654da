//! What work in progress needs, kept from being thrown away.

use std::sync::Arc;

use oci::image::Descriptor;
use sys::crash;
use values::{Digest, Error, Result};

use crate::{content::Staged, images::Images, parts::Parts};

/// Pins on blobs and layers, which end with it.
pub(crate) struct Lease<'a> {
    images: &'a Images,
    blobs: Vec<Digest>,
    layers: Vec<Digest>,
    /// Blobs that came.
    placed: Vec<Digest>,
}

impl Images {
    pub(crate) fn lease(&self) -> Lease<'_> {
        Lease { images: self, blobs: Vec::new(), layers: Vec::new(), placed: Vec::new() }
    }
}

impl Lease<'_> {
    /// Pins a blob; false where there is none.
    pub(crate) fn blob(&mut self, digest: &Digest) -> bool {
        let found = self.images.ledger().use_blob(digest);
        if found {
            self.blobs.push(digest.clone());
        }
        found
    }

    /// Pins a blob.
    ///
    /// # Errors
    /// `NotFound` where there is none: it was removed since it was looked up.
    pub(crate) fn need_blob(&mut self, digest: &Digest) -> Result<()> {
        if self.blob(digest) { Ok(()) } else { Err(Error::not_found(format!("content {digest}: not found"))) }
    }

    /// Pins a blob that is there and is what it must be.
    pub(crate) fn sound_blob(&mut self, descriptor: &Descriptor) -> bool {
        self.blob(&descriptor.digest) && self.images.content.is_sound(descriptor)
    }

    /// Puts a staged blob into its place and pins it. Where there is one already it stays, unless it may be damaged.
    /// [`Content::sync`] is still owed.
    ///
    /// [`Content::sync`]: crate::content::Content::sync
    pub(crate) fn place(&mut self, staged: Staged) -> Result<()> {
        let (digest, size) = (staged.digest.clone(), staged.size);
        let is_known = self.blob(&digest);
        if is_known && self.images.content.is_sealed(&digest, size) == Some(true) {
            return Ok(());
        }
        staged.sync()?;
        crash::point("image.blob-synced");
        // Renamed, known and pinned in one: a collection of the same digest, placed by somebody else, must come
        // before all of it or after.
        let mut ledger = self.images.ledger();
        self.images.content.place(staged)?;
        ledger.add_blob(digest.clone(), size);
        if !is_known {
            ledger.use_blob(&digest);
            self.blobs.push(digest.clone());
        }
        drop(ledger);
        self.placed.push(digest);
        crash::point("image.blob-placed");
        Ok(())
    }

    /// Pins a layer; false where there is none.
    pub(crate) fn layer(&mut self, chain_id: &Digest) -> bool {
        let found = self.images.ledger().use_layer(chain_id);
        if found {
            self.layers.push(chain_id.clone());
        }
        found
    }

    /// Makes a layer that is in its place known, and pins it.
    pub(crate) fn add_layer(&mut self, chain_id: &Digest, diff_id: &Digest, parent: Option<&Digest>, bytes: u64) {
        let mut ledger = self.images.ledger();
        ledger.add_layer(chain_id.clone(), diff_id.clone(), parent.cloned(), bytes);
        ledger.use_layer(chain_id);
        drop(ledger);
        self.layers.push(chain_id.clone());
        crash::point("image.layer-placed");
    }
}

impl<'a> Lease<'a> {
    /// Takes another's pins.
    pub(crate) fn absorb(&mut self, mut other: Lease<'a>) {
        self.blobs.append(&mut other.blobs);
        self.layers.append(&mut other.layers);
        self.placed.append(&mut other.placed);
    }

    /// Ends it; blobs that were placed under it and that nobody needs wait aside for a later try.
    pub(crate) fn put_aside(mut self) {
        let mut ledger = self.images.ledger();
        self.blobs.drain(..).for_each(|digest| ledger.drop_blob(&digest));
        for digest in std::mem::take(&mut self.placed) {
            if ledger.take_unused(&digest) {
                // else it is fetched again
                let _ = self.images.content.put_aside(&digest);
            }
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut ledger = self.images.ledger();
        for digest in &self.blobs {
            ledger.drop_blob(digest);
        }
        for chain_id in &self.layers {
            ledger.drop_layer(chain_id);
        }
        drop(ledger);
        // What could not be thrown away is swept at the next opening.
        let _ = self.images.collect();
    }
}

/// Blobs that somebody passes on. Dropped, it throws away what nobody needs any more, which may take a while.
pub struct Hold {
    images: Arc<Images>,
    blobs: Vec<Digest>,
}

impl Images {
    /// Keeps what an image consists of.
    ///
    /// # Errors
    /// `NotFound` where something was removed since it was looked up.
    pub fn keep_for_now(self: &Arc<Self>, parts: &Parts) -> Result<Hold> {
        let mut lease = self.lease();
        for part in parts.blobs.iter().chain(&parts.manifests) {
            lease.need_blob(&part.digest)?;
        }
        Ok(Hold { images: self.clone(), blobs: std::mem::take(&mut lease.blobs) })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut lease = self.images.lease();
        lease.blobs = std::mem::take(&mut self.blobs);
    }
}

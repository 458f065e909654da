//! What work in progress needs, kept from being thrown away.

use values::{Digest, Result};

use crate::{content::Staged, images::Images, step::step};

/// Pins on blobs and layers, which end with it.
pub(crate) struct Lease<'a> {
    images: &'a Images,
    blobs: Vec<Digest>,
    layers: Vec<Digest>,
}

impl Images {
    pub(crate) fn lease(&self) -> Lease<'_> {
        Lease { images: self, blobs: Vec::new(), layers: Vec::new() }
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

    /// Puts a staged blob into its place, unless it is there already, and pins it. [`Content::sync`] is still owed.
    ///
    /// [`Content::sync`]: crate::content::Content::sync
    pub(crate) fn place(&mut self, staged: Staged) -> Result<()> {
        if self.blob(&staged.digest) {
            return Ok(());
        }
        staged.sync()?;
        step("blob-synced");
        let (digest, size) = (staged.digest.clone(), staged.size);
        // Renamed, known and pinned in one: a collection of the same digest, placed by somebody else, must come
        // before all of it or after.
        let mut ledger = self.images.ledger();
        if !ledger.use_blob(&digest) {
            self.images.content.place(staged)?;
            ledger.add_blob(digest.clone(), size);
            ledger.use_blob(&digest);
        }
        drop(ledger);
        self.blobs.push(digest);
        step("blob-placed");
        Ok(())
    }

    /// The same for a blob whose file may be damaged or gone although it is known: it is put there again.
    pub(crate) fn place_again(&mut self, staged: Staged) -> Result<()> {
        if !self.blob(&staged.digest) {
            return self.place(staged);
        }
        staged.sync()?;
        self.images.content.place(staged)
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
        step("layer-placed");
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

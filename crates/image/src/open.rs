//! Opening: records into memory, what a crash left behind away.

use std::collections::HashSet;

use oci::image::media;
use store::{Batch, Durability};
use values::{Digest, Result};

use crate::{
    commit::json,
    content::Content,
    images::{Config, Images},
    ledger::{Ledger, Tag},
    records::{FACTS, HOLDS, IMAGES, ImageRecord, LAYERS, SEEDED, TAGS, USES},
    report::owner,
};

impl Images {
    /// Opens the images; into a store that has never had one, `hello-world` is put.
    pub fn open(config: Config) -> Result<Self> {
        let content = Content::open(&config.root)?;
        let mut ledger = Ledger::default();
        let mut problems = Vec::new();
        let on_disk = content.list()?;
        for (digest, size) in &on_disk {
            ledger.add_blob(digest.clone(), *size);
        }
        config.store.for_each(&LAYERS, |chain_id, layer| {
            if let Ok(chain_id) = chain_id.parse::<Digest>() {
                ledger.add_layer(chain_id, layer.diff_id, layer.parent, layer.bytes);
            }
            Ok(())
        })?;
        ledger.count_parents();
        config.store.for_each(&IMAGES, |id, record| {
            for blob in &record.blobs {
                if !ledger.blobs.contains_key(blob) {
                    ledger.miss_blob(blob.clone());
                    problems.push(format!("image {id}: content {blob} is missing: pull it again"));
                }
            }
            if let Err(e) = open_image(&content, &mut ledger, &record) {
                keep_what_is_left(&mut ledger, record);
                problems.push(format!("image {id} is not usable: {e}"));
            }
            Ok(())
        })?;
        config.store.for_each(&USES, |id, at| {
            if let Ok(id) = id.parse() {
                ledger.uses.insert(id, at);
            }
            Ok(())
        })?;
        config.store.for_each(&TAGS, |name, record| {
            if let Ok(reference) = name.parse() {
                ledger.set_tag(Tag { reference, image: record.image, at: record.at });
            }
            Ok(())
        })?;
        config.store.for_each(&HOLDS, |container, record| {
            ledger.use_layer(&record.top);
            ledger.holds.insert(container.into(), record.top);
            Ok(())
        })?;
        let images = Self::new(config, content, ledger, problems);
        images.release_holds()?;
        images.sweep()?;
        images.find_recent()?;
        if images.ledger().images.is_empty() && !images.store.contains(&FACTS, SEEDED) {
            images.seed()?;
        }
        Ok(images)
    }

    /// Throws away layers without a record, records and blobs nobody needs.
    fn sweep(&self) -> Result<()> {
        let known: HashSet<Digest> = self.ledger().layers.keys().cloned().collect();
        for layer in self.snapshots.layers()? {
            if !known.contains(&layer) {
                self.snapshots.remove_layer(&layer)?;
            }
        }
        // what a pull had received when its process died: the next one need not fetch it
        let mut ledger = self.ledger();
        for digest in ledger.unused_blobs() {
            if self.content.is_fresh(&digest) && ledger.take_unused(&digest) {
                self.content.put_aside(&digest)?;
            }
        }
        drop(ledger);
        self.collect()
    }

    /// Lets go of layers held for containers that are gone.
    pub(crate) fn release_holds(&self) -> Result<()> {
        // one that comes after the look at the disk is of a container which that look has not seen
        let before: HashSet<String> = self.ledger().holds.keys().cloned().collect();
        if before.is_empty() {
            return Ok(());
        }
        let prepared: HashSet<String> = self.snapshots.prepared()?.into_iter().collect();
        let mut batch = Batch::new();
        let mut ledger = self.ledger();
        let is_gone = |holder: &String| before.contains(holder) && !prepared.contains(owner(holder));
        let gone: Vec<_> = ledger.holds.extract_if(|holder, _| is_gone(holder)).collect();
        for (container, top) in gone {
            ledger.drop_layer(&top);
            batch.delete(&HOLDS, &container);
        }
        drop(ledger);
        self.store.commit(batch, Durability::Process)
    }

    /// To be called when a container's root filesystem is gone: layers that were held for it go.
    ///
    /// # Errors
    /// Those of the store, and of throwing layers away.
    pub fn release(&self) -> Result<()> {
        self.release_holds()?;
        self.collect()
    }
}

fn open_image(content: &Content, ledger: &mut Ledger, record: &ImageRecord) -> Result<()> {
    let kind = &record.config.media_type;
    let config = match kind.is_empty() || media::is_config(kind) {
        true => json(&content.read(&record.config.digest)?)?,
        // an artifact's is anything
        false => Default::default(),
    };
    ledger.add_image(record, config)
}

/// What an unusable image still has is not thrown away: a person may want to mend it.
fn keep_what_is_left(ledger: &mut Ledger, mut record: ImageRecord) {
    record.blobs.iter().for_each(|blob| {
        ledger.use_blob(blob);
    });
    // what was not counted must not be counted back
    record.top.take_if(|top| !ledger.use_layer(top));
    record.other_tops.retain(|top| ledger.use_layer(top));
    ledger.broken.insert(record.descriptor.digest.clone(), record);
}

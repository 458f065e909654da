//! A tar of a root filesystem becomes an image of one layer.

use std::io::Read;

use archive::{Compression, Tee, as_layer};
use oci::image::{Descriptor, History, RootFs, media};
use snapshot::Stage;
use values::{Digest, Error, Platform, Reference, Result, ResultExt, Timestamp};

use crate::{
    apply::{Found, apply},
    changes,
    commit::Draft,
    content::Staged,
    images::Images,
    lease::Lease,
    pipeline::{PipeWriter, pipes},
};

/// How an archive becomes an image.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The image's name; none leaves it dangling.
    pub reference: Option<Reference>,
    /// Comment of the image; empty: `Imported from -`.
    pub message: String,
    /// Dockerfile instructions for its configuration.
    pub changes: Vec<String>,
    /// This machine's where none is said.
    pub platform: Option<Platform>,
}

/// A layer that was unpacked while it was stored.
pub(crate) struct Layer {
    pub(crate) blob: Staged,
    compression: Compression,
    pub(crate) stage: Stage,
    pub(crate) diff_id: Digest,
    pub(crate) bytes: u64,
}

impl Images {
    /// Makes an image of a root filesystem's tar (plain, gzip, zstd, bzip2 or xz), which is hashed, stored and unpacked in one
    /// pass. It is kept as it comes; a bzip2 or xz one plain, for others can read no such layers.
    ///
    /// # Errors
    /// `InvalidArgument` for changes or an archive that are none; nothing is left behind.
    pub fn import(&self, reader: &mut (dyn Read + Send), options: ImportOptions) -> Result<Digest> {
        let platform = options.platform.unwrap_or_else(Platform::host);
        let mut config = oci::image::Config::default();
        changes::apply(&mut config, &options.changes)?;
        let mut reader = as_layer(reader)?;
        let feed = |to: PipeWriter| to.send_all(&mut reader, |_| Ok(())).during(|| "read archive");
        let layer = self.receive(feed, &[])?;
        let now = Timestamp::now();
        let comment = if options.message.is_empty() { "Imported from -".into() } else { options.message };
        let image = oci::image::Image {
            architecture: platform.architecture,
            os: platform.os,
            variant: platform.variant,
            created: Some(now),
            config,
            rootfs: RootFs { diff_ids: vec![layer.diff_id.clone()], ..RootFs::default() },
            history: vec![History { created: Some(now), comment: comment.clone(), ..History::default() }],
            comment,
            ..oci::image::Image::default()
        };
        self.keep_one_layer(image, layer, options.reference.as_ref())
    }

    /// The seed's way in: a plain tar in memory and its configuration.
    pub(crate) fn import_layer(
        &self,
        tar: &[u8],
        mut image: oci::image::Image,
        reference: &Reference,
    ) -> Result<Digest> {
        let layer = self.receive(|to| Ok(to.send_all(&mut &*tar, |_| Ok(()))?), &[])?;
        image.rootfs.diff_ids = vec![layer.diff_id.clone()];
        self.keep_one_layer(image, layer, Some(reference))
    }

    fn keep_one_layer(&self, image: oci::image::Image, layer: Layer, reference: Option<&Reference>) -> Result<Digest> {
        let mut lease = self.lease();
        let chain = vec![layer.diff_id.clone()];
        let kind = match layer.compression {
            Compression::Gzip => media::OCI_LAYER_GZIP,
            Compression::Zstd => media::OCI_LAYER_ZSTD,
            _ => media::OCI_LAYER,
        };
        let layer = self.keep_layer(layer, &chain, &mut lease, kind)?;
        let config = place(&mut lease, self.content.stage_bytes(&to_json(&image)?)?, media::OCI_CONFIG)?;
        let manifest = oci::image::Manifest {
            schema_version: 2,
            media_type: media::OCI_MANIFEST.into(),
            artifact_type: None,
            config: config.clone(),
            layers: vec![layer.clone()],
            subject: None,
            annotations: Default::default(),
        };
        let manifest = place(&mut lease, self.content.stage_bytes(&to_json(&manifest)?)?, media::OCI_MANIFEST)?;
        let blobs = [&manifest, &config, &layer].map(|d| d.digest.clone()).to_vec();
        let plain = chain.iter().filter(|diff_id| **diff_id == layer.digest).cloned().collect();
        let draft = Draft::made_here(manifest, config, image, chain, blobs, plain);
        Ok(self.commit(draft, reference)?.0)
    }

    /// Stores and unpacks what `feed` sends, at once: one thread has it sent, one hashes, this one writes and has it unpacked.
    /// `feed` is false where nobody read to the end. `below`: the layers it stands on.
    pub(crate) fn receive(
        &self,
        feed: impl FnOnce(PipeWriter) -> Result<bool> + Send,
        below: &[Digest],
    ) -> Result<Layer> {
        let mut blob = self.content.stage_unhashed()?;
        let mut stage = self.snapshots.stage(below)?;
        let (writer, [to_hash, to_keep]) = pipes();
        let (fed, digest, applied) = std::thread::scope(|scope| {
            let feeding = scope.spawn(move || feed(writer));
            let hashing = scope.spawn(move || to_hash.digest());
            let mut kept = Tee::new(to_keep, &mut blob);
            let applied = apply(Some(&mut stage), &mut kept).and_then(|found| {
                kept.drain().during(|| "content")?;
                Ok(found)
            });
            // who still sends sees that nobody reads any more
            drop(kept);
            (feeding.join(), hashing.join(), applied)
        });
        let unexpected = |_| Error::internal("reading failed unexpectedly");
        // why the archive was broken, rather than that it was
        fed.map_err(unexpected)??;
        let Found { compression, bytes, plain } = applied?;
        let blob = blob.finish(digest.map_err(unexpected)??)?;
        if blob.size == 0 {
            return Err(Error::invalid("the archive is empty"));
        }
        stage.stored_at(blob.path())?;
        let diff_id = plain.unwrap_or_else(|| blob.digest.clone());
        Ok(Layer { blob, compression, stage, diff_id, bytes })
    }
}

pub(crate) fn place(lease: &mut Lease<'_>, staged: Staged, media_type: &str) -> Result<Descriptor> {
    let descriptor = Descriptor::new(media_type, staged.digest.clone(), staged.size);
    lease.place(staged)?;
    Ok(descriptor)
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal(e.to_string()))
}

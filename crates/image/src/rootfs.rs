use snapshot::Options;
use values::{Digest, ErrorKind, Result, ResultExt, RootMount};

use crate::{commit::parse, image::Image, images::Images};

impl Images {
    /// Makes the writable root filesystem of container `id` on top of the image. Layers that have vanished from the disk are
    /// unpacked again from their content.
    pub fn prepare(&self, id: &str, image: &Image, options: Options) -> Result<RootMount> {
        match self.snapshots.prepare(id, &image.chain, options) {
            Err(e) if e.kind == ErrorKind::NotFound => {
                self.mend(image).during(|| e)?;
                self.snapshots.prepare(id, &image.chain, options)
            }
            result => result,
        }
    }

    /// A blob was placed of which a layer may have been made before: where a layer is its plain tar, it is this one's now.
    pub(crate) fn stored_anew(&self, blob: &Digest, diff_id: Option<&Digest>, chain: &[Digest]) -> Result<()> {
        match chain.last() {
            Some(own) if diff_id == Some(blob) && self.snapshots.has(chain) => {
                self.snapshots.stored_anew(own, &self.content.path(blob))
            }
            _ => Ok(()),
        }
    }

    /// Unpacks layers which are recorded but not there.
    pub fn mend(&self, image: &Image) -> Result<()> {
        let parsed = parse(&image.manifest.digest, &|digest: &Digest| self.content.read(digest))?;
        let mut lease = self.lease();
        self.unpack(&parsed.layers, &mut lease, &mut |_| {}).map(drop)
    }
}

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

    /// Unpacks layers which are recorded but not there.
    pub fn mend(&self, image: &Image) -> Result<()> {
        let parsed = parse(&image.manifest.digest, &|digest: &Digest| self.content.read(digest))?;
        let mut lease = self.lease();
        self.unpack_missing(&parsed.layers, &mut lease)
    }
}

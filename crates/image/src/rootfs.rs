use snapshot::Options;
use values::{Digest, ErrorKind, Result, ResultExt, RootMount};

use crate::{commit::parse, image::Image, images::Images};

impl Images {
    /// Makes the writable root filesystem of container `id` on top of the image.
    pub fn prepare(&self, id: &str, image: &Image, options: Options) -> Result<RootMount> {
        self.mended(&image.id, &image.chain, || self.snapshots.prepare(id, &image.chain, options))
    }

    /// What `mount` makes of an image's layers, which may have been taken over by a container: some that have vanished from the
    /// disk are unpacked again from their content, as long as the image is there.
    ///
    /// # Errors
    /// Those of `mount`, and of unpacking.
    pub fn mended<T>(&self, id: &Digest, layers: &[Digest], mount: impl Fn() -> Result<T>) -> Result<T> {
        let gone = match mount() {
            Err(e) if e.kind == ErrorKind::NotFound => e,
            result => return result,
        };
        match self.get(id) {
            Some(image) if image.chain == layers => {
                self.mend(&image).during(|| gone)?;
                mount()
            }
            _ => Err(gone),
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
    fn mend(&self, image: &Image) -> Result<()> {
        let parsed = parse(&image.manifest.digest, &|digest: &Digest| self.content.read(digest))?;
        let mut lease = self.lease();
        self.unpack(&parsed.layers, &mut lease, &mut |_| {}).map(drop)
    }
}

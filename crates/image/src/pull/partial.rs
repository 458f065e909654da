//! Blobs received in part: they stay for a day, so that the next try can go on where the last one ended.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use archive::HoleWriter;
use sha2::{Digest as _, Sha256};
use sys::crash;
use values::{Digest, Result, ResultExt};

use crate::content::Staged;

/// After this nobody comes back for it.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory of them.
pub(crate) struct Partials {
    root: PathBuf,
}

/// One of them, in the hands of one who has claimed the blob.
pub(crate) struct Partial {
    path: PathBuf,
    /// Runs of zeros become holes: what it has may be a little shorter than what came.
    file: HoleWriter<File>,
    digest: Digest,
    /// Bytes that were there before.
    pub(crate) old: u64,
    hasher: Sha256,
    pub(crate) size: u64,
}

/// Received whole and found right.
pub(crate) struct Whole {
    path: PathBuf,
    digest: Digest,
    size: u64,
}

/// When a file was last written or renamed. Its time of modification may be a seal (`content.rs`).
fn changed(metadata: &fs::Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(metadata.ctime()).unwrap_or(0))
}

impl Partials {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root).during(|| root.display())?;
        let partials = Self { root: root.into() };
        partials.sweep();
        Ok(partials)
    }

    /// Deletes those for which nobody came back.
    pub(crate) fn sweep(&self) {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let changed = entry.metadata().map(|metadata| changed(&metadata));
            let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
            if age.is_some_and(|age| age > KEPT) {
                // the next sweep may have more luck
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// All of them: digest, bytes, when something was last added.
    pub(crate) fn list(&self) -> Vec<(Digest, u64, SystemTime)> {
        let one = |entry: fs::DirEntry| {
            let digest = format!("sha256:{}", entry.file_name().to_str()?).parse().ok()?;
            let metadata = entry.metadata().ok()?;
            Some((digest, metadata.len(), changed(&metadata)))
        };
        fs::read_dir(&self.root).into_iter().flatten().flatten().filter_map(one).collect()
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.hex())
    }

    /// Whether there was one that is gone now. It must be nobody's.
    pub(crate) fn remove(&self, digest: &Digest) -> bool {
        fs::remove_file(self.path(digest)).is_ok()
    }

    /// What there is of a blob, or an empty beginning. More than `size` bytes cannot be of it.
    pub(crate) fn take(&self, digest: &Digest, size: u64) -> Result<Partial> {
        let path = self.path(digest);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .during(|| path.display())?;
        let mut old = file.metadata().during(|| path.display())?.len();
        if old > size {
            file.set_len(0).during(|| path.display())?;
            old = 0;
        }
        let file = HoleWriter::after(file, old);
        Ok(Partial { path, file, digest: digest.clone(), old, hasher: Sha256::new(), size: 0 })
    }
}

impl Partial {
    /// Another reader of what is there already.
    pub(crate) fn reader(&self) -> Result<impl Read + Send + use<>> {
        let file = File::open(&self.path).during(|| self.path.display())?;
        Ok(file.take(self.old))
    }

    /// Takes the blob's next bytes, those which are there already included.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let known = usize::try_from(self.old.saturating_sub(self.size)).unwrap_or(usize::MAX).min(bytes.len());
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(&bytes[known..])?;
        crash::point("image.piece-received");
        Ok(())
    }

    /// All bytes came. `None`: they are not what the digest says, and are gone.
    pub(crate) fn finish(mut self) -> Result<Option<Whole>> {
        let digest = Digest::from_sha256(&self.hasher.clone().finalize());
        if digest != self.digest {
            self.discard();
            return Ok(None);
        }
        crash::point("image.blob-received");
        let what = || format!("content {digest}");
        self.file.finish().during(what)?;
        self.file.into_inner().sync_all().during(what)?;
        Ok(Some(Whole { path: self.path, digest, size: self.size }))
    }

    /// Stays for a later try, if there is anything.
    pub(crate) fn leave(mut self) {
        if self.old.max(self.size) == 0 {
            self.discard();
        } else {
            // else zeros at its end come once more
            let _ = self.file.finish();
        }
    }

    /// Deletes what there is.
    pub(crate) fn discard(self) {
        // else a sweep takes it
        let _ = fs::remove_file(&self.path);
    }
}

impl Whole {
    /// Where it waits for being put into its place.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes it: right, but of no use.
    pub(crate) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }

    pub(crate) fn into_staged(self) -> Staged {
        Staged::at(self.path, self.digest, self.size)
    }
}

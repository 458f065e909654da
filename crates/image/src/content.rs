//! Blobs by their digest, byte for byte as they came.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use archive::HoleWriter;
use oci::image::Descriptor;
use rustix::fs::{Timespec, Timestamps, UTIME_OMIT};
use sha2::{Digest as _, Sha256};
use snapshot::Trash;
use values::{Digest, Error, Result, ResultExt};

use crate::pull::{KEPT, Partials};

pub(crate) struct Content {
    root: PathBuf,
    trash: Arc<Trash>,
    count: AtomicU64,
    /// Blobs received in part.
    pub(crate) partials: Partials,
}

/// A blob being written. Dropped, it is deleted.
pub(crate) struct Staging {
    to: Unhashed,
    hasher: Sha256,
}

/// A blob being written that somebody else hashes. Dropped, it is deleted.
pub(crate) struct Unhashed {
    path: PathBuf,
    file: BufWriter<HoleWriter<File>>,
    size: u64,
}

/// A written blob with a known digest, not yet in its place. Dropped, it is deleted.
pub(crate) struct Staged {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    path: Option<PathBuf>,
}

const BUFFER: usize = 256 << 10;
/// What comes in larger pieces is written as it comes.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// The time of modification of a blob's file that was found to be what its digest says. Whoever writes to it breaks the
/// seal; where it is missing the blob is hashed before it is trusted again.
const SEAL: Timespec = Timespec { tv_sec: 1_234_567_890, tv_nsec: 0 };

/// Less is fetched as fast as it is found.
const WORTH_KEEPING: u64 = 64 << 10;

impl Content {
    /// Opens the content below `root`; what was being written when a process died is thrown away.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        for name in ["blobs/sha256", "ingest"] {
            let dir = root.join(name);
            DirBuilder::new().recursive(true).mode(0o700).create(&dir).during(|| dir.display())?;
        }
        let content = Self {
            root: root.into(),
            trash: Trash::open(&root.join("trash"))?,
            count: AtomicU64::new(0),
            partials: Partials::open(&root.join("partial"))?,
        };
        let ingest = root.join("ingest");
        for entry in fs::read_dir(&ingest).during(|| ingest.display())? {
            let path = entry.during(|| ingest.display())?.path();
            content.trash.throw(&path).during(|| path.display())?;
        }
        Ok(content)
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// All blobs there are, with their sizes.
    pub(crate) fn list(&self) -> Result<Vec<(Digest, u64)>> {
        let mut out = Vec::new();
        for entry in fs::read_dir(self.blobs()).during(|| "content directory")? {
            let entry = entry.during(|| "content directory")?;
            if let Ok(digest) = format!("sha256:{}", entry.file_name().to_string_lossy()).parse::<Digest>() {
                let size = entry.metadata().during(|| format!("content {digest}"))?.len();
                out.push((digest, size));
            }
        }
        Ok(out)
    }

    /// Whether the blob is there and is what it must be. That costs a look at its file; one without a seal is hashed.
    pub(crate) fn is_sound(&self, descriptor: &Descriptor) -> bool {
        let sealed = self.is_sealed(&descriptor.digest, descriptor.size);
        sealed
            .is_some_and(|sealed| sealed || self.examine(&descriptor.digest, &|| false).is_ok_and(|why| why.is_none()))
    }

    /// `None`: there is no file of that size.
    pub(crate) fn is_sealed(&self, digest: &Digest, size: u64) -> Option<bool> {
        let stat = rustix::fs::stat(self.path(digest)).ok()?;
        let sealed = (stat.st_mtime, stat.st_mtime_nsec as i64) == (SEAL.tv_sec, SEAL.tv_nsec);
        (u64::try_from(stat.st_size) == Ok(size)).then_some(sealed)
    }

    /// Of a blob's file; `None`: there is none.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().map(|metadata| metadata.len())
    }

    /// Reads a blob whole: what is wrong with it, or nothing, and it has a seal.
    ///
    /// # Errors
    /// `Unavailable` where `is_over` said so.
    pub(crate) fn examine(&self, digest: &Digest, is_over: &dyn Fn() -> bool) -> Result<Option<String>> {
        let mut file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Some("it is missing".into())),
            Err(e) => return Ok(Some(Error::from(e).message)),
        };
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => hasher.update(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Ok(Some(Error::from(e).message)),
            }
            if is_over() {
                return Err(Error::unavailable("context canceled"));
            }
        }
        let found = Digest::from_sha256(&hasher.finalize());
        self.judge(digest, &found)
    }

    /// Keeps what was found out about a blob: `found` is the digest of what its file has.
    pub(crate) fn judge(&self, digest: &Digest, found: &Digest) -> Result<Option<String>> {
        let file = self.open_blob(digest)?;
        if digest == found {
            // without a seal it is hashed again, nothing worse
            let _ = seal(&file);
            return Ok(None);
        }
        let broken = Timestamps { last_modification: now(), last_access: omitted() };
        let _ = rustix::fs::futimens(&file, &broken);
        Ok(Some("its content is not what its digest says".into()))
    }

    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File> {
        File::open(self.path(digest)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("content {digest}: not found")),
            _ => Error::from(e).context(format!("content {digest}")),
        })
    }

    /// A small blob whole: a manifest, a configuration.
    ///
    /// # Errors
    /// `NotFound`; `Internal` where it is not what its digest says.
    pub(crate) fn read(&self, digest: &Digest) -> Result<Vec<u8>> {
        let bytes = read_small(self.open_blob(digest)?, digest)?;
        if crate::sha256(&bytes) != *digest {
            return Err(damaged(digest));
        }
        Ok(bytes)
    }

    /// A blob to be passed on.
    ///
    /// # Errors
    /// As [`Content::read`].
    pub(crate) fn open_sound(&self, digest: &Digest) -> Result<File> {
        let file = self.open_blob(digest)?;
        let size = file.metadata().during(|| format!("content {digest}"))?.len();
        match self.is_sealed(digest, size) {
            Some(true) => Ok(file),
            _ => self.examine(digest, &|| false)?.map_or(Ok(file), |_| Err(damaged(digest))),
        }
    }

    /// Begins a blob.
    pub(crate) fn stage(&self) -> Result<Staging> {
        Ok(Staging { to: self.stage_unhashed()?, hasher: Sha256::new() })
    }

    /// Begins a blob whose digest will be told.
    pub(crate) fn stage_unhashed(&self) -> Result<Unhashed> {
        loop {
            let path = self.root.join("ingest").join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    let file = BufWriter::with_capacity(WRITTEN_AT_ONCE, HoleWriter::new(file));
                    return Ok(Unhashed { path, file, size: 0 });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e).during(|| path.display()),
            }
        }
    }

    /// A blob that is in memory.
    pub(crate) fn stage_bytes(&self, bytes: &[u8]) -> Result<Staged> {
        let mut staging = self.stage()?;
        staging.write_all(bytes).during(|| "content")?;
        staging.finish()
    }

    /// Puts a synced blob into its place; [`Content::sync`] makes that durable.
    pub(crate) fn place(&self, mut staged: Staged) -> Result<()> {
        if let Some(path) = &staged.path {
            fs::rename(path, self.path(&staged.digest)).during(|| format!("content {}", staged.digest))?;
            staged.path = None;
        }
        Ok(())
    }

    /// Makes the names of placed blobs durable.
    pub(crate) fn sync(&self) -> Result<()> {
        File::open(self.blobs()).and_then(|dir| dir.sync_all()).during(|| "content directory")
    }

    pub(crate) fn trash(&self) -> &Trash {
        &self.trash
    }

    /// Whether the blob was placed less than a day ago.
    pub(crate) fn is_fresh(&self, digest: &Digest) -> bool {
        let placed = rustix::fs::stat(self.path(digest)).map_or(0, |stat| stat.st_ctime);
        values::Timestamp::now().secs - placed < KEPT.as_secs() as i64
    }

    /// Makes a blob one that was received and not placed yet, so that a later pull need not fetch it. Small ones go.
    pub(crate) fn put_aside(&self, digest: &Digest) -> Result<()> {
        let what = || format!("content {digest}");
        let file = self.open_blob(digest)?;
        if file.metadata().during(what)?.len() < WORTH_KEEPING {
            return self.remove(digest);
        }
        fs::rename(self.path(digest), self.partials.path(digest)).during(what)
    }

    pub(crate) fn remove(&self, digest: &Digest) -> Result<()> {
        self.trash.throw(&self.path(digest)).during(|| format!("content {digest}"))
    }
}

fn damaged(digest: &Digest) -> Error {
    Error::internal(format!("content {digest}: it is damaged: pull the image again"))
}

fn omitted() -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }
}

fn now() -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW }
}

fn seal(file: &File) -> io::Result<()> {
    Ok(rustix::fs::futimens(file, &Timestamps { last_modification: SEAL, last_access: omitted() })?)
}

/// Largest manifest or configuration that is read into memory.
const SMALL_MAX: u64 = 16 << 20;

fn read_small(file: File, digest: &Digest) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(SMALL_MAX + 1).read_to_end(&mut bytes).during(|| format!("content {digest}"))?;
    if bytes.len() as u64 > SMALL_MAX {
        return Err(Error::invalid(format!("content {digest} is too large for a manifest or configuration")));
    }
    Ok(bytes)
}

impl Staging {
    /// All is written.
    pub(crate) fn finish(self) -> Result<Staged> {
        self.to.finish(Digest::from_sha256(&self.hasher.finalize()))
    }
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Unhashed {
    /// All is written, and `digest` is what it has.
    pub(crate) fn finish(mut self, digest: Digest) -> Result<Staged> {
        self.file.flush().and_then(|()| self.file.get_mut().finish()).during(|| "content")?;
        Ok(Staged { digest, size: self.size, path: Some(std::mem::take(&mut self.path)) })
    }
}

impl Write for Unhashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unhashed {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // else it is swept at the next opening
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Staged {
    /// A file that has what the digest says.
    pub(crate) fn at(path: PathBuf, digest: Digest, size: u64) -> Self {
        Self { digest, size, path: Some(path) }
    }

    /// Where it is written.
    pub(crate) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Opens what was written.
    pub(crate) fn open(&self) -> Result<File> {
        File::open(self.path()).during(|| format!("content {}", self.digest))
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        read_small(self.open()?, &self.digest)
    }

    /// Onto the disk, with the seal: what was staged was hashed.
    pub(crate) fn sync(&self) -> Result<()> {
        let file = self.open()?;
        seal(&file).and_then(|()| file.sync_all()).during(|| format!("content {}", self.digest))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

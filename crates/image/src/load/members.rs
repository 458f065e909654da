//! The members of an archive: documents in memory, everything else staged as content.

use std::{
    collections::{HashMap, HashSet},
    io::{BufReader, Read, Write},
};

use archive::{
    Compression, clean, decompress,
    tar::{Entry, Kind, Reader},
};
use oci::image::Descriptor;
use sys::crash;
use values::{Digest, Error, Result, ResultExt};

use crate::{
    content::{Content, Staged},
    images::Images,
    lease::Lease,
};

/// Members that are read to find the rest.
const DOCUMENTS: &[&str] = &["manifest.json", "index.json", "oci-layout", "repositories"];
const DOCUMENT_MAX: u64 = 16 << 20;
/// More members than any archive of images has.
const MEMBERS_MAX: usize = 1 << 16;
const BUFFER: usize = 128 << 10;

#[derive(Default)]
pub(crate) struct Members {
    documents: HashMap<String, Vec<u8>>,
    /// Digests by path.
    paths: HashMap<String, Digest>,
    /// Paths that stand for other paths: links.
    aliases: HashMap<String, String>,
    staged: HashMap<Digest, Staged>,
    /// Content that was here before, pinned.
    known: HashSet<Digest>,
}

impl Images {
    /// Reads the whole archive; what is in it waits in staging.
    pub(super) fn read_members(&self, reader: &mut (dyn Read + Send), lease: &mut Lease<'_>) -> Result<Members> {
        let mut members = Members::default();
        let (_, plain) = decompress(BufReader::with_capacity(BUFFER, reader))?;
        let mut tar = Reader::new(plain);
        while let Some(entry) = tar.next_entry()? {
            if members.paths.len() + members.aliases.len() > MEMBERS_MAX {
                return Err(Error::invalid("invalid archive: too many members"));
            }
            let path = path(&entry.path)?;
            match entry.kind {
                Kind::File => self.read_member(path, &entry, &mut tar, &mut members, lease)?,
                // an old archive's layer that another image has too
                Kind::Symlink => {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let target = [parent.as_bytes(), b"/", &entry.link].concat();
                    members.aliases.insert(path.clone(), self::path(&target)?);
                }
                Kind::HardLink => {
                    members.aliases.insert(path, self::path(&entry.link)?);
                }
                _ => {}
            }
        }
        Ok(members)
    }

    fn read_member(
        &self,
        path: String,
        entry: &Entry,
        data: &mut impl Read,
        members: &mut Members,
        lease: &mut Lease<'_>,
    ) -> Result<()> {
        if DOCUMENTS.contains(&path.as_str()) {
            if entry.size > DOCUMENT_MAX {
                return Err(Error::invalid(format!("invalid archive: {path} is too large")));
            }
            let mut document = Vec::new();
            data.read_to_end(&mut document).during(|| &path)?;
            members.documents.insert(path, document);
            return Ok(());
        }
        let claimed = path.strip_prefix("blobs/sha256/").map(|hex| format!("sha256:{hex}").parse::<Digest>());
        let claimed = claimed.transpose().during(|| &path)?;
        if let Some(digest) = &claimed
            && lease.sound_blob(&Descriptor::new("", digest.clone(), entry.size))
        {
            members.known.insert(digest.clone());
            members.paths.insert(path, digest.clone());
            return Ok(());
        }
        let mut staging = self.content.stage()?;
        copy(data, &mut staging).during(|| &path)?;
        let staged = staging.finish()?;
        if let Some(digest) = claimed.filter(|digest| *digest != staged.digest) {
            return Err(Error::invalid(format!("invalid archive: content {digest} has digest {}", staged.digest)));
        }
        members.add(path, staged);
        crash::point("image.member-staged");
        Ok(())
    }
}

/// As `io::copy`, telling a broken archive from a full disk.
fn copy(data: &mut impl Read, staging: &mut impl Write) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = data.read(&mut buffer).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::invalid("unexpected EOF"),
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => Error::invalid(e.to_string()),
            _ => e.into(),
        })?;
        if n == 0 {
            return Ok(());
        }
        staging.write_all(&buffer[..n])?;
    }
}

fn path(raw: &[u8]) -> Result<String> {
    String::from_utf8(clean(raw)?).map_err(|_| Error::invalid("invalid archive: a member's name is not UTF-8"))
}

impl Members {
    pub(super) fn document(&self, name: &str) -> Option<&[u8]> {
        self.documents.get(name).map(Vec::as_slice)
    }

    /// Adds content under a path of the archive.
    fn add(&mut self, path: String, staged: Staged) {
        self.paths.insert(path, staged.digest.clone());
        self.insert(staged);
    }

    /// Adds content that is not a member.
    pub(super) fn insert(&mut self, staged: Staged) {
        self.staged.insert(staged.digest.clone(), staged);
    }

    /// The digest of the member at `path`, links followed.
    pub(super) fn resolve(&self, path: &str) -> Option<Digest> {
        let mut path = self::path(path.as_bytes()).ok()?;
        for _ in 0..16 {
            match self.aliases.get(&path) {
                Some(target) => path.clone_from(target),
                None => return self.paths.get(&path).cloned(),
            }
        }
        None
    }

    /// Takes content out to be put into its place.
    pub(super) fn take(&mut self, digest: &Digest) -> Option<Staged> {
        self.staged.remove(digest)
    }

    pub(super) fn has(&self, digest: &Digest, content: &Content) -> bool {
        self.staged.contains_key(digest) || self.known.contains(digest) || content.open_blob(digest).is_ok()
    }

    /// A small blob of the archive or the content.
    pub(super) fn read(&self, digest: &Digest, content: &Content) -> Result<Vec<u8>> {
        match self.staged.get(digest) {
            Some(staged) => staged.read(),
            None => content.read(digest).map_err(|_| super::missing(digest)),
        }
    }

    /// The digest to use for a layer's blob: its own, or, where it is compressed as no layer may be, that of its plain tar,
    /// which is added.
    pub(super) fn plain(&mut self, digest: &Digest, content: &Content) -> Result<Digest> {
        if !matches!(Compression::detect(&self.head(digest, content)?), Compression::Bzip2 | Compression::Xz) {
            return Ok(digest.clone());
        }
        let file = match self.staged.get(digest) {
            Some(staged) => staged.open()?,
            None => content.open_blob(digest)?,
        };
        let mut staging = content.stage()?;
        let file = BufReader::with_capacity(BUFFER, file);
        copy(&mut decompress(file)?.1, &mut staging).during(|| format!("layer {digest}"))?;
        let staged = staging.finish()?;
        let plain = staged.digest.clone();
        self.insert(staged);
        Ok(plain)
    }

    /// The first bytes of a blob.
    pub(super) fn head(&self, digest: &Digest, content: &Content) -> Result<Vec<u8>> {
        let file = match self.staged.get(digest) {
            Some(staged) => staged.open()?,
            None => content.open_blob(digest)?,
        };
        let mut head = Vec::new();
        file.take(6).read_to_end(&mut head).during(|| format!("content {digest}"))?;
        Ok(head)
    }

    pub(super) fn size(&self, digest: &Digest, content: &Content) -> Result<u64> {
        match self.staged.get(digest) {
            Some(staged) => Ok(staged.size),
            None => content.open_blob(digest)?.metadata().map(|m| m.len()).during(|| format!("content {digest}")),
        }
    }
}

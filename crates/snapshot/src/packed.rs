//! A layer as files: its tar as it came, and an EROFS index over it. Nothing is unpacked.
//!
//! ```text
//! tar      the layer's plain tar; a link to its blob where that is the same
//! index    names and attributes of what is in it, as an EROFS with the tar as its device. What the layer leaves to
//!          those below is noted in it; so it is not for being mounted
//! image    this layer, all below it and the names every container needs, as one EROFS with all their tars as
//!          devices: what is mounted. Made for the topmost layer of an image
//! view     the same without those names: what is mounted of an image in a container. Made when that is wanted
//! ```

use std::{
    fs::{self, File},
    io::{self, BufRead, BufWriter},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use archive::{HoleWriter, Tee};
use erofs::{Content, Device, Layer, Tree};
use values::{Digest, Error, Result, ResultExt};

use crate::{stage::Applied, tree::Usage};

/// The files of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) dir: PathBuf,
}

impl Packed {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn tar(&self) -> PathBuf {
        self.dir.join("tar")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join("image")
    }

    pub(crate) fn view(&self) -> PathBuf {
        self.dir.join("view")
    }

    /// Whether nothing is missing that cannot be made of the rest.
    pub(crate) fn is_whole(&self) -> bool {
        self.index().exists() && self.tar().exists()
    }

    /// What is in the layer.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Internal` where it is damaged.
    pub(crate) fn tree(&self, layer: &Digest) -> Result<Tree> {
        let path = self.index();
        let index = File::open(&path).map_err(absent).during(|| path.display())?;
        erofs::read(&index, layer.hex()).during(|| path.display())
    }

    pub(crate) fn usage(&self, layer: &Digest) -> Result<Usage> {
        let tree = self.tree(layer)?;
        let mut usage = Usage { inodes: tree.len() as u64 - 1, ..Usage::default() };
        let mut seen = std::collections::HashSet::new();
        let mut walk = tree.walk();
        while let Some(id) = walk.step() {
            if let Content::File(file) = tree.inode(id).content()
                && seen.insert(id)
            {
                usage.bytes += file.size();
            }
        }
        for path in [self.tar(), self.index(), self.image(), self.view()] {
            match fs::metadata(&path) {
                // a blob's blocks are the blob's
                Ok(file) if file.nlink() > 1 => {}
                Ok(file) => usage.disk += file.blocks() * 512,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e).during(|| path.display()),
            }
        }
        Ok(usage)
    }
}

/// What is missing on the disk can be made again by whoever hears of it.
pub(crate) fn absent(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(values::system_words(&error)),
        _ => error.into(),
    }
}

/// Writes a tree's index to `path`, which is new, and brings it onto the disk. `files` tells of the layer with that tag.
pub(crate) fn write(tree: &Tree, path: &Path, files: &dyn Fn(&[u8]) -> Result<Packed>) -> Result<()> {
    let data = |device: &Device, at: u64, buffer: &mut [u8]| {
        let files = files(device.tag()).map_err(|e| io::Error::other(e.to_string()))?;
        let file = File::open(if device.is_index { files.index() } else { files.tar() })?;
        file.read_exact_at(buffer, at)
    };
    let file = create(path)?;
    let mut out = BufWriter::with_capacity(128 << 10, file);
    erofs::write(tree, &data, &mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.sync_all()).during(|| path.display())
}

fn create(path: &Path) -> Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path).during(|| path.display())
}

/// A layer being made.
#[derive(Default)]
pub(crate) struct Packing {
    layer: Option<Layer>,
    is_taken: bool,
}

impl Packing {
    /// Indexes the layer's tar, and keeps it in `dir` unless it `is_stored` somewhere.
    pub(crate) fn apply(&mut self, dir: &Path, tar: impl BufRead, is_stored: bool) -> Result<Applied> {
        // it gets its name when the layer has one
        let device = Device::new("", 0)?;
        let layer = if is_stored {
            erofs::index(tar, device)?
        } else {
            let path = Packed::new(dir.into()).tar();
            let mut out = HoleWriter::new(create(&path)?);
            let layer = erofs::index(Tee::new(tar, &mut out), device)?;
            out.finish().during(|| path.display())?;
            layer
        };
        let applied = Applied { bytes: layer.bytes, entries: layer.entries };
        self.layer = Some(layer);
        Ok(applied)
    }

    /// Gives the layer the tar it was made of, unless it has kept it.
    pub(crate) fn stored_at(&self, dir: &Path, tar: &Path) -> Result<()> {
        let own = Packed::new(dir.into()).tar();
        if own.exists() {
            return Ok(());
        }
        // on another filesystem, or with as many links as there can be
        let linked = fs::hard_link(tar, &own).or_else(|_| fs::copy(tar, &own).map(drop));
        linked.during(|| format!("tar of a layer from {}", tar.display()))
    }

    /// Whether the tree was taken: then the index is written.
    pub(crate) fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// The tree of the layer, from now on named `id`.
    ///
    /// # Errors
    /// `Internal` where nothing was applied.
    pub(crate) fn take(&mut self, id: &Digest) -> Result<Tree> {
        let layer = self.layer.take().ok_or_else(|| Error::internal(format!("layer {id}: nothing was unpacked")))?;
        self.is_taken = true;
        let mut tree = layer.tree;
        for device in &mut tree.devices {
            let blocks = device.blocks;
            *device = Device { blocks, ..Device::new(id.hex(), 0)? };
        }
        Ok(tree)
    }
}

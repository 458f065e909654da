//! Where layers are, in their places or not yet, and what is in them together.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use archive::{Root, unpack::is_opaque};
use erofs::{Meta, Tree, Whiteouts};
use values::{Digest, ErrorKind, Result, ResultExt};

use crate::{
    layout::Layout,
    merged::Merged,
    packed::{self, Packed, absent},
    shared::Image,
    stage::{Form, Stage},
};

pub(crate) struct Places<'a> {
    layout: &'a Layout,
    staged: HashMap<Digest, Staged>,
}

enum Staged {
    Directory(PathBuf),
    Packed(PathBuf),
}

impl<'a> Places<'a> {
    /// All that is in its place.
    pub(crate) fn of(layout: &'a Layout) -> Self {
        Self { layout, staged: HashMap::new() }
    }

    /// That and what is to be committed.
    pub(crate) fn with(layout: &'a Layout, stages: &[(Stage, Digest)]) -> Self {
        let staged = stages.iter().map(|(stage, layer)| match &stage.form {
            Form::Directory { .. } => (layer.clone(), Staged::Directory(stage.dir.clone())),
            Form::Packed(_) => (layer.clone(), Staged::Packed(stage.dir.clone())),
        });
        Self { layout, staged: staged.collect() }
    }

    /// The layer's directory, where it is one.
    fn directory(&self, layer: &Digest) -> Option<PathBuf> {
        match self.staged.get(layer) {
            _ if self.layout.has(layer) => Some(self.layout.layer(layer)),
            Some(Staged::Directory(dir)) => Some(dir.clone()),
            _ => None,
        }
    }

    fn packed(&self, layer: &Digest) -> Packed {
        match self.staged.get(layer) {
            Some(Staged::Packed(dir)) => Packed::new(dir.clone()),
            _ => self.layout.packed(layer),
        }
    }

    /// How many of the layers, from the lowest on, are EROFS.
    pub(crate) fn count_packed(&self, layers: &[Digest]) -> usize {
        // of most images all, and then there is one file that says so
        if layers.last().is_some_and(|top| self.directory(top).is_none() && self.layout.packed(top).image().exists()) {
            return layers.len();
        }
        let is_packed = |layer: &&Digest| self.directory(layer).is_none() && self.packed(layer).is_whole();
        layers.iter().take_while(is_packed).count()
    }

    /// Of the layers that are EROFS and those above them, which are directories, the ones that show: none below one that hides all
    /// (`.wh..wh..opq` at its root). overlayfs itself does not look for that at the roots of its layers.
    pub(crate) fn shown<'l>(&self, packed: &'l [Digest], above: &'l [Digest]) -> (&'l [Digest], &'l [Digest]) {
        let root = |layer| self.directory(layer).and_then(|dir| Root::open(&dir).ok());
        let hides_all = |layer| root(layer).is_some_and(|root| is_opaque(root.as_fd()));
        match above.iter().rposition(hides_all) {
            Some(last) => (&[], &above[last..]),
            None => (packed, above),
        }
    }

    /// The directories of layers, topmost first.
    ///
    /// # Errors
    /// `NotFound` names the layer that has none.
    pub(crate) fn directories(&self, layers: &[Digest]) -> Result<Vec<PathBuf>> {
        let place = |layer| self.directory(layer).map_or_else(|| self.layout.existing(layer), Ok);
        layers.iter().rev().map(place).collect()
    }

    /// What is in these layers together, all of them EROFS.
    pub(crate) fn flatten(&self, layers: &[Digest]) -> Result<Tree> {
        layers.iter().try_fold(Tree::new(Meta::new(0o755)), |below, layer| {
            let tree = self.tree(layer)?;
            Tree::merge(below, &tree, Whiteouts::Apply).during(|| format!("layer {layer}"))
        })
    }

    /// What is in a layer. One whose index is damaged is thrown away: it is missing then, and can be made again.
    fn tree(&self, layer: &Digest) -> Result<Tree> {
        let packed = self.packed(layer);
        match packed.tree(layer) {
            Err(e) if e.kind != ErrorKind::NotFound && packed.index().exists() => {
                self.layout.trash.throw(&packed.dir).during(|| packed.dir.display())?;
                Err(values::Error::not_found(format!("layer {layer} is damaged: {e}")))
            }
            other => other.during(|| format!("layer {layer}")),
        }
    }

    /// For looking into these layers, mounted by themselves.
    pub(crate) fn look(&self, layers: &[Digest]) -> Result<Merged> {
        let (packed, above) = layers.split_at(self.count_packed(layers));
        let mut roots = Vec::new();
        for dir in self.directories(above)? {
            roots.push(Root::open(&dir).map_err(io::Error::from).during(|| dir.display())?);
        }
        if !packed.is_empty() {
            let staging = self.layout.staging()?;
            let path = Packed::new(staging.clone()).image();
            let written = self.flatten(packed).and_then(|tree| self.write(&tree, &path));
            let mounted = written.and_then(|()| self.mount(&path));
            // the mount keeps it
            self.layout.trash.throw(&staging).during(|| staging.display())?;
            roots.push(open_mount(&mounted?.mount).during(|| path.display())?);
        }
        Ok(Merged::of(roots))
    }

    /// Writes an index of layers here to `path`, which is new.
    pub(crate) fn write(&self, tree: &Tree, path: &Path) -> Result<()> {
        packed::write(tree, path, &|tag| self.files(tag))
    }

    /// Mounts an index.
    pub(crate) fn mount(&self, path: &Path) -> Result<Image> {
        let devices = self.devices(path)?;
        let mounted = sys::erofs::mount(path, &devices).map_err(|errno| absent(errno.into()));
        let mount = mounted.during(|| format!("mount {}", path.display()))?;
        Ok(Image { mount, devices })
    }

    /// The files an index says its data is in.
    pub(crate) fn devices(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let devices = File::open(path).map_err(absent).and_then(|file| erofs::devices(&file));
        let place = |device: erofs::Device| Ok(self.files(device.tag())?.tar());
        devices.and_then(|devices| devices.into_iter().map(place).collect()).during(|| path.display())
    }

    /// The files of the layer with that tag.
    fn files(&self, tag: &[u8]) -> Result<Packed> {
        let layer = format!("sha256:{}", String::from_utf8_lossy(tag)).parse::<Digest>()?;
        Ok(self.packed(&layer))
    }
}

/// A mount's own descriptor names it and cannot be read.
pub(crate) fn open_mount(mount: &OwnedFd) -> io::Result<Root> {
    Ok(Root::of(Root::of(mount.try_clone()?).real_dir(b"")?))
}

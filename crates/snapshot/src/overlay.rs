use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use archive::{
    Root,
    pack::{Marks, Packer},
    unpack::{Deletions, copy_attributes},
};
use values::{Digest, Error, Lower, Result, ResultExt, RootMount};

use crate::{
    Change, Options, Snapshotter, change, init_layer,
    layout::Layout,
    merged::Merged,
    probe,
    settle::settle,
    stage::{Form, Stage},
    trash::Trash,
    tree::{self, Usage},
};

/// One directory a layer, put together by overlayfs.
///
/// A layer's directory holds its own entries; what it deletes is marked as overlayfs wants it (0:0 character devices,
/// `trusted.overlay.opaque`). Layers are unpacked independently of each other and settled when those below are there.
/// A container has an empty `upper` and a `work` directory, and as its topmost lower layer a directory with the names its
/// mounts need, shared by all containers on the same image: making a container is three `mkdir`s.
pub struct Overlay {
    layout: Layout,
    /// Topmost layers whose init layer is known to be there.
    ready: Mutex<HashSet<Option<Digest>>>,
}

impl Overlay {
    /// Opens the snapshots below `root`.
    ///
    /// # Errors
    /// `NotImplemented` where overlayfs does not work on that filesystem.
    pub fn open(root: &Path) -> Result<Self> {
        let layout = Layout::open(root)?;
        probe::overlay(root)?;
        Ok(Self { layout, ready: Mutex::default() })
    }

    /// Where container `id` writes.
    fn upper(&self, id: &str) -> Result<PathBuf> {
        let upper = self.layout.root(id)?.join("upper");
        match upper.exists() {
            true => Ok(upper),
            false => Err(Error::not_found(format!("root filesystem of {id} does not exist"))),
        }
    }

    /// Topmost first.
    fn dirs(&self, layers: &[Digest]) -> Result<Vec<PathBuf>> {
        layers.iter().rev().map(|layer| self.layout.existing(layer)).collect()
    }

    /// The init layer on top of `layers`, made by whoever needs it first.
    fn init(&self, layers: &[Digest], dirs: &[PathBuf]) -> Result<PathBuf> {
        let path = self.layout.init(layers.last());
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.contains(&layers.last().cloned()) {
            return Ok(path);
        }
        if !path.exists() {
            let staging = self.layout.staging()?;
            let made = Merged::open(dirs).and_then(|image| init_layer::make(&staging, &image));
            if let Err(e) = made.and_then(|()| fs::rename(&staging, &path)) {
                // what stays is thrown away at the next opening
                let _ = self.layout.trash.throw(&staging);
                return Err(e).during(|| format!("init layer {}", path.display()));
            }
        }
        ready.insert(layers.last().cloned());
        Ok(path)
    }

    /// Makes what is missing of the root filesystem's directories.
    fn make(&self, dir: &Path, model: &Path) -> io::Result<()> {
        let upper = dir.join("upper");
        match fs::create_dir(&upper) {
            Ok(()) => {
                // The merged root shows the attributes of its topmost directory, which is this one.
                let model = Root::open(model)?;
                copy_attributes(model.as_fd(), Root::open(&upper)?.as_fd())?;
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        match fs::create_dir(dir.join("work")) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn mount(&self, dir: &Path, lower: Vec<PathBuf>, options: Options) -> RootMount {
        let lower = lower.into_iter().map(Lower::from).collect();
        RootMount::Overlay { lower, upper: dir.join("upper"), work: dir.join("work"), volatile: options.volatile }
    }

    fn prepare_on(&self, id: &str, lower: Vec<PathBuf>, options: Options) -> Result<RootMount> {
        let dir = self.layout.root(id)?;
        let what = || format!("root filesystem of {id}");
        match fs::create_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::conflict("it exists already").context(what()));
            }
            other => other.during(what)?,
        }
        if let Err(e) = self.make(&dir, &lower[0]) {
            let _ = self.layout.trash.throw(&dir);
            return Err(e).during(what);
        }
        Ok(self.mount(&dir, lower, options))
    }
}

impl Snapshotter for Overlay {
    fn driver(&self) -> &'static str {
        "overlay"
    }

    fn is_parallel(&self) -> bool {
        true
    }

    fn stage(&self, below: &[Digest]) -> Result<Stage> {
        self.layout.stage(below, Deletions::Mark)
    }

    fn commit(&self, mut layers: Vec<(Stage, Digest)>) -> Result<()> {
        let staged: HashMap<Digest, PathBuf> = layers.iter().map(|(s, layer)| (layer.clone(), s.dir.clone())).collect();
        let place = |layer: &Digest| match staged.get(layer) {
            Some(dir) if !self.layout.has(layer) => Ok(dir.clone()),
            _ => self.layout.existing(layer),
        };
        for (stage, layer) in &mut layers {
            let below = stage.below.iter().rev().map(place).collect::<Result<Vec<_>>>()?;
            match &mut stage.form {
                Form::Directory { unpacked, .. } => settle(&stage.dir, unpacked, &below),
            }
            .during(|| format!("layer {layer}"))?;
        }
        self.layout.commit(layers)
    }

    fn ready(&self, layers: &[Digest]) -> Result<()> {
        self.init(layers, &self.dirs(layers)?).map(drop)
    }

    fn has(&self, layer: &Digest) -> bool {
        self.layout.has(layer)
    }

    fn layers(&self) -> Result<Vec<Digest>> {
        self.layout.layers()
    }

    fn remove_layer(&self, layer: &Digest) -> Result<()> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).remove(&Some(layer.clone()));
        self.layout.remove_layer(layer)
    }

    fn prepare(&self, id: &str, layers: &[Digest], options: Options) -> Result<RootMount> {
        let mut lower = self.dirs(layers)?;
        lower.insert(0, self.init(layers, &lower)?);
        self.prepare_on(id, lower, options)
    }

    fn view(&self, id: &str, layers: &[Digest]) -> Result<RootMount> {
        let lower = self.dirs(layers)?;
        match &lower[..] {
            [] => Err(Error::invalid("a view needs a layer")),
            // an overlay of one read-only directory is that directory
            [only] => Ok(RootMount::Directory { path: only.clone() }),
            _ => self.prepare_on(id, lower, Options { volatile: true }),
        }
    }

    fn mounts(&self, id: &str, layers: &[Digest], options: Options) -> Result<RootMount> {
        let mut lower = self.dirs(layers)?;
        lower.insert(0, self.init(layers, &lower)?);
        let dir = self.layout.root(id)?;
        fs::create_dir_all(&dir)
            .and_then(|()| self.make(&dir, &lower[0]))
            .during(|| format!("root filesystem of {id}"))?;
        Ok(self.mount(&dir, lower, options))
    }

    fn current(&self, id: &str, layers: &[Digest]) -> Result<RootMount> {
        let mut lower = self.dirs(layers)?;
        lower.insert(0, self.init(layers, &lower)?);
        lower.insert(0, self.upper(id)?);
        Ok(RootMount::Stack { lower: lower.into_iter().map(Lower::from).collect() })
    }

    fn lowest(&self, _layers: &[Digest]) -> Result<Option<OwnedFd>> {
        Ok(None)
    }

    fn changes(&self, id: &str, layers: &[Digest]) -> Result<Vec<Change>> {
        let mut lower = self.dirs(layers)?;
        lower.insert(0, self.init(layers, &lower)?);
        let upper = self.upper(id)?;
        let changes = || change::of_upper(&Root::open(&upper)?, &Merged::open(&lower)?);
        changes().during(|| format!("changes of {id}"))
    }

    fn diff(&self, id: &str, _layers: &[Digest], out: &mut dyn Write) -> Result<()> {
        let upper = self.upper(id)?;
        let pack = || -> io::Result<()> {
            let mut packer = Packer::new(out, Marks::Whiteouts);
            packer.tree(Root::open(&upper)?.real_dir(b"")?, b"")?;
            packer.finish()?;
            Ok(())
        };
        pack().during(|| format!("changes of {id}"))
    }

    fn limit(&self, id: &str, bytes: u64) -> Result<()> {
        self.layout.limit(id, &["upper", "work", "work/work"], bytes)
    }

    fn remove(&self, id: &str) -> Result<()> {
        self.layout.remove_root(id)
    }

    fn prepared(&self) -> Result<Vec<String>> {
        self.layout.roots()
    }

    fn usage(&self, id: &str) -> Result<Usage> {
        tree::usage(&self.layout.root(id)?.join("upper")).during(|| format!("root filesystem of {id}"))
    }

    fn layer_usage(&self, layer: &Digest) -> Result<Usage> {
        tree::usage(&self.layout.existing(layer)?).during(|| format!("layer {layer}"))
    }

    fn trash(&self) -> &Arc<Trash> {
        &self.layout.trash
    }
}

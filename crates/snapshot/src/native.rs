use std::{
    fs,
    io::{self, Write},
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
};

use archive::{
    Root,
    pack::{Marks, Packer},
    tar,
    unpack::Deletions,
};
use values::{Digest, Error, Result, ResultExt, RootMount};

use crate::{
    Change, ChangeKind, Options, Snapshotter, View, change, compare, init_layer,
    layout::Layout,
    stage::{Form, Stage},
    trash::Trash,
    tree::{self, Usage},
};

/// Full copies, for filesystems on which overlayfs does not work.
///
/// A layer's directory holds all that is below it as well; a container has a copy of its topmost layer. Files' blocks are
/// shared where the filesystem can (`FICLONE`); elsewhere this is slow and large, but it needs nothing of the kernel.
pub struct Native {
    layout: Layout,
}

impl Native {
    /// Opens the snapshots below `root`.
    pub fn open(root: &Path) -> Result<Self> {
        Ok(Self { layout: Layout::open(root)? })
    }

    fn make(&self, id: &str, fill: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        let staging = self.layout.staging()?;
        let made = fill(&staging).and_then(|()| Ok(fs::rename(&staging, self.layout.root(id)?)?));
        if made.is_err() {
            // what stays is thrown away at the next opening
            let _ = self.layout.trash.throw(&staging);
        }
        made.during(|| format!("root filesystem of {id}"))
    }

    /// A container's root filesystem.
    fn fill(&self, staging: &Path, layers: &[Digest]) -> Result<()> {
        self.copy(staging, layers)?;
        Ok(init_layer::make_in_place(staging)?)
    }

    fn copy(&self, staging: &Path, layers: &[Digest]) -> Result<()> {
        if let Some(top) = layers.last() {
            tree::copy(&self.layout.existing(top)?, staging)?;
            crate::layout::open_root(staging)?;
        }
        Ok(())
    }
}

impl Native {
    fn compare(&self, id: &str, layers: &[Digest]) -> Result<Vec<Change>> {
        let now = Root::open(&self.layout.root(id)?).map_err(io::Error::from)?;
        match layers.last() {
            Some(top) => {
                let before = Root::open(&self.layout.existing(top)?).map_err(io::Error::from)?;
                Ok(without_init(change::between(&before, &now)?))
            }
            None => {
                let empty = self.layout.staging()?;
                let changes = Root::open(&empty).map_err(io::Error::from).and_then(|e| change::between(&e, &now));
                let _ = self.layout.trash.throw(&empty);
                Ok(without_init(changes?))
            }
        }
    }
}

/// What every container is given counts as nobody's change.
fn without_init(mut changes: Vec<Change>) -> Vec<Change> {
    changes.retain(|c| c.kind != ChangeKind::Added || !init_layer::has(&c.path));
    changes
}

fn pack(root: &Root, changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    let mut packer = Packer::new(out, Marks::Plain);
    for change in changes {
        let (parent, name) = archive::split(&change.path);
        match change.kind {
            ChangeKind::Deleted => {
                let whiteout = [parent, if parent.is_empty() { b"" } else { b"/" }, b".wh.", name].concat();
                packer.add(&tar::Entry::new(tar::Kind::File, whiteout))?;
            }
            _ => packer.single(&root.real_dir(parent)?, name, &change.path)?,
        }
    }
    packer.finish().map(drop)
}

impl Snapshotter for Native {
    fn driver(&self) -> &'static str {
        "native"
    }

    fn status(&self) -> Vec<[String; 2]> {
        vec![["Backing Filesystem".to_owned(), self.layout.backing().to_owned()]]
    }

    fn is_parallel(&self) -> bool {
        false
    }

    fn stage(&self, below: &[Digest]) -> Result<Stage> {
        let stage = self.layout.stage(below, Form::directory(Deletions::Do))?;
        if let Some(top) = below.last() {
            tree::copy(&self.layout.existing(top)?, &stage.dir).during(|| format!("copy of layer {top}"))?;
        }
        Ok(stage)
    }

    fn commit(&self, layers: Vec<(Stage, Digest)>) -> Result<()> {
        self.layout.commit(layers)
    }

    fn ready(&self, _layers: &[Digest]) -> Result<()> {
        Ok(())
    }

    fn stage_again(&self, _layer: &Digest, below: &[Digest]) -> Result<Stage> {
        self.stage(below)
    }

    fn compare(&self, stage: Stage, layer: &Digest) -> Result<(Option<String>, Stage)> {
        // what is deleted of lower layers changes their directories' times
        let why = compare::difference(&stage.dir, &self.layout.layer(layer), &|_| true);
        Ok((why.during(|| format!("layer {layer}"))?, stage))
    }

    fn stored_anew(&self, _layer: &Digest, _tar: &Path) -> Result<()> {
        Ok(())
    }

    fn has(&self, layers: &[Digest]) -> bool {
        layers.last().is_some_and(|top| self.layout.has(top))
    }

    fn layers(&self) -> Result<Vec<Digest>> {
        self.layout.layers()
    }

    fn remove_layer(&self, layer: &Digest) -> Result<()> {
        self.layout.remove_layer(layer)
    }

    fn prepare(&self, id: &str, layers: &[Digest], _options: Options) -> Result<RootMount> {
        let path = self.layout.root(id)?;
        if path.exists() {
            return Err(Error::conflict(format!("root filesystem of {id}: it exists already")));
        }
        self.make(id, &|staging| self.fill(staging, layers))?;
        Ok(RootMount::Directory { path })
    }

    /// A copy: a mount of the layer itself would be writable for who may mount.
    fn view(&self, id: &str, layers: &[Digest]) -> Result<View> {
        if layers.is_empty() {
            return Err(Error::invalid("a view needs a layer"));
        }
        let path = self.layout.root(id)?;
        if !path.exists()
            && let Err(e) = self.make(id, &|staging| self.copy(staging, layers))
            // somebody was faster
            && !path.exists()
        {
            return Err(e);
        }
        Ok(View { root: RootMount::Directory { path }, lowest: None })
    }

    fn mounts(&self, id: &str, layers: &[Digest], _options: Options) -> Result<RootMount> {
        let path = self.layout.root(id)?;
        match path.symlink_metadata() {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.make(id, &|staging| self.fill(staging, layers))?,
            Err(e) => return Err(e).during(|| format!("root filesystem of {id}")),
        }
        Ok(RootMount::Directory { path })
    }

    fn current(&self, id: &str, _layers: &[Digest]) -> Result<RootMount> {
        Ok(RootMount::Directory { path: self.layout.root(id)? })
    }

    fn lowest(&self, _layers: &[Digest]) -> Result<Option<OwnedFd>> {
        Ok(None)
    }

    fn changes(&self, id: &str, layers: &[Digest]) -> Result<Vec<Change>> {
        self.compare(id, layers).during(|| format!("changes of {id}"))
    }

    fn is_changed(&self, id: &str, layers: &[Digest]) -> Result<bool> {
        Ok(!self.changes(id, layers)?.is_empty())
    }

    fn diff(&self, id: &str, layers: &[Digest], out: &mut dyn Write) -> Result<()> {
        let what = || format!("changes of {id}");
        let changes = self.compare(id, layers).during(what)?;
        let root = Root::open(&self.layout.root(id)?).map_err(io::Error::from).during(what)?;
        pack(&root, &changes, out).during(what)
    }

    fn limit(&self, id: &str, bytes: u64) -> Result<()> {
        self.layout.limit(id, &[], bytes)
    }

    fn remove(&self, id: &str) -> Result<()> {
        self.layout.remove_root(id)
    }

    fn prepared(&self) -> Result<Vec<String>> {
        self.layout.roots()
    }

    /// The whole copy: what of it the container wrote is not known.
    fn usage(&self, id: &str) -> Result<Usage> {
        tree::usage(&self.layout.root(id)?).during(|| format!("root filesystem of {id}"))
    }

    fn layer_usage(&self, layer: &Digest) -> Result<Usage> {
        tree::usage(&self.layout.existing(layer)?).during(|| format!("layer {layer}"))
    }

    fn trash(&self) -> &Arc<Trash> {
        &self.layout.trash
    }
}

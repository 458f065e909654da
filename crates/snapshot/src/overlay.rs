use std::{
    collections::HashSet,
    fs::{self, File},
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
use erofs::{Tree, Whiteouts};
use sys::crash;
use values::{Digest, Erofs, Error, ErrorKind, Lower, Result, ResultExt, RootMount, Timestamp};

use crate::{
    Change, Options, Snapshotter, View, change, compare, init_layer,
    layout::{self, Layout},
    merged::Merged,
    packed::{Packed, Packing},
    places::{Places, open_mount},
    probe,
    settle::settle,
    shared::{Image, SharedImages},
    stage::{Form, Stage},
    trash::Trash,
    tree::{self, Usage},
};

/// Layers put together by overlayfs: directories of files, or tars with EROFS indexes over them. What a new one becomes is
/// the driver's name; both are read whatever it is.
///
/// *Directories*: a layer's holds its own entries; what it deletes is marked as overlayfs wants it (0:0 character devices,
/// `trusted.overlay.opaque`). Layers are unpacked independently of each other and settled when those below are there.
///
/// *EROFS*: nothing is unpacked. A layer is indexed by itself; all layers of an image are merged into one index, which is
/// mounted once for all containers. Such layers stand on their like only: on a directory a layer becomes a directory.
/// [`Packed`] tells of the files.
///
/// A container has an empty `upper` and a `work` directory. The names its mounts need are shared by all containers of an
/// image, in the merged index, or in a directory on top of the others: making a container is three `mkdir`s.
pub struct Overlay {
    layout: Layout,
    /// New layers become EROFS.
    packs: bool,
    /// Topmost layers whose init layer is known to be there.
    ready: Mutex<HashSet<Option<Digest>>>,
    shared: SharedImages,
}

/// What names an image of layers has.
#[derive(Clone, Copy)]
enum Names {
    /// Also those that every container needs.
    All,
    /// Those of the layers alone.
    Own,
}

impl Names {
    fn file(self, top: &Packed) -> PathBuf {
        match self {
            Self::All => top.image(),
            Self::Own => top.view(),
        }
    }
}

/// What a root filesystem's layers are, as overlayfs takes them.
struct Layers {
    /// Directories, topmost first.
    dirs: Vec<PathBuf>,
    /// What all others are in, below the directories.
    image: Option<(PathBuf, Arc<Image>)>,
}

impl Layers {
    /// Topmost first.
    fn lower(self) -> Vec<Lower> {
        let image = self.image.map(|(index, image)| Lower::Erofs(Erofs { index, devices: image.devices.clone() }));
        self.dirs.into_iter().map(Lower::Directory).chain(image).collect()
    }

    /// The mount of the lowest, where that is an image.
    fn lowest(&self) -> Result<Option<OwnedFd>> {
        let image = self.image.as_ref();
        image.map(|(path, image)| image.mount.try_clone().during(|| path.display())).transpose()
    }

    /// For looking into them.
    fn open(&self) -> io::Result<Merged> {
        let mut roots = self.dirs.iter().map(|dir| Root::open(dir)).collect::<rustix::io::Result<Vec<_>>>()?;
        if let Some((_, image)) = &self.image {
            roots.push(open_mount(&image.mount)?);
        }
        Ok(Merged::of(roots))
    }

    /// The topmost directory of them all.
    fn top(&self) -> io::Result<OwnedFd> {
        let root = match (&self.dirs[..], &self.image) {
            ([top, ..], _) => Root::open(top)?,
            ([], Some((_, image))) => open_mount(&image.mount)?,
            ([], None) => return Err(io::Error::other("no layers")),
        };
        Ok(root.real_dir(b"")?)
    }
}

impl Overlay {
    /// Opens the snapshots below `root`; new layers become directories.
    ///
    /// # Errors
    /// `NotImplemented` where overlayfs does not work on that filesystem.
    pub fn open(root: &Path) -> Result<Self> {
        let layout = Layout::open(root)?;
        probe::overlay(root)?;
        Ok(Self { layout, packs: false, ready: Mutex::default(), shared: SharedImages::default() })
    }

    /// Opens the snapshots below `root`; new layers become EROFS.
    ///
    /// # Errors
    /// `NotImplemented` where overlayfs does not work on that filesystem, or the kernel does not mount EROFS from files.
    pub fn open_erofs(root: &Path) -> Result<Self> {
        let overlay = Self::open(root)?;
        probe::erofs(root)?;
        Ok(Self { packs: true, ..overlay })
    }

    /// Where container `id` writes.
    fn upper(&self, id: &str) -> Result<PathBuf> {
        let upper = self.layout.root(id)?.join("upper");
        match upper.exists() {
            true => Ok(upper),
            false => Err(Error::not_found(format!("root filesystem of {id} does not exist"))),
        }
    }

    fn places(&self) -> Places<'_> {
        Places::of(&self.layout)
    }

    /// The layers alone. In an image of them, `names` are.
    fn layers_of(&self, layers: &[Digest], names: Names) -> Result<Layers> {
        let places = self.places();
        let (packed, above) = layers.split_at(places.count_packed(layers));
        let (packed, above) = places.shown(packed, above);
        let dirs = places.directories(above)?;
        let image = match packed.last() {
            Some(top) => Some((names.file(&self.layout.packed(top)), self.image(packed, names)?)),
            None => None,
        };
        Ok(Layers { dirs, image })
    }

    /// What a container's root filesystem is made of.
    fn with_init(&self, layers: &[Digest]) -> Result<Layers> {
        let mut found = self.layers_of(layers, Names::All)?;
        if found.image.is_none() || !found.dirs.is_empty() {
            let init = self.init(layers.last(), &found)?;
            found.dirs.insert(0, init);
        }
        Ok(found)
    }

    /// The init layer on top of `layers`, made by whoever needs it first.
    fn init(&self, top: Option<&Digest>, layers: &Layers) -> Result<PathBuf> {
        let path = self.layout.init(top);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.contains(&top.cloned()) {
            return Ok(path);
        }
        self.make_once(&path, &|staging| layers.open().and_then(|image| init_layer::make(staging, &image)))?;
        ready.insert(top.cloned());
        Ok(path)
    }

    /// The topmost directory of a view, made by whoever needs it first. It is there also where there is one layer: so each
    /// mount is a file system of its own, whose options are nobody else's.
    fn view_top(&self, top: &Digest, layers: &Layers) -> Result<PathBuf> {
        let path = self.layout.view_top(top);
        let _one_by_one = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_once(&path, &|staging| become_root(staging, layers.top()?))?;
        Ok(path)
    }

    fn make_once(&self, path: &Path, make: &dyn Fn(&Path) -> io::Result<()>) -> Result<()> {
        if path.exists() {
            return Ok(());
        }
        let staging = self.layout.staging()?;
        make(&staging).and_then(|()| fs::rename(&staging, path)).during(|| path.display()).inspect_err(|_| {
            // what stays is thrown away at the next opening
            let _ = self.layout.trash.throw(&staging);
        })
    }

    /// The mounted image of these layers, all EROFS. It is made if it is missing, or damaged.
    fn image(&self, layers: &[Digest], names: Names) -> Result<Arc<Image>> {
        let Some(top) = layers.last() else { return Err(Error::internal("an image of no layers")) };
        let path = names.file(&self.layout.packed(top));
        if let Some(image) = self.shared.get(&path) {
            return Ok(image);
        }
        if path.exists() {
            match self.places().mount(&path) {
                Ok(image) => return Ok(self.keep(&path, image)),
                // a layer's tar is missing
                Err(e) if e.kind == ErrorKind::NotFound => return Err(e),
                Err(_) => self.layout.trash.throw(&path).during(|| path.display())?,
            }
        }
        self.make_image(layers, names)?;
        Ok(self.keep(&path, self.places().mount(&path)?))
    }

    fn keep(&self, path: &Path, image: Image) -> Arc<Image> {
        let (image, gone) = self.shared.keep(path, image);
        self.end(gone);
        image
    }

    /// An unmount takes its time.
    fn end(&self, images: Vec<Arc<Image>>) {
        if !images.is_empty() {
            self.layout.trash.end(images);
        }
    }

    /// Writes the image of layers that are all in their places.
    fn make_image(&self, layers: &[Digest], names: Names) -> Result<()> {
        let Some(top) = layers.last() else { return Ok(()) };
        let places = self.places();
        let mut tree = places.flatten(layers)?;
        let staging = self.layout.staging()?;
        let new = Packed::new(staging.clone()).image();
        let named = match names {
            Names::All => init_layer::add(&mut tree, &|_| Timestamp::now()),
            Names::Own => Ok(()),
        };
        let made = named.and_then(|()| places.write(&tree, &new)).and_then(|()| {
            crash::point("snapshot.image-written");
            let path = names.file(&self.layout.packed(top));
            fs::rename(&new, &path).during(|| path.display())
        });
        let thrown = self.layout.trash.throw(&staging).during(|| staging.display());
        made.and(thrown).during(|| format!("image of layer {top}"))
    }

    /// Makes what is missing of the root filesystem's directories.
    fn make(&self, dir: &Path, layers: &Layers) -> io::Result<()> {
        let upper = dir.join("upper");
        match fs::create_dir(&upper) {
            Ok(()) => become_root(&upper, layers.top()?)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        match fs::create_dir(dir.join("work")) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn mount(&self, dir: &Path, layers: Layers, options: Options) -> RootMount {
        RootMount::Overlay {
            lower: layers.lower(),
            upper: dir.join("upper"),
            work: dir.join("work"),
            volatile: options.volatile,
        }
    }

    fn make_dir(&self, id: &str) -> Result<PathBuf> {
        let dir = self.layout.root(id)?;
        let what = || format!("root filesystem of {id}");
        match fs::create_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::conflict("it exists already").context(what()))
            }
            other => other.during(what).map(|()| dir),
        }
    }

    /// Settles directories, writes indexes, in order, since each may need those before it. `made` says when what every
    /// container needs was made; `with_view`: the last one's view is made as well.
    fn finish(&self, layers: &mut [(Stage, Digest)], made: &dyn Fn(&[u8]) -> Timestamp, with_view: bool) -> Result<()> {
        let places = Places::with(&self.layout, layers);
        // what is in the last layer and all below it
        let mut known: Option<(Vec<Digest>, Tree)> = None;
        for (stage, layer) in layers.iter_mut() {
            let below = &stage.below;
            match &mut stage.form {
                Form::Directory { unpacked, .. } => {
                    places.look(below).and_then(|below| settle(&stage.dir, unpacked, &below))
                }
                // for being compared, before
                Form::Packed(packing) if packing.is_taken() => Ok(()),
                Form::Packed(packing) => {
                    let lower = match known.take() {
                        Some((chain, tree)) if chain == *below => Ok(tree),
                        _ => places.flatten(below),
                    };
                    lower.and_then(|lower| write_index(packing, lower, &stage.dir, layer, &places)).map(|tree| {
                        known = Some(([&below[..], std::slice::from_ref(layer)].concat(), tree));
                    })
                }
            }
            .during(|| format!("layer {layer}"))?;
        }
        // The last one is topmost in its image as a rule.
        let Some((stage, layer)) = layers.last() else { return Ok(()) };
        if let (Form::Packed(_), Some((_, mut tree))) = (&stage.form, known) {
            let packed = Packed::new(stage.dir.clone());
            if with_view {
                places.write(&tree, &packed.view()).during(|| format!("view of layer {layer}"))?;
            }
            init_layer::add(&mut tree, made)?;
            places.write(&tree, &packed.image()).during(|| format!("image of layer {layer}"))?;
        }
        Ok(())
    }
}

/// Writes a layer's index; what is in it and all below it.
fn write_index(packing: &mut Packing, lower: Tree, dir: &Path, layer: &Digest, places: &Places<'_>) -> Result<Tree> {
    if !Packed::new(dir.into()).tar().exists() {
        return Err(Error::internal("nobody told where its tar is"));
    }
    let own = packing.take(layer)?;
    let merged = Tree::merge(lower, &own, Whiteouts::Apply)?;
    places.write(&own, &Packed::new(dir.into()).index())?;
    Ok(merged)
}

impl Snapshotter for Overlay {
    fn driver(&self) -> &'static str {
        if self.packs { "erofs" } else { "overlay" }
    }

    fn status(&self) -> Vec<[String; 2]> {
        let layers = if self.packs { "tars with an EROFS index" } else { "directories" };
        [["Backing Filesystem", self.layout.backing()], ["New Layers", layers]]
            .map(|row| row.map(str::to_owned))
            .to_vec()
    }

    fn is_parallel(&self) -> bool {
        true
    }

    fn stage(&self, below: &[Digest]) -> Result<Stage> {
        let form = match self.packs && !below.iter().any(|layer| self.layout.has(layer)) {
            true => Form::Packed(Packing::default()),
            false => Form::directory(Deletions::Mark),
        };
        self.layout.stage(below, form)
    }

    fn commit(&self, mut layers: Vec<(Stage, Digest)>) -> Result<()> {
        self.finish(&mut layers, &|_| Timestamp::now(), false)?;
        crash::point("snapshot.layers-settled");
        self.layout.commit(layers)
    }

    fn ready(&self, layers: &[Digest]) -> Result<()> {
        self.with_init(layers).map(drop)
    }

    fn stage_again(&self, layer: &Digest, below: &[Digest]) -> Result<Stage> {
        let form = match (self.layout.has(layer), self.layout.packed(layer).dir.exists()) {
            (true, _) => Form::directory(Deletions::Mark),
            (false, true) => Form::Packed(Packing::default()),
            (false, false) => return self.stage(below),
        };
        self.layout.stage(below, form)
    }

    fn compare(&self, stage: Stage, layer: &Digest) -> Result<(Option<String>, Stage)> {
        let any_time = match &stage.form {
            Form::Directory { unpacked, .. } => compare::any_time(unpacked),
            Form::Packed(_) => HashSet::new(),
        };
        let there = self.layout.packed(layer);
        let image = File::open(there.image()).ok().and_then(|image| erofs::read(&image, layer.hex()).ok());
        let made = |path: &[u8]| {
            let found = image.as_ref().and_then(|image| Some(image.inode(image.find(path)?).meta.mtime));
            found.unwrap_or_else(Timestamp::now)
        };
        let mut layers = [(stage, layer.clone())];
        self.finish(&mut layers, &made, there.view().exists())?;
        let [(stage, _)] = layers;
        let why = match &stage.form {
            Form::Directory { .. } => {
                compare::difference(&stage.dir, &self.layout.layer(layer), &|path| any_time.contains(path))
            }
            Form::Packed(_) => compare::files(&Packed::new(stage.dir.clone()), &there),
        };
        Ok((why.during(|| format!("layer {layer}"))?, stage))
    }

    fn stored_anew(&self, layer: &Digest, tar: &Path) -> Result<()> {
        let packed = self.layout.packed(layer);
        // one that is missing is made again with all that belongs to it
        if !packed.is_whole() {
            return Ok(());
        }
        let staging = self.layout.staging()?;
        let new = staging.join("tar");
        // on another filesystem nothing was linked
        let linked = fs::hard_link(tar, &new).and_then(|()| fs::rename(&new, packed.tar()));
        self.layout.trash.throw(&staging).during(|| staging.display())?;
        self.shared.forget(&packed.dir);
        match linked {
            Err(e) if e.kind() != io::ErrorKind::CrossesDevices && e.kind() != io::ErrorKind::TooManyLinks => {
                Err(e).during(|| format!("tar of layer {layer}"))
            }
            _ => File::open(&packed.dir).and_then(|dir| dir.sync_all()).during(|| packed.dir.display()),
        }
    }

    fn has(&self, layers: &[Digest]) -> bool {
        let Some((top, below)) = layers.split_last() else { return false };
        self.layout.has(top) || self.layout.packed(top).is_whole() && !below.iter().any(|layer| self.layout.has(layer))
    }

    fn layers(&self) -> Result<Vec<Digest>> {
        self.layout.layers()
    }

    fn remove_layer(&self, layer: &Digest) -> Result<()> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).remove(&Some(layer.clone()));
        self.end(self.shared.forget(&self.layout.packed(layer).dir));
        self.layout.remove_layer(layer)
    }

    fn prepare(&self, id: &str, layers: &[Digest], options: Options) -> Result<RootMount> {
        let layers = self.with_init(layers)?;
        let dir = self.make_dir(id)?;
        if let Err(e) = self.make(&dir, &layers) {
            let _ = self.layout.trash.throw(&dir);
            return Err(e).during(|| format!("root filesystem of {id}"));
        }
        Ok(self.mount(&dir, layers, options))
    }

    fn view(&self, _id: &str, layers: &[Digest]) -> Result<View> {
        let top = layers.last().ok_or_else(|| Error::invalid("a view needs a layer"))?;
        let mut found = self.layers_of(layers, Names::Own)?;
        let top = self.view_top(top, &found)?;
        found.dirs.insert(0, top);
        let lowest = found.lowest()?;
        Ok(View { root: RootMount::Stack { lower: found.lower() }, lowest })
    }

    fn mounts(&self, id: &str, layers: &[Digest], options: Options) -> Result<RootMount> {
        let layers = self.with_init(layers)?;
        let dir = self.layout.root(id)?;
        fs::create_dir_all(&dir)
            .and_then(|()| self.make(&dir, &layers))
            .during(|| format!("root filesystem of {id}"))?;
        Ok(self.mount(&dir, layers, options))
    }

    fn current(&self, id: &str, layers: &[Digest]) -> Result<RootMount> {
        let mut layers = self.with_init(layers)?;
        layers.dirs.insert(0, self.upper(id)?);
        Ok(RootMount::Stack { lower: layers.lower() })
    }

    fn lowest(&self, layers: &[Digest]) -> Result<Option<OwnedFd>> {
        self.layers_of(layers, Names::All)?.lowest()
    }

    fn changes(&self, id: &str, layers: &[Digest]) -> Result<Vec<Change>> {
        let layers = self.with_init(layers)?;
        let upper = self.upper(id)?;
        let changes = || change::of_upper(&Root::open(&upper)?, &layers.open()?);
        changes().during(|| format!("changes of {id}"))
    }

    fn is_changed(&self, id: &str, layers: &[Digest]) -> Result<bool> {
        let layers = self.with_init(layers)?;
        let upper = self.upper(id)?;
        let is_changed = || change::is_any_of_upper(&Root::open(&upper)?, &layers.open()?);
        is_changed().during(|| format!("changes of {id}"))
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
        match self.layout.has(layer) {
            false if self.layout.packed(layer).is_whole() => self.layout.packed(layer).usage(layer),
            _ => Ok(tree::usage(&self.layout.existing(layer)?)?),
        }
        .during(|| format!("layer {layer}"))
    }

    fn trash(&self) -> &Arc<Trash> {
        &self.layout.trash
    }
}

/// The merged root shows the attributes of its topmost directory, which `top` becomes: those of the one `below`.
fn become_root(top: &Path, below: impl AsFd) -> io::Result<()> {
    copy_attributes(below.as_fd(), Root::open(top)?.as_fd())?;
    layout::open_root(top)
}

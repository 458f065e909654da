//! The directories of a driver's root, and what both drivers do with them alike.
//!
//! ```text
//! layers/HEX    a layer, by its chain id: a directory of its files
//! erofs/HEX     a layer as files, see `packed.rs`
//! staging/N     a layer being made
//! roots/ID      a container's root filesystem
//! init/HEX      what every container on that topmost layer needs besides (overlay)
//! views/HEX     the root directory of an image of that topmost layer, where it is mounted in a container (overlay)
//! trash/        see `Trash`
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use archive::unpack::Deletions;
use rustix::fs::chmod;
use rustix::io::Errno;
use sys::crash;
use values::{Digest, Error, Result, ResultExt};

use crate::{
    packed::Packed,
    stage::{Form, Stage},
    trash::Trash,
    tree,
};

/// Entries of layers which are synced one by one.
const SINGLE_SYNCS_MAX: u64 = 16;

/// Directory of layers that are files.
const PACKED: &str = "erofs";

pub(crate) struct Layout {
    root: PathBuf,
    pub(crate) trash: Arc<Trash>,
    count: AtomicU64,
}

impl Layout {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        for name in ["layers", PACKED, "staging", "roots", "init", "views"] {
            let dir = root.join(name);
            DirBuilder::new().recursive(true).mode(0o700).create(&dir).during(|| dir.display())?;
            inherits_nothing(&dir).during(|| dir.display())?;
        }
        let layout = Self { root: root.into(), trash: Trash::open(&root.join("trash"))?, count: AtomicU64::new(0) };
        for left_over in names(&root.join("staging"))? {
            let path = root.join("staging").join(left_over);
            layout.trash.throw(&path).during(|| path.display())?;
        }
        Ok(layout)
    }

    /// The filesystem all is on, by Docker's names.
    pub(crate) fn backing(&self) -> &'static str {
        // statfs(2)
        match rustix::fs::statfs(&self.root).map(|found| found.f_type) {
            Ok(0xef53) => "extfs",
            Ok(0x5846_5342) => "xfs",
            Ok(0x9123_683e) => "btrfs",
            Ok(0x0102_1994) => "tmpfs",
            Ok(0x794c_7630) => "overlayfs",
            Ok(0x2fc1_2fc1) => "zfs",
            _ => "<unknown>",
        }
    }

    pub(crate) fn layer(&self, layer: &Digest) -> PathBuf {
        self.root.join("layers").join(layer.hex())
    }

    /// Whether the directory of the layer's files is there.
    pub(crate) fn has(&self, layer: &Digest) -> bool {
        self.layer(layer).exists()
    }

    /// Where the layer is as files, if it is.
    pub(crate) fn packed(&self, layer: &Digest) -> Packed {
        Packed::new(self.root.join(PACKED).join(layer.hex()))
    }

    /// # Errors
    /// `NotFound` names the layer.
    pub(crate) fn existing(&self, layer: &Digest) -> Result<PathBuf> {
        let path = self.layer(layer);
        if !path.exists() {
            return Err(Error::not_found(format!("layer {layer} does not exist")));
        }
        Ok(path)
    }

    /// All layers of either form.
    pub(crate) fn layers(&self) -> Result<Vec<Digest>> {
        let mut names = names(&self.root.join("layers"))?;
        names.extend(self::names(&self.root.join(PACKED))?);
        names.sort_unstable();
        names.dedup();
        Ok(names.iter().filter_map(|hex| format!("sha256:{hex}").parse().ok()).collect())
    }

    pub(crate) fn roots(&self) -> Result<Vec<String>> {
        names(&self.root.join("roots"))
    }

    /// Directory of a root filesystem; an id which is no plain name is refused.
    pub(crate) fn root(&self, id: &str) -> Result<PathBuf> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if id.is_empty() || id.len() > 255 || id.starts_with('.') || !id.bytes().all(plain) {
            return Err(Error::invalid(format!("invalid root filesystem id: {id:?}")));
        }
        Ok(self.root.join("roots").join(id))
    }

    pub(crate) fn limit(&self, id: &str, inner: &[&str], bytes: u64) -> Result<()> {
        crate::quota::limit(&self.root.join("roots"), &self.root(id)?, inner, bytes)
    }

    pub(crate) fn init(&self, top: Option<&Digest>) -> PathBuf {
        self.root.join("init").join(top.map_or("empty", Digest::hex))
    }

    pub(crate) fn view_top(&self, top: &Digest) -> PathBuf {
        self.root.join("views").join(top.hex())
    }

    /// A new empty directory in staging.
    pub(crate) fn staging(&self) -> Result<PathBuf> {
        loop {
            let path = self.root.join("staging").join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
            match fs::create_dir(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result.during(|| path.display())?;
                    // not less by the umask: it is a layer's root
                    chmod(&path, 0o755.into()).map_err(io::Error::from).during(|| path.display())?;
                    return Ok(path);
                }
            }
        }
    }

    pub(crate) fn stage(&self, below: &[Digest], form: Form) -> Result<Stage> {
        Ok(Stage { dir: self.staging()?, below: below.into(), form, trash: self.trash.clone(), is_committed: false })
    }

    /// Syncs what is staged, then gives it its names, then makes those durable.
    pub(crate) fn commit(&self, layers: Vec<(Stage, Digest)>) -> Result<()> {
        self.sync(&layers).during(|| "sync of unpacked layers")?;
        crash::point("snapshot.layers-synced");
        let mut parents = BTreeSet::new();
        for (mut stage, layer) in layers {
            let path = match &stage.form {
                Form::Directory { .. } => self.layer(&layer),
                Form::Packed(_) => self.make_way(&layer)?,
            };
            match fs::rename(&stage.dir, &path) {
                Ok(()) => stage.is_committed = true,
                // somebody else made the same layer meanwhile
                Err(_) if path.exists() => {}
                Err(e) => return Err(e).during(|| path.display()),
            }
            parents.extend(path.parent().map(Path::to_owned));
            crash::point("snapshot.layer-named");
        }
        let synced = parents.iter().try_for_each(|parent| File::open(parent)?.sync_all());
        synced.during(|| "sync of layers")
    }

    /// The place of a layer as files. What is left of one that is not whole goes away.
    fn make_way(&self, layer: &Digest) -> Result<PathBuf> {
        let packed = self.packed(layer);
        if packed.dir.exists() && !packed.is_whole() {
            self.trash.throw(&packed.dir).during(|| format!("layer {layer}"))?;
        }
        Ok(packed.dir)
    }

    /// One sync of the filesystem for all files of all layers, because thousands of single ones would take minutes; single
    /// ones where they are few, because on a busy machine a filesystem holds much that is not ours.
    fn sync(&self, layers: &[(Stage, Digest)]) -> io::Result<()> {
        let entries = |stage: &Stage| match &stage.form {
            Form::Directory { deletions: Deletions::Mark, unpacked } => Some(unpacked.entries),
            Form::Directory { .. } => None,
            // three files
            Form::Packed(_) => Some(0),
        };
        let entries: Option<u64> = layers.iter().map(|(stage, _)| entries(stage)).sum();
        if entries.is_some_and(|entries| entries <= SINGLE_SYNCS_MAX) {
            return layers.iter().try_for_each(|(stage, _)| tree::sync(&stage.dir));
        }
        Ok(rustix::fs::syncfs(File::open(self.root.join("staging"))?)?)
    }

    pub(crate) fn remove_layer(&self, layer: &Digest) -> Result<()> {
        self.trash.throw(&self.init(Some(layer))).during(|| format!("layer {layer}"))?;
        self.trash.throw(&self.view_top(layer)).during(|| format!("layer {layer}"))?;
        self.trash.throw(&self.packed(layer).dir).during(|| format!("layer {layer}"))?;
        self.trash.throw(&self.layer(layer)).during(|| format!("layer {layer}"))
    }

    pub(crate) fn remove_root(&self, id: &str) -> Result<()> {
        self.trash.throw(&self.root(id)?).during(|| format!("root filesystem of {id}"))
    }
}

/// Everybody in a container can go through its root, whatever the image says of it, as with Docker: images made of a
/// directory of `mktemp -d` have one that is root's alone.
pub(crate) fn open_root(path: &Path) -> io::Result<()> {
    Ok(chmod(path, 0o755.into())?)
}

/// A default ACL that the data root has of its administrator (acl(5)) must not come to be on files of layers and containers.
fn inherits_nothing(dir: &Path) -> io::Result<()> {
    match rustix::fs::removexattr(dir, "system.posix_acl_default") {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).during(|| dir.display())? {
        out.push(entry.during(|| dir.display())?.file_name().to_string_lossy().into_owned());
    }
    Ok(out)
}

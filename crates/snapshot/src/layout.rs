//! The directories of a driver's root, and what both drivers do with them alike.
//!
//! ```text
//! layers/HEX    a layer, by its chain id
//! staging/N     a layer being made
//! roots/ID      a container's root filesystem
//! init/HEX      what every container on that topmost layer needs besides (overlay)
//! trash/        see `Trash`
//! ```

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use archive::unpack::{Deletions, Unpacked};
use values::{Digest, Error, Result, ResultExt};

use crate::{
    stage::{Form, Stage},
    trash::Trash,
    tree,
};

/// Entries of layers which are synced one by one.
const SINGLE_SYNCS_MAX: u64 = 16;

pub(crate) struct Layout {
    root: PathBuf,
    pub(crate) trash: Arc<Trash>,
    count: AtomicU64,
}

impl Layout {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        for name in ["layers", "staging", "roots", "init"] {
            let dir = root.join(name);
            DirBuilder::new().recursive(true).mode(0o700).create(&dir).during(|| dir.display())?;
        }
        let layout = Self { root: root.into(), trash: Trash::open(&root.join("trash"))?, count: AtomicU64::new(0) };
        for left_over in names(&root.join("staging"))? {
            let path = root.join("staging").join(left_over);
            layout.trash.throw(&path).during(|| path.display())?;
        }
        Ok(layout)
    }

    pub(crate) fn layer(&self, layer: &Digest) -> PathBuf {
        self.root.join("layers").join(layer.hex())
    }

    pub(crate) fn has(&self, layer: &Digest) -> bool {
        self.layer(layer).exists()
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

    pub(crate) fn layers(&self) -> Result<Vec<Digest>> {
        let names = names(&self.root.join("layers"))?;
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

    /// A new empty directory in staging.
    pub(crate) fn staging(&self) -> Result<PathBuf> {
        loop {
            let path = self.root.join("staging").join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
            match fs::create_dir(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result.during(|| path.display())?;
                    // not less by the umask: it is a layer's root
                    set_mode(&path, 0o755).during(|| path.display())?;
                    return Ok(path);
                }
            }
        }
    }

    pub(crate) fn stage(&self, below: &[Digest], deletions: Deletions) -> Result<Stage> {
        Ok(Stage {
            dir: self.staging()?,
            below: below.into(),
            form: Form::Directory { deletions, unpacked: Unpacked::default() },
            trash: self.trash.clone(),
            is_committed: false,
        })
    }

    /// Syncs what is staged, then gives it its names, then makes those durable.
    pub(crate) fn commit(&self, layers: Vec<(Stage, Digest)>) -> Result<()> {
        self.sync(&layers).during(|| "sync of unpacked layers")?;
        for (mut stage, layer) in layers {
            let path = self.layer(&layer);
            match fs::rename(&stage.dir, &path) {
                Ok(()) => stage.is_committed = true,
                // somebody else made the same layer meanwhile
                Err(_) if path.exists() => {}
                Err(e) => return Err(e).during(|| path.display()),
            }
        }
        File::open(self.root.join("layers")).and_then(|dir| dir.sync_all()).during(|| "sync of layers")
    }

    /// One sync of the filesystem for all files of all layers, because thousands of single ones would take minutes; single
    /// ones where they are few, because on a busy machine a filesystem holds much that is not ours.
    fn sync(&self, layers: &[(Stage, Digest)]) -> io::Result<()> {
        let entries = |stage: &Stage| match &stage.form {
            Form::Directory { deletions: Deletions::Mark, unpacked } => Some(unpacked.entries),
            Form::Directory { .. } => None,
        };
        let entries: Option<u64> = layers.iter().map(|(stage, _)| entries(stage)).sum();
        if entries.is_some_and(|entries| entries <= SINGLE_SYNCS_MAX) {
            return layers.iter().try_for_each(|(stage, _)| tree::sync(&stage.dir));
        }
        Ok(rustix::fs::syncfs(File::open(self.root.join("staging"))?)?)
    }

    pub(crate) fn remove_layer(&self, layer: &Digest) -> Result<()> {
        self.trash.throw(&self.init(Some(layer))).during(|| format!("layer {layer}"))?;
        self.trash.throw(&self.layer(layer)).during(|| format!("layer {layer}"))
    }

    pub(crate) fn remove_root(&self, id: &str) -> Result<()> {
        self.trash.throw(&self.root(id)?).during(|| format!("root filesystem of {id}"))
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).during(|| dir.display())? {
        out.push(entry.during(|| dir.display())?.file_name().to_string_lossy().into_owned());
    }
    Ok(out)
}

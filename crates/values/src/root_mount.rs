use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A root filesystem as data: what a snapshot driver returns and the runtime mounts.
///
/// Nothing is mounted on the host for it; the runtime makes a detached mount by descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum RootMount {
    /// An overlayfs (<https://docs.kernel.org/filesystems/overlayfs.html>).
    Overlay {
        /// Read-only layers, topmost first.
        lower: Vec<Lower>,
        /// The container's own changes.
        upper: PathBuf,
        /// overlayfs' scratch directory, on the same filesystem as `upper`.
        work: PathBuf,
        /// Mount with `volatile`: no sync of the upper filesystem ever (for `--rm` containers).
        #[serde(default)]
        volatile: bool,
    },
    /// Layers on top of each other, topmost first, read-only.
    Stack { lower: Vec<Lower> },
    /// A plain directory, bind-mounted.
    Directory { path: PathBuf },
}

/// A read-only layer of a root filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Lower {
    Directory(PathBuf),
    Erofs(Erofs),
}

/// An EROFS in files (<https://docs.kernel.org/filesystems/erofs.html>): names and attributes in one, what the files hold in
/// others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erofs {
    /// The file that is mounted, in a directory of its own.
    pub index: PathBuf,
    /// The files it says data are in, in the order of its device table.
    pub devices: Vec<PathBuf>,
}

impl Lower {
    /// The directory, or the EROFS' index.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::Erofs(Erofs { index: path, .. }) => path,
        }
    }
}

impl From<PathBuf> for Lower {
    fn from(path: PathBuf) -> Self {
        Self::Directory(path)
    }
}

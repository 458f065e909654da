use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A root filesystem as data: what a snapshot driver returns and the runtime mounts.
///
/// Nothing is mounted on the host for it; the runtime makes a detached mount by descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum RootMount {
    /// An overlayfs (<https://docs.kernel.org/filesystems/overlayfs.html>).
    Overlay {
        /// Read-only directories, topmost first.
        lower: Vec<PathBuf>,
        /// The container's own changes.
        upper: PathBuf,
        /// overlayfs' scratch directory, on the same filesystem as `upper`.
        work: PathBuf,
        /// Mount with `volatile`: no sync of the upper filesystem ever (for `--rm` containers).
        #[serde(default)]
        volatile: bool,
    },
    /// Directories on top of each other, topmost first, read-only.
    Stack { lower: Vec<PathBuf> },
    /// A plain directory, bind-mounted.
    Directory { path: PathBuf },
}

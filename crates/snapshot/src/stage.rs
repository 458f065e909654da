use std::{io::Read, path::PathBuf, sync::Arc};

use archive::unpack::{Deletions, Unpacked, unpack};
use values::{Digest, Result};

use crate::trash::Trash;

/// A layer being made. [`Stage::apply`] fills it, [`Snapshotter::commit`](crate::Snapshotter::commit) makes it one;
/// dropped, it is thrown away.
pub struct Stage {
    pub(crate) dir: PathBuf,
    /// The layers it stands on, lowest first.
    pub(crate) below: Vec<Digest>,
    pub(crate) deletions: Deletions,
    pub(crate) unpacked: Unpacked,
    pub(crate) trash: Arc<Trash>,
    pub(crate) is_committed: bool,
}

/// What a layer's tar held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Bytes of all files.
    pub bytes: u64,
    pub entries: u64,
}

impl Stage {
    /// Unpacks the layer's plain tar and reads it to its end. To be called once.
    ///
    /// # Errors
    /// `InvalidArgument` for a broken or hostile tar; the stage is of no use then.
    pub fn apply(&mut self, tar: impl Read) -> Result<Applied> {
        self.unpacked = unpack(tar, &self.dir, self.deletions)?;
        Ok(Applied { bytes: self.unpacked.bytes, entries: self.unpacked.entries })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_committed {
            // what cannot be thrown away now is found in the staging directory at the next opening
            let _ = self.trash.throw(&self.dir);
        }
    }
}

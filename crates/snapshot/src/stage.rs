use std::{
    io::BufRead,
    path::{Path, PathBuf},
    sync::Arc,
};

use archive::unpack::{Deletions, Unpacked, unpack};
use values::{Digest, Result};

use crate::{packed::Packing, trash::Trash};

/// A layer being made. [`Stage::apply`] fills it, [`Snapshotter::commit`](crate::Snapshotter::commit) makes it one;
/// dropped, it is thrown away.
pub struct Stage {
    pub(crate) dir: PathBuf,
    /// The layers it stands on, lowest first.
    pub(crate) below: Vec<Digest>,
    pub(crate) form: Form,
    pub(crate) trash: Arc<Trash>,
    pub(crate) is_committed: bool,
}

/// What a layer becomes, and what there is of it.
pub(crate) enum Form {
    /// A directory of its files.
    Directory { deletions: Deletions, unpacked: Unpacked },
    /// Its tar and an index over it.
    Packed(Packing),
}

impl Form {
    pub(crate) fn directory(deletions: Deletions) -> Self {
        Self::Directory { deletions, unpacked: Unpacked::default() }
    }
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
    pub fn apply(&mut self, tar: impl BufRead) -> Result<Applied> {
        match &mut self.form {
            Form::Directory { deletions, unpacked } => {
                *unpacked = unpack(tar, &self.dir, *deletions)?;
                Ok(Applied { bytes: unpacked.bytes, entries: unpacked.entries })
            }
            Form::Packed(packing) => packing.apply(&self.dir, tar, false),
        }
    }

    /// [`Stage::apply`] for a tar that somebody keeps as it is: [`Stage::stored_at`] has to say where.
    pub fn apply_stored(&mut self, tar: impl BufRead) -> Result<Applied> {
        match &mut self.form {
            Form::Directory { .. } => self.apply(tar),
            Form::Packed(packing) => packing.apply(&self.dir, tar, true),
        }
    }

    /// A file that holds what [`Stage::apply_stored`] was given: instead of a copy the layer gets a link to it, if it needs its
    /// tar at all.
    pub fn stored_at(&mut self, tar: &Path) -> Result<()> {
        match &self.form {
            Form::Directory { .. } => Ok(()),
            Form::Packed(packing) => packing.stored_at(&self.dir, tar),
        }
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

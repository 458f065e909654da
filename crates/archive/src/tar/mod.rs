//! Tar: POSIX ustar and PAX, GNU's extensions, the old V7 form.
//!
//! Source: POSIX.1-2017 `pax`, "pax Interchange Format"; GNU tar's manual, "Tar Internals".

mod header;
mod pax;
mod reader;
mod sparse;
mod writer;

use values::Timestamp;

pub use reader::Reader;
pub use sparse::Extent;
pub use writer::Writer;

/// Size of the blocks a tar is made of.
pub const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    /// Another name of an earlier entry.
    HardLink,
    CharDevice,
    BlockDevice,
    Fifo,
}

/// One entry, as all its headers together say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// As written: may be absolute, have `..`, end in `/`.
    pub path: Vec<u8>,
    /// Target of a symlink or hard link, as written.
    pub link: Vec<u8>,
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Timestamp,
    pub atime: Option<Timestamp>,
    /// Bytes of the file, its holes included.
    pub size: u64,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes: full names (`user.x`), values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where a sparse file's data belongs; `None` for all others.
    pub extents: Option<Vec<Extent>>,
}

impl Entry {
    /// An entry of that kind with mode 0644 (directories 0755), root's, of 1970.
    pub fn new(kind: Kind, path: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            path: path.into(),
            link: Vec::new(),
            mode: if kind == Kind::Directory { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            mtime: Timestamp { secs: 0, nanos: 0 },
            atime: None,
            size: 0,
            device: (0, 0),
            xattrs: Vec::new(),
            extents: None,
        }
    }
}

//! EROFS images that are an index over tar files.
//!
//! A layer's plain tar is kept as it came. The image beside it holds directories, inodes, names and extended attributes, and
//! points into the tar for the files' data: the tar is an extra device of the image. `mount -t erofs -o ro,device=TAR INDEX
//! DIR` shows the files; none was ever made on a disk.
//!
//! - [`index`], [`TreeBuilder`]: a [`Tree`] from a layer's tar, with deletions as overlayfs reads them.
//! - [`Tree::merge`], [`Tree::settle`]: a layer on top of others.
//! - [`write()`]: a tree into an image. The same tree makes the same bytes.
//! - [`read`]: an image of ours back into a tree; [`devices`]: only what is to be mounted with it.
//!
//! Format: <https://erofs.docs.kernel.org/en/latest/core_ondisk.html>. Ours have blocks of 512 bytes, as tars have. Behind
//! the image the file goes on with what only we read, see `notes.rs`.

mod build;
mod device;
mod format;
mod merge;
mod notes;
mod read;
mod resolve;
mod tree;
mod write;

pub use build::{Layer, TreeBuilder, index};
pub use device::{Data, Device};
pub use merge::Whiteouts;
pub use read::{devices, read};
pub use tree::{Content, Directory, Extent, File, Id, Inode, Meta, Tree, Walk, Xattrs};
pub use write::write;

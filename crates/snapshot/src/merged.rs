//! What overlayfs would show, without mounting it.

use std::io;

use archive::{
    Root,
    unpack::{is_opaque, is_whiteout},
};
use rustix::{
    fs::{FileType, Stat},
    io::Errno,
};
use std::os::fd::AsFd;

/// Layers' directories on top of each other.
pub(crate) struct Merged {
    /// Topmost first.
    layers: Vec<Root>,
}

/// An entry, and in which layer's directory it is.
pub(crate) struct Found<'a> {
    pub(crate) layer: &'a Root,
    pub(crate) stat: Stat,
}

impl Found<'_> {
    pub(crate) fn is_dir(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::Directory
    }
}

/// What one layer says of a path.
enum Says<'a> {
    Here(Found<'a>),
    /// Gone, or hidden by something that is no directory.
    Gone,
    /// Look below.
    Nothing,
}

impl Merged {
    /// `layers` topmost first.
    pub(crate) fn of(layers: Vec<Root>) -> Self {
        Self { layers }
    }

    /// The topmost entry at `path` (a clean one; no symlinks are followed).
    pub(crate) fn find(&self, path: &[u8]) -> io::Result<Option<Found<'_>>> {
        for layer in &self.layers {
            match says(layer, path)? {
                Says::Here(found) => return Ok(Some(found)),
                Says::Gone => return Ok(None),
                Says::Nothing => {}
            }
        }
        Ok(None)
    }
}

fn says<'a>(layer: &'a Root, path: &[u8]) -> io::Result<Says<'a>> {
    if path.is_empty() {
        return Ok(Says::Here(Found { layer, stat: layer.stat(b"", false)? }));
    }
    let mut hides_below = is_opaque(layer.as_fd());
    let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i).chain([path.len()]);
    for end in ends {
        let stat = match layer.stat(&path[..end], false) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => break,
            Err(e) => return Err(e.into()),
        };
        if is_whiteout(&stat) {
            return Ok(Says::Gone);
        }
        if end == path.len() {
            return Ok(Says::Here(Found { layer, stat }));
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Ok(Says::Gone);
        }
        hides_below |= is_opaque(layer.real_dir(&path[..end])?.as_fd());
    }
    Ok(if hides_below { Says::Gone } else { Says::Nothing })
}

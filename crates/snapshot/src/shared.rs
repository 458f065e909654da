//! Mounts of images, one for all containers of an image: a file that many of them read is in memory once.
//!
//! They are detached: no name leads to them, and they end with the last descriptor. Overlays on top of one keep it as well, so
//! that forgetting one here harms nobody.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A mounted image.
pub(crate) struct Image {
    pub(crate) mount: OwnedFd,
    /// The files its data are in.
    pub(crate) devices: Vec<PathBuf>,
}

/// Mounts of the images used last.
#[derive(Default)]
pub(crate) struct SharedImages {
    /// By their indexes, the one used last at the end.
    images: Mutex<Vec<(PathBuf, Arc<Image>)>>,
}

/// Each holds a file of ours open, and some KiB of the kernel's.
const KEPT_MAX: usize = 64;

impl SharedImages {
    pub(crate) fn get(&self, index: &Path) -> Option<Arc<Image>> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let place = images.iter().position(|(known, _)| known == index)?;
        let found = images.remove(place);
        let image = found.1.clone();
        images.push(found);
        Some(image)
    }

    /// Keeps a mount, unless somebody has made one meanwhile; the one to be used, and those that were kept for too long.
    pub(crate) fn keep(&self, index: &Path, image: Image) -> (Arc<Image>, Vec<Arc<Image>>) {
        if let Some(known) = self.get(index) {
            return (known, Vec::new());
        }
        let image = Arc::new(image);
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.push((index.to_owned(), image.clone()));
        let superfluous = images.len().saturating_sub(KEPT_MAX);
        let gone = images.drain(..superfluous).map(|(_, image)| image).collect();
        (image, gone)
    }

    /// Takes out those with the layer that is in `dir`.
    pub(crate) fn forget(&self, dir: &Path) -> Vec<Arc<Image>> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = |image: &Image| image.devices.iter().any(|device| device.starts_with(dir));
        images.extract_if(.., |(_, image)| of_it(image)).map(|(_, image)| image).collect()
    }
}

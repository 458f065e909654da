//! Images as mounts (`--mount type=image`): their files alone, read-only, without what every container's root has besides.

use std::os::fd::OwnedFd;

use image::{Inside, Kept};
use values::{Error, ErrorKind, Id, Result, ResultExt};

use super::{ImageRoot, Kind, Resolved};
use crate::container::record::{MountedImage, Record};
use crate::shared::Shared;

/// Images mounted in one container: each has a descriptor in the one message that its shim is told all with.
pub const MOST: usize = 120;

/// What [`keep`] returns.
#[derive(Default)]
pub struct Wanted {
    /// None of these images goes while this is held.
    _kept: Vec<Kept>,
    /// Those that have gone, or are about to: another container has their layers, and [`hold`] keeps them for this one, too.
    orphans: Vec<MountedImage>,
}

/// Finds the images that mounts name.
///
/// # Errors
/// `InvalidArgument` for an image that is not there (a 404 would have clients look for the container's own), or has no
/// files, and for too many of them.
pub fn keep(shared: &Shared, mounts: &mut [Resolved]) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for (number, mount) in (0..).zip(mounts.iter_mut().filter(|mount| mount.kind == Kind::Image)) {
        if number as usize >= MOST {
            return Err(Error::invalid(format!("a container can have at most {MOST} images mounted")));
        }
        // what comes from another container is the image which that one has, whatever its name means now
        let inherited = mount.image.take();
        let name = inherited.as_ref().map_or_else(|| mount.source.clone(), |image| image.id.to_string());
        let image = match (shared.images.keep(&name), inherited) {
            (Ok(found), inherited) => {
                let image = found.image();
                if image.is_artifact || image.chain.is_empty() {
                    return Err(Error::invalid(format!("{name} has no files that could be mounted")));
                }
                let name = inherited.map_or(name, |image| image.name);
                let (id, layers) = (image.id.clone(), image.chain.clone());
                wanted._kept.push(found);
                MountedImage { number, destination: mount.destination.clone(), name, id, layers }
            }
            (Err(e), Some(inherited)) if e.kind == ErrorKind::NotFound => {
                let orphan = MountedImage { number, ..inherited };
                wanted.orphans.push(orphan.clone());
                orphan
            }
            (Err(e), _) if e.kind == ErrorKind::NotFound => return Err(Error::invalid(e.message)),
            (Err(e), _) => return Err(e),
        };
        mount.source = image.id.to_string();
        mount.image = Some(image);
    }
    Ok(wanted)
}

/// Keeps layers without an image for one more container, which has its root filesystem already.
///
/// # Errors
/// `InvalidArgument` where they have gone meanwhile.
pub fn hold(shared: &Shared, id: &Id, wanted: &Wanted) -> Result<()> {
    for image in &wanted.orphans {
        let Some(top) = image.layers.last() else { continue };
        let held = shared.images.keep_layers(&used_by(id, image, false), top);
        held.map_err(|e| Error::invalid(format!("image {}, which was removed: {e}", image.name)))?;
    }
    Ok(())
}

/// What a removal of the image is told.
pub fn used_by(id: &Id, image: &MountedImage, running: bool) -> image::Use {
    image::Use { container: id.to_string(), mount: image.number.to_string(), running }
}

/// The images that mounts are of, for the record.
pub fn all(mounts: &[Resolved]) -> Vec<MountedImage> {
    mounts.iter().filter_map(|mount| mount.image.clone()).collect()
}

/// Fills in the images of a container that was made.
pub fn recall(record: &Record, mounts: &mut [Resolved]) {
    for mount in mounts.iter_mut().filter(|mount| mount.kind == Kind::Image) {
        let known = record.images.iter().find(|image| image.destination == mount.destination);
        mount.image = known.cloned();
        mount.source = known.map_or_else(String::new, |image| image.id.to_string());
    }
}

/// Images that are about to be mounted, which they can be while this is held, and by whoever has mounted them.
#[derive(Default)]
pub struct Opened {
    _inside: Vec<Inside>,
    /// Mounts of the lowest layers of those that have one, in the order of the container's mounts.
    pub lowest: Vec<OwnedFd>,
}

/// Makes the images of mounts ready.
///
/// # Errors
/// Those of the snapshot driver, for layers that are not there any more.
pub fn open(shared: &Shared, id: &Id, mounts: &mut [Resolved]) -> Result<Opened> {
    let mut opened = Opened::default();
    for mount in mounts {
        let Some(image) = &mount.image else { continue };
        opened._inside.push(shared.images.enter(&image.layers)?);
        let key = key(id, image);
        let view = shared.images.mended(&image.id, &image.layers, || shared.snapshots.view(&key, &image.layers));
        let view = view.during(|| format!("image {} at {}", image.name, mount.destination))?;
        mount.image_root = Some(ImageRoot { root: view.root, has_lowest: view.lowest.is_some() });
        opened.lowest.extend(view.lowest);
    }
    Ok(opened)
}

/// Takes back what [`open`] has made for this container alone.
///
/// # Errors
/// Those of the snapshot driver.
pub fn close(shared: &Shared, id: &Id, images: &[MountedImage]) -> Result<()> {
    images.iter().try_for_each(|image| shared.snapshots.remove(&key(id, image)))
}

/// What the snapshot driver knows it by: [`image::owner`] tells the container.
fn key(id: &Id, image: &MountedImage) -> String {
    used_by(id, image, false).holder()
}

/// Bytes on the disk that are this container's alone.
pub fn usage(shared: &Shared, record: &Record) -> u64 {
    let usages = record.images.iter().map(|image| shared.snapshots.usage(&key(&record.id, image)));
    usages.flatten().map(|usage| usage.bytes).sum()
}

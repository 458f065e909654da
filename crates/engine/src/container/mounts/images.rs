//! Images as mounts (`--mount type=image`): their files alone, read-only, without what every container's root has besides.

use std::os::fd::OwnedFd;

use image::{Inside, Kept};
use values::{Error, ErrorKind, Id, Result, ResultExt};

use super::{Kind, Resolved, View};
use crate::container::record::{MountedImage, Record};
use crate::shared::Shared;

/// Finds the images that mounts name. None of them goes while what is returned is held; layers whose image has gone already
/// are another container's, and [`hold`] keeps them.
///
/// # Errors
/// `InvalidArgument` for an image that is not there (a 404 would have clients look for the container's own), or has no files.
pub fn keep(shared: &Shared, mounts: &mut [Resolved]) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for (number, mount) in (0..).zip(mounts.iter_mut().filter(|mount| mount.kind == Kind::Image)) {
        // what comes from another container is the image which that one has, whatever its name means now
        let wanted = mount.image.as_ref().map_or_else(|| mount.source.clone(), |image| image.id.to_string());
        let found = match (shared.images.keep(&wanted), &mut mount.image) {
            (Ok(found), _) => found,
            (Err(e), Some(inherited)) if e.kind == ErrorKind::NotFound => {
                inherited.number = number;
                continue;
            }
            (Err(e), None) if e.kind == ErrorKind::NotFound => return Err(Error::invalid(e.message)),
            (Err(e), _) => return Err(e),
        };
        let image = found.image();
        if image.is_artifact || image.chain.is_empty() {
            return Err(Error::invalid(format!("{wanted} has no files that could be mounted")));
        }
        mount.image = Some(MountedImage {
            number,
            destination: mount.destination.clone(),
            name: mount.image.as_ref().map_or(wanted, |image| image.name.clone()),
            id: image.id.clone(),
            layers: image.chain.clone(),
        });
        mount.source = image.id.to_string();
        kept.push(found);
    }
    Ok(kept)
}

/// Keeps layers that have no image any more for one more container, which has its root filesystem already.
///
/// # Errors
/// `NotFound` where they have gone meanwhile.
pub fn hold(shared: &Shared, record: &Record) -> Result<()> {
    let orphans = record.images.iter().filter(|image| shared.images.get(&image.id).is_none());
    orphans
        .filter_map(|image| Some((image, image.layers.last()?)))
        .try_for_each(|(image, top)| shared.images.keep_layers(&used_by(&record.id, image, false), top))
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
        let view = || shared.snapshots.view(&key, &image.layers);
        let view = match (view(), shared.images.get(&image.id)) {
            // a layer has vanished from the disk
            (Err(e), Some(known)) if e.kind == ErrorKind::NotFound && known.chain == image.layers => {
                shared.images.mend(&known).during(|| e).and_then(|()| view())
            }
            (view, _) => view,
        };
        let view = view.during(|| format!("image {} at {}", image.name, mount.destination))?;
        mount.view = Some(View { root: view.root, has_lowest: view.lowest.is_some() });
        opened.lowest.extend(view.lowest);
    }
    Ok(opened)
}

/// Takes back what [`open`] has made for this container alone.
///
/// # Errors
/// Those of the snapshot driver.
pub fn close(shared: &Shared, record: &Record) -> Result<()> {
    record.images.iter().try_for_each(|image| shared.snapshots.remove(&key(&record.id, image)))
}

/// What the snapshot driver knows it by; [`owner`] tells the container.
fn key(id: &Id, image: &MountedImage) -> String {
    format!("{id}-{}", image.number)
}

/// The container that a root file system, or the image mounted in one, belongs to.
pub fn owner(key: &str) -> &str {
    key.split('-').next().unwrap_or_default()
}

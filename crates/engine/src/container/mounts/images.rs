//! Images as mounts (`--mount type=image`): their files alone, read-only, without what every container's root has besides.

use image::{Inside, Kept};
use values::{Error, ErrorKind, Id, Result, ResultExt};

use super::{Kind, Resolved};
use crate::container::record::{MountedImage, Record};
use crate::shared::Shared;

/// Finds the images that mounts name. None of them goes while what is returned is held.
///
/// # Errors
/// `InvalidArgument` for an image that is not there (a 404 would have clients look for the container's own), or has no files.
pub fn keep(shared: &Shared, mounts: &mut [Resolved]) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for (number, mount) in (0..).zip(mounts.iter_mut().filter(|mount| mount.kind == Kind::Image)) {
        // what comes from another container is the image which that one has, whatever its name means now
        let wanted = mount.image.as_ref().map_or(mount.source.as_str(), |image| image.id.as_str());
        let found = shared.images.keep(wanted).map_err(|e| match e.kind {
            ErrorKind::NotFound => Error::invalid(e.message),
            _ => e,
        })?;
        let image = found.image();
        if image.is_artifact || image.chain.is_empty() {
            return Err(Error::invalid(format!("{wanted} has no files that could be mounted")));
        }
        mount.image = Some(MountedImage {
            number,
            destination: mount.destination.clone(),
            name: mount.image.as_ref().map_or_else(|| wanted.to_owned(), |image| image.name.clone()),
            id: image.id.clone(),
            layers: image.chain.clone(),
        });
        mount.source = image.id.to_string();
        kept.push(found);
    }
    Ok(kept)
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

/// Makes the images ready to be mounted, which they are while what is returned is held, and by whoever has mounted them.
///
/// # Errors
/// Those of the snapshot driver, for layers that are not there any more.
pub fn open(shared: &Shared, id: &Id, mounts: &mut [Resolved]) -> Result<Vec<Inside>> {
    let mut inside = Vec::new();
    for mount in mounts {
        let Some(image) = &mount.image else { continue };
        inside.push(shared.images.enter(&image.layers)?);
        let key = key(id, image);
        let view = || {
            // what a crash left of it may be damaged
            shared.snapshots.remove(&key)?;
            shared.snapshots.view(&key, &image.layers)
        };
        let view = match (view(), shared.images.get(&image.id)) {
            // a layer has vanished from the disk
            (Err(e), Some(known)) if e.kind == ErrorKind::NotFound && known.chain == image.layers => {
                shared.images.mend(&known).during(|| e).and_then(|()| view())
            }
            (view, _) => view,
        };
        mount.view = Some(view.during(|| format!("image {} at {}", image.name, mount.destination))?);
    }
    Ok(inside)
}

/// Takes back what [`open`] has made.
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

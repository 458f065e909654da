//! `--volumes-from CONTAINER[:MODE]`: what another container has mounted, once more.

use api::types::MountPoint;
use values::{Error, Result};

use super::{DEFAULT_PROPAGATION, Kind, Resolved, Volume, bare, images, parse_mode};
use crate::shared::Shared;
use crate::volumes;

/// # Errors
/// `InvalidArgument` for a mode that is none and for a container that is not there.
pub fn inherited(shared: &Shared, spec: &str) -> Result<Vec<Resolved>> {
    if spec.is_empty() {
        return Err(Error::invalid("volumes-from specification cannot be an empty string"));
    }
    let (donor, mode) = spec.split_once(':').unwrap_or((spec, ""));
    let read_only = match parse_mode(mode) {
        Some(mode) if mode.propagation.is_none() && !mode.no_copy => mode.read_only,
        _ => return Err(Error::invalid(format!("invalid mode: {mode}"))),
    };
    // a 404 would have clients look for the image
    let donor = shared.registry.find(donor).map_err(|e| Error::invalid(e.message))?.record();
    let points = donor.mounts.iter();
    let mut mounts: Vec<_> = points.filter_map(|point| from_point(point, donor.part(point), read_only)).collect();
    images::recall(&donor, &mut mounts);
    Ok(mounts)
}

/// A mount as its container's record has it; `part` of its source. `None` for a kind of which nothing is kept but in its own
/// request.
pub fn from_point(point: &MountPoint, part: &str, read_only: bool) -> Option<Resolved> {
    let part = part.to_owned();
    if point.kind == "image" {
        return Some(super::image(&point.name, &point.destination, part));
    }
    let kind = match point.kind.as_str() {
        "bind" => Kind::Bind,
        "volume" => Kind::Volume,
        _ => return None,
    };
    let request = volumes::Request { name: point.name.clone(), ..volumes::Request::default() };
    Some(Resolved {
        source: point.source.clone(),
        part,
        volume: (kind == Kind::Volume).then(|| Volume { request, ..Volume::default() }),
        read_only: read_only || !point.rw,
        recursive: kind == Kind::Bind,
        propagation: match point.propagation.as_str() {
            "" if kind == Kind::Bind => DEFAULT_PROPAGATION.into(),
            given => given.into(),
        },
        ..bare(kind, &point.destination, "")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points() {
        let point = |kind: &str, rw: bool| MountPoint {
            kind: kind.into(),
            name: "data".into(),
            source: "/src".into(),
            destination: "/d".into(),
            rw,
            ..MountPoint::default()
        };
        let from_point = |point: &MountPoint, read_only: bool| super::from_point(point, "", read_only);
        let bind = from_point(&point("bind", true), false).unwrap();
        assert_eq!(
            (bind.kind, bind.read_only, bind.recursive, bind.propagation.as_str()),
            (Kind::Bind, false, true, "rprivate")
        );
        let volume = from_point(&point("volume", true), true).unwrap();
        assert_eq!((volume.kind, volume.read_only, volume.propagation.as_str()), (Kind::Volume, true, ""));
        assert_eq!(volume.volume.unwrap().request.name, "data");
        assert!(from_point(&point("volume", false), false).unwrap().read_only);
        let image = super::from_point(&point("image", false), "usr", false).unwrap();
        assert_eq!((image.kind, image.source.as_str(), image.part.as_str()), (Kind::Image, "data", "usr"));
        assert!(image.read_only);
        assert_eq!(from_point(&point("tmpfs", true), false), None);
    }
}

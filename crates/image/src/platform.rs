//! Which manifest of an index is for this machine.

use oci::image::{Descriptor, media};
use values::Platform;

/// How well `offered` runs on `host`, higher is better; `None`: not at all.
fn rank(host: &Platform, offered: &Platform) -> Option<u32> {
    if host.os != offered.os || host.architecture != offered.architecture {
        return None;
    }
    let level = |p: &Platform| p.variant.strip_prefix('v').and_then(|n| n.parse::<u32>().ok());
    let default = match host.architecture.as_str() {
        "arm64" => 8,
        "arm" => 7,
        _ => 1,
    };
    let (has, wants) = (level(host).unwrap_or(default), level(offered).unwrap_or(default));
    (wants <= has).then_some(wants)
}

/// What an image's configuration says it is for.
pub(crate) fn of(config: &oci::image::Image) -> Platform {
    let os = if config.os.is_empty() { "linux" } else { &config.os };
    Platform { os: os.into(), architecture: config.architecture.clone(), variant: config.variant.clone() }
}

/// An attestation or other thing beside images.
fn is_image(descriptor: &Descriptor) -> bool {
    let known = descriptor.media_type.is_empty()
        || media::is_manifest(&descriptor.media_type)
        || media::is_index(&descriptor.media_type);
    let attached = descriptor.annotations.contains_key("vnd.docker.reference.type");
    let nowhere = descriptor.platform.as_ref().is_some_and(|p| p.os == "unknown" || p.architecture == "unknown");
    known && !attached && !nowhere
}

/// The images of an index, best for `host` first; what cannot run there comes last, in the index's order.
pub(crate) fn sorted<'a>(manifests: &'a [Descriptor], host: &Platform) -> Vec<&'a Descriptor> {
    let mut images: Vec<_> = manifests.iter().filter(|d| is_image(d)).collect();
    images.sort_by_key(|descriptor| {
        // without a platform it is what there is
        let rank = descriptor.platform.as_ref().map_or(Some(0), |p| rank(host, &p.into()));
        std::cmp::Reverse(rank.map_or(0, |rank| rank + 1))
    });
    images
}

/// The images of an index that run on `wanted`, best first.
pub(crate) fn matching<'a>(manifests: &'a [Descriptor], wanted: &Platform) -> Vec<&'a Descriptor> {
    let rank = |d: &Descriptor| d.platform.as_ref().map_or(Some(0), |p| rank(wanted, &p.into()));
    let mut images: Vec<_> = manifests.iter().filter(|d| is_image(d) && rank(d).is_some()).collect();
    images.sort_by_key(|descriptor| std::cmp::Reverse(rank(descriptor)));
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(platform: &str) -> Descriptor {
        let mut d = Descriptor::new(media::OCI_MANIFEST, crate::sha256(platform.as_bytes()), 1);
        let mut parts = platform.split('/').map(str::to_owned);
        d.platform = Some(oci::image::Platform {
            os: parts.next().unwrap_or_default(),
            architecture: parts.next().unwrap_or_default(),
            variant: parts.next().unwrap_or_default(),
            ..Default::default()
        });
        d
    }

    #[test]
    fn the_best_for_this_machine_comes_first() {
        for (host, offered, expected) in [
            ("linux/amd64", &["linux/arm64", "linux/amd64"][..], "linux/amd64"),
            ("linux/amd64", &["linux/amd64/v3", "linux/amd64"], "linux/amd64"),
            ("linux/arm/v7", &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
            ("linux/arm64", &["linux/arm64/v8"], "linux/arm64/v8"),
            ("linux/amd64", &["unknown/unknown", "linux/s390x"], "linux/s390x"),
        ] {
            let manifests: Vec<_> = offered.iter().map(|p| descriptor(p)).collect();
            let host: Platform = host.parse().unwrap();
            let best = sorted(&manifests, &host)[0].platform.as_ref().unwrap();
            let expected = descriptor(expected);
            assert_eq!(best, expected.platform.as_ref().unwrap(), "{host} {offered:?}");
        }
        assert!(sorted(&[descriptor("unknown/unknown")], &Platform::host()).is_empty());
    }
}

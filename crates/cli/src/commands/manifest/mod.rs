//! `manifest …`: lists of manifests put together on this side (in `DIRECTORY/manifests/`, in the Docker client's format) and
//! pushed through the daemon.

pub mod annotate;
pub mod create;
pub mod inspect;
mod list;
pub mod push;
pub mod rm;
mod store;

use api::endpoints::{DistributionManifest, DistributionManifestQuery};
use values::Reference;

use crate::{Failure, Session, credentials};
use store::Item;

/// Docker's text for `manifest --help`.
pub const LONG: &str = "The **docker manifest** command has subcommands for managing image manifests and\nmanifest lists. A manifest list allows you to use one name to refer to the same image\nbuilt for multiple architectures.\n\nTo see help for a subcommand, use:\n\n    docker manifest CMD --help\n\nFor full details on using docker manifest lists, see the registry v2 specification.\n\nEXPERIMENTAL:\n  docker manifest is an experimental feature.\n  Experimental features provide early access to product functionality. These\n  features may change between releases without warning, or can be removed from a\n  future release. Learn more about experimental features in our documentation:\n  https://docs.docker.com/go/experimental/";

/// The long help of a command: what docker says below its line.
macro_rules! experimental {
    ($about:literal, $name:literal) => {
        concat!(
            $about,
            "\n\nEXPERIMENTAL:\n  docker manifest ",
            $name,
            " is an experimental feature.\n  Experimental features provide early access to product functionality. These\n  features may change between releases without warning, or can be removed from a\n  future release. Learn more about experimental features in our documentation:\n  https://docs.docker.com/go/experimental/"
        )
    };
}
pub(super) use experimental;

/// A name with its tag.
fn named(text: &str) -> Result<Reference, Failure> {
    let reference: Reference = text.parse()?;
    Ok(reference.or_latest())
}

/// A manifest, or all of a list, as the registry has it.
fn fetch(session: &Session, reference: &Reference, insecure: bool) -> Result<Vec<Item>, Failure> {
    let one = fetch_one(session, reference, insecure)?;
    if !oci_index(&one.descriptor.media_type) {
        return Ok(vec![one]);
    }
    let index: list::List = serde_json::from_slice(&one.raw()?).map_err(|e| Failure::new(e.to_string()))?;
    let child = |entry: list::Entry| {
        let name = Reference { tag: None, digest: entry.digest.parse().ok(), ..reference.clone() };
        let mut item = fetch_one(session, &name, insecure)?;
        item.descriptor.platform = entry.platform.or(item.descriptor.platform);
        Ok(item)
    };
    index.manifests.into_iter().map(child).collect()
}

fn fetch_one(session: &Session, reference: &Reference, insecure: bool) -> Result<Item, Failure> {
    let auth = credentials::header(session, &reference.domain);
    let headers = [("X-Registry-Auth", auth.as_str())];
    let query = DistributionManifestQuery { insecure };
    let name = reference.to_string();
    let found = session.client()?.call_with_headers::<DistributionManifest>(&[&name], &query, &headers, &());
    match found {
        Ok(document) => Item::new(reference, document),
        Err(error) if error.is_not_found() => Err(Failure::new(format!("no such manifest: {name}"))),
        Err(error) => Err(error.into()),
    }
}

fn oci_index(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json"
    )
}

//! What is damaged and can be had again from a registry.

use std::collections::BTreeSet;

use values::{Digest, Platform, Reference, Result};

use super::{Finding, Part, Remedy};
use crate::{
    images::Images,
    records::{IMAGES, ImageRecord},
};

/// An image that is not whole, and where it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    pub id: Digest,
    /// By the digest that registries know it by.
    pub places: Vec<Reference>,
    /// The one that was chosen of an index, where that can be told.
    pub platform: Option<Platform>,
}

const DOCKER_HUB: &str = "docker.io";

impl Images {
    /// Images whose content is to be had again, and that somebody has put or found where their names say. A name without a
    /// registry says nothing of the kind: many images have one that were never anywhere but here.
    ///
    /// # Errors
    /// Those of the store.
    pub fn to_get_again(&self, findings: &[Finding]) -> Result<Vec<Again>> {
        let is_wanted = |finding: &&Finding| {
            matches!(finding.part, Part::Content(_) | Part::Image(_)) && matches!(finding.remedy, Remedy::Wanted(_))
        };
        let damaged: BTreeSet<&Digest> =
            findings.iter().filter(is_wanted).flat_map(|finding| &finding.images).collect();
        let mut again = Vec::new();
        for id in damaged {
            let Some(record): Option<ImageRecord> = self.store.get(&IMAGES, id.as_str())? else { continue };
            let was_there = record.pulled || record.published.is_some();
            let digest = record.published.as_ref().unwrap_or(id);
            let ledger = self.ledger();
            let names = ledger.tags_of(id).map(|tag| &tag.reference);
            let names = names.filter(|name| was_there || name.domain != DOCKER_HUB);
            let places: BTreeSet<Reference> =
                names.map(|name| Reference { tag: None, digest: Some(digest.clone()), ..name.clone() }).collect();
            if !places.is_empty() {
                let platform = ledger.images.get(id).map(|image| image.platform.clone());
                again.push(Again { id: id.clone(), places: places.into_iter().collect(), platform });
            }
        }
        Ok(again)
    }
}

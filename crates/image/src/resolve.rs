use std::sync::Arc;

use values::{Digest, Error, Reference, Result};

use crate::{image::Image, images::Images, ledger::Ledger};

/// Shortest prefix of an id that is taken for one.
pub(crate) const PREFIX_MIN: usize = 4;

/// What a user's word for an image came to.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// By a name it has.
    Named(Reference, Arc<Image>),
    /// By its id, a part of it, or a digest.
    ById(Arc<Image>),
}

impl Found {
    pub(crate) fn image(&self) -> &Arc<Image> {
        match self {
            Self::Named(_, image) | Self::ById(image) => image,
        }
    }
}

impl Images {
    /// The image a user means: `name[:tag]`, `name@digest`, an id with or without `sha256:`, or at least four of its first
    /// digits.
    ///
    /// # Errors
    /// `NotFound` `No such image: …` or `ambiguous reference`, `InvalidArgument` where it can be no name.
    pub fn resolve(&self, name: &str) -> Result<Arc<Image>> {
        self.find(name).map(|found| found.image().clone())
    }

    pub(crate) fn find(&self, name: &str) -> Result<Found> {
        find(&self.ledger(), name)
    }
}

pub(crate) fn find(ledger: &Ledger, name: &str) -> Result<Found> {
    if let Some(id) = full_id(name) {
        let image = ledger.images.get(&id).cloned().ok_or_else(|| no_such(name))?;
        return Ok(Found::ById(image));
    }
    if let Ok(reference) = name.parse::<Reference>().map(Reference::or_latest)
        && let Some(found) = by_reference(ledger, &reference)
    {
        return Ok(found);
    }
    by_prefix(ledger, name)?.map(Found::ById).ok_or_else(|| no_such(name))
}

/// Why nothing is found by that: no image has it, or it can be no name.
pub(crate) fn no_such(name: &str) -> Error {
    let missing = |name: &str| Error::not_found(format!("No such image: {name}"));
    match name.parse::<Reference>() {
        _ if full_id(name).is_some() => missing(name),
        Ok(reference) => missing(&reference.or_latest().familiar()),
        // the beginning of an id of no image
        Err(_) if name.starts_with("sha256:") => missing(name),
        Err(e) => e,
    }
}

fn full_id(name: &str) -> Option<Digest> {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    (hex.len() == 64).then(|| format!("sha256:{hex}").parse().ok())?
}

fn by_reference(ledger: &Ledger, reference: &Reference) -> Option<Found> {
    if let Some(digest) = &reference.digest {
        // a tag beside a digest says nothing more
        let image = ledger.images.get(digest).or_else(|| ledger.published_as(digest))?;
        let named = ledger.tags_of(&image.id).any(|tag| tag.reference.name() == reference.name());
        return named.then(|| Found::ById(image.clone()));
    }
    let tag = ledger.tags.get(&reference.to_string())?;
    Some(Found::Named(tag.reference.clone(), ledger.images.get(&tag.image)?.clone()))
}

fn by_prefix(ledger: &Ledger, name: &str) -> Result<Option<Arc<Image>>> {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    if hex.len() < PREFIX_MIN || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Ok(None);
    }
    let mut matching = ledger.images.iter().filter(|(id, _)| id.hex().starts_with(hex)).map(|(_, image)| image);
    match (matching.next(), matching.next()) {
        (Some(only), None) => Ok(Some(only.clone())),
        (Some(_), Some(_)) => {
            Err(Error::not_found(format!("ambiguous reference: {name} is the beginning of several image IDs")))
        }
        (None, _) => Ok(None),
    }
}

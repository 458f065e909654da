//! Images, for the API: blocking work on its own threads, events, progress as Docker's messages.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use api::Filters;
use api::progress::{JsonMessage, ProgressDetail};
use api::types::{HistoryItem, ImageDeleteItem, ImageInspect, ImageSummary};
use image::{Image, Progress, Removed};
use tokio::sync::mpsc::UnboundedSender;
use values::{Digest, Error, ErrorKind, Platform, Reference, Result};

use crate::byte_stream::{ByteStream, byte_stream};
use crate::container::{create, validate};
use crate::image_view;
use crate::shared::{Shared, blocking, in_own_thread};

/// How an archive becomes an image.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Empty: the image gets no name.
    pub repo: String,
    pub tag: String,
    pub message: String,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// Empty: this machine's.
    pub platform: String,
}

fn emit(shared: &Shared, action: &str, id: &Digest, name: &str) {
    let mut attributes = BTreeMap::new();
    attributes.insert("name".into(), name.into());
    shared.events.emit("image", action, id.as_str(), attributes);
}

pub fn list(
    shared: &Shared,
    all: bool,
    filters: &Filters,
    shared_size: bool,
    _digests: bool, // Docker's answer always has them
    manifests: bool,
) -> Result<Vec<ImageSummary>> {
    let containers: Vec<(Digest, String)> =
        shared.registry.all().iter().map(|c| (c.record().image.clone(), c.id.to_string())).collect();
    let using = |id: &Digest| containers.iter().filter(|(image, _)| image == id).map(|(_, c)| c.clone()).collect();
    image_view::list(&shared.images, filters, image_view::ListOptions { all, shared_size, manifests }, using)
}

/// The image; with a platform only if it is of that.
fn resolve(shared: &Shared, name: &str, platform: Option<&Platform>) -> Result<Arc<Image>> {
    let image = shared.images.resolve(name)?;
    if let Some(wanted) = platform {
        validate::platform(name, wanted, &image.platform)?;
    }
    Ok(image)
}

pub fn inspect(shared: &Shared, name: &str, platform: Option<&Platform>) -> Result<ImageInspect> {
    let image = resolve(shared, name, platform)?;
    Ok(image_view::inspect(&image))
}

pub fn history(shared: &Shared, name: &str, platform: Option<&Platform>) -> Result<Vec<HistoryItem>> {
    let image = resolve(shared, name, platform)?;
    Ok(image_view::history(shared.images.history(&image)?))
}

fn message(progress: Progress) -> JsonMessage {
    match progress {
        Progress::Stream(text) => JsonMessage::stream(text),
        Progress::Status { id, status, current, total } => JsonMessage {
            status,
            id,
            progress_detail: Some(ProgressDetail {
                current: current as i64,
                total: total as i64,
                ..ProgressDetail::default()
            }),
            ..JsonMessage::default()
        },
    }
}

pub async fn load(
    shared: &Arc<Shared>,
    mut reader: Box<dyn Read + Send>,
    quiet: bool,
    platform: Option<Platform>,
    progress: UnboundedSender<JsonMessage>,
) -> Result<()> {
    let s = shared.clone();
    in_own_thread(move || {
        let mut tell = |p: Progress| {
            // a client that left does not end a load that goes on well
            let _ = progress.send(message(p));
        };
        let loaded = s.images.load(&mut *reader, quiet, platform.as_ref(), &mut tell)?;
        for one in loaded {
            let name = one.reference.as_ref().map_or_else(|| one.id.to_string(), Reference::familiar);
            emit(&s, "load", &one.id, &name);
        }
        s.image_came();
        Ok(())
    })
    .await
}

pub async fn import(
    shared: &Arc<Shared>,
    mut reader: Box<dyn Read + Send>,
    options: ImportOptions,
    progress: UnboundedSender<JsonMessage>,
) -> Result<()> {
    let reference = if options.repo.is_empty() { None } else { Some(reference(&options.repo, &options.tag)?) };
    let platform = if options.platform.is_empty() { None } else { Some(options.platform.parse::<Platform>()?) };
    let s = shared.clone();
    in_own_thread(move || {
        let wanted = image::ImportOptions {
            reference: reference.clone(),
            message: options.message,
            changes: options.changes,
            platform,
        };
        let id = s.images.import(&mut *reader, wanted)?;
        if let Some(reference) = &reference {
            emit(&s, "tag", &id, &reference.familiar());
        }
        emit(&s, "import", &id, id.as_str());
        s.image_came();
        let _ = progress.send(JsonMessage::status(id.to_string()));
        Ok(())
    })
    .await
}

/// A repository and a tag as two query parameters.
pub fn reference(repo: &str, tag: &str) -> Result<Reference> {
    let mut reference: Reference = repo.parse()?;
    if reference.digest.is_some() {
        return Err(Error::invalid("refusing to create a tag with a digest reference"));
    }
    if !tag.is_empty() {
        let tagged: Reference = format!("{}:{tag}", reference.name()).parse()?;
        reference.tag = tagged.tag;
    }
    Ok(reference.or_latest())
}

pub async fn tag(shared: &Arc<Shared>, name: &str, repo: &str, tag: &str) -> Result<()> {
    let reference = reference(repo, tag)?;
    let (s, name) = (shared.clone(), name.to_owned());
    blocking(move || {
        let image = s.images.resolve(&name)?;
        s.images.tag(&image.id, &reference)?;
        emit(&s, "tag", &image.id, &reference.familiar());
        Ok(())
    })
    .await
}

pub async fn remove(
    shared: &Arc<Shared>,
    name: &str,
    force: bool,
    noprune: bool,
    platform: Option<&Platform>,
) -> Result<Vec<ImageDeleteItem>> {
    let (s, name, platform) = (shared.clone(), name.to_owned(), platform.cloned());
    blocking(move || {
        let id = match (resolve(&s, &name, platform.as_ref()), s.images.find_broken(&name)) {
            (Err(e), Some(broken)) if e.kind == ErrorKind::NotFound => broken,
            (found, _) => found?.id.clone(),
        };
        let uses = |id: &Digest| create::uses(&s, id);
        let removed = s.images.remove(&name, force, noprune, &uses)?;
        Ok(removed_items(&s, &id, removed))
    })
    .await
}

/// What removing did to an image, for the client; with its events.
pub fn removed_items(shared: &Shared, image: &Digest, removed: Vec<Removed>) -> Vec<ImageDeleteItem> {
    let items = removed.into_iter().map(|item| match item {
        Removed::Untagged(name) => {
            emit(shared, "untag", image, &name);
            ImageDeleteItem { untagged: name, ..ImageDeleteItem::default() }
        }
        Removed::Deleted(id) => {
            emit(shared, "delete", &id, id.as_str());
            ImageDeleteItem { deleted: id.to_string(), ..ImageDeleteItem::default() }
        }
    });
    items.collect()
}

/// An archive of images; names are found at once, the rest comes as it is read.
///
/// # Errors
/// `NotFound` for the first name of no image.
pub fn save(shared: &Arc<Shared>, names: &[String], platform: Option<&Platform>) -> Result<ByteStream> {
    let selection = shared.images.select(names, platform)?;
    let (mut sink, stream) = byte_stream();
    let s = shared.clone();
    tokio::spawn(in_own_thread(move || {
        let outcome = s.images.save(&selection, &mut sink);
        if outcome.is_ok() {
            selection.ids().for_each(|id| emit(&s, "save", id, id.as_str()));
        }
        sink.end(outcome);
        Ok(())
    }));
    Ok(stream)
}

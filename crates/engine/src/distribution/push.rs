//! Pushing: an image's bytes as they are, what the registry has already left out. Only plain layers that were made here are
//! compressed (`image::Compressed`).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::registry::{Access, Credentials, Failure, OnUpload, Repository, UploadEvent, Uploaded};
use api::progress::{JsonMessage, ProgressDetail};
use image::{Compressed, Hold, Instead, Parts};
use oci::image::{Descriptor, media};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use values::{Digest, Error, ErrorKind, Platform, Reference, Result};

use super::internal;
use super::progress::Layer;
use crate::garbage;
use crate::shared::{Shared, blocking, in_own_thread};

#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// A name, perhaps with a tag.
    pub image: String,
    /// Empty, and none in `image`: all tags of the name.
    pub tag: String,
    /// Only this platform of an index.
    pub platform: Option<Platform>,
    pub credentials: Credentials,
}

/// Blobs on their way at the same time; how many really move is the client's limit.
const PARALLEL: usize = 8;

/// Layers of an image that a registry gets compressed.
struct Plain {
    image: Digest,
    layers: Vec<Digest>,
}

type Sources = BTreeMap<Digest, BTreeSet<String>>;

/// Pushes until done or until nobody listens to the messages any more.
pub async fn push(shared: &Arc<Shared>, options: PushOptions, messages: UnboundedSender<JsonMessage>) -> Result<()> {
    let mut reference: Reference = options.image.parse()?;
    if !options.tag.is_empty() {
        let tagged: Reference = format!("{}:{}", reference.name(), options.tag).parse()?;
        reference.tag = tagged.tag;
    }
    let _ = messages.send(JsonMessage::status(format!("The push refers to repository [{}]", reference.name())));
    if reference.digest.is_some() {
        return Err(Error::invalid("cannot push a digest reference"));
    }
    let tags = tags(shared, &reference)?;
    let work = async {
        let endpoint = shared.distribution().own_endpoint(&reference.domain)?;
        let opened = shared.distribution().open(&endpoint, &reference.path, &options.credentials, Access::Push).await;
        let repository = opened.map_err(|failure| push_failure(failure, &reference))?;
        for tagged in &tags {
            let push = Push { shared, repository: &repository, reference: tagged, messages: &messages };
            push.one(options.platform.as_ref()).await?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = work => outcome,
        () = messages.closed() => Err(Error::unavailable("context canceled")),
    }
}

/// The names to be pushed.
fn tags(shared: &Shared, reference: &Reference) -> Result<Vec<Reference>> {
    let missing = |what: &str| Error::not_found(format!("An image does not exist locally with the tag: {what}"));
    if reference.tag.is_some() {
        let found = shared.images.resolve(&reference.to_string());
        return found.map(|_| vec![reference.clone()]).map_err(|_| missing(&reference.familiar_name()));
    }
    let all = shared.images.list();
    let names = all.iter().flat_map(|image| &image.repo_tags).filter_map(|name| name.parse::<Reference>().ok());
    let mut own: Vec<Reference> = names.filter(|name| name.name() == reference.name()).collect();
    own.sort();
    if own.is_empty() { Err(missing(&reference.familiar_name())) } else { Ok(own) }
}

fn push_failure(failure: Failure, reference: &Reference) -> Error {
    let error = failure.error;
    if failure.code == "DENIED" || failure.status == 403 {
        let text = format!(
            "push access denied for {}, repository does not exist or may require 'docker login'",
            reference.familiar_name()
        );
        return Error::new(ErrorKind::Forbidden, error.message).context(text);
    }
    Error::new(internal(error.kind), error.message)
}

struct Push<'a> {
    shared: &'a Arc<Shared>,
    repository: &'a Arc<Repository>,
    reference: &'a Reference,
    messages: &'a UnboundedSender<JsonMessage>,
}

impl Push<'_> {
    async fn one(&self, platform: Option<&Platform>) -> Result<()> {
        let (shared, name) = (self.shared.clone(), self.reference.to_string());
        let (platform, domain) = (platform.cloned(), self.reference.domain.clone());
        let (mut parts, hold, sources, selected, plain) = blocking(move || {
            let image = shared.images.resolve(&name)?;
            let top = match &platform {
                Some(wanted) => shared.images.manifest_for(&image.id, Some(wanted))?,
                None => image.descriptor.clone(),
            };
            let selected = shared.images.manifest_for(&image.id, None)?;
            let plain = Plain { layers: shared.images.plain_layers(&image.id, &top)?, image: image.id.clone() };
            let parts = shared.images.parts(&top)?;
            let hold = shared.images.keep_for_now(&parts)?;
            Ok((parts, hold, shared.images.sources(&domain), selected, plain))
        })
        .await?;
        // who removes the image meanwhile does not end the push
        let _held = Held(Some(hold));
        let mut not_whole = None;
        if !parts.missing.is_empty() && !self.has_all(&parts.missing).await? {
            // A registry takes no index of which something is missing: what is here goes without it.
            let original = parts.manifests.last().cloned();
            let (shared, top) = (self.shared.clone(), selected.clone());
            parts = blocking(move || shared.images.parts(&top)).await?;
            not_whole = original.map(|original| (original, selected));
        }
        let instead = self.blobs(&parts, &Arc::new(sources), &plain.layers).await?;
        let (digest, size) = self.manifests(&parts, &instead).await?;
        if !instead.is_empty() {
            let (shared, digest) = (self.shared.clone(), digest.clone());
            blocking(move || shared.images.published(&plain.image, &digest)).await?;
        }
        if let Some((original, selected)) = not_whole {
            self.tell_instead(&original, &selected);
        }
        let tag = self.reference.tag.clone().unwrap_or_default();
        let _ = self.messages.send(JsonMessage::status(format!("{tag}: digest: {digest} size: {size}")));
        let aux = json!({ "Tag": tag, "Digest": digest, "Size": size });
        let detail = Some(ProgressDetail::default());
        let _ = self.messages.send(JsonMessage { progress_detail: detail, aux: Some(aux), ..JsonMessage::default() });
        let mut attributes = BTreeMap::new();
        attributes.insert("name".into(), self.reference.familiar_name());
        self.shared.events.emit("image", "push", &self.reference.familiar(), attributes);
        self.shared.tidy.soon();
        Ok(())
    }

    /// Whether the registry has what is missing here.
    async fn has_all(&self, missing: &[Descriptor]) -> Result<bool> {
        for manifest in missing {
            match self.repository.manifest_digest(manifest.digest.as_str()).await {
                Ok(_) => {}
                Err(failure) if failure.is_not_found() => return Ok(false),
                Err(failure) => return Err(push_failure(failure, self.reference)),
            }
        }
        Ok(true)
    }

    /// All blobs; those that took the place of `plain` ones.
    async fn blobs(&self, parts: &Parts, sources: &Arc<Sources>, plain: &[Digest]) -> Result<Instead> {
        let is_layer = |blob: &Descriptor| !media::is_config(&blob.media_type);
        let mut instead = Instead::new();
        let layers = parts.blobs.iter().filter(|blob| is_layer(blob));
        for layer in layers.clone() {
            Layer::new(&layer.digest, self.messages).status("Preparing");
        }
        for layer in layers.skip(self.shared.distribution().config().uploads) {
            Layer::new(&layer.digest, self.messages).status("Waiting");
        }
        let mut uploads = JoinSet::new();
        for blob in &parts.blobs {
            if uploads.len() >= PARALLEL {
                instead.extend(join(&mut uploads, self.reference).await?);
            }
            let told = is_layer(blob).then(|| Layer::new(&blob.digest, self.messages));
            let blob = Blob {
                shared: self.shared.clone(),
                repository: self.repository.clone(),
                blob: blob.clone(),
                sources: sources.clone(),
                told,
            };
            match plain.contains(&blob.blob.digest) {
                true => uploads.spawn(blob.send_compressed()),
                false => uploads.spawn(blob.send_as_it_is()),
            };
        }
        while !uploads.is_empty() {
            instead.extend(join(&mut uploads, self.reference).await?);
        }
        Ok(instead)
    }

    /// All manifests, the tag's last; its digest and size.
    async fn manifests(&self, parts: &Parts, instead: &Instead) -> Result<(Digest, u64)> {
        let last = parts.manifests.len() - 1;
        let mut sent = (parts.manifests[last].digest.clone(), parts.manifests[last].size);
        for (i, manifest) in parts.manifests.iter().enumerate() {
            let (manifest, bytes) = match instead.is_empty() {
                true => (manifest.clone(), self.shared.images.content(&manifest.digest)?),
                false => self.shared.images.manifest_with(manifest, instead)?,
            };
            let tag = self.reference.tag.as_deref().filter(|_| i == last).unwrap_or(manifest.digest.as_str());
            sent = (manifest.digest.clone(), manifest.size);
            let put = self.repository.put_manifest(tag, &kind(&manifest), bytes).await;
            put.map_err(|failure| push_failure(failure, self.reference))?;
        }
        Ok(sent)
    }

    fn tell_instead(&self, original: &Descriptor, selected: &Descriptor) {
        let aux =
            json!({ "manifestPushedInsteadOfIndex": true, "originalIndex": original, "selectedManifest": selected });
        let detail = Some(ProgressDetail::default());
        let _ = self.messages.send(JsonMessage { progress_detail: detail, aux: Some(aux), ..JsonMessage::default() });
    }
}

/// What is on its way, until the push ends, however it does.
struct Held(Option<Hold>);

impl Drop for Held {
    fn drop(&mut self) {
        let hold = self.0.take();
        tokio::task::spawn_blocking(move || drop(hold));
    }
}

fn kind(manifest: &Descriptor) -> String {
    if manifest.media_type.is_empty() { media::OCI_MANIFEST.into() } else { manifest.media_type.clone() }
}

/// What was sent in the place of something else, if it was.
type Sent = Option<(Digest, (Digest, u64))>;

async fn join(uploads: &mut JoinSet<Result<Sent, Failure>>, reference: &Reference) -> Result<Sent> {
    match uploads.join_next().await {
        None => Ok(None),
        Some(Ok(outcome)) => outcome.map_err(|failure| push_failure(failure, reference)),
        Some(Err(e)) => Err(Error::internal(format!("a task failed: {e}"))),
    }
}

/// A blob on its way.
struct Blob {
    shared: Arc<Shared>,
    repository: Arc<Repository>,
    blob: Descriptor,
    sources: Arc<Sources>,
    told: Option<Layer>,
}

impl Blob {
    async fn send_as_it_is(self) -> Result<Sent, Failure> {
        let (digest, size) = (&self.blob.digest, self.blob.size);
        let file = self.shared.images.open_content(digest)?;
        let uploaded = self.repository.upload(digest, size, file, &self.sources(digest), self.telling(size)).await?;
        self.tell(uploaded);
        Ok(None)
    }

    /// Compressed only where the registry does not have it from before.
    async fn send_compressed(self) -> Result<Sent, Failure> {
        let plain = &self.blob.digest;
        if let Some(known) = self.shared.images.known_compressed(plain)
            && let Some(found) = self.repository.find_blob(&known.0, &self.sources(&known.0)).await?
        {
            self.tell(found);
            return Ok(Some((plain.clone(), known)));
        }
        let made = self.compress().await?;
        let (digest, size) = (&made.digest, made.size);
        let uploaded = self.repository.upload(digest, size, made.file()?, &[], self.telling(size)).await?;
        self.tell(uploaded);
        Ok(Some((plain.clone(), (digest.clone(), size))))
    }

    /// One layer at a time, which takes all processors. It ends with the push.
    async fn compress(&self) -> Result<Arc<Compressed>> {
        let _turn = self.shared.compressing.lock().await;
        let over = Over::default();
        let (is_over, told, total) = (over.0.clone(), self.told.clone(), self.blob.size);
        let (shared, plain) = (self.shared.clone(), self.blob.digest.clone());
        in_own_thread(move || {
            let done = Cell::new(0);
            let mut each = |bytes| {
                if is_over.load(Ordering::Relaxed) {
                    return Err(io::Error::other("context canceled"));
                }
                done.set(done.get() + bytes);
                if let Some(layer) = &told {
                    layer.figure("Compressing", done.get(), total);
                }
                Ok(())
            };
            let mut make_room = || {
                done.set(0);
                garbage::collect(&shared).unwrap_or(false)
            };
            shared.images.compress(&plain, &mut each, &mut make_room)
        })
        .await
    }

    fn sources(&self, digest: &Digest) -> Vec<String> {
        self.sources.get(digest).into_iter().flatten().cloned().collect()
    }

    fn telling(&self, total: u64) -> OnUpload {
        let layer = self.told.clone();
        Arc::new(move |event| {
            let Some(layer) = &layer else { return };
            match event {
                // was said of all that come later
                UploadEvent::Waiting => {}
                UploadEvent::Sent(current) => layer.figure("Pushing", current, total),
                UploadEvent::Retrying(pause) => layer.retrying(pause),
            }
        })
    }

    fn tell(&self, uploaded: Uploaded) {
        let Some(layer) = &self.told else { return };
        layer.status(match uploaded {
            Uploaded::There => "Layer already exists".into(),
            Uploaded::Mounted(from) => format!("Mounted from {from}"),
            Uploaded::Sent => "Pushed".into(),
        });
    }
}

/// Dropped, it says that nobody waits any more.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

//! Pushing: an image's bytes as they are, what the registry has already left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::registry::{Access, Credentials, Failure, Repository, UploadEvent, Uploaded};
use api::progress::{JsonMessage, ProgressDetail};
use image::Parts;
use oci::image::{Descriptor, media};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use values::{Digest, Error, ErrorKind, Platform, Reference, Result};

use super::internal;
use super::progress::Layer;
use crate::shared::{Shared, blocking};

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
        let (mut parts, sources, selected) = blocking(move || {
            let image = shared.images.resolve(&name)?;
            let top = match &platform {
                Some(wanted) => shared.images.manifest_for(&image.id, Some(wanted))?,
                None => image.descriptor.clone(),
            };
            let selected = shared.images.manifest_for(&image.id, None)?;
            Ok((shared.images.parts(&top)?, shared.images.sources(&domain), selected))
        })
        .await?;
        let mut instead = None;
        if !parts.missing.is_empty() && !self.has_all(&parts.missing).await? {
            // A registry takes no index of which something is missing: what is here goes without it.
            let original = parts.manifests.last().cloned();
            let (shared, top) = (self.shared.clone(), selected.clone());
            parts = blocking(move || shared.images.parts(&top)).await?;
            instead = original.map(|original| (original, selected));
        }
        self.blobs(&parts, &sources).await?;
        let (digest, size) = self.manifests(&parts).await?;
        if let Some((original, selected)) = instead {
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

    async fn blobs(&self, parts: &Parts, sources: &Sources) -> Result<()> {
        let is_layer = |blob: &Descriptor| !media::is_config(&blob.media_type);
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
                join(&mut uploads, self.reference).await?;
            }
            let told = is_layer(blob).then(|| Layer::new(&blob.digest, self.messages));
            let from: Vec<String> = sources.get(&blob.digest).into_iter().flatten().cloned().collect();
            uploads.spawn(upload(self.shared.clone(), self.repository.clone(), blob.clone(), from, told));
        }
        while !uploads.is_empty() {
            join(&mut uploads, self.reference).await?;
        }
        Ok(())
    }

    /// All manifests, the tag's last; its digest and size.
    async fn manifests(&self, parts: &Parts) -> Result<(Digest, u64)> {
        let last = parts.manifests.len() - 1;
        for (i, manifest) in parts.manifests.iter().enumerate() {
            let tag = self.reference.tag.as_deref().filter(|_| i == last).unwrap_or(manifest.digest.as_str());
            let bytes = self.shared.images.content(&manifest.digest)?;
            let put = self.repository.put_manifest(tag, &kind(manifest), bytes).await;
            put.map_err(|failure| push_failure(failure, self.reference))?;
        }
        Ok((parts.manifests[last].digest.clone(), parts.manifests[last].size))
    }

    fn tell_instead(&self, original: &Descriptor, selected: &Descriptor) {
        let aux =
            json!({ "manifestPushedInsteadOfIndex": true, "originalIndex": original, "selectedManifest": selected });
        let detail = Some(ProgressDetail::default());
        let _ = self.messages.send(JsonMessage { progress_detail: detail, aux: Some(aux), ..JsonMessage::default() });
    }
}

fn kind(manifest: &Descriptor) -> String {
    if manifest.media_type.is_empty() { media::OCI_MANIFEST.into() } else { manifest.media_type.clone() }
}

async fn join(uploads: &mut JoinSet<Result<(), Failure>>, reference: &Reference) -> Result<()> {
    match uploads.join_next().await {
        None => Ok(()),
        Some(Ok(outcome)) => outcome.map_err(|failure| push_failure(failure, reference)),
        Some(Err(e)) => Err(Error::internal(format!("a task failed: {e}"))),
    }
}

async fn upload(
    shared: Arc<Shared>,
    repository: Arc<Repository>,
    blob: Descriptor,
    sources: Vec<String>,
    told: Option<Layer>,
) -> Result<(), Failure> {
    let file = shared.images.open_content(&blob.digest)?;
    let (layer, total) = (told.clone(), blob.size);
    let on_event = Arc::new(move |event| {
        let Some(layer) = &layer else { return };
        match event {
            // was said of all that come later
            UploadEvent::Waiting => {}
            UploadEvent::Sent(current) => layer.figure("Pushing", current, total),
            UploadEvent::Retrying(pause) => layer.retrying(pause),
        }
    });
    let uploaded = repository.upload(&blob.digest, blob.size, file, &sources, on_event).await?;
    if let Some(layer) = told {
        layer.status(match uploaded {
            Uploaded::There => "Layer already exists".into(),
            Uploaded::Mounted(from) => format!("Mounted from {from}"),
            Uploaded::Sent => "Pushed".into(),
        });
    }
    Ok(())
}

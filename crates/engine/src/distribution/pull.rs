//! Pulling: the registry's conversation on this side, storing and unpacking (which block) on a thread of their own.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::registry::{Access, BlobEvent, Credentials, Endpoint, Fetched, Repository};
use api::progress::JsonMessage;
use image::{PullEvent, PullRequest, PullStage, Pulled, Remote};
use oci::image::Descriptor;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use values::{Error, Platform, Reference, Result};

use super::progress::Layer;
use super::pull_failure;
use crate::garbage;
use crate::shared::{Shared, blocking};

/// What Dockerfiles call no image at all.
const NOTHING: &str = "scratch";
/// The kernel's words for a full disk.
const NO_SPACE: &str = "no space left on device";

#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    pub image: String,
    /// A tag or digest; empty, and none in `image`: all tags.
    pub tag: String,
    /// Empty: this machine's.
    pub platform: String,
    pub credentials: Credentials,
}

/// Pulls until done or until nobody listens to the messages any more.
pub async fn pull(shared: &Arc<Shared>, options: PullOptions, messages: UnboundedSender<JsonMessage>) -> Result<()> {
    let reference = reference(&options.image, &options.tag)?;
    if reference.familiar_name() == NOTHING {
        return Err(Error::forbidden("'scratch' is a reserved name"));
    }
    let platform = match options.platform.as_str() {
        "" => None,
        text => Some(text.parse::<Platform>()?),
    };
    Work { shared, platform, credentials: options.credentials, messages, is_known: false }.pull(&reference).await
}

/// What is missing or damaged of an image that is here and that a registry knows by this digest. It gets no name by it.
pub async fn fetch_again(
    shared: &Arc<Shared>,
    reference: &Reference,
    platform: Option<Platform>,
    credentials: Credentials,
    messages: UnboundedSender<JsonMessage>,
) -> Result<()> {
    Work { shared, platform, credentials, messages, is_known: true }.pull(reference).await
}

/// `busybox` and `1.36`, or `busybox:1.36` and nothing, or a digest in either.
fn reference(image: &str, tag: &str) -> Result<Reference> {
    let mut reference: Reference = image.parse()?;
    if !tag.is_empty() {
        let separator = if tag.contains(':') { '@' } else { ':' };
        let tagged: Reference = format!("{}{separator}{tag}", reference.name()).parse()?;
        (reference.tag, reference.digest) = (tagged.tag, tagged.digest);
    }
    if reference.digest.is_some() {
        // the digest says it all
        reference.tag = None;
    }
    Ok(reference)
}

struct Work<'a> {
    shared: &'a Arc<Shared>,
    platform: Option<Platform>,
    credentials: Credentials,
    messages: UnboundedSender<JsonMessage>,
    /// It is here, by its name, and only to be made whole.
    is_known: bool,
}

impl Work<'_> {
    /// From the first place that has it.
    async fn pull(&self, reference: &Reference) -> Result<()> {
        let mut last = Error::internal("no endpoint");
        for endpoint in self.shared.distribution().endpoints(&reference.domain)? {
            match self.pull_from(&endpoint, reference).await {
                Ok(()) => return Ok(()),
                Err(e) if self.messages.is_closed() => return Err(e),
                Err(e) => {
                    if endpoint.mirror {
                        tracing::warn!("pull of {} from a mirror: {e}", reference.familiar());
                    }
                    last = e;
                }
            }
        }
        Err(last)
    }

    async fn pull_from(&self, endpoint: &Endpoint, reference: &Reference) -> Result<()> {
        let client = self.shared.distribution();
        let opened = client.open(endpoint, &reference.path, &self.credentials, Access::Pull);
        let repository = tokio::select! {
            opened = opened => opened.map_err(|failure| pull_failure(failure, reference))?,
            () = self.messages.closed() => return Err(Error::unavailable("context canceled")),
        };
        if reference.tag.is_some() || reference.digest.is_some() {
            let pulled = self.pull_one(&repository, reference).await?;
            self.say(status(pulled.is_news, reference));
            self.warn_of_platform(&pulled, reference);
            return Ok(());
        }
        let tags =
            repository.unless_closed(repository.tags()).await.map_err(|failure| pull_failure(failure, reference))?;
        let mut is_news = false;
        for tag in tags {
            let tagged = Reference { tag: Some(tag), ..reference.clone() };
            is_news |= self.pull_one(&repository, &tagged).await?.is_news;
        }
        self.say(status(is_news, reference));
        Ok(())
    }

    fn warn_of_platform(&self, pulled: &Pulled, reference: &Reference) {
        if let Some(wanted) = self.platform.as_ref().filter(|wanted| is_other(wanted, &pulled.platform)) {
            self.say(format!(
                "WARNING: image with reference {} was found but its platform ({}) does not match the specified platform ({wanted})",
                reference.familiar(),
                pulled.platform
            ));
        }
    }

    fn say(&self, text: String) {
        let _ = self.messages.send(JsonMessage::status(text));
    }

    async fn pull_one(&self, repository: &Arc<Repository>, reference: &Reference) -> Result<Pulled> {
        let wanted = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        };
        let fetched = tokio::select! {
            fetched = self.document(repository, reference, &wanted) => fetched.map_err(|failure| pull_failure(failure, reference))?,
            () = self.messages.closed() => return Err(Error::unavailable("context canceled")),
        };
        let begin = JsonMessage { id: wanted, ..JsonMessage::status(format!("Pulling from {}", reference.path)) };
        let _ = self.messages.send(begin);
        let digest = fetched.digest.clone();
        let pulled = match self.receive(repository.clone(), reference, fetched.clone()).await {
            // once more, if there is room now
            Err(e) if e.message.contains(NO_SPACE) && !self.messages.is_closed() => {
                let shared = self.shared.clone();
                match blocking(move || garbage::collect(&shared)).await {
                    Ok(true) => self.receive(repository.clone(), reference, fetched).await?,
                    _ => return Err(e),
                }
            }
            pulled => pulled?,
        };
        self.say(format!("Digest: {digest}"));
        self.emit(reference);
        self.shared.image_came();
        Ok(pulled)
    }

    /// The document for a tag or digest. One that is here already is not sent again: registries count that.
    async fn document(
        &self,
        repository: &Arc<Repository>,
        reference: &Reference,
        wanted: &str,
    ) -> Result<Fetched, ::registry::Failure> {
        if let Ok(known) = self.shared.images.resolve(&reference.to_string())
            && repository.manifest_digest(wanted).await?.as_ref() == Some(&known.id)
            && let Ok(bytes) = self.shared.images.content(&known.id)
        {
            return Ok(Fetched { media_type: known.descriptor.media_type.clone(), digest: known.id.clone(), bytes });
        }
        repository.manifest(wanted).await
    }

    async fn receive(&self, repository: Arc<Repository>, reference: &Reference, fetched: Fetched) -> Result<Pulled> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let remote = Source {
            repository: repository.clone(),
            runtime: Handle::current(),
            messages: self.messages.clone(),
            cancelled: cancelled.clone(),
            parallel: self.shared.distribution().config().downloads,
        };
        let (images, platform) = (self.shared.images.clone(), self.platform.clone());
        let name = Some(reference.clone()).filter(|_| !self.is_known);
        let (sender, done) = oneshot::channel();
        // Its own thread, not one of the pool for what blocks: a slow registry must not keep others from theirs.
        let thread = std::thread::Builder::new().name("pull".into()).spawn(move || {
            let descriptor = Descriptor::new(&fetched.media_type, fetched.digest.clone(), fetched.bytes.len() as u64);
            let (bytes, platform, reference) = (&fetched.bytes, platform.as_ref(), name.as_ref());
            let request = PullRequest { descriptor, bytes, platform, reference };
            let _ = sender.send(images.pull(&request, &remote));
        });
        thread.map_err(|e| Error::from(e).context("start a thread"))?;
        let mut done = std::pin::pin!(done);
        let outcome = tokio::select! {
            outcome = &mut done => outcome,
            () = self.messages.closed() => {
                cancelled.store(true, Ordering::Relaxed);
                repository.close();
                done.await
            }
        };
        outcome.map_err(|_| Error::internal("the pull failed unexpectedly"))?
    }

    fn emit(&self, reference: &Reference) {
        let mut attributes = BTreeMap::new();
        attributes.insert("name".into(), reference.familiar_name());
        self.shared.events.emit("image", "pull", &reference.familiar(), attributes);
    }
}

fn status(is_news: bool, reference: &Reference) -> String {
    let what = if is_news { "Downloaded newer image for" } else { "Image is up to date for" };
    format!("Status: {what} {}", reference.familiar())
}

fn is_other(wanted: &Platform, found: &Platform) -> bool {
    !found.architecture.is_empty() && (wanted.os != found.os || wanted.architecture != found.architecture)
}

/// A repository as the image store wants it.
struct Source {
    repository: Arc<Repository>,
    runtime: Handle,
    messages: UnboundedSender<JsonMessage>,
    cancelled: Arc<AtomicBool>,
    parallel: usize,
}

impl Remote for Source {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let digest = descriptor.digest.to_string();
        let fetched = self.runtime.block_on(self.repository.unless_closed(self.repository.manifest(&digest)));
        match fetched {
            Ok(fetched) => Ok(fetched.bytes),
            // a registry says no without naming anything
            Err(failure) if failure.status > 0 => Err(failure.error.context(format!("manifest {digest}"))),
            Err(failure) => Err(failure.error),
        }
    }

    fn small(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        Ok(self.runtime.block_on(self.repository.unless_closed(self.repository.small_blob(descriptor)))?)
    }

    fn blob(&self, descriptor: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>> {
        let layer = Layer::new(&descriptor.digest, &self.messages);
        let total = descriptor.size;
        let on_event = move |event| match event {
            BlobEvent::Waiting => layer.status("Waiting"),
            BlobEvent::Received(current) => layer.figure("Downloading", current, total),
            BlobEvent::Retrying(pause) => layer.retrying(pause),
        };
        let _runtime = self.runtime.enter();
        Ok(Box::new(self.repository.blob(descriptor, offset, Arc::new(on_event))))
    }

    fn parallel(&self) -> usize {
        self.parallel
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn tell(&self, event: PullEvent<'_>) {
        let layer = Layer::new(event.blob, &self.messages);
        match event.stage {
            PullStage::Present => layer.status("Already exists"),
            PullStage::Announced => layer.status("Pulling fs layer"),
            PullStage::Waiting => layer.status("Waiting"),
            PullStage::Verifying => layer.status("Verifying Checksum"),
            PullStage::Downloaded => layer.status("Download complete"),
            PullStage::Extracting { current, total } => layer.exactly("Extracting", current, total),
            PullStage::Complete => layer.status("Pull complete"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (image, tag, expected) in [
            ("busybox", "", "docker.io/library/busybox".to_owned()),
            ("busybox:1", "", "docker.io/library/busybox:1".into()),
            ("busybox", "1", "docker.io/library/busybox:1".into()),
            ("h:5000/a", &digest, format!("h:5000/a@{digest}")),
            (&format!("h:5000/a:1@{digest}"), "", format!("h:5000/a@{digest}")),
        ] {
            assert_eq!(reference(image, tag).unwrap().to_string(), expected);
        }
        assert!(reference("A", "").is_err() && reference("a", "b/c").is_err());
    }
}

//! An image from a registry: what is missing is fetched, everything else is found.
//!
//! One pass a layer: its bytes are received, stored, hashed, decompressed, hashed again and unpacked at the same time
//! (`layer.rs`). Nothing becomes visible before all digests were found right. What was received before a failure stays
//! aside (`partial.rs`), so that the next try goes on from there.

mod layer;
mod partial;
mod remote;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use oci::image::{Descriptor, Index, Manifest, media};
use values::{Digest, Error, Platform, Reference, Result, ResultExt};

use crate::{
    claims::Claims,
    commit::{Draft, Parsed, json, parse},
    images::Images,
    lease::Lease,
    platform,
};
use layer::{Fetched, Task};
pub(crate) use partial::Partials;
pub use remote::{PullEvent, PullStage, Remote};

/// What is to be pulled: the document a name or digest stands for, as the registry sent it.
pub struct PullRequest<'a> {
    pub descriptor: Descriptor,
    pub bytes: &'a [u8],
    /// `None`: this machine's.
    pub platform: Option<&'a Platform>,
    /// The name to give; with a digest, no tag.
    pub reference: &'a Reference,
}

/// What came of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub id: Digest,
    /// The image which had that name before.
    pub replaced: Option<Digest>,
    /// False: all of it was there, by that name.
    pub is_news: bool,
    pub platform: Platform,
}

/// Indexes within indexes at most.
const DEPTH_MAX: usize = 4;

impl Images {
    /// Fetches what is missing of an image, and gives it its name. Blocks; `remote` says what is going on and may end it.
    ///
    /// # Errors
    /// `NotFound` for an index without that platform, `InvalidArgument` for content that is not what its digest says;
    /// the remote's own.
    pub fn pull(&self, request: &PullRequest<'_>, remote: &dyn Remote) -> Result<Pulled> {
        self.content.partials.sweep();
        let mut lease = self.lease();
        let mut blobs = Vec::new();
        self.keep_document(&request.descriptor, request.bytes, &mut lease, &mut blobs)?;
        let manifest = self.choose_manifest(request, remote, &mut lease, &mut blobs)?;
        let document: Manifest =
            json(&self.content.read(&manifest.digest)?).during(|| format!("manifest {}", manifest.digest))?;
        let mut seen = Seen { known: self.get(&request.descriptor.digest).is_some(), ..Seen::default() };
        let parsed = self.fetch_config(&manifest, &document, remote, &mut lease, &mut seen)?;
        blobs.extend([&document.config].into_iter().chain(&document.layers).map(|d| d.digest.clone()));
        blobs.sort();
        blobs.dedup();
        let mut claims = Claims::new(self);
        let chain = self.fetch_layers(&document, &parsed, remote, &mut claims, &mut lease, &mut seen)?;
        let platform = Platform {
            os: if parsed.config.os.is_empty() { "linux".into() } else { parsed.config.os.clone() },
            architecture: parsed.config.architecture.clone(),
            variant: parsed.config.variant.clone(),
        };
        let draft = Draft {
            descriptor: request.descriptor.clone(),
            manifest,
            config: document.config.clone(),
            parsed: parsed.config,
            chain,
            blobs,
            pulled: true,
        };
        let had = self.find_name(request.reference);
        let (id, replaced) = self.commit(draft, Some(request.reference))?;
        Ok(Pulled { is_news: had.as_ref() != Some(&id) || seen.fetched, id, replaced, platform })
    }

    fn find_name(&self, reference: &Reference) -> Option<Digest> {
        self.ledger().tags.get(&reference.to_string()).map(|tag| tag.image.clone())
    }

    /// A manifest or index into the content.
    fn keep_document(
        &self,
        descriptor: &Descriptor,
        bytes: &[u8],
        lease: &mut Lease<'_>,
        blobs: &mut Vec<Digest>,
    ) -> Result<()> {
        let digest = crate::sha256(bytes);
        if digest != descriptor.digest {
            return Err(Error::invalid(format!("manifest verification failed for digest {}", descriptor.digest)));
        }
        lease.place(self.content.stage_bytes(bytes)?)?;
        blobs.push(digest);
        Ok(())
    }

    /// The manifest for the wanted platform; indexes on the way to it are kept.
    fn choose_manifest(
        &self,
        request: &PullRequest<'_>,
        remote: &dyn Remote,
        lease: &mut Lease<'_>,
        blobs: &mut Vec<Digest>,
    ) -> Result<Descriptor> {
        let host = Platform::host();
        let wanted = request.platform.unwrap_or(&host);
        let mut current = request.descriptor.clone();
        for _ in 0..DEPTH_MAX {
            if !media::is_index(&current.media_type) {
                return Ok(current);
            }
            let index: Index =
                json(&self.content.read(&current.digest)?).during(|| format!("index {}", current.digest))?;
            let found = platform::matching(&index.manifests, wanted).first().copied().cloned();
            let Some(found) = found else {
                return Err(Error::not_found(format!(
                    "no matching manifest for {wanted} in the manifest list entries"
                )));
            };
            if lease.sound_blob(&found) {
                blobs.push(found.digest.clone());
            } else {
                let bytes = remote.manifest(&found)?;
                self.keep_document(&found, &bytes, lease, blobs)?;
            }
            current = Descriptor { annotations: Default::default(), ..found };
            if !media::is_index(&current.media_type) && !media::is_manifest(&current.media_type) {
                current.media_type = media::OCI_MANIFEST.into();
            }
        }
        Err(Error::invalid(format!("index {}: indexes are nested too deeply", request.descriptor.digest)))
    }

    fn fetch_config(
        &self,
        manifest: &Descriptor,
        document: &Manifest,
        remote: &dyn Remote,
        lease: &mut Lease<'_>,
        seen: &mut Seen,
    ) -> Result<Parsed> {
        let config = &document.config;
        if !lease.sound_blob(config) {
            let bytes = remote.small(config)?;
            if crate::sha256(&bytes) != config.digest {
                return Err(Error::invalid(format!("image config verification failed for digest {}", config.digest)));
            }
            let staged = self.content.stage_bytes(&bytes)?;
            lease.place(staged)?;
            seen.fetched = true;
        }
        if is_artifact(document) {
            let config = if media::is_config(&config.media_type) {
                json(&self.content.read(&config.digest)?)?
            } else {
                Default::default()
            };
            return Ok(Parsed { manifest: document.clone(), config, layers: Vec::new() });
        }
        parse(&manifest.digest, &|digest: &Digest| self.content.read(digest))
    }

    /// All layers stored, and those of an image unpacked. The chain ids of what a root filesystem is made of.
    fn fetch_layers(
        &self,
        document: &Manifest,
        parsed: &Parsed,
        remote: &dyn Remote,
        claims: &mut Claims<'_>,
        lease: &mut Lease<'_>,
        seen: &mut Seen,
    ) -> Result<Vec<Digest>> {
        let is_known = seen.known;
        let diff_ids: Vec<Digest> = parsed.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let chain = crate::chain_ids(&diff_ids);
        let may_wait = || !remote.is_cancelled();
        // Chain ids lowest first, then blobs in order, by everybody: so nobody waits for one who waits for him.
        for chain_id in &chain {
            claims.claim_layer(chain_id, &may_wait)?;
        }
        let mut sorted: Vec<&Digest> = document.layers.iter().map(|layer| &layer.digest).collect();
        sorted.sort();
        for digest in sorted {
            claims.claim_blob(digest, &may_wait)?;
        }
        let mut tasks: Vec<Task<'_>> = Vec::new();
        let mut events = Vec::new();
        for (i, descriptor) in document.layers.iter().enumerate() {
            let has_blob = lease.sound_blob(descriptor);
            let chain = chain.get(..=i).filter(|_| !parsed.layers.is_empty());
            let diff_id = parsed.layers.get(i).map(|layer| &layer.diff_id);
            let is_there = |chain: &[Digest]| lease.layer(&chain[i]) && self.snapshots.has(chain);
            let unpacked = chain.is_none_or(is_there);
            let twice = tasks.iter().any(|task| task.descriptor.digest == descriptor.digest) && unpacked;
            if (has_blob && unpacked) || twice {
                events.push(PullEvent { blob: &descriptor.digest, stage: PullStage::Present });
                continue;
            }
            events.push(PullEvent { blob: &descriptor.digest, stage: PullStage::Announced });
            tasks.push(Task { descriptor, diff_id, chain: chain.unwrap_or_default(), has_blob, unpack: !unpacked });
        }
        seen.fetched |= !tasks.is_empty();
        // of an image that is here already, nothing needs to be said
        if seen.fetched || !is_known {
            events.into_iter().for_each(|event| remote.tell(event));
        }
        let parallel = if self.snapshots.is_parallel() { remote.parallel().max(1) } else { 1 };
        for task in tasks.iter().skip(parallel) {
            remote.tell(PullEvent { blob: &task.descriptor.digest, stage: PullStage::Waiting });
        }
        if self.snapshots.is_parallel() {
            self.fetch_all(&tasks, parallel, remote, lease)?;
        } else {
            for task in &tasks {
                self.fetch_all(std::slice::from_ref(task), 1, remote, lease)?;
            }
        }
        Ok(chain)
    }

    fn fetch_all(&self, tasks: &[Task<'_>], parallel: usize, remote: &dyn Remote, lease: &mut Lease<'_>) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let crew = Crew {
            images: self,
            tasks,
            remote,
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            why: Mutex::default(),
        };
        let mut done: Vec<(usize, Fetched)> = std::thread::scope(|scope| {
            let crew = &crew;
            let workers: Vec<_> = (0..tasks.len().min(parallel)).map(|_| scope.spawn(move || crew.work())).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        if let Some(why) = crew.why.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // what was received whole waits for the next try
            done.into_iter().for_each(|(_, fetched)| fetched.put_aside());
            return Err(why);
        }
        if done.len() < tasks.len() {
            return Err(Error::internal("fetching a layer failed unexpectedly"));
        }
        done.sort_by_key(|(task, _)| *task);
        let mut staged = Vec::new();
        let mut placed = Vec::new();
        for (i, fetched) in done {
            if let Some(blob) = fetched.blob {
                lease.place(blob.into_staged())?;
                if !tasks[i].unpack {
                    self.stored_anew(&tasks[i].descriptor.digest, tasks[i].diff_id, tasks[i].chain)?;
                }
            }
            if let Some((stage, bytes)) = fetched.unpacked
                && let Some(own) = tasks[i].chain.last()
            {
                staged.push((stage, own.clone()));
                placed.push((i, bytes));
            }
        }
        if !staged.is_empty() {
            self.snapshots.commit(staged)?;
        }
        for (i, bytes) in placed {
            let ([below @ .., own], Some(diff_id)) = (tasks[i].chain, tasks[i].diff_id) else { continue };
            lease.add_layer(own, diff_id, below.last(), bytes);
        }
        for task in tasks {
            remote.tell(PullEvent { blob: &task.descriptor.digest, stage: PullStage::Complete });
        }
        Ok(())
    }
}

/// Something that is kept and passed on, but is no root filesystem.
fn is_artifact(manifest: &Manifest) -> bool {
    let config = &manifest.config.media_type;
    let of_image = config.is_empty() || media::is_config(config);
    !of_image || manifest.layers.iter().any(|layer| !layer.media_type.is_empty() && !media::is_layer(&layer.media_type))
}

#[derive(Default)]
struct Seen {
    /// Something had to be fetched.
    fetched: bool,
    /// The image was here, by whatever name.
    known: bool,
}

/// Threads that share a list of layers to be fetched.
struct Crew<'a> {
    images: &'a Images,
    tasks: &'a [Task<'a>],
    remote: &'a dyn Remote,
    next: AtomicUsize,
    failed: AtomicBool,
    /// Of the first that failed: the others fail because of it.
    why: Mutex<Option<Error>>,
}

impl Crew<'_> {
    fn work(&self) -> Vec<(usize, Fetched)> {
        let mut done = Vec::new();
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(i).filter(|_| !self.has_failed()) else { return done };
            match self.images.fetch_layer(task, self.remote, &|| self.has_failed()) {
                Ok(fetched) => done.push((i, fetched)),
                Err(e) => {
                    if !self.failed.swap(true, Ordering::Relaxed) {
                        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                    }
                }
            }
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.remote.is_cancelled()
    }
}

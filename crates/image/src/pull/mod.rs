//! An image from a registry: what is missing is fetched, everything else is found.
//!
//! One pass a layer: its bytes are received, stored, hashed, decompressed, hashed again and unpacked at the same time
//! (`layer.rs`). Nothing becomes visible before all digests were found right. What was received before a failure stays
//! aside (`partial.rs`), so that the next try goes on from there.

mod layer;
mod partial;
mod published;
mod remote;

use oci::image::{Descriptor, Index, Manifest, media};
use snapshot::Stage;
use values::{Digest, Error, Platform, Reference, Result, ResultExt};

use crate::{
    assemble::{Assembly, Order},
    claims::Claim,
    commit::{Draft, Parsed, json, parse_any},
    images::Images,
    lease::Lease,
    platform,
    records::{IMAGES, ImageRecord},
};
use layer::Task;
pub(crate) use partial::{KEPT, Partials};
use published::{Decompressing, Own};
pub use remote::{PullEvent, PullStage, Remote};

/// What is to be pulled: the document a name or digest stands for, as the registry sent it.
pub struct PullRequest<'a> {
    pub descriptor: Descriptor,
    pub bytes: &'a [u8],
    /// `None`: this machine's.
    pub platform: Option<&'a Platform>,
    /// The name to give; with a digest, no tag. `None`: it is here, and only to be made whole.
    pub reference: Option<&'a Reference>,
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
        if let Some(pulled) = self.known_as(request)? {
            return Ok(pulled);
        }
        let Some(own) = self.own(request, remote)? else {
            let digest = &request.descriptor.digest;
            if request.reference.is_none() && !self.store.contains(&IMAGES, digest.as_str()) {
                // an image more, which nobody has a name for, mends none
                return Err(Error::not_found(format!("manifest {digest}: it does not tell what the one here was")));
            }
            return self.fetch(request, remote, None);
        };
        let descriptor = own.record.descriptor.clone();
        let as_here = PullRequest { descriptor, bytes: &own.bytes, ..*request };
        self.fetch(&as_here, &Decompressing { registry: remote, own: &own }, Some(&own))
    }

    /// What is missing, and its name; of an image that was made here if it is an `own` one.
    fn fetch(&self, request: &PullRequest<'_>, remote: &dyn Remote, own: Option<&Own>) -> Result<Pulled> {
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
        let chain = self.fetch_layers(&document, &parsed, remote, &mut lease, &mut seen)?;
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
            pulled: own.is_none(),
            plain: own.map_or_else(Vec::new, |own| own.record.plain.clone()),
            published: own.and_then(|own| own.record.published.clone()),
        };
        let had = request.reference.map(|name| self.find_name(name));
        let (id, replaced) = self.commit(draft, request.reference)?;
        let is_new_name = had.is_some_and(|had| had.as_ref() != Some(&id));
        Ok(Pulled { is_news: is_new_name || seen.fetched, id, replaced, platform })
    }

    /// What was pushed from here and is here, whole, if that is what is wanted: only its name is to be given.
    fn known_as(&self, request: &PullRequest<'_>) -> Result<Option<Pulled>> {
        let known = self.ledger().published_as(&request.descriptor.digest).cloned();
        let Some(image) = known else { return Ok(None) };
        if self.parts(&image.descriptor).is_err() || !self.snapshots.has(&image.chain) {
            return Ok(None);
        }
        let new_name = request.reference.filter(|name| self.find_name(name).as_ref() != Some(&image.id));
        let replaced = match new_name {
            Some(name) => self.give_name(&image.id, name.clone())?,
            None => None,
        };
        let is_news = new_name.is_some();
        Ok(Some(Pulled { id: image.id.clone(), replaced, is_news, platform: image.platform.clone() }))
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
        // what is to be made whole is the one that it was, also where nothing is left to tell its platform
        let known: Option<ImageRecord> = match request.reference {
            None => self.store.get(&IMAGES, request.descriptor.digest.as_str())?,
            Some(_) => None,
        };
        let is_known = |one: &&Descriptor| known.as_ref().is_some_and(|known| known.manifest.digest == one.digest);
        let mut current = request.descriptor.clone();
        for _ in 0..DEPTH_MAX {
            if !media::is_index(&current.media_type) {
                return Ok(current);
            }
            let index: Index =
                json(&self.content.read(&current.digest)?).during(|| format!("index {}", current.digest))?;
            let found = index.manifests.iter().find(is_known);
            let found = found.or_else(|| platform::matching(&index.manifests, wanted).first().copied()).cloned();
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
        parse_any(&manifest.digest, &|digest: &Digest| self.content.read(digest))
    }

    /// All layers stored, and those of an image unpacked. The chain ids of what a root filesystem is made of.
    fn fetch_layers<'i>(
        &'i self,
        document: &Manifest,
        parsed: &Parsed,
        remote: &dyn Remote,
        lease: &mut Lease<'i>,
        seen: &mut Seen,
    ) -> Result<Vec<Digest>> {
        let diff_ids: Vec<Digest> = parsed.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let chain = crate::chain_ids(&diff_ids);
        let mut todo = Vec::new();
        let mut events = Vec::new();
        for (i, descriptor) in document.layers.iter().enumerate() {
            let has_blob = lease.sound_blob(descriptor);
            let is_there = |chain: &[Digest]| lease.layer(&chain[i]) && self.snapshots.has(chain);
            let unpacked = chain.get(..=i).is_none_or(is_there);
            let twice = todo.iter().any(|j: &usize| document.layers[*j].digest == descriptor.digest) && unpacked;
            let is_present = (has_blob && unpacked) || twice;
            let stage = if is_present { PullStage::Present } else { PullStage::Announced };
            events.push(PullEvent { blob: &descriptor.digest, stage });
            if !is_present {
                todo.push(i);
            }
        }
        seen.fetched |= !todo.is_empty();
        // of an image that is here already, nothing needs to be said
        if seen.fetched || !seen.known {
            events.into_iter().for_each(|event| remote.tell(event));
        }
        let threads = remote.parallel().max(1);
        let tell = |i: usize, stage| remote.tell(PullEvent { blob: &document.layers[i].digest, stage });
        todo.iter()
            .skip(if self.snapshots.is_parallel() { threads } else { 1 })
            .for_each(|i| tell(*i, PullStage::Waiting));
        let is_over = || remote.is_cancelled();
        let fetch = Fetching { document, diff_ids: &diff_ids, chain: &chain, remote };
        let plan = Assembly {
            chain: &chain,
            diff_ids: &diff_ids,
            todo,
            threads,
            make: &|order, lease| self.fetch_one(&fetch, order, lease),
            is_over: &is_over,
            done: &|i| tell(i, PullStage::Complete),
        };
        self.assemble(&plan, lease)?;
        Ok(chain)
    }

    /// One layer's blob into its place, and the layer unpacked where it is not there.
    fn fetch_one(
        &self,
        fetching: &Fetching<'_>,
        order: Order<'_>,
        lease: &mut Lease<'_>,
    ) -> Result<Option<(Stage, u64)>> {
        let (i, is_over) = (order.position, order.is_over);
        let descriptor = &fetching.document.layers[i];
        // Whoever has it is receiving it and waits for nobody.
        let _held = self.claim(Claim::Blob(descriptor.digest.clone()), &|| !is_over())?;
        let has_blob = lease.sound_blob(descriptor);
        let chain = fetching.chain.get(..=i).unwrap_or_default();
        let task = Task {
            descriptor,
            diff_id: fetching.diff_ids.get(i),
            chain,
            has_blob,
            unpack: !chain.is_empty() && !order.is_there,
        };
        if has_blob && !task.unpack {
            return Ok(None);
        }
        let fetched = self.fetch_layer(&task, fetching.remote, is_over)?;
        if let Some(blob) = fetched.blob {
            lease.place(blob.into_staged())?;
            if !task.unpack {
                self.stored_anew(&descriptor.digest, task.diff_id, chain)?;
            }
        }
        Ok(fetched.unpacked)
    }
}

/// What all layers of a pull share.
struct Fetching<'a> {
    document: &'a Manifest,
    diff_ids: &'a [Digest],
    chain: &'a [Digest],
    remote: &'a dyn Remote,
}

#[derive(Default)]
struct Seen {
    /// Something had to be fetched.
    fetched: bool,
    /// The image was here, by whatever name.
    known: bool,
}

//! Blobs on their way up: in one piece, or, where that fails half way, from where the registry says it is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use http::{Method, StatusCode};
use tokio::sync::mpsc;
use values::{Digest, Error, Result};

use crate::body::Body;
use crate::failure::{Again, Failure};
use crate::origin::{self, Origin};
use crate::repository::Repository;
use crate::retry::Tries;
use crate::token::encode;
use crate::transport::{Ask, Reply};

const PIECE: usize = 128 << 10;
const IN_FLIGHT: usize = 4;
/// One `PATCH`, where a blob goes in several.
const CHUNK: u64 = 32 << 20;
/// Other repositories that are tried as a source.
const MOUNTS_MAX: usize = 3;
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How a blob came to be in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// It was there.
    There,
    /// From that repository of the same registry.
    Mounted(String),
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadEvent {
    Waiting,
    /// Bytes so far.
    Sent(u64),
    Retrying(Duration),
}

pub type OnEvent = Arc<dyn Fn(UploadEvent) + Send + Sync>;

/// Where an upload that has begun goes on.
type Place = (Origin, String);

impl Repository {
    /// Whether the repository has the blob.
    ///
    /// # Errors
    /// The registry's.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, Failure> {
        let ask = || self.ask(Method::HEAD, &format!("blobs/{digest}"));
        match self.send(ask, None, &Bytes::new()).await {
            Ok(reply) => {
                reply.keep();
                Ok(true)
            }
            Err(failure) if failure.is_not_found() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Brings a blob into the repository, unless it is there, or is in one of `sources`, other repositories of the registry.
    ///
    /// # Errors
    /// The registry's.
    pub async fn upload(
        &self,
        digest: &Digest,
        size: u64,
        file: File,
        sources: &[String],
        on_event: OnEvent,
    ) -> Result<Uploaded, Failure> {
        if self.has_blob(digest).await? {
            return Ok(Uploaded::There);
        }
        let permit = match self.uploads.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                on_event(UploadEvent::Waiting);
                self.uploads.clone().acquire_owned().await.ok()
            }
        };
        let place = match self.take_over(digest, sources).await {
            Ok(source) => return Ok(Uploaded::Mounted(source)),
            Err(place) => place,
        };
        let blob = Blob { repository: self, digest, size, file: Arc::new(file), on_event };
        blob.send(place).await?;
        drop(permit);
        Ok(Uploaded::Sent)
    }

    /// Finds a blob in the repository or in one of `sources`, from where it is taken over; `None`: it has to be sent.
    ///
    /// # Errors
    /// The registry's.
    pub async fn find_blob(&self, digest: &Digest, sources: &[String]) -> Result<Option<Uploaded>, Failure> {
        if self.has_blob(digest).await? {
            return Ok(Some(Uploaded::There));
        }
        Ok(self.take_over(digest, sources).await.ok().map(Uploaded::Mounted))
    }

    /// Takes a blob over from one of `sources`, and says which. Else where an upload goes on that the registry has begun
    /// instead, if it has.
    async fn take_over(&self, digest: &Digest, sources: &[String]) -> Result<String, Option<Place>> {
        let mut place = None;
        for source in sources.iter().filter(|source| **source != self.path).take(MOUNTS_MAX) {
            match self.mount(digest, source).await {
                Ok(None) => return Ok(source.clone()),
                // not there, or not ours to read
                Ok(Some(begun)) => place = Some(begun),
                Err(failure) => tracing::debug!("mount of {digest} from {source}: {}", failure.error),
            }
        }
        Err(place)
    }

    /// Takes a blob over from `source`, another repository of the registry; false where that does not work.
    ///
    /// # Errors
    /// The registry's.
    pub async fn mount_blob(&self, digest: &Digest, source: &str) -> Result<bool, Failure> {
        Ok(self.mount(digest, source).await?.is_none())
    }

    /// OCI distribution-spec, "Mounting a blob from another repository". `None`: it is there now.
    async fn mount(&self, digest: &Digest, source: &str) -> Result<Option<Place>, Failure> {
        let query = format!("blobs/uploads/?mount={}&from={}", encode(digest.as_str()), encode(source));
        let scope = format!("repository:{source}:pull");
        let reply = self.send(|| self.ask(Method::POST, &query), Some(&scope), &Bytes::new()).await?;
        let mounted = reply.status == StatusCode::CREATED;
        let place = if mounted { None } else { Some(place(&reply)?) };
        reply.finish().await;
        Ok(place)
    }

    async fn begin_upload(&self) -> Result<Place, Failure> {
        let reply = self.send(|| self.ask(Method::POST, "blobs/uploads/"), None, &Bytes::new()).await?;
        let place = place(&reply)?;
        reply.finish().await;
        Ok(place)
    }
}

fn place(reply: &Reply) -> Result<Place, Failure> {
    let location = reply.header(LOCATION);
    if location.is_empty() {
        return Err(Failure::new(Error::internal("the registry does not say where to upload to")));
    }
    Ok(origin::resolve(&reply.origin, &reply.path, location)?)
}

struct Blob<'a> {
    repository: &'a Repository,
    digest: &'a Digest,
    size: u64,
    file: Arc<File>,
    on_event: OnEvent,
}

impl Blob<'_> {
    async fn send(&self, mut place: Option<Place>) -> Result<(), Failure> {
        let mut tries = Tries::new(&self.repository.config);
        let mut chunked = false;
        let mut renewed = false;
        let mut at = 0;
        // the registry ever had of it: to be as far once more is no progress
        let mut most = 0;
        loop {
            let begun = match place.take() {
                Some(place) => Ok(place),
                None => self.repository.begin_upload().await,
            };
            let (mut failure, last) = match begun {
                Ok(begun) => {
                    let mut current = begun;
                    let sent =
                        if chunked { self.in_chunks(&mut current, at).await } else { self.whole(&current).await };
                    match sent {
                        Ok(()) => return Ok(()),
                        Err(failure) => (failure, Some(current)),
                    }
                }
                Err(failure) => (failure, None),
            };
            if !chunked && matches!(failure.status, 405 | 411 | 413 | 501) {
                // this registry, or what stands before it, wants smaller pieces
                (chunked, at) = (true, 0);
                continue;
            }
            match failure.status {
                // a token that was to be good for longer
                401 if !renewed => {
                    renewed = true;
                    self.repository.forget_tokens().await;
                    failure.again = Again::Soon;
                }
                // it has another length than we know of
                416 => failure.again = Again::Soon,
                _ => {}
            }
            let Some(pause) = tries.next(&failure) else { return Err(failure) };
            (self.on_event)(UploadEvent::Retrying(pause));
            tokio::time::sleep(pause).await;
            // where the registry remembers what it has, the rest is enough
            (place, at) = match last {
                Some(last) => match self.progress_of(&last).await {
                    Some((place, there)) => {
                        if there > most {
                            most = there;
                            tries.progressed();
                        }
                        (Some(place), there)
                    }
                    None => (None, 0),
                },
                None => (None, 0),
            };
            chunked |= at > 0;
        }
    }

    /// POST then PUT ("Pushing a blob monolithically").
    async fn whole(&self, place: &Place) -> Result<(), Failure> {
        let reply = self.request(Method::PUT, place, true, 0, self.size).await?;
        self.stored(reply).await
    }

    /// PATCH, PATCH, PUT ("Pushing a blob in chunks"). `place` follows the registry.
    async fn in_chunks(&self, place: &mut Place, mut at: u64) -> Result<(), Failure> {
        while at < self.size {
            let length = CHUNK.min(self.size - at);
            let reply = self.request(Method::PATCH, place, false, at, length).await?;
            *place = self::place(&reply)?;
            // it may have kept less than it was sent
            let less = kept(&reply).filter(|kept| (at + 1..at + length).contains(kept));
            reply.finish().await;
            at = less.unwrap_or(at + length);
        }
        let reply = self.request(Method::PUT, place, true, self.size, 0).await?;
        self.stored(reply).await
    }

    async fn stored(&self, reply: Reply) -> Result<(), Failure> {
        let stored: Option<Digest> = reply.header("docker-content-digest").parse().ok();
        reply.finish().await;
        match stored.filter(|stored| stored != self.digest) {
            Some(other) => {
                Err(Failure::new(Error::internal(format!("the registry stored {other} in place of {}", self.digest))))
            }
            None => Ok(()),
        }
    }

    async fn request(&self, method: Method, place: &Place, last: bool, at: u64, length: u64) -> Result<Reply, Failure> {
        let (origin, path) = place;
        let separator = if path.contains('?') { '&' } else { '?' };
        let path =
            if last { format!("{path}{separator}digest={}", encode(self.digest.as_str())) } else { path.clone() };
        let mut ask = Ask::new(method.clone(), origin, path).header(CONTENT_TYPE, "application/octet-stream");
        if method == Method::PATCH {
            ask = ask.header(CONTENT_RANGE, &format!("{at}-{}", at + length - 1));
        }
        let scope = [format!("repository:{}:pull,push", self.repository.path)];
        ask.authorization = self.repository.authorization(origin, &scope).await?;
        let sent = Arc::new(AtomicU64::new(0));
        let body = if length == 0 { Body::empty() } else { pieces(self.file.clone(), at, length, sent.clone()) };
        let request = self.repository.transport.send_once(&ask, body, Some(&sent));
        let reply = self.telling(at, &sent, request).await?;
        if !reply.status.is_success() {
            return Err(reply.failure().await);
        }
        Ok(reply)
    }

    /// Tells how far it is while `request` goes on.
    async fn telling<T>(&self, at: u64, sent: &AtomicU64, request: impl Future<Output = T>) -> T {
        let mut request = std::pin::pin!(request);
        let mut before = 0;
        loop {
            if let Ok(done) = tokio::time::timeout(TELL_EVERY, &mut request).await {
                return done;
            }
            let now = sent.load(Ordering::Relaxed);
            if now != before {
                before = now;
                (self.on_event)(UploadEvent::Sent(at + now));
            }
        }
    }

    /// Bytes the registry has of an upload, and where it goes on (`GET` of its location: 204 with `Range: 0-N`).
    async fn progress_of(&self, place: &Place) -> Option<(Place, u64)> {
        let ask = Ask::new(Method::GET, &place.0, place.1.clone());
        let reply = self.repository.send_once(ask, None, &Bytes::new()).await.ok()?;
        // `0-0` is said of nothing, too
        let there = kept(&reply).filter(|there| (2..=self.size).contains(there))?;
        if reply.status != StatusCode::NO_CONTENT {
            return None;
        }
        let next = self::place(&reply).unwrap_or_else(|_| place.clone());
        reply.finish().await;
        Some((next, there))
    }
}

/// Bytes of an upload that the registry says it has: `Range: 0-N`.
fn kept(reply: &Reply) -> Option<u64> {
    let range = reply.header(RANGE).trim_start_matches("bytes=");
    range.split_once('-')?.1.parse::<u64>().ok()?.checked_add(1)
}

/// The file's bytes. A peer that takes nothing for a while holds none of the threads that may block.
fn pieces(file: Arc<File>, mut at: u64, length: u64, sent: Arc<AtomicU64>) -> Body {
    let (sender, pieces) = mpsc::channel(IN_FLIGHT);
    let end = at + length;
    tokio::spawn(async move {
        while at < end {
            let Ok(room) = sender.reserve().await else { return };
            let (file, size) = (file.clone(), PIECE.min(usize::try_from(end - at).unwrap_or(PIECE)));
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; size];
                file.read_exact_at(&mut piece, at).map(|()| Bytes::from(piece))
            });
            let piece = read.await.unwrap_or_else(|e| Err(io::Error::other(e)));
            let failed = piece.is_err();
            room.send(piece);
            if failed {
                return;
            }
            at += size as u64;
        }
    });
    Body::Pieces { pieces, left: length, sent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_takes_nothing_holds_no_thread() {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).max_blocking_threads(1).enable_all().build().unwrap();
        let path = std::env::temp_dir().join(format!("lighter-pieces-{}", std::process::id()));
        std::fs::write(&path, vec![7; 2 * IN_FLIGHT * PIECE]).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        runtime.block_on(async {
            let body = pieces(file, 0, 2 * (IN_FLIGHT * PIECE) as u64, Arc::default());
            let Body::Pieces { pieces, .. } = body else { panic!("not in pieces") };
            while pieces.len() < IN_FLIGHT {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let other = tokio::task::spawn_blocking(|| {});
            tokio::time::timeout(Duration::from_secs(20), other).await.expect("a thread is free").unwrap();
        });
    }
}

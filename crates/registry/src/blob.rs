//! Blobs on their way down: one task receives, goes on after a cut where it was, and hands pieces to a blocking reader.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};
use oci::image::Descriptor;
use tokio::sync::mpsc::{self, Receiver, Sender};
use values::{Error, Result};

use crate::failure::Failure;
use crate::origin::Origin;
use crate::repository::{Repository, given_up, has_content};
use crate::retry::Tries;
use crate::transport::{Ask, DOCUMENT_MAX, Reply};

/// Pieces on their way to the reader.
const IN_FLIGHT: usize = 4;
/// So many bytes are progress: a registry that cuts after each byte is not tried for ever.
const PROGRESS: u64 = 64 << 10;

/// What becomes of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobEvent {
    /// Others come first.
    Waiting,
    /// Bytes so far, those from earlier tries included.
    Received(u64),
    /// It was cut, and is tried again after so long.
    Retrying(Duration),
}

pub type OnEvent = Arc<dyn Fn(BlobEvent) + Send + Sync>;

/// Reads a blob, off the runtime's threads. Dropped, it ends the download. The digest is the reader's to check; the size is as
/// promised when it ends without an error.
pub struct BlobReader {
    pieces: Receiver<Result<Bytes, Failure>>,
    current: Bytes,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.current = piece,
                Some(Err(failure)) => return Err(io::Error::other(failure.error)),
            }
        }
        let n = buffer.len().min(self.current.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}

impl Repository {
    /// A small blob (a configuration) whole, of exactly its size.
    ///
    /// # Errors
    /// The registry's; `InvalidArgument` for one that is not small: its manifest may say any size, and it comes into memory.
    pub async fn small_blob(self: &Arc<Self>, descriptor: &Descriptor) -> Result<Vec<u8>, Failure> {
        if descriptor.size > DOCUMENT_MAX as u64 {
            let Descriptor { digest, size, .. } = descriptor;
            let text = format!("content {digest} is too large for a configuration: {size} bytes");
            return Err(Failure::new(Error::invalid(text)));
        }
        let mut pieces = self.receive(descriptor.clone(), 0, Arc::new(|_| {}), false);
        let mut all = Vec::new();
        while let Some(piece) = pieces.recv().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    /// Begins to fetch a blob from `offset` on. Must be called within the runtime.
    pub fn blob(self: &Arc<Self>, descriptor: &Descriptor, offset: u64, on_event: OnEvent) -> BlobReader {
        BlobReader { pieces: self.receive(descriptor.clone(), offset, on_event, true), current: Bytes::new() }
    }

    fn receive(
        self: &Arc<Self>,
        descriptor: Descriptor,
        offset: u64,
        on_event: OnEvent,
        limited: bool,
    ) -> Receiver<Result<Bytes, Failure>> {
        let (sender, pieces) = mpsc::channel(IN_FLIGHT);
        let repository = self.clone();
        tokio::spawn(async move {
            let gone = sender.clone();
            tokio::select! {
                () = repository.until_closed() => {
                    // never an end that looks like the blob's
                    let _ = gone.send(Err(given_up())).await;
                }
                // a reader that is gone ends the download, wherever it waits
                () = gone.closed() => {}
                () = repository.clone().receive_into(&descriptor, offset, on_event, limited, sender) => {}
            }
        });
        pieces
    }

    async fn receive_into(
        self: Arc<Self>,
        descriptor: &Descriptor,
        offset: u64,
        on_event: OnEvent,
        limited: bool,
        sender: Sender<Result<Bytes, Failure>>,
    ) {
        let permit = match self.downloads.clone().try_acquire_owned() {
            _ if !limited => None,
            Ok(permit) => Some(permit),
            Err(_) => {
                on_event(BlobEvent::Waiting);
                self.downloads.clone().acquire_owned().await.ok()
            }
        };
        let mut download =
            Download { repository: &self, descriptor, at: offset, on_event: &*on_event, sender: &sender };
        let mut tries = Tries::new(&self.config);
        loop {
            let before = download.at;
            let Err(failure) = download.run().await else { break };
            if download.at - before >= PROGRESS {
                tries.progressed();
            }
            match tries.next(&failure) {
                Some(pause) => {
                    tracing::debug!("{}: {}: trying again in {pause:?}", descriptor.digest, failure.error);
                    (download.on_event)(BlobEvent::Retrying(pause));
                    tokio::time::sleep(pause).await;
                }
                None => {
                    // nobody listens: nobody to tell
                    let _ = sender.send(Err(failure)).await;
                    break;
                }
            }
        }
        drop(permit);
    }
}

struct Download<'a> {
    repository: &'a Arc<Repository>,
    descriptor: &'a Descriptor,
    at: u64,
    on_event: &'a (dyn Fn(BlobEvent) + Send + Sync),
    sender: &'a Sender<Result<Bytes, Failure>>,
}

impl Download<'_> {
    /// One try, from where it is to the end.
    async fn run(&mut self) -> Result<(), Failure> {
        let size = self.descriptor.size;
        if self.at == size && size > 0 {
            return Ok(());
        }
        let mut reply = self.request().await?;
        let mut skip = match begin(&reply, self.at, size)? {
            Begin::Here => 0,
            // no ranges here: what we have is sent once more
            Begin::AtZero => self.at,
        };
        while let Some(mut piece) = reply.piece().await? {
            if skip > 0 {
                let n = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
                drop(piece.split_to(n));
                skip -= n as u64;
            }
            if piece.is_empty() {
                continue;
            }
            if self.at + piece.len() as u64 > size {
                return Err(wrong_size(self.descriptor, self.at + piece.len() as u64));
            }
            self.at += piece.len() as u64;
            let at = self.at;
            if self.sender.send(Ok(piece)).await.is_err() {
                return Ok(());
            }
            (self.on_event)(BlobEvent::Received(at));
        }
        reply.keep();
        if self.at < size {
            return Err(Failure::broken(format!("content {}: unexpected EOF", self.descriptor.digest)));
        }
        Ok(())
    }

    async fn request(&self) -> Result<Reply, Failure> {
        let ranged = |ask: Ask| match self.at {
            0 => ask,
            at => ask.header(RANGE, &format!("bytes={at}-")),
        };
        let ask = ranged(self.repository.ask(Method::GET, &format!("blobs/{}", self.descriptor.digest)));
        let reply = self.repository.send_once(ask, None, &Bytes::new()).await?;
        let is_it = |reply: &Reply| has_content(reply.status) || reply.status == StatusCode::PARTIAL_CONTENT;
        if is_it(&reply) {
            return Ok(reply);
        }
        let failure = reply.failure().await;
        // a layer that is not distributable is kept elsewhere (image-spec, descriptor.md)
        for url in self.descriptor.urls.iter().filter(|_| failure.is_not_found()) {
            let Ok((origin, path)) = Origin::of_url(url) else { continue };
            let ask = ranged(Ask::new(Method::GET, &origin, path));
            match self.repository.transport.send(ask, &Bytes::new()).await {
                Ok(reply) if is_it(&reply) => return Ok(reply),
                _ => {}
            }
        }
        Err(failure.context(format!("content {}", self.descriptor.digest)))
    }
}

enum Begin {
    Here,
    AtZero,
}

/// Whether the reply is what was asked for (RFC 9110 §14.4).
fn begin(reply: &Reply, at: u64, size: u64) -> Result<Begin, Failure> {
    let claims: Option<u64> = reply.header(CONTENT_LENGTH).parse().ok();
    let digest = || reply.path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let other = |claimed: u64| {
        let text =
            format!("content {}: failed size validation: the registry has {claimed} bytes, not {size}", digest());
        // of what came before this says nothing: it may be somebody else's page
        Failure::new(Error::internal(text))
    };
    if reply.status != StatusCode::PARTIAL_CONTENT {
        return match claims {
            Some(claimed) if claimed != size => Err(other(claimed)),
            _ => Ok(if at == 0 { Begin::Here } else { Begin::AtZero }),
        };
    }
    let range = reply.header(CONTENT_RANGE);
    match parse_range(range) {
        Some((first, total)) if first == at => match total {
            Some(total) if total != size => Err(other(total)),
            _ => Ok(Begin::Here),
        },
        _ => Err(Failure::broken(format!("content {}: the registry sent another range: {range:?}", digest()))),
    }
}

/// `bytes 5-9/10`: the first byte, and the whole length where it is known.
fn parse_range(field: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = field.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn wrong_size(descriptor: &Descriptor, seen: u64) -> Failure {
    let Descriptor { digest, size, .. } = descriptor;
    Failure::new(Error::invalid(format!("content {digest}: failed size validation: {seen} bytes or more, not {size}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(parse_range("bytes */10"), None);
        assert_eq!(parse_range("5-9/10"), None);
    }
}

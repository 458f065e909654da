//! A layer's blob into a stage: one thread decompresses, a second one hashes the plain tar, a third one unpacks it.

use std::io::{self, BufRead};

use archive::{Compression, decompress};
use snapshot::{Applied, Stage};
use values::{Digest, Error, Result};

use crate::pipeline::pipes;

/// What was found in a blob.
pub(crate) struct Found {
    pub(crate) compression: Compression,
    /// Of all files; 0 where nothing was unpacked.
    pub(crate) bytes: u64,
    /// The digest of the plain tar, where that is not the blob's.
    pub(crate) plain: Option<Digest>,
}

/// Unpacks, or only reads to the end where it is unpacked already and only has to be checked. A plain tar's stage must be told
/// where it is stored ([`Stage::stored_at`]).
///
/// # Errors
/// `InvalidArgument` for what cannot be decompressed, and those of [`Stage::apply`].
pub(crate) fn apply(stage: Option<&mut Stage>, blob: impl BufRead + Send) -> Result<Found> {
    let (compression, mut plain) = decompress(blob)?;
    if compression == Compression::None {
        return Ok(Found { compression, bytes: consume(stage, plain, Stage::apply_stored)?, plain: None });
    }
    let (writer, [to_hash, to_unpack]) = pipes();
    std::thread::scope(|scope| {
        let decompressing = scope.spawn(move || writer.send_all(&mut plain, |_| Ok(())));
        let hashing = scope.spawn(move || to_hash.digest());
        let applied = consume(stage, to_unpack, Stage::apply);
        let unexpected = |_| Error::internal("decompression failed unexpectedly");
        let decompressed = decompressing.join().map_err(unexpected)?;
        let digest = hashing.join().map_err(unexpected)?;
        // What the stream had to say is the reason, what came of it the consequence.
        decompressed.map_err(|e| Error::invalid(e.to_string()))?;
        Ok(Found { compression, bytes: applied?, plain: Some(digest?) })
    })
}

fn consume<R: BufRead>(
    stage: Option<&mut Stage>,
    mut plain: R,
    apply: impl FnOnce(&mut Stage, R) -> Result<Applied>,
) -> Result<u64> {
    match stage {
        Some(stage) => Ok(apply(stage, plain)?.bytes),
        None => io::copy(&mut plain, &mut io::sink()).map(|_| 0).map_err(|e| Error::invalid(e.to_string())),
    }
}

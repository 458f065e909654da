//! A stream into gzip (RFC 1952) on as many threads as there are processors.
//!
//! It is cut into pieces, each is compressed by itself, and all make one member: what comes out depends on what goes in, never
//! on the number of threads.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::available_parallelism,
};

use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::holes::is_zero;

/// Cutting costs about a hundredth of the size at this length.
const PIECE: usize = 512 << 10;
const THREADS_MAX: usize = 8;
/// As Go's writer has it: no name, no time, no system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty last block (RFC 1951 §3.2.6): every piece ends at a byte, but none ends the stream.
const END: [u8; 2] = [3, 0];
const LEVEL: u32 = 6;

/// A piece of the stream on its way. Its memory is used again.
#[derive(Default)]
struct Piece {
    plain: Vec<u8>,
    packed: Vec<u8>,
    crc: Crc,
    failed: Option<io::Error>,
}

struct Job {
    piece: Piece,
    done: SyncSender<Piece>,
}

/// Compresses all of `from`; `each` is told how many bytes more were read, and may end it.
///
/// # Errors
/// Those of `from`, `to` and `each`.
pub fn gzip(from: &mut dyn Read, to: &mut dyn Write, each: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<()> {
    let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let (jobs, queue) = channel();
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&queue));
        }
        // moved, so that the threads end with it
        feed(from, to, jobs, 2 * threads, each)
    })
}

fn feed(
    from: &mut dyn Read,
    to: &mut dyn Write,
    jobs: Sender<Job>,
    depth: usize,
    each: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut under_way: VecDeque<Receiver<Piece>> = VecDeque::new();
    let mut spare = Vec::new();
    let mut crc = Crc::new();
    to.write_all(&HEADER)?;
    loop {
        let mut piece: Piece = spare.pop().unwrap_or_default();
        piece.plain.clear();
        let read = from.take(PIECE as u64).read_to_end(&mut piece.plain)?;
        each(read as u64)?;
        if read > 0 {
            let (done, piece_done) = sync_channel(1);
            jobs.send(Job { piece, done }).map_err(|_| lost())?;
            under_way.push_back(piece_done);
        }
        while under_way.len() == depth || read == 0 {
            let Some(next) = under_way.pop_front() else { break };
            let mut piece = next.recv().map_err(|_| lost())?;
            if let Some(e) = piece.failed.take() {
                return Err(e);
            }
            to.write_all(&piece.packed)?;
            crc.combine(&piece.crc);
            spare.push(piece);
        }
        if read == 0 {
            break;
        }
    }
    to.write_all(&END)?;
    to.write_all(&crc.sum().to_le_bytes())?;
    // its length modulo 2^32, which is what the counter has
    to.write_all(&crc.amount().to_le_bytes())
}

fn lost() -> io::Error {
    io::Error::other("a thread that compresses ended unexpectedly")
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut piece, done }) = job else { return };
        piece.crc.reset();
        piece.crc.update(&piece.plain);
        piece.failed = pack(&mut compress, &piece.plain, &mut piece.packed).err();
        // who does not want it any more has failed elsewhere
        let _ = done.send(piece);
    }
}

fn pack(compress: &mut Compress, plain: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
    /// Holes of files are many such pieces.
    static ZEROS: OnceLock<Vec<u8>> = OnceLock::new();
    packed.clear();
    if plain.len() < PIECE || !is_zero(plain) {
        return deflate(compress, plain, packed);
    }
    if let Some(known) = ZEROS.get() {
        packed.extend_from_slice(known);
        return Ok(());
    }
    deflate(compress, plain, packed)?;
    let _ = ZEROS.set(packed.clone());
    Ok(())
}

/// Blocks that end at a byte and need nothing of what was before.
fn deflate(compress: &mut Compress, plain: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
    compress.reset();
    loop {
        packed.reserve(PIECE / 4);
        let at = usize::try_from(compress.total_in()).unwrap_or(plain.len());
        compress.compress_vec(&plain[at..], packed, FlushCompress::Sync)?;
        // with room left all that was to be written is written (zlib.h, deflate)
        if compress.total_in() == plain.len() as u64 && packed.len() < packed.capacity() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::bufread::GzDecoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        gzip(&mut &*bytes, &mut out, &mut |_| Ok(())).unwrap();
        out
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut x = 1u64;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 32) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn one_member_comes_out_as_it_went_in() {
        for bytes in [
            vec![],
            b"text".to_vec(),
            b"some text ".repeat(1 << 17),
            vec![0; 5 * PIECE + 17],
            noise(3 * PIECE),
            [vec![0; PIECE + 1], noise(PIECE), b"ab".repeat(PIECE)].concat(),
        ] {
            let packed = packed(&bytes);
            let mut plain = Vec::new();
            // of a single member: what follows it would be left over
            let mut rest = &packed[..];
            GzDecoder::new(&mut rest).read_to_end(&mut plain).unwrap();
            assert!(plain == bytes && rest.is_empty(), "{}", bytes.len());
            assert!(packed.len() <= bytes.len() + bytes.len() / 500 + 64, "{} of {}", packed.len(), bytes.len());
        }
        assert!(packed(&vec![0; 64 * PIECE]).len() < 64 * PIECE / 500);
    }

    #[test]
    fn the_same_comes_out_each_time() {
        let bytes = [noise(PIECE), vec![0; 3 * PIECE], b"text".repeat(PIECE)].concat();
        assert!(packed(&bytes) == packed(&bytes));
    }

    #[test]
    fn it_ends_where_somebody_fails() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = noise(9 * PIECE);
        let full = gzip(&mut &bytes[..], &mut Full, &mut |_| Ok(())).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let mut seen = 0;
        let mut enough = |n| {
            seen += n;
            if seen > 2 * PIECE as u64 { Err(io::Error::other("enough")) } else { Ok(()) }
        };
        let over = gzip(&mut &bytes[..], &mut io::sink(), &mut enough).unwrap_err();
        assert_eq!(over.to_string(), "enough");
        let mut cut = (&bytes[..PIECE + 1]).chain(Broken);
        assert_eq!(gzip(&mut cut, &mut io::sink(), &mut |_| Ok(())).unwrap_err().to_string(), "broken");
    }

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
}

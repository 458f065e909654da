use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

use values::Result;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// Bytes needed to tell.
const MAGIC_LEN: usize = 6;
const BUFFER: usize = 64 << 10;

impl Compression {
    /// Told by a stream's first bytes (RFC 1952 §2.3.1, RFC 8878 §3.1.1; skippable zstd frames count as zstd).
    pub fn detect(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// What an xz stream's dictionary may take in memory, KiB; `xz -9` takes half of it.
const XZ_MEMORY: u32 = 128 << 10;

/// The plain bytes of `reader`, and how they were compressed. Several gzip members, zstd frames, bzip2 or xz streams in a row
/// are one stream. Memory is bounded, whatever a stream claims. What is not compressed is passed on without a copy.
///
/// # Errors
/// Those of reading its first bytes.
pub fn decompress<'a>(mut reader: impl BufRead + Send + 'a) -> Result<(Compression, Box<dyn BufRead + Send + 'a>)> {
    let mut head = Vec::with_capacity(MAGIC_LEN);
    reader.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut head)?;
    let compression = Compression::detect(&head);
    let whole = Cursor::new(head).chain(reader);
    let plain: Box<dyn BufRead + Send + 'a> = match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => buffered(flate2::bufread::MultiGzDecoder::new(whole)),
        Compression::Zstd => buffered(zstd::stream::read::Decoder::with_buffer(whole)?),
        Compression::Bzip2 => buffered(Named { format: "bzip2", inner: bzip2::bufread::MultiBzDecoder::new(whole) }),
        Compression::Xz => {
            buffered(Named { format: "xz", inner: lzma_rust2::XzReader::new_mem_limit(whole, true, XZ_MEMORY) })
        }
    };
    Ok((compression, plain))
}

/// Whoever reads with a larger buffer of his own goes around this one.
fn buffered<'a>(decoder: impl Read + Send + 'a) -> Box<dyn BufRead + Send + 'a> {
    Box::new(BufReader::with_capacity(BUFFER, decoder))
}

/// As [`decompress`] for what no layer of an image may be compressed with, since others could not read it; all else comes as
/// it is.
///
/// # Errors
/// Those of reading its first bytes.
pub fn as_layer<'a>(mut reader: impl Read + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
    let mut head = Vec::with_capacity(MAGIC_LEN);
    reader.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut head)?;
    let compression = Compression::detect(&head);
    let whole = Cursor::new(head).chain(reader);
    match compression {
        Compression::Bzip2 | Compression::Xz => Ok(Box::new(decompress(BufReader::with_capacity(BUFFER, whole))?.1)),
        _ => Ok(Box::new(whole)),
    }
}

/// A decompressor whose errors say what it could not read, and are those of bad data.
struct Named<R> {
    format: &'static str,
    inner: R,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|e| match e.kind() {
            ErrorKind::OutOfMemory => {
                let most = XZ_MEMORY >> 10;
                io::Error::new(
                    ErrorKind::InvalidData,
                    format!("{}: it needs more than {most} MiB of memory", self.format),
                )
            }
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::UnexpectedEof => {
                let what = if e.kind() == ErrorKind::UnexpectedEof { "unexpected EOF".into() } else { e.to_string() };
                io::Error::new(ErrorKind::InvalidData, format!("{}: {what}", self.format))
            }
            // the reader's below
            _ => e,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn all_kinds_come_out_plain() {
        let text = b"some text".repeat(1000);
        let zstd = |b: &[u8]| zstd::encode_all(b, 1).unwrap();
        for (kind, bytes) in [
            (Compression::None, text.clone()),
            (Compression::Gzip, gzip(&text)),
            (Compression::Zstd, zstd(&text)),
            (Compression::Gzip, [gzip(&text[..5000]), gzip(&text[5000..])].concat()),
            (Compression::Zstd, [zstd(&text[..5000]), zstd(&text[5000..])].concat()),
        ] {
            let (found, mut plain) = decompress(&bytes[..]).unwrap();
            let mut out = Vec::new();
            plain.read_to_end(&mut out).unwrap();
            assert_eq!((found, out == text), (kind, true));
        }
    }

    /// As the programs of these names compress: a command line, what goes in.
    fn by_program(command: &str, bytes: &[u8]) -> Vec<u8> {
        use std::process::{Command, Stdio};
        let words: Vec<&str> = command.split(' ').collect();
        let mut program = Command::new(words[0]);
        let mut child =
            program.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("xz and bzip2");
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(bytes).unwrap());
            child.wait_with_output().unwrap().stdout
        })
    }

    #[test]
    fn xz_and_bzip2_come_out_plain() {
        let mut text: Vec<u8> = b"some text".repeat(40_000);
        text.extend((0..300_000u32).map(|i| (i.wrapping_mul(i) >> 3) as u8));
        for (kind, command) in [
            (Compression::Xz, "xz"),
            (Compression::Xz, "xz -9 --check=sha256"),
            (Compression::Xz, "xz --check=none --x86 --lzma2=preset=1"),
            (Compression::Xz, "xz --block-size=50000 -T1"),
            (Compression::Bzip2, "bzip2 -1"),
            (Compression::Bzip2, "bzip2 -9"),
        ] {
            let twice = [by_program(command, &text), by_program(command, b"and more")].concat();
            for bytes in [twice.clone(), by_program(command, b"")] {
                let (found, mut plain) = decompress(&bytes[..]).unwrap();
                let mut out = Vec::new();
                plain.read_to_end(&mut out).unwrap();
                let expected = if bytes.len() == twice.len() { [&text[..], b"and more"].concat() } else { vec![] };
                assert!((found, &out) == (kind, &expected), "{command}: {} of {} bytes", out.len(), expected.len());
            }
            for cut in [twice.len() - 3, twice.len() / 2, 7, 30] {
                let mut out = Vec::new();
                let e = decompress(&twice[..cut]).unwrap().1.read_to_end(&mut out).unwrap_err();
                assert_eq!(e.kind(), ErrorKind::InvalidData, "{command} {cut}: {e}");
            }
            let mut flipped = twice.clone();
            flipped[twice.len() / 3] ^= 0x10;
            assert!(decompress(&flipped[..]).unwrap().1.read_to_end(&mut Vec::new()).is_err(), "{command}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let large = by_program("xz --lzma2=dict=512MiB", b"small");
        let e = decompress(&large[..]).unwrap().1.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(e.to_string(), "xz: it needs more than 128 MiB of memory");
    }

    #[test]
    fn only_the_unusual_is_not_as_it_is() {
        let text = b"text".repeat(100);
        for (bytes, expected) in [
            (by_program("xz", &text), text.clone()),
            (by_program("bzip2", &text), text.clone()),
            (gzip(&text), gzip(&text)),
            (text.clone(), text.clone()),
        ] {
            let mut out = Vec::new();
            as_layer(&bytes[..]).unwrap().read_to_end(&mut out).unwrap();
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn short_streams_are_plain() {
        for bytes in [&b""[..], b"\x1f", b"hello"] {
            let (kind, mut plain) = decompress(bytes).unwrap();
            let mut out = Vec::new();
            plain.read_to_end(&mut out).unwrap();
            assert_eq!((kind, &out[..]), (Compression::None, bytes));
        }
    }
}

use std::io::{BufReader, Cursor, Read};

use values::{Error, Result};

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

/// The plain bytes of `reader`, and how they were compressed. Several gzip members or zstd frames in a row are one stream.
///
/// # Errors
/// `NotImplemented` for bzip2 and xz.
pub fn decompress<'a>(mut reader: impl Read + Send + 'a) -> Result<(Compression, Box<dyn Read + Send + 'a>)> {
    let mut head = Vec::with_capacity(MAGIC_LEN);
    reader.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut head)?;
    let compression = Compression::detect(&head);
    let whole = Cursor::new(head).chain(reader);
    let plain: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, whole))),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(whole)?),
        Compression::Bzip2 => return Err(unsupported("bzip2")),
        Compression::Xz => return Err(unsupported("xz")),
    };
    Ok((compression, plain))
}

fn unsupported(name: &str) -> Error {
    Error::not_implemented(format!("{name} compression is not supported yet: decompress it first, or use gzip or zstd"))
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

    #[test]
    fn the_unsupported_are_refused_by_name() {
        for (bytes, name) in [(&b"BZh91AY"[..], "bzip2"), (b"\xfd7zXZ\0\0", "xz")] {
            let e = decompress(bytes).err().unwrap();
            assert!(e.message.starts_with(name), "{e}");
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

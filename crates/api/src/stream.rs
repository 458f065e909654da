//! Framing of multiplexed output: an eight-byte header before each piece (`[stream, 0, 0, 0, length big-endian]`).

/// The media type of a stream without frames (containers with a terminal).
pub const RAW_STREAM: &str = "application/vnd.docker.raw-stream";
/// The media type of a framed stream (from 1.42).
pub const MULTIPLEXED_STREAM: &str = "application/vnd.docker.multiplexed-stream";
/// Bytes of a frame's header.
pub const HEADER_LEN: usize = 8;

/// Where a frame's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    Stdin,
    Stdout,
    Stderr,
    /// The text of an error of the daemon.
    SystemError,
}

impl StreamKind {
    fn from_byte(byte: u8) -> Option<StreamKind> {
        Some(match byte {
            0 => StreamKind::Stdin,
            1 => StreamKind::Stdout,
            2 => StreamKind::Stderr,
            3 => StreamKind::SystemError,
            _ => return None,
        })
    }
}

/// The header of a frame with `len` bytes of payload.
pub fn header(kind: StreamKind, len: u32) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = len.to_be_bytes();
    [kind as u8, 0, 0, 0, a, b, c, d]
}

/// Reads a header; `None` for an unknown stream number.
pub fn parse_header(header: [u8; HEADER_LEN]) -> Option<(StreamKind, u32)> {
    let [kind, _, _, _, a, b, c, d] = header;
    Some((StreamKind::from_byte(kind)?, u32::from_be_bytes([a, b, c, d])))
}

/// A frame stream that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame {
    /// The unknown stream number.
    pub stream: u8,
}

impl std::fmt::Display for BadFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unrecognized input header: {}", self.stream)
    }
}

impl std::error::Error for BadFrame {}

/// Takes a frame stream apart, however it was cut into reads; payload is passed on without being collected.
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER_LEN],
    filled: usize,
    current: Option<(StreamKind, u32)>,
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes the next piece of `input`, which is advanced: a stream and some of its bytes, or `None` when all was used up.
    ///
    /// # Errors
    /// [`BadFrame`] for an unknown stream number; the decoder is of no use afterwards.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<(StreamKind, &'a [u8])>, BadFrame> {
        loop {
            if let Some((kind, left)) = self.current {
                let here = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let (payload, rest) = input.split_at(here);
                *input = rest;
                let left = left - u32::try_from(here).unwrap_or(left);
                self.current = (left > 0).then_some((kind, left));
                return Ok((here > 0).then_some((kind, payload)));
            }
            let wanted = HEADER_LEN - self.filled;
            let here = wanted.min(input.len());
            let (head, rest) = input.split_at(here);
            self.header[self.filled..self.filled + here].copy_from_slice(head);
            self.filled += here;
            *input = rest;
            if self.filled < HEADER_LEN {
                return Ok(None);
            }
            self.filled = 0;
            let (kind, len) = parse_header(self.header).ok_or(BadFrame { stream: self.header[0] })?;
            if len > 0 {
                self.current = Some((kind, len));
            }
        }
    }

    /// True between two frames: a stream that ends elsewhere was cut off.
    pub fn at_boundary(&self) -> bool {
        self.filled == 0 && self.current.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: StreamKind, payload: &[u8]) -> Vec<u8> {
        let mut out = header(kind, payload.len() as u32).to_vec();
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn any_cut_gives_the_same() {
        let mut wire = frame(StreamKind::Stdout, b"hello ");
        wire.extend(frame(StreamKind::Stderr, b""));
        wire.extend(frame(StreamKind::Stderr, b"oops\n"));
        wire.extend(frame(StreamKind::Stdout, b"world"));
        for cut in 1..wire.len() {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut decoder = Decoder::new();
            for piece in wire.chunks(cut) {
                let mut input = piece;
                while let Some((kind, bytes)) = decoder.next(&mut input).expect("valid") {
                    match kind {
                        StreamKind::Stdout => out.extend_from_slice(bytes),
                        _ => err.extend_from_slice(bytes),
                    }
                }
            }
            assert!(decoder.at_boundary());
            assert_eq!((out.as_slice(), err.as_slice()), (&b"hello world"[..], &b"oops\n"[..]), "cut {cut}");
        }
    }

    #[test]
    fn bad_stream_number() {
        let mut input: &[u8] = b"HTTP/1.1 ";
        assert_eq!(Decoder::new().next(&mut input), Err(BadFrame { stream: b'H' }));
    }
}

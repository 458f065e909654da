//! Docker's framing of output undone: a WebSocket carries the bytes of both streams alone.

/// Bytes of a frame's header; the last four are the payload's length.
const HEADER: usize = 8;

/// Takes the headers out of a stream, wherever it is cut.
#[derive(Debug, Default)]
pub(crate) struct Multiplexed {
    header: Vec<u8>,
    left: usize,
}

impl Multiplexed {
    /// The payloads in `bytes`.
    pub(crate) fn strip(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        while !bytes.is_empty() {
            if self.left > 0 {
                let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
                out.extend_from_slice(payload);
                self.left -= payload.len();
                bytes = rest;
                continue;
            }
            let (part, rest) = bytes.split_at((HEADER - self.header.len()).min(bytes.len()));
            self.header.extend_from_slice(part);
            bytes = rest;
            if let [_, _, _, _, a, b, c, d] = self.header[..] {
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.header.clear();
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_however_it_is_cut() {
        let framed = b"\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x04 two";
        for step in 1..framed.len() {
            let mut multiplexed = Multiplexed::default();
            let out: Vec<u8> = framed.chunks(step).flat_map(|piece| multiplexed.strip(piece)).collect();
            assert_eq!(out, b"one two", "pieces of {step}");
        }
    }
}

//! The two outputs of a process, and Docker's framing of them.

/// Where bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// 0 or 1.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The header of a frame: stream number, three zeros, length as big-endian `u32`
    /// (`spec/wire-formats.md` §1).
    pub fn header(self, len: u32) -> [u8; 8] {
        let [a, b, c, d] = len.to_be_bytes();
        [self as u8 + 1, 0, 0, 0, a, b, c, d]
    }
}

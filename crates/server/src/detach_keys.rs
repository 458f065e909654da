//! The keys that detach a terminal, found in what a client types.

/// What one piece of input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Pass the output on.
    Continue,
    /// The sequence is complete: pass the output on and detach.
    Detach,
}

/// Looks for a key sequence however the input is cut into pieces.
///
/// Bytes that may begin the sequence are held back until it is complete (then they are swallowed) or broken (then they are
/// passed on).
#[derive(Debug)]
pub(crate) struct DetachScanner {
    keys: Vec<u8>,
    matched: usize,
}

impl DetachScanner {
    /// Without keys nothing is ever found.
    pub(crate) fn new(keys: Vec<u8>) -> DetachScanner {
        DetachScanner { keys, matched: 0 }
    }

    /// True when `input` can be passed on as it is.
    pub(crate) fn is_plain(&self, input: &[u8]) -> bool {
        match self.keys.first() {
            None => true,
            Some(first) => self.matched == 0 && !input.contains(first),
        }
    }

    /// Scans `input` and appends to `output` what is to be passed on.
    pub(crate) fn scan(&mut self, input: &[u8], output: &mut Vec<u8>) -> Scan {
        for &byte in input {
            if self.keys.get(self.matched) != Some(&byte) {
                output.extend_from_slice(&self.keys[..self.matched]);
                self.matched = 0;
            }
            if self.keys.get(self.matched) == Some(&byte) {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return Scan::Detach;
                }
            } else {
                output.push(byte);
            }
        }
        Scan::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [u8; 2] = [0x10, 0x11];

    fn check(input: &[u8], passed: &[u8], end: Scan) {
        for cut in 1..=input.len().max(1) {
            let mut scanner = DetachScanner::new(KEYS.to_vec());
            let mut output = Vec::new();
            let mut last = Scan::Continue;
            for piece in input.chunks(cut) {
                last = scanner.scan(piece, &mut output);
                if last == Scan::Detach {
                    break;
                }
            }
            assert_eq!((output.as_slice(), last), (passed, end), "{input:?} in pieces of {cut}");
        }
    }

    #[test]
    fn sequences() {
        check(b"ls\n", b"ls\n", Scan::Continue);
        check(b"a\x10\x11b", b"a", Scan::Detach);
        check(b"\x10\x10\x11", b"\x10", Scan::Detach);
        check(b"\x10a\x11", b"\x10a\x11", Scan::Continue);
        check(b"a\x10", b"a", Scan::Continue);
        check(b"\x11\x10", b"\x11", Scan::Continue);
    }

    #[test]
    fn plain_input_is_not_scanned() {
        let mut scanner = DetachScanner::new(KEYS.to_vec());
        assert!(scanner.is_plain(b"abc\x11"));
        assert!(!scanner.is_plain(b"a\x10"));
        scanner.scan(b"\x10", &mut Vec::new());
        assert!(!scanner.is_plain(b"abc"));
        assert!(DetachScanner::new(Vec::new()).is_plain(b"\x10\x11"));
    }
}

//! The keys that leave a container running: parsing them, and finding them in what is typed.

/// Ctrl-P Ctrl-Q.
pub const DEFAULT: &[u8] = &[16, 17];

/// Parses `ctrl-p,ctrl-q`: single characters, or `ctrl-` with one of `a-z @ [ \ ] ^ _`.
///
/// # Errors
/// The sentence for the user.
pub fn parse(text: &str) -> Result<Vec<u8>, String> {
    text.split(',').map(key).collect()
}

fn key(text: &str) -> Result<u8, String> {
    let unknown = || format!("Unknown character: '{text}'");
    if let [single] = text.as_bytes() {
        return Ok(*single);
    }
    match text.strip_prefix("ctrl-").map(str::as_bytes) {
        Some([letter @ b'a'..=b'z']) => Ok(letter - b'a' + 1),
        Some([b'@']) => Ok(0),
        Some([sign @ (b'[' | b'\\' | b']' | b'^' | b'_')]) => Ok(sign - b'[' + 27),
        _ => Err(unknown()),
    }
}

/// Watches input for the keys.
#[derive(Debug)]
pub struct Watcher {
    keys: Vec<u8>,
    /// How many of them have been typed so far and are held back.
    matched: usize,
}

impl Watcher {
    /// A watcher for `keys`; none: nothing is ever found.
    pub fn new(keys: Vec<u8>) -> Self {
        Self { keys, matched: 0 }
    }

    /// Takes what was typed and appends what is to be passed on; true when the keys are complete. Held back keys
    /// are passed on as soon as the sequence breaks.
    pub fn pass(&mut self, typed: &[u8], on: &mut Vec<u8>) -> bool {
        for &byte in typed {
            if self.keys.get(self.matched) == Some(&byte) {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return true;
                }
                continue;
            }
            on.extend_from_slice(&self.keys[..self.matched]);
            self.matched = usize::from(self.keys.first() == Some(&byte) && self.keys.len() > 1);
            if self.matched == 0 {
                on.push(byte);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        assert_eq!(parse("ctrl-p,ctrl-q"), Ok(vec![16, 17]));
        assert_eq!(parse("a,ctrl-@,ctrl-_"), Ok(vec![b'a', 0, 31]));
        assert_eq!(parse("ctrl-[,ctrl-\\,ctrl-],ctrl-^"), Ok(vec![27, 28, 29, 30]));
        assert_eq!(parse("foo"), Err("Unknown character: 'foo'".into()));
        assert!(parse("").is_err());
    }

    fn check(pieces: &[&[u8]], expected: &[u8], found: bool) {
        let mut watcher = Watcher::new(DEFAULT.to_vec());
        let mut on = Vec::new();
        let complete = pieces.iter().any(|piece| watcher.pass(piece, &mut on));
        assert_eq!((on.as_slice(), complete), (expected, found), "{pieces:?}");
    }

    #[test]
    fn watching() {
        check(&[b"ab\x10\x11"], b"ab", true);
        check(&[b"\x10", b"\x11"], b"", true);
        check(&[b"\x10", b"x"], b"\x10x", false);
        check(&[b"\x10\x10\x11"], b"\x10", true);
        check(&[b"\x11\x10"], b"\x11", false);
    }
}

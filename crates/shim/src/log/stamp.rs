//! The `time` field of a log line.

use values::Timestamp;

/// Writes times as Go's RFC 3339 nano text, re-using the text of the second for every line within it.
pub struct Stamp {
    second: i64,
    text: [u8; SECOND],
}

/// `2006-01-02T15:04:05`
const SECOND: usize = 19;

impl Stamp {
    pub fn new() -> Self {
        Self { second: i64::MIN, text: [b'0'; SECOND] }
    }

    /// Appends `2006-01-02T15:04:05[.n…]Z`, the fraction without trailing zeros.
    pub fn append(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        if time.secs != self.second {
            let text = time.to_second();
            // Years beyond 9999 have another length; no clock says so, and a wrong second beats a panic.
            if let Ok(text) = <[u8; SECOND]>::try_from(text.as_bytes()) {
                self.text = text;
                self.second = time.secs;
            }
        }
        out.extend_from_slice(&self.text);
        append_fraction(time.nanos, out);
        out.push(b'Z');
    }
}

fn append_fraction(nanos: u32, out: &mut Vec<u8>) {
    if nanos == 0 {
        return;
    }
    let mut text = [b'.'; 10];
    let mut left = nanos;
    for digit in text[1..].iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let zeros = text.iter().rev().take_while(|&&c| c == b'0').count();
    out.extend_from_slice(&text[..text.len() - zeros]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_values_writes() {
        let mut stamp = Stamp::new();
        for (secs, nanos) in [(0, 0), (1_700_000_000, 1), (1_700_000_000, 100_000_000), (1_700_000_001, 123_456_780)] {
            let time = Timestamp { secs, nanos };
            let mut out = Vec::new();
            stamp.append(time, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), time.to_rfc3339_nano());
        }
    }
}

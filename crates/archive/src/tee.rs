use std::io::{self, BufRead, Read, Write};

/// Passes a stream on and writes it elsewhere, in the pieces in which it comes and without a copy. What was looked at is written,
/// whether it was consumed or not.
pub struct Tee<R, W> {
    from: R,
    to: W,
    /// Bytes written of those that `from` holds.
    written: usize,
}

impl<R: BufRead, W: Write> Tee<R, W> {
    pub fn new(from: R, to: W) -> Self {
        Self { from, to, written: 0 }
    }

    /// Reads on to the stream's end.
    pub fn drain(&mut self) -> io::Result<()> {
        loop {
            match self.fill_buf()?.len() {
                0 => return Ok(()),
                n => self.consume(n),
            }
        }
    }
}

impl<R: BufRead, W: Write> BufRead for Tee<R, W> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.from.fill_buf()?;
        if let Some(new) = bytes.get(self.written..).filter(|new| !new.is_empty()) {
            self.to.write_all(new)?;
            self.written = bytes.len();
        }
        Ok(bytes)
    }

    fn consume(&mut self, n: usize) {
        self.written = self.written.saturating_sub(n);
        self.from.consume(n);
    }
}

impl<R: BufRead, W: Write> Read for Tee<R, W> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn all_is_written_once_however_it_is_read() {
        let bytes: Vec<u8> = (0..10_000u32).map(|i| (i * 7) as u8).collect();
        let mut kept = Vec::new();
        let mut tee = Tee::new(BufReader::with_capacity(64, &bytes[..]), &mut kept);
        let mut seen = vec![0; 100];
        tee.read_exact(&mut seen).unwrap();
        // looked at twice, and taken in part
        assert_eq!(tee.fill_buf().unwrap().len(), 28);
        seen.extend_from_slice(&tee.fill_buf().unwrap()[..5]);
        tee.consume(5);
        io::copy(&mut tee.by_ref().take(1000), &mut seen).unwrap();
        tee.drain().unwrap();
        assert!(tee.fill_buf().unwrap().is_empty());
        assert!(seen == bytes[..1105] && kept == bytes);
    }

    #[test]
    fn what_cannot_be_written_is_not_passed_on() {
        let mut full = [0; 10];
        let mut tee = Tee::new(&[7; 100][..], &mut full[..]);
        assert_eq!(tee.read(&mut [0; 5]).unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}

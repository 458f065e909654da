//! A health probe: how long it may take, and the beginning of what it says.

use std::time::{Duration, Instant};
use values::Timestamp;

/// As much of a probe's output is kept as Docker keeps.
const MOST: usize = 4096;
/// Behind output of which more came.
const CUT: &str = "...";

pub struct Probe {
    pub begun: Timestamp,
    deadline: Instant,
    /// It was killed for taking too long.
    pub timed_out: bool,
    output: Vec<u8>,
    cut: bool,
}

impl Probe {
    pub fn new(begun: Timestamp, now: Instant, timeout: Duration) -> Self {
        // a timeout beyond the clock's end is as good as a century
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(100 * 365 * 86_400));
        Self { begun, deadline, timed_out: false, output: Vec::new(), cut: false }
    }

    pub fn keep(&mut self, data: &[u8]) {
        let room = MOST - self.output.len();
        self.cut |= data.len() > room;
        self.output.extend_from_slice(&data[..data.len().min(room)]);
    }

    /// When it is to be killed; `None` once it was.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.timed_out).then_some(self.deadline)
    }

    /// What it said, with what is no UTF-8 replaced.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.output).into_owned();
        if self.cut {
            text.push_str(CUT);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut() {
        let check = |pieces: &[usize], expected: usize, cut: bool| {
            let mut probe = Probe::new(Timestamp::ZERO, Instant::now(), Duration::from_secs(1));
            pieces.iter().for_each(|n| probe.keep(&vec![b'x'; *n]));
            let text = probe.text();
            assert_eq!((text.trim_end_matches('.').len(), text.ends_with(CUT)), (expected, cut), "{pieces:?}");
        };
        check(&[], 0, false);
        check(&[4096], 4096, false);
        check(&[4000, 96], 4096, false);
        check(&[4000, 97], 4096, true);
        check(&[5000, 5000], 4096, true);
    }

    #[test]
    fn an_endless_timeout_is_one() {
        let now = Instant::now();
        assert!(Probe::new(Timestamp::ZERO, now, Duration::MAX).deadline().unwrap() > now);
    }
}

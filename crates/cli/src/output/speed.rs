//! How fast something goes, over the last few seconds.

use std::collections::VecDeque;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(4);
/// Of less than this nothing can be told.
const LEAST: Duration = Duration::from_millis(500);
/// What comes closer together is one sample.
const GRAIN: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub struct Speed {
    /// When how much was reached.
    samples: VecDeque<(Duration, i64)>,
}

impl Speed {
    /// At the time `at` of any clock it was `amount`. Less than before is a new beginning.
    pub fn reached(&mut self, at: Duration, amount: i64) {
        if self.samples.back().is_some_and(|(_, before)| amount < *before) {
            self.samples.clear();
        }
        while self.samples.get(1).is_some_and(|(second, _)| at.saturating_sub(*second) >= WINDOW) {
            self.samples.pop_front();
        }
        let one_before_last = self.samples.len().checked_sub(2).and_then(|i| self.samples.get(i));
        if one_before_last.is_some_and(|(before, _)| at.saturating_sub(*before) < GRAIN) {
            self.samples.pop_back();
        }
        self.samples.push_back((at, amount));
    }

    /// In a second; `None` where it is too early to tell.
    pub fn per_second(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (self.samples.front()?, self.samples.back()?);
        let passed = to.saturating_sub(*from);
        (passed >= LEAST).then(|| (now - before) as f64 / passed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_count() {
        let mut speed = Speed::default();
        let mut reached = |millis, amount| {
            speed.reached(Duration::from_millis(millis), amount);
            speed.per_second().map(|speed| speed as i64)
        };
        assert_eq!(reached(10_000, 500), None);
        assert_eq!(reached(10_400, 700), None);
        assert_eq!(reached(11_000, 1500), Some(1000));
        let still: Vec<_> = (12..18).map(|second| reached(second * 1000, 1500)).collect();
        assert_eq!(still[5], Some(0));
        assert_eq!(reached(17_500, 1700), Some(44));
        assert_eq!(reached(18_000, 0), None);
    }

    #[test]
    fn many_samples_are_few() {
        let mut speed = Speed::default();
        (0..100_000u32).for_each(|i| speed.reached(Duration::from_millis(i.into()), i.into()));
        assert!(speed.samples.len() < 200, "{}", speed.samples.len());
        assert_eq!(speed.per_second(), Some(1000.0));
    }
}

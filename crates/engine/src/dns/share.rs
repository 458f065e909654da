//! How much each container may have of what the daemon has only so much of.
//!
//! Nobody has a fixed part: each may have as much as is left free. One who wants all gets a half, each of two a third; and as
//! much as each of them has is left for whoever comes next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is there for all.
pub struct Stock {
    all: usize,
    used: AtomicUsize,
}

/// One container's.
pub struct Share {
    stock: Arc<Stock>,
    own: AtomicUsize,
}

/// One piece, until it is dropped.
pub struct Part(Arc<Share>);

impl Stock {
    pub fn of(all: usize) -> Arc<Self> {
        Arc::new(Self { all, used: AtomicUsize::new(0) })
    }

    pub fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share { stock: self.clone(), own: AtomicUsize::new(0) })
    }
}

impl Share {
    /// `None`: it has as much as is left.
    pub fn take(self: &Arc<Self>) -> Option<Part> {
        let own = self.own.fetch_add(1, Ordering::Relaxed);
        let used = self.stock.used.fetch_add(1, Ordering::Relaxed);
        // what was taken too much goes back here
        Some(Part(self.clone())).filter(|_| own < self.stock.all.saturating_sub(used))
    }

    /// Pieces it has.
    pub fn own(&self) -> usize {
        self.own.load(Ordering::Relaxed)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.own.fetch_sub(1, Ordering::Relaxed);
        self.0.stock.used.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_is_left() {
        let stock = Stock::of(1200);
        let fill = |share: &Arc<Share>| std::iter::from_fn(|| share.take()).collect::<Vec<Part>>();
        let (one, two, three) = (stock.share(), stock.share(), stock.share());
        let first = fill(&one);
        assert_eq!(first.len(), 600, "alone: a half");
        let second = fill(&two);
        assert_eq!((second.len(), fill(&three).len()), (300, 150), "there is something for each that comes");
        assert!(one.take().is_none());
        drop(first);
        let more = fill(&two);
        assert_eq!((two.own(), one.own()), (600, 0), "what is given back is everybody's");
        drop((second, more));
        assert_eq!((two.own(), stock.used.load(Ordering::Relaxed)), (0, 0));
    }
}

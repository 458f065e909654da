//! What goes when the disk is to have room again: decided from facts, by nobody's state.

use std::collections::HashMap;

use values::Digest;

/// What takes room, and is shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Blob(Digest),
    Layer(Digest),
}

/// Whether an image may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A container stands on it, somebody pinned it, or another image was built on it.
    Needed,
    /// It has a name and did not come from a registry: nobody could get it back.
    Own,
    /// It has a name, and a registry has it as well.
    Named,
    Nameless,
}

#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) id: Digest,
    pub(crate) standing: Standing,
    /// Milliseconds since it was last used, pulled or named.
    pub(crate) idle: u64,
    pub(crate) pieces: Vec<(Piece, u64)>,
}

/// A download that nobody is working on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    /// Milliseconds since something was added.
    pub(crate) idle: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes that must be free which are not.
    pub(crate) wanted: u64,
    /// Milliseconds for which a named image counts as recent.
    pub(crate) named: u64,
    /// The same for one without a name.
    pub(crate) nameless: u64,
}

/// One removal, and the bytes that are free for it, if those before it are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Leftover(Digest, u64),
    Image(Digest, u64),
}

/// Downloads go first, then images without a name, then others; of each kind those that rested longest. No more than is
/// needed. `held`: pieces that stay whatever goes.
pub(crate) fn plan(facts: &[Fact], leftovers: &[Leftover], held: &[Piece], limits: Limits) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut missing = limits.wanted;
    let mut oldest: Vec<&Leftover> = leftovers.iter().collect();
    oldest.sort_by(|a, b| (b.idle, &a.digest).cmp(&(a.idle, &b.digest)));
    for leftover in oldest {
        if missing == 0 {
            return steps;
        }
        missing = missing.saturating_sub(leftover.bytes);
        steps.push(Step::Leftover(leftover.digest.clone(), leftover.bytes));
    }
    let mut uses: HashMap<&Piece, usize> = HashMap::new();
    for piece in facts.iter().flat_map(|fact| &fact.pieces).map(|(piece, _)| piece).chain(held) {
        *uses.entry(piece).or_default() += 1;
    }
    let may_go = |fact: &&Fact| match fact.standing {
        Standing::Needed | Standing::Own => false,
        Standing::Named => fact.idle >= limits.named,
        Standing::Nameless => fact.idle >= limits.nameless,
    };
    let mut oldest: Vec<&Fact> = facts.iter().filter(may_go).collect();
    oldest.sort_by(|a, b| {
        let key = |fact: &Fact| (fact.standing != Standing::Nameless, std::cmp::Reverse(fact.idle));
        (key(a), &a.id).cmp(&(key(b), &b.id))
    });
    for fact in oldest {
        if missing == 0 {
            break;
        }
        let mut freed = 0;
        for (piece, bytes) in &fact.pieces {
            if let Some(count) = uses.get_mut(piece) {
                *count -= 1;
                freed += if *count == 0 { *bytes } else { 0 };
            }
        }
        missing = missing.saturating_sub(freed);
        steps.push(Step::Image(fact.id.clone(), freed));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    fn digest(name: &str) -> Digest {
        crate::sha256(name.as_bytes())
    }

    fn piece(name: &str) -> Piece {
        Piece::Layer(digest(name))
    }

    /// `NAME`, standing, days it rested, pieces of 10 bytes by name.
    fn fact(name: &str, standing: Standing, days: u64, pieces: &[&str]) -> Fact {
        let pieces = pieces.iter().map(|name| (piece(name), 10)).collect();
        Fact { id: digest(name), standing, idle: days * DAY, pieces }
    }

    fn leftover(name: &str, days: u64) -> Leftover {
        Leftover { digest: digest(name), bytes: 10, idle: days * DAY }
    }

    #[test]
    fn what_goes() {
        use Standing::{Named, Nameless, Needed, Own};
        let facts = [
            fact("used", Needed, 90, &["base", "used"]),
            fact("own", Own, 90, &["own"]),
            fact("recent", Named, 1, &["base", "recent"]),
            fact("month", Named, 30, &["base", "month"]),
            fact("year", Named, 365, &["base", "year"]),
            fact("shares", Named, 40, &["year", "shares"]),
            fact("loose", Nameless, 2, &["loose"]),
            fact("fresh", Nameless, 0, &["fresh"]),
        ];
        let leftovers = [leftover("part", 0), leftover("old-part", 3)];
        let check = |wanted: u64, held: &[&str], expected: &[(&str, u64)]| {
            let held: Vec<Piece> = held.iter().map(|name| piece(name)).collect();
            let limits = Limits { wanted, named: 7 * DAY, nameless: DAY };
            let steps = plan(&facts, &leftovers, &held, limits);
            let all = |step: &Step| match step {
                Step::Leftover(digest, bytes) | Step::Image(digest, bytes) => (digest.clone(), *bytes),
            };
            let expected: Vec<_> = expected.iter().map(|(name, bytes)| (digest(name), *bytes)).collect();
            assert_eq!(steps.iter().map(all).collect::<Vec<_>>(), expected, "{wanted} {held:?}");
        };
        check(0, &[], &[]);
        check(1, &[], &[("old-part", 10)]);
        check(11, &[], &[("old-part", 10), ("part", 10)]);
        check(21, &[], &[("old-part", 10), ("part", 10), ("loose", 10)]);
        // what it shares with another stays until that one goes
        check(31, &[], &[("old-part", 10), ("part", 10), ("loose", 10), ("year", 0), ("shares", 20)]);
        let all = [("old-part", 10), ("part", 10), ("loose", 10), ("year", 0), ("shares", 20), ("month", 10)];
        check(60, &[], &all);
        // and no more can go than may
        check(10_000, &[], &all);
        let held = [("old-part", 10), ("part", 10), ("loose", 10), ("year", 0), ("shares", 10), ("month", 0)];
        check(10_000, &["shares", "month"], &held);
    }
}

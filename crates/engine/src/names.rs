//! Names for containers that were given none: an adjective and the surname of a scientist or engineer.

mod adjectives;
mod surnames;

use adjectives::ADJECTIVES;
use surnames::SURNAMES;

/// Tries in all, the first without a digit.
const TRIES: u32 = 6;

/// A name which is not `taken`, after at most six tries; from the second on a digit is appended.
///
/// With very many containers the answer may be taken after all: then use the short id.
pub fn generate(taken: impl Fn(&str) -> bool) -> String {
    pick(&mut random, taken)
}

fn pick(random: &mut impl FnMut() -> u32, taken: impl Fn(&str) -> bool) -> String {
    let mut name = String::new();
    for attempt in 0..TRIES {
        name = words(random);
        if attempt > 0 {
            name.push_str(&(random() % 10).to_string());
        }
        if !taken(&name) {
            break;
        }
    }
    name
}

fn words(random: &mut impl FnMut() -> u32) -> String {
    loop {
        let adjective = ADJECTIVES[random() as usize % ADJECTIVES.len()];
        let surname = SURNAMES[random() as usize % SURNAMES.len()];
        // Steve Wozniak is not boring: Docker's oldest rule.
        if (adjective, surname) != ("boring", "wozniak") {
            return format!("{adjective}_{surname}");
        }
    }
}

fn random() -> u32 {
    // Without a source of randomness the kernel gives none to ids either; the clock is good enough for a name.
    getrandom::u32().unwrap_or_else(|_| values::Timestamp::now().unix_nanos() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_good_names() {
        for list in [&ADJECTIVES[..], &SURNAMES[..]] {
            let unique: BTreeSet<&str> = list.iter().copied().collect();
            assert_eq!(unique.len(), list.len());
            assert!(list.is_sorted(), "{:?}", list.windows(2).find(|pair| pair[0] > pair[1]));
            assert!(list.iter().all(|word| word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase())));
        }
        assert!(ADJECTIVES.len() >= 100 && SURNAMES.len() >= 200, "{} {}", ADJECTIVES.len(), SURNAMES.len());
    }

    #[test]
    fn digit_on_collision() {
        let mut counter = 0;
        let mut sequence = || {
            counter += 1;
            counter - 1
        };
        let first = format!("{}_{}", ADJECTIVES[0], SURNAMES[1]);
        assert_eq!(pick(&mut sequence, |_| false), first);
        counter = 0;
        let mut sequence = || {
            counter += 1;
            counter - 1
        };
        // numbers 2, 3 and 4: two words and the digit
        assert_eq!(pick(&mut sequence, |name| name == first), format!("{}_{}4", ADJECTIVES[2], SURNAMES[3]));
    }

    #[test]
    fn ends_when_all_are_taken() {
        let tries = std::cell::Cell::new(0);
        let name = generate(|_| {
            tries.set(tries.get() + 1);
            true
        });
        assert!(tries.get() == 6 && name.ends_with(|c: char| c.is_ascii_digit()));
    }

    #[test]
    fn never_boring_wozniak() {
        let boring = ADJECTIVES.iter().position(|w| *w == "boring").unwrap() as u32;
        let wozniak = SURNAMES.iter().position(|w| *w == "wozniak").unwrap() as u32;
        let mut numbers = [boring, wozniak, 0, 0].into_iter();
        assert_ne!(words(&mut || numbers.next().unwrap()), "boring_wozniak");
    }
}

//! What happened, kept until a daemon has it for sure.

use crate::protocol::{Fact, Message};
use std::collections::VecDeque;

/// Facts by number, from 1.
#[derive(Debug, Default)]
pub struct Facts {
    last: u64,
    /// Not acknowledged.
    kept: VecDeque<(u64, Fact)>,
}

impl Facts {
    /// Keeps a fact; answers the message which tells it.
    pub fn add(&mut self, fact: Fact) -> Message {
        self.last += 1;
        self.kept.push_back((self.last, fact.clone()));
        Message::Fact { number: self.last, fact }
    }

    /// Forgets the facts up to `number`.
    pub fn acknowledge(&mut self, number: u64) {
        while self.kept.front().is_some_and(|(n, _)| *n <= number) {
            self.kept.pop_front();
        }
    }

    /// All that a new subscriber must be told.
    pub fn kept(&self) -> impl Iterator<Item = Message> + '_ {
        self.kept.iter().map(|(number, fact)| Message::Fact { number: *number, fact: fact.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_acknowledged() {
        let mut facts = Facts::default();
        let numbers = |facts: &Facts| -> Vec<u64> {
            facts.kept().map(|m| if let Message::Fact { number, .. } = m { number } else { 0 }).collect()
        };
        for _ in 0..3 {
            facts.add(Fact::Oom);
        }
        assert_eq!(numbers(&facts), [1, 2, 3]);
        facts.acknowledge(2);
        facts.acknowledge(1);
        assert_eq!(numbers(&facts), [3]);
        facts.add(Fact::Oom);
        facts.acknowledge(99);
        assert!(numbers(&facts).is_empty());
    }
}

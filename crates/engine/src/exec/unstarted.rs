//! Execs that were made and not started: nobody need ever start them, so their number is bounded.

use std::collections::{HashMap, VecDeque};

use values::Id;

/// Of one container.
pub(super) const MOST: usize = 1000;

/// By container, the earliest first.
#[derive(Default)]
pub(super) struct Unstarted(HashMap<Id, VecDeque<Id>>);

impl Unstarted {
    /// Takes one in; answers the one that is to be forgotten for it.
    pub fn push(&mut self, container: &Id, exec: Id) -> Option<Id> {
        let waiting = self.0.entry(container.clone()).or_default();
        waiting.push_back(exec);
        if waiting.len() > MOST { waiting.pop_front() } else { None }
    }

    /// It is being started.
    pub fn take(&mut self, container: &Id, exec: &Id) {
        let Some(waiting) = self.0.get_mut(container) else { return };
        // most are started as soon as they are made
        if let Some(place) = waiting.iter().rposition(|id| id == exec) {
            waiting.remove(place);
        }
        if waiting.is_empty() {
            self.0.remove(container);
        }
    }

    /// All of a container.
    pub fn clear(&mut self, container: &Id) -> VecDeque<Id> {
        self.0.remove(container).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_too_many_goes() {
        let (mut unstarted, one, other) = (Unstarted::default(), Id::random(), Id::random());
        let execs: Vec<Id> = (0..=MOST).map(|_| Id::random()).collect();
        assert!(execs[..MOST].iter().all(|exec| unstarted.push(&one, exec.clone()).is_none()));
        assert_eq!(unstarted.push(&other, Id::random()), None, "each container has its own number");
        assert_eq!(unstarted.push(&one, execs[MOST].clone()), Some(execs[0].clone()));
        unstarted.take(&one, &execs[5]);
        assert_eq!(unstarted.push(&one, Id::random()), None, "who was started counts no more");
        assert_eq!((unstarted.clear(&one).len(), unstarted.clear(&one).len()), (MOST, 0));
    }

    #[test]
    fn nothing_is_kept_of_a_container_without_any() {
        let (mut unstarted, container, exec) = (Unstarted::default(), Id::random(), Id::random());
        unstarted.push(&container, exec.clone());
        unstarted.take(&container, &exec);
        unstarted.take(&container, &exec);
        assert!(unstarted.0.is_empty());
    }
}

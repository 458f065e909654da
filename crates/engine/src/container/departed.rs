//! How containers ended that went with their process (`--rm`): for a client that asks only after their start.
//!
//! `create`, `attach`, `start`, `wait` is how libraries run a container (dockerode's `run`). One of a few milliseconds is gone before
//! the fourth request comes; it is to hear of the end all the same.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use values::Id;

/// Long enough for a client's next request, and no longer than anybody would call it the next.
const KEPT: Duration = Duration::from_secs(10);
const MOST: usize = 256;

#[derive(Default)]
pub struct Departed {
    last: Mutex<VecDeque<(Id, i32, Instant)>>,
}

impl Departed {
    pub fn note(&self, id: Id, code: i32) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == MOST {
            last.pop_front();
        }
        last.push_back((id, code, Instant::now()));
    }

    /// The exit code of one that is gone, by its full id.
    pub fn code(&self, key: &str) -> Option<i32> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        while last.front().is_some_and(|(_, _, at)| at.elapsed() > KEPT) {
            last.pop_front();
        }
        last.iter().find(|(id, ..)| id.as_str() == key).map(|(_, code, _)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known() {
        let departed = Departed::default();
        let ids: Vec<Id> = (0..=MOST).map(|_| Id::random()).collect();
        for (id, code) in ids.iter().zip(0..) {
            departed.note(id.clone(), code);
        }
        assert_eq!(departed.code(ids[0].as_str()), None);
        assert_eq!(departed.code(ids[1].as_str()), Some(1));
        assert_eq!(departed.code(ids[MOST].as_str()), Some(256));
        assert_eq!(departed.code(ids[1].short()), None);
    }
}

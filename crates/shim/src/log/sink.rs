//! Where encoded lines go: the file itself, or a queue to who writes it.

use super::file::LogFile;
use super::queue::Queue;

pub enum Sink {
    File(LogFile),
    Queue(Queue),
}

impl Sink {
    /// See [`LogFile::is_full`]. Behind a queue, it is not for us to know.
    pub fn is_full(&self, pending: usize) -> bool {
        matches!(self, Self::File(file) if file.is_full(pending))
    }

    pub fn rotate(&mut self) {
        if let Self::File(file) = self {
            file.rotate();
        }
    }

    pub fn append(&mut self, lines: &[u8]) {
        match self {
            Self::File(file) => file.append(lines),
            Self::Queue(queue) => queue.append(lines),
        }
    }

    pub fn append_note(&mut self, note: &[u8]) -> bool {
        match self {
            Self::File(file) => file.append_note(note),
            Self::Queue(queue) => queue.append_note(note),
        }
    }

    pub fn drop_lines(&mut self, lines: &[u8]) {
        match self {
            Self::File(file) => file.drop_lines(lines),
            Self::Queue(queue) => queue.drop_lines(lines),
        }
    }

    pub fn dropped(&self) -> u64 {
        match self {
            Self::File(file) => file.dropped(),
            Self::Queue(queue) => queue.dropped(),
        }
    }

    pub fn child_ended(&mut self, pid: i32, well: bool) -> bool {
        match self {
            Self::File(file) => file.child_ended(pid, well),
            Self::Queue(_) => false,
        }
    }

    /// Nothing happens at the moment.
    pub fn relax(&mut self) {
        if let Self::Queue(queue) = self {
            queue.flush();
        }
    }
}

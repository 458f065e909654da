//! "Are you sure?"

use std::io::BufRead;

use crate::Session;

/// Asks and reads a line: `y` is yes, everything else, and no line at all, is no.
pub fn ask(session: &Session, question: &str) -> bool {
    session.print(format!("{question} [y/N] "));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.is_ok() && line.trim().eq_ignore_ascii_case("y")
}

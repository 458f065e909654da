//! A parsed command line: the command, what was given, and typed access to it.

use crate::command::Command;
use crate::flags::check;
use crate::flags::{Flag, Kind};

/// One command with the flags and arguments it was called with. Values were checked by their flags' rows, so
/// access does not fail. Asking for a name that has no row is a mistake of the program's author and panics.
pub struct Invocation {
    /// The command.
    pub command: &'static Command,
    /// Program and command as help calls it: `lighter container ls`.
    pub path: String,
    /// The positional arguments.
    pub args: Vec<String>,
    /// `(name under which it is stored, value)` in the order given.
    pub given: Vec<(&'static str, String)>,
}

impl Invocation {
    fn row(&self, name: &str) -> &'static Flag {
        self.command.flag(name).unwrap_or_else(|| panic!("no flag --{name} in the rows of '{}'", self.path))
    }

    /// Whether the flag was given at all (even with its default's value).
    pub fn given(&self, name: &str) -> bool {
        self.row(name);
        self.given.iter().any(|(stored, _)| *stored == name)
    }

    /// A switch.
    pub fn is(&self, name: &str) -> bool {
        let default = matches!(self.row(name).kind, Kind::Bool(true));
        self.last(name).and_then(check::parse_bool).unwrap_or(default)
    }

    /// The last value given, `None` if not given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.row(name);
        self.last(name)
    }

    /// The last value given, or "" (Go's zero: most texts do not tell `--x ''` from nothing).
    pub fn text_or_empty(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// A number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(check::parse_int)
    }

    /// A number of bytes; -1 where the flag allows it.
    pub fn bytes(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|text| check::parse_bytes(text).ok())
    }

    /// A duration in nanoseconds.
    pub fn nanoseconds(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|text| check::parse_duration(text).ok())
    }

    /// Every value given, in order (a [`Kind::ManyCsv`]'s are split already).
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.row(name);
        self.given.iter().filter(move |(stored, _)| *stored == name).map(|(_, value)| value.as_str())
    }

    /// The first positional argument, or "".
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(stored, _)| *stored == name).map(|(_, value)| value.as_str())
    }
}

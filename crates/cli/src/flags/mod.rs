//! Flags as rows. One [`Flag`] drives parsing, help, completion and the man page.
//!
//! Rules follow Go's pflag as the real client uses it (spec/cli.md, "Option parsing"): `--name=x`, `--name x`,
//! `-n x`, `-nx`, `-n=x`, bundles of shorthands, booleans that take a value only by `=`.

pub mod check;
pub mod container;
pub mod filters;
pub mod moment;
pub mod pairs;
pub mod parse;
pub mod platform;

use crate::command::Complete;

/// One flag: a row in its command's table.
pub struct Flag {
    /// Long name, without dashes.
    pub name: &'static str,
    /// One-letter form, or `'\0'`.
    pub short: char,
    /// Whether it takes a value, and how several are kept.
    pub kind: Kind,
    /// The word for its value in help (`string`, `list`, `bytes`, …); empty for booleans.
    pub type_name: &'static str,
    /// Refuses a bad value with the sentence that ends the error message.
    pub check: fn(&str) -> Result<(), String>,
    /// The text of help. Newlines are kept.
    pub help: &'static str,
    /// The default as help shows it, quotes included; empty when not shown.
    pub default: &'static str,
    /// Left out of help and completion.
    pub hidden: bool,
    /// Docker has none of the kind: under the name `docker` it works, but is not listed.
    pub ours: bool,
    /// The name under which values are stored, when it is an alias of another flag; else its own.
    pub stores_as: &'static str,
    /// The rest of `Flag --NAME has been deprecated, `; empty when it is not.
    pub deprecated: &'static str,
    /// Why it is refused when used: its feature is not there yet. Empty when it works.
    pub absent: &'static str,
    /// What its value names.
    pub complete: Complete,
}

/// `absent` for what only a Windows daemon has; Docker has a sentence of its own for that.
pub const WINDOWS: &str =
    "only supported on a Docker daemon running on windows, but the Docker daemon is running on linux";

/// How values are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// On by itself; a value only by `=`. The field is its default.
    Bool(bool),
    /// One value, the last given counts.
    One,
    /// May be repeated, all count.
    Many,
    /// May be repeated, and each value is a comma-separated (CSV) list.
    ManyCsv,
}

/// Accepts everything.
fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

impl Flag {
    const fn new(name: &'static str, kind: Kind, type_name: &'static str, help: &'static str) -> Flag {
        Flag {
            name,
            short: '\0',
            kind,
            type_name,
            check: anything,
            help,
            default: "",
            hidden: false,
            ours: false,
            stores_as: name,
            deprecated: "",
            absent: "",
            complete: Complete::Nothing,
        }
    }

    /// A switch, off by default.
    pub const fn bool(name: &'static str, help: &'static str) -> Flag {
        Flag { check: check::boolean, ..Self::new(name, Kind::Bool(false), "", help) }
    }

    /// A switch, on by default (`--x=false` turns it off).
    pub const fn bool_on(name: &'static str, help: &'static str) -> Flag {
        Flag { check: check::boolean, default: "true", ..Self::new(name, Kind::Bool(true), "", help) }
    }

    /// One text.
    pub const fn text(name: &'static str, help: &'static str) -> Flag {
        Self::new(name, Kind::One, "string", help)
    }

    /// One signed 64-bit number.
    pub const fn int(name: &'static str, help: &'static str) -> Flag {
        Flag { check: check::int64, ..Self::new(name, Kind::One, "int", help) }
    }

    /// One Go duration (`1m30s`).
    pub const fn duration(name: &'static str, help: &'static str) -> Flag {
        Flag { check: check::duration, default: "0s", ..Self::new(name, Kind::One, "duration", help) }
    }

    /// One size (`500m`).
    pub const fn bytes(name: &'static str, help: &'static str) -> Flag {
        Flag { check: check::bytes, ..Self::new(name, Kind::One, "bytes", help) }
    }

    /// Any number of texts.
    pub const fn list(name: &'static str, help: &'static str) -> Flag {
        Self::new(name, Kind::Many, "list", help)
    }

    /// Any number of texts, each split at commas.
    pub const fn strings(name: &'static str, help: &'static str) -> Flag {
        Self::new(name, Kind::ManyCsv, "strings", help)
    }

    /// `--filter key=value`, repeatable.
    pub const fn filter(name: &'static str, help: &'static str) -> Flag {
        Flag { check: check::filter, ..Self::new(name, Kind::Many, "filter", help) }
    }

    /// With a one-letter form.
    pub const fn short(self, short: char) -> Flag {
        Flag { short, ..self }
    }

    /// With another word for its value in help.
    pub const fn typed(self, type_name: &'static str) -> Flag {
        Flag { type_name, ..self }
    }

    /// With a check of each value.
    pub const fn checked(self, check: fn(&str) -> Result<(), String>) -> Flag {
        Flag { check, ..self }
    }

    /// With `(default TEXT)` in help. Only shown: the command itself knows what an absent flag means.
    pub const fn shows_default(self, default: &'static str) -> Flag {
        Flag { default, ..self }
    }

    /// Left out of help.
    pub const fn hidden(self) -> Flag {
        Flag { hidden: true, ..self }
    }

    /// Docker's client does not know it.
    pub const fn ours(self) -> Flag {
        Flag { ours: true, ..self }
    }

    /// Whether help and completion of `program` show it.
    pub fn is_listed(&self, program: &str) -> bool {
        !self.hidden && (!self.ours || program != "docker")
    }

    /// Another name of `of`: values go there.
    pub const fn alias_of(self, of: &'static str) -> Flag {
        Flag { stores_as: of, hidden: true, ..self }
    }

    /// Still works, with a warning `Flag --NAME has been deprecated, ADVICE`.
    pub const fn deprecated(self, advice: &'static str) -> Flag {
        Flag { deprecated: advice, hidden: true, ..self }
    }

    /// In help, but refused when used, saying `reason`.
    pub const fn absent(self, reason: &'static str) -> Flag {
        Flag { absent: reason, ..self }
    }

    /// With completion of its value.
    pub const fn completes(self, complete: Complete) -> Flag {
        Flag { complete, ..self }
    }

    /// Whether it goes without a value.
    pub fn is_bool(&self) -> bool {
        matches!(self.kind, Kind::Bool(_))
    }

    /// `-m, --memory` or `--memory`, as error messages name it.
    pub fn spelled(&self) -> String {
        if self.short == '\0' || self.name == parse::HELP.name {
            format!("--{}", self.name)
        } else {
            format!("-{}, --{}", self.short, self.name)
        }
    }
}

use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// A Linux signal (signal(7)), 1–64, parsed from `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3`, `RTMAX-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(i32);

/// Numbers of x86, arm and riscv; the few architectures that differ (mips, sparc, alpha) are not supported.
const NAMES: &[(&str, i32)] = &[
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("IO", 29),
    ("IOT", 6),
    ("KILL", 9),
    ("PIPE", 13),
    ("POLL", 29),
    ("PROF", 27),
    ("PWR", 30),
    ("QUIT", 3),
    ("SEGV", 11),
    ("STKFLT", 16),
    ("STOP", 19),
    ("SYS", 31),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("USR1", 10),
    ("USR2", 12),
    ("VTALRM", 26),
    ("WINCH", 28),
    ("XCPU", 24),
    ("XFSZ", 25),
];
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

impl Signal {
    pub const HUP: Self = Self(1);
    pub const INT: Self = Self(2);
    pub const QUIT: Self = Self(3);
    pub const KILL: Self = Self(9);
    pub const TERM: Self = Self(15);
    pub const CHLD: Self = Self(17);
    pub const WINCH: Self = Self(28);

    pub fn from_number(n: i32) -> Option<Self> {
        (1..=RTMAX).contains(&n).then_some(Self(n))
    }

    pub fn number(self) -> i32 {
        self.0
    }

    fn from_name(name: &str) -> Option<i32> {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(&(_, n)) = NAMES.iter().find(|(k, _)| *k == bare) {
            return Some(n);
        }
        let n = match bare.strip_prefix("RTMIN") {
            Some("") => RTMIN,
            Some(plus) => RTMIN + plus.strip_prefix('+')?.parse::<i32>().ok()?,
            None => match bare.strip_prefix("RTMAX")? {
                "" => RTMAX,
                minus => RTMAX - minus.strip_prefix('-')?.parse::<i32>().ok()?,
            },
        };
        (RTMIN..=RTMAX).contains(&n).then_some(n)
    }
}

impl FromStr for Signal {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let found = match s.parse::<i32>() {
            Ok(n) => Self::from_number(n),
            Err(_) => Self::from_name(s).map(Self),
        };
        found.ok_or_else(|| Error::invalid(format!("invalid signal: {s}")))
    }
}

impl fmt::Display for Signal {
    /// `SIGTERM`, or `SIGRTMIN+n`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, n)| *n == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None if self.0 >= RTMIN => write!(f, "SIGRTMIN+{}", self.0 - RTMIN),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_docker_takes() {
        for (input, expected) in [
            ("KILL", 9),
            ("SIGKILL", 9),
            ("sigterm", 15),
            ("9", 9),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("64", 64),
        ] {
            assert_eq!(input.parse::<Signal>().unwrap().number(), expected, "{input}");
        }
        for bad in ["", "0", "65", "-1", "FOO", "SIG", "RTMIN+31", "RTMAX-31"] {
            assert_eq!(bad.parse::<Signal>().unwrap_err().message, format!("invalid signal: {bad}"));
        }
    }
}

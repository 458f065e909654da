//! Seccomp filters: OCI profiles compiled to classic BPF.
//!
//! [`default_profile`] is Docker's default as data, [`compile`] makes a filter of any profile. Nothing is
//! weakened silently: an action, operator, architecture or flag that is not known is an error.

mod compile;
mod listener;
mod profile;
mod syscalls;

use std::collections::BTreeMap;

use oci::runtime::Seccomp;
use serde::{Deserialize, Serialize};
use sys::seccomp::Instruction;

use crate::StartError;

pub(crate) use listener::Listener;
pub use profile::default_profile;

/// The actions, operators and flags which [`compile`] knows, for `features`.
pub(crate) const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];
pub(crate) const OPERATORS: [&str; 7] =
    ["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"];
pub(crate) const FLAGS: [&str; 4] = [
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/// The architectures of which we have a table.
pub(crate) fn architectures() -> Vec<&'static str> {
    compile::ARCHITECTURES.iter().map(|(name, ..)| *name).collect()
}

/// A compiled filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct SeccompProgram {
    filter: Vec<Instruction>,
    flags: u32,
    listener: Option<Listener>,
}

/// How a filter travels: each `struct sock_filter` as 16 hexadecimal digits.
#[derive(Serialize, Deserialize)]
struct Text {
    filter: String,
    flags: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listener: Option<Listener>,
}

/// Compiles a profile.
pub fn compile(profile: &Seccomp) -> Result<SeccompProgram, StartError> {
    compile::compile(profile).map_err(|message| StartError::other(format!("unable to init seccomp: {message}")))
}

impl SeccompProgram {
    pub(crate) fn instructions(&self) -> Vec<Instruction> {
        self.filter.clone()
    }

    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// The filter as this container's: what a listener is told of it.
    pub fn of(mut self, id: &str, bundle: &str, annotations: &BTreeMap<String, String>) -> Self {
        if let Some(listener) = &mut self.listener {
            id.clone_into(&mut listener.id);
            bundle.clone_into(&mut listener.bundle);
            listener.annotations.clone_from(annotations);
        }
        self
    }

    pub(crate) fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref()
    }
}

impl From<SeccompProgram> for Text {
    fn from(program: SeccompProgram) -> Self {
        use std::fmt::Write;
        let mut filter = String::with_capacity(program.filter.len() * 16);
        for one in &program.filter {
            // Writing to a string cannot fail.
            let _ = write!(filter, "{:04x}{:02x}{:02x}{:08x}", one.code, one.jt, one.jf, one.k);
        }
        Self { filter, flags: program.flags, listener: program.listener }
    }
}

impl TryFrom<Text> for SeccompProgram {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let one = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
            let word = u64::from_str_radix(digits, 16).ok()?;
            Some(Instruction {
                code: (word >> 48) as u16,
                jt: (word >> 40) as u8,
                jf: (word >> 32) as u8,
                k: word as u32,
            })
        };
        let filter: Option<Vec<Instruction>> = text.filter.as_bytes().chunks(16).map(one).collect();
        let filter = filter.filter(|filter| !filter.is_empty()).ok_or("not a seccomp filter")?;
        Ok(Self { filter, flags: text.flags, listener: text.listener })
    }
}

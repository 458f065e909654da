//! Seccomp filters: OCI profiles compiled to classic BPF.
use oci::runtime::Seccomp;
use serde::{Deserialize, Serialize};

use crate::StartError;

/// A compiled filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeccompProgram {
    /// `struct sock_filter` in the machine's byte order, 8 bytes each, as hexadecimal text.
    filter: String,
    /// `SECCOMP_FILTER_FLAG_…`
    flags: u32,
}

/// Compiles a profile; anything not understood is an error (never a weaker filter).
pub fn compile(_profile: &Seccomp) -> Result<SeccompProgram, StartError> {
    Err(StartError::other("being written"))
}

/// Docker's default profile for a container with these capabilities (`CAP_…`).
pub fn default_profile(_capabilities: &[String]) -> Seccomp {
    Seccomp::default()
}

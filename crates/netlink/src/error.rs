use std::fmt;

use rustix::io::Errno;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that failed: which step, the kernel's error number, and the kernel's own words where it gave some
/// (extended acknowledgement).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The label the step was given in its [`Batch`](crate::Batch), such as `create veth`.
    pub step: String,
    pub errno: Errno,
    pub detail: Option<String>,
}

impl Error {
    pub(crate) fn new(step: impl Into<String>, errno: Errno) -> Self {
        Self { step: step.into(), errno, detail: None }
    }

    /// The thing to be made is there already (`EEXIST`).
    pub fn exists(&self) -> bool {
        self.errno == Errno::EXIST
    }

    /// The thing named is not there: no such link (`ENODEV`), table (`ENOENT`), route (`ESRCH`), address
    /// (`EADDRNOTAVAIL`).
    pub fn missing(&self) -> bool {
        matches!(self.errno, Errno::NODEV | Errno::NOENT | Errno::SRCH | Errno::ADDRNOTAVAIL)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = std::io::Error::from(self.errno).to_string();
        // "File exists (os error 17)" without the number, which tells a user nothing.
        let words = errno.split(" (os error").next().unwrap_or(&errno);
        write!(f, "{}: {words}", self.step)?;
        match &self.detail {
            Some(detail) => write!(f, " ({})", detail.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_a_sentence() {
        let mut error = Error::new("create veth vx", Errno::EXIST);
        assert_eq!(error.to_string(), "create veth vx: File exists");
        error.detail = Some("Device name already in use.".into());
        assert_eq!(error.to_string(), "create veth vx: File exists (Device name already in use)");
    }
}

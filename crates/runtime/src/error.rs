use std::fmt;

/// Why a container's or an exec's process could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    pub kind: StartErrorKind,
    /// In runc's words from the failing step on (`exec: "foo": executable file not found in $PATH`), so
    /// that Docker's clients choose 126, 127 or 125 by it.
    pub message: String,
}

/// Which exit code the client should use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartErrorKind {
    /// The program does not exist: 127.
    NotFound,
    /// It exists but cannot be executed: 126.
    NotExecutable,
    /// Anything else: 125.
    Other,
}

impl StartError {
    pub fn other(message: impl Into<String>) -> Self {
        Self { kind: StartErrorKind::Other, message: message.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

impl From<values::Error> for StartError {
    fn from(error: values::Error) -> Self {
        Self::other(error.message)
    }
}

//! How a command ends.

use values::Error;

/// A command's result: its exit status, or what went wrong.
pub type Outcome = Result<u8, Failure>;

/// What went wrong, told on stderr by dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The text. Empty: everything has been told already (e.g. name by name), only the status is left.
    pub message: String,
    /// The exit status, if not 1.
    pub status: Option<u8>,
}

impl Failure {
    /// A failure told by `message` alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: None }
    }

    /// With this exit status.
    pub fn status(mut self, status: u8) -> Self {
        self.status = Some(status);
        self
    }

    /// Nothing more to say; end with `status`.
    pub fn silent(status: u8) -> Self {
        Self { message: String::new(), status: Some(status) }
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

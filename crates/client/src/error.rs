//! What can go wrong between a client and its daemon.

use std::fmt;
use std::io;

use values::ErrorKind;

/// An error of a call. Its `Display` is the sentence a user of the docker client knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No daemon answers at this address.
    Unreachable {
        /// The address.
        host: String,
    },
    /// The daemon's socket may not be opened by us.
    Forbidden {
        /// The address.
        host: String,
    },
    /// The daemon refused: its HTTP status and message.
    Daemon {
        /// HTTP status, 300–599.
        status: u16,
        /// The daemon's message.
        message: String,
    },
    /// The connection broke or the answer was not HTTP or not of the expected shape.
    Broken(String),
    /// The address or an option cannot be used at all; nothing was sent.
    Setup(String),
}

impl Error {
    /// The kind, for callers that act on it rather than show it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Unreachable { .. } => ErrorKind::Unavailable,
            Error::Forbidden { .. } => ErrorKind::Forbidden,
            Error::Broken(_) => ErrorKind::Internal,
            Error::Setup(_) => ErrorKind::InvalidArgument,
            Error::Daemon { status, .. } => match status {
                304 => ErrorKind::NotModified,
                400 => ErrorKind::InvalidArgument,
                401 => ErrorKind::Unauthorized,
                403 => ErrorKind::Forbidden,
                404 => ErrorKind::NotFound,
                409 => ErrorKind::Conflict,
                501 => ErrorKind::NotImplemented,
                503 => ErrorKind::Unavailable,
                _ => ErrorKind::Internal,
            },
        }
    }

    /// Whether the daemon said that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Daemon { status: 404, .. })
    }

    /// Whether no daemon could be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Error::Unreachable { .. })
    }

    /// The daemon's own message, without our prefix; else the whole sentence.
    pub fn message(&self) -> String {
        match self {
            Error::Daemon { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    pub(crate) fn broken(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Broken("EOF".into()),
            _ => Error::Broken(error.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreachable { host } => {
                write!(f, "Cannot connect to the Docker daemon at {host}. Is the docker daemon running?")
            }
            Error::Forbidden { host } => {
                write!(f, "permission denied while trying to connect to the Docker daemon socket at {host}")
            }
            Error::Daemon { message, .. } => write!(f, "Error response from daemon: {message}"),
            Error::Broken(what) => write!(f, "error during connect: {what}"),
            Error::Setup(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for values::Error {
    fn from(error: Error) -> Self {
        values::Error::new(error.kind(), error.message())
    }
}

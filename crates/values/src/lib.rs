//! The small words everything else is said in: identifiers, references, sizes, times, errors.
//!
//! Each type parses (`FromStr`) what a user or a client writes and prints (`Display`) what Docker prints.
//! Nothing here touches the machine except [`Timestamp::now`] and [`Id::random`].

mod digest;
pub mod duration;
mod error;
mod id;
pub mod kernel_names;
mod platform;
mod reference;
mod root_mount;
mod signal;
pub mod size;
mod timestamp;

pub use digest::Digest;
pub use error::{Error, ErrorKind, Result, ResultExt, system_words};
pub use id::Id;
pub use platform::Platform;
pub use reference::{DEFAULT_DOMAIN, Reference};
pub use root_mount::{Erofs, Lower, RootMount};
pub use signal::Signal;
pub use timestamp::Timestamp;

/// Lighter's own version, as `lighter --version` and `/version` say it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

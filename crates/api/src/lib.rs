//! The contract: the Docker Engine API as types.
//!
//! An endpoint is one type ([`Endpoint`]: method, path, first version, query, body, reply). The server answers them,
//! the client is generic over them. [`types`] are in the shape of the newest version ([`Version::MAX`]);
//! [`versions`] shift a reply down for an older client. Source: the Engine API's swagger document (1.55) and, where it
//! is silent, what Docker 28 sends.

pub mod encoding;
pub mod endpoint;
pub mod endpoints;
pub mod filters;
pub mod lenient;
pub mod path;
pub mod progress;
pub mod query;
pub mod stream;
pub mod types;
pub mod version;
pub mod versions;
mod wire;

pub use endpoint::{Download, Endpoint, Hijack, Json, JsonStream, LogStream, Method, NoBody, NoContent, Ping, Upload};
pub use filters::Filters;
pub use query::{NoQuery, Query};
pub use version::Version;

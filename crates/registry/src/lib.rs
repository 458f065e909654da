//! The client of image registries: OCI's distribution specification 1.1 and Docker's registry API v2.
//!
//! [`Client`] is what a daemon has one of: configuration and the limits that all transfers share. A [`Repository`] is one
//! conversation with one repository at one [`Endpoint`] (the registry itself or a mirror of it); it holds connections and tokens,
//! and both end with it.
//!
//! What never happens:
//! - Credentials are sent to no host but the registry they are for and the token server that [`realm`] lets through. A redirect
//!   to another origin goes without them, and without the client certificate.
//! - Content is passed on unverified: who reads a blob checks its digest; a manifest's is checked here.
//! - A wait without a deadline: connecting, a reply's head and every piece of a body have one.
//!
//! Errors that a second try may mend are tried again with growing pauses ([`retry`]), a cut download from where it was cut.

mod blob;
mod body;
mod challenge;
mod client;
mod config;
mod credentials;
mod dial;
mod dns;
mod endpoint;
mod failure;
mod login;
mod manifest;
mod origin;
mod proxy;
mod realm;
mod repository;
mod retry;
mod search;
mod tags;
mod tls;
mod token;
mod transport;
mod upload;

pub use blob::{BlobEvent, BlobReader};
pub use challenge::Challenge;
#[cfg(fuzzing)]
pub use challenge::parse as fuzz_challenges;
pub use client::Client;
pub use config::{Config, Insecure, Mirror, TokenHost};
pub use credentials::{AllCredentials, Credentials};
pub use endpoint::{Endpoint, INDEX_SERVER};
pub use failure::Failure;
pub use manifest::Fetched;
pub use origin::Origin;
pub use proxy::Proxies;
pub use repository::{Access, Repository};
pub use search::Found;
pub use upload::{OnEvent as OnUpload, UploadEvent, Uploaded};

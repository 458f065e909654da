//! The Open Container Initiative's data: what its two specifications put on disk and on the wire.
//!
//! - [`runtime`]: `config.json` and the state of a container (runtime-spec 1.2/1.3, Linux).
//! - [`image`]: manifests, indexes, configurations and layouts (image-spec 1.1).

pub mod image;
pub mod runtime;

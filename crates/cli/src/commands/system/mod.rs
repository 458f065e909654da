//! `system …`, and what asks about the whole.

mod client_version;
pub mod df;
pub mod events;
pub mod info;
mod info_text;
pub mod inspect;
pub mod prune;
pub mod verify;
pub mod version;

//! `system …`, and what asks about the whole.

pub mod events;
pub mod info;
mod info_text;
pub mod inspect;
pub mod version;

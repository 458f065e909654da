//! `image …`

mod archive;
pub mod history;
pub mod import;
pub mod inspect;
pub mod load;
pub mod ls;
mod named;
pub mod prune;
pub mod pull;
pub mod push;
pub mod rm;
pub mod save;
pub mod tag;
mod tree;

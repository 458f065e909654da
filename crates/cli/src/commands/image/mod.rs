//! `image …`

mod archive;
pub mod history;
pub mod import;
pub mod inspect;
pub mod load;
pub mod ls;
pub mod rm;
pub mod tag;
mod tree;

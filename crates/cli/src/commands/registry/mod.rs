//! Registries: `login`, `logout`, `search`.

pub mod login;
pub mod logout;
pub mod search;

//! `lighter container …` and its short spellings.

mod each;
pub mod stop;

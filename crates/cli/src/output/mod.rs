//! Tables, formats, templates: how answers are shown.

pub mod columns;
pub mod file;
pub mod human;
pub mod inspect;
pub mod json;
pub mod listing;
pub mod local_time;
pub mod ports;
pub mod progress;
pub mod raw;
pub mod shapes;
mod speed;
pub mod width;

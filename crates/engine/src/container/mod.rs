//! Containers: one verb, one file; [`state`] is the table of what they may do, [`supervisor`] their owner.

pub mod adapt;
pub mod attach;
pub mod commit;
pub mod create;
pub mod deaf;
pub mod etc;
pub mod files;
mod freeze;
mod handle;
pub mod health;
mod join;
pub mod launch;
pub mod list;
pub mod log;
pub mod logs;
pub mod lost;
pub mod merge;
pub mod modes;
pub mod mounts;
pub mod networks;
pub mod prune;
pub mod record;
pub mod remove;
pub mod rename;
pub mod state;
pub mod stats;
pub mod supervisor;
pub mod top;
pub mod update;
pub mod validate;
pub mod verbs;
pub mod view;
pub mod wait;
pub mod waiting;
pub mod why;

pub use handle::{Container, Mail};

//! Is the process in a container well? A program in the container is asked from time to time.
//!
//! [`check`] is what the user wants, [`state`] the one pure table of what is known and what follows from it. The
//! supervisor carries its effects out: one timer for each container with a check, probes run by the shim ([`probe`]), and
//! what is done about an unhealthy container is an ordinary ask ([`remedy()`]).

pub mod check;
mod follow;
pub mod probe;
mod remedy;
pub mod state;

pub use check::{Check, OnFailure};
pub use follow::follow;
pub use remedy::remedy;
pub use state::{Health, Outcome, Status};

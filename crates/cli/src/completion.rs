//! Shell completion (being written).
use crate::failure::Failure;
pub fn answer(_program: &str, _words: &[String], _descriptions: bool) -> u8 { 0 }
pub fn script(_program: &str, _words: &[String]) -> Result<u8, Failure> { Ok(0) }

//! `GET /containers/{id}/stats`

use super::Lower;
use crate::types::Stats;
use crate::version::Version;

impl Lower for Stats {
    /// The operating system is told since 1.52.
    fn lower(&mut self, version: Version) {
        if version.below(52) {
            self.os_type.clear();
        }
    }
}

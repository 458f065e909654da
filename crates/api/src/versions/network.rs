//! `GET /networks` and `GET /networks/{id}`

use super::Lower;
use crate::types::Network;
use crate::version::Version;

impl Lower for Network {
    /// Before 1.52 lists had an (empty) map of containers, too.
    fn lower(&mut self, version: Version) {
        if version.below(52) {
            self.containers.get_or_insert_default();
        }
    }
}

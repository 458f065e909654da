//! `GET /containers/json`

use super::Lower;
use crate::types::ContainerSummary;
use crate::version::Version;

impl Lower for ContainerSummary {
    fn lower(&mut self, version: Version) {
        if version.below(52) {
            self.health = None;
        }
        if version.below(48) {
            self.image_manifest_descriptor = None;
        }
        if version.below(46) {
            self.host_config.annotations.clear();
        }
    }
}

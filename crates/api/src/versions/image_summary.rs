//! `GET /images/json`

use super::Lower;
use crate::types::ImageSummary;
use crate::version::Version;

impl Lower for ImageSummary {
    fn lower(&mut self, version: Version) {
        if version.below(51) {
            self.containers = -1;
        }
        if version.below(48) {
            self.descriptor = None;
        }
        if version.below(47) {
            self.manifests.clear();
        }
        if version.below(44) {
            self.virtual_size = Some(self.size);
        }
        if version.below(43) && self.repo_tags.is_empty() && self.repo_digests.is_empty() {
            self.repo_tags.push("<none>:<none>".to_owned());
            self.repo_digests.push("<none>@<none>".to_owned());
        }
    }
}

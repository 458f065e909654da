//! `POST /containers/{id}/update`

use crate::types::UpdateRequest;
use crate::version::Version;

/// Drops the limit on kernel memory, which nobody reads since 1.42.
pub fn raise_update(request: &mut UpdateRequest, version: Version) {
    if !version.below(42) {
        request.resources.kernel_memory = 0;
    }
}

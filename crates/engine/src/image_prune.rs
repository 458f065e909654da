//! Removing images that nothing uses.

use std::sync::Arc;

use api::Filters;
use api::types::ImagePruneResponse;
use values::{Digest, Result};

use crate::container::create;
use crate::shared::{Shared, blocking};
use crate::{image_view, images};

/// With `dangling=false` every image that no container stands on; else those without a name.
///
/// # Errors
/// `InvalidArgument` for an unknown filter.
pub async fn images(shared: &Arc<Shared>, filters: Filters) -> Result<ImagePruneResponse> {
    filters.validate(&["dangling", "label", "label!", "until"])?;
    let only_nameless = !filters.contains("dangling") || filters.flag("dangling", true)?;
    let s = shared.clone();
    blocking(move || {
        let all = s.images.list();
        let chosen = image_view::prunable(&all, &filters, only_nameless)?;
        let before = s.images.disk_usage();
        let mut deleted = vec![];
        for image in chosen {
            let uses = |id: &Digest| create::uses(&s, id);
            if s.images.is_used(&image.id, &uses) {
                continue;
            }
            let names = match image.repo_tags.is_empty() {
                true => vec![image.id.to_string()],
                false => image.repo_tags.clone(),
            };
            for name in names {
                // somebody began to use it, or removed it: it is not ours to prune any more
                let Ok(removed) = s.images.remove(&name, false, false, &uses) else { continue };
                deleted.extend(images::removed_items(&s, &image.id, removed));
            }
        }
        let reclaimed = before.saturating_sub(s.images.disk_usage());
        Ok(ImagePruneResponse { images_deleted: Some(deleted).filter(|d| !d.is_empty()), space_reclaimed: reclaimed })
    })
    .await
    .inspect(|pruned| {
        let mut attributes = std::collections::BTreeMap::new();
        attributes.insert("reclaimed".into(), pruned.space_reclaimed.to_string());
        shared.events.emit("image", "prune", "", attributes);
        shared.tidy.soon();
    })
}

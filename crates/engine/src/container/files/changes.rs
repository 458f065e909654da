//! What a container changed of its image's files.

use std::sync::Arc;

use api::types::FilesystemChange;
use snapshot::ChangeKind;
use values::Result;

use crate::container::Container;
use crate::shared::{Shared, blocking};

/// # Errors
/// What the disk says.
pub async fn changes(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<Vec<FilesystemChange>> {
    let (shared, record) = (shared.clone(), container.record());
    let changes = blocking(move || {
        let _inside = shared.images.enter(&record.layers)?;
        shared.snapshots.changes(record.id.as_str(), &record.layers)
    });
    let changes = changes.await?;
    let shown = |change: snapshot::Change| FilesystemChange {
        path: format!("/{}", String::from_utf8_lossy(&change.path)),
        kind: match change.kind {
            ChangeKind::Modified => 0,
            ChangeKind::Added => 1,
            ChangeKind::Deleted => 2,
        },
    };
    Ok(changes.into_iter().map(shown).collect())
}

//! `system df`: what takes how much of the disk.

use std::sync::Arc;

use api::Filters;
use api::types::{BuildCacheUsage, ContainerUsage, DiskUsage, ImageUsage};
use values::{Error, Result};

use crate::container::list;
use crate::images;
use crate::kept;
use crate::shared::{Shared, blocking};
use crate::volumes;

const KINDS: [&str; 4] = ["container", "image", "volume", "build-cache"];

/// With `items` each object, else the sums alone. No kinds are all of them.
///
/// # Errors
/// `InvalidArgument` for an unknown kind of object.
pub async fn disk_usage(shared: &Arc<Shared>, kinds: Vec<String>, items: bool) -> Result<DiskUsage> {
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(Error::invalid(format!("unknown object type: {unknown}")));
    }
    let s = shared.clone();
    blocking(move || {
        let wants = |kind: &str| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind);
        let mut usage = DiskUsage {
            image_usage: wants("image").then(|| image_usage(&s)).transpose()?,
            container_usage: wants("container").then(|| container_usage(&s)).transpose()?,
            volume_usage: wants("volume").then(|| volumes::usage(&s)).transpose()?,
            build_cache_usage: wants("build-cache").then(BuildCacheUsage::default),
            ..DiskUsage::default()
        };
        if items && kinds.is_empty() {
            usage.kept = Some(kept::kept(&s)?);
        }
        if !items {
            usage.image_usage.iter_mut().for_each(|images| images.items.clear());
            usage.volume_usage.iter_mut().for_each(|volumes| volumes.items.clear());
            usage.container_usage.iter_mut().for_each(|containers| containers.items.clear());
        }
        Ok(usage)
    })
    .await
}

fn image_usage(shared: &Shared) -> Result<ImageUsage> {
    let items = images::list(shared, false, &Filters::default(), true, false, false)?;
    let active = |item: &&api::types::ImageSummary| item.containers > 0;
    let total = shared.images.disk_usage();
    // what images in use have, shared layers once
    let used = shared.images.disk_usage_of(items.iter().filter(active).filter_map(|item| item.id.parse().ok()))?;
    Ok(ImageUsage {
        active_count: items.iter().filter(active).count() as i64,
        total_count: items.len() as i64,
        reclaimable: total.saturating_sub(used) as i64,
        total_size: total as i64,
        items,
    })
}

fn container_usage(shared: &Arc<Shared>) -> Result<ContainerUsage> {
    let mut items = Vec::new();
    list::list(shared, true, 0, true, &Filters::default(), |item| {
        items.push(item);
        Ok(())
    })?;
    let active = |state: &str| matches!(state, "running" | "paused" | "restarting");
    let size = |item: &api::types::ContainerSummary| item.size_rw;
    Ok(ContainerUsage {
        active_count: items.iter().filter(|item| active(&item.state)).count() as i64,
        total_count: items.len() as i64,
        reclaimable: items.iter().filter(|item| !active(&item.state)).map(size).sum(),
        total_size: items.iter().map(size).sum(),
        items,
    })
}

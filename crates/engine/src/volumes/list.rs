//! Volumes as users see them.

use api::Filters;
use api::types::{Volume, VolumeList, VolumeUsage, VolumesUsage};
use values::Result;

use super::{LOCAL, VolumeRecord, users};
use crate::shared::Shared;

/// # Errors
/// `InvalidArgument` for an unknown filter.
pub fn list(shared: &Shared, filters: &Filters) -> Result<VolumeList> {
    filters.validate(&["dangling", "driver", "label", "name"])?;
    let dangling = filters.contains("dangling").then(|| filters.flag("dangling", false)).transpose()?;
    let wanted = |record: &VolumeRecord| {
        filters.matches("driver", |driver| driver == LOCAL)
            && filters.matches("name", |name| record.name.contains(name))
            && filters.matches_labels("label", |key| label(record, key))
            && dangling.is_none_or(|wanted| users(shared, &record.name).is_empty() == wanted)
    };
    let all = shared.volumes.all();
    let volumes = all.iter().filter(|record| wanted(record)).map(|record| view(shared, record)).collect();
    Ok(VolumeList { volumes, warnings: None })
}

/// # Errors
/// `NotFound` in Docker's words.
pub fn inspect(shared: &Shared, name: &str) -> Result<Volume> {
    Ok(view(shared, &*shared.volumes.get(name)?))
}

/// What volumes take; what is somewhere else on the host does not count.
///
/// # Errors
/// `Internal` where a directory cannot be read.
pub fn usage(shared: &Shared) -> Result<VolumesUsage> {
    let mut usage = VolumesUsage::default();
    for record in shared.volumes.all() {
        let users = users(shared, &record.name).len() as i64;
        // one that is removed meanwhile has nothing any more
        let size = size(shared, &record.name) as i64;
        usage.total_count += 1;
        usage.active_count += i64::from(users > 0);
        usage.total_size += size;
        usage.reclaimable += if users > 0 { 0 } else { size };
        usage.items.push(Volume { usage_data: Some(VolumeUsage { ref_count: users, size }), ..view(shared, &record) });
    }
    Ok(usage)
}

/// Bytes of its files; none where they cannot be counted.
pub(super) fn size(shared: &Shared, name: &str) -> u64 {
    snapshot::usage_below(&shared.volumes.path(name)).map_or(0, |usage| usage.bytes)
}

pub(super) fn label<'a>(record: &'a VolumeRecord, key: &str) -> Option<&'a str> {
    record.labels.as_ref()?.get(key).map(String::as_str)
}

fn view(shared: &Shared, record: &VolumeRecord) -> Volume {
    Volume {
        created_at: values::Timestamp { nanos: 0, ..record.created }.to_rfc3339_nano(),
        driver: LOCAL.into(),
        labels: record.labels.clone(),
        mountpoint: shared.volumes.path(&record.name).display().to_string(),
        name: record.name.clone(),
        options: record.options.clone(),
        scope: LOCAL.into(),
        ..Volume::default()
    }
}

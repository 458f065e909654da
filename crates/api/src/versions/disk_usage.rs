//! `GET /system/df`

use super::Lower;
use crate::types::DiskUsage;
use crate::version::Version;

impl Lower for DiskUsage {
    fn lower(&mut self, version: Version) {
        if !version.below(52) {
            return;
        }
        let images = self.image_usage.take();
        self.layers_size = Some(images.as_ref().map_or(0, |usage| usage.total_size));
        self.images = images.map(|usage| usage.items);
        self.containers = self.container_usage.take().map(|usage| usage.items);
        self.volumes = self.volume_usage.take().map(|usage| usage.items);
        self.build_cache = self.build_cache_usage.take().map(|usage| usage.items);
        self.images.iter_mut().flatten().for_each(|image| image.lower(Version::new(1, 51)));
    }
}

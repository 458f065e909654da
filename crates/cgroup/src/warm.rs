use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use values::{Error, Result};

use crate::{Host, Version};

/// How often, and after which pause, a busy name is tried again.
const PATIENCE: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Makes joining a v1 group cheap for as long as the descriptor is held; None where it always is (v2, whose
/// processes are born in their group) or where the kernel cannot.
///
/// A write to `cgroup.procs` takes a lock that all forks share. The first one after a pause waits for an RCU
/// grace period, 5–10 ms here, in order to switch that lock over. `favordynmods` (Linux 6.0) keeps it switched,
/// and one hierarchy that asks for it suffices: we mount a named one without controllers, attached nowhere. Everybody's
/// `/proc/PID/cgroup` shows a line `name=NAME:/` meanwhile; nothing stays when the descriptor is closed.
pub fn keep_warm(name: &str) -> Result<Option<OwnedFd>> {
    if Host::detect()?.version == Version::V2 {
        return Ok(None);
    }
    for _ in 0..PATIENCE {
        match mount(name) {
            // One of this name, of a predecessor, is just being taken down.
            Err(Errno::BUSY) => std::thread::sleep(PAUSE),
            Ok(fd) => return Ok(Some(fd)),
            // An older kernel does not know the option.
            Err(Errno::INVAL) => return Ok(None),
            Err(error) => return Err(failed(name, error)),
        }
    }
    Err(failed(name, Errno::BUSY))
}

fn failed(name: &str, error: Errno) -> Error {
    Error::internal(format!("mount the named control group hierarchy {name}: {error}"))
}

fn mount(name: &str) -> std::result::Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"cgroup", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_flag(&context, c"none")?;
    rustix::mount::fsconfig_set_string(&context, c"name", name)?;
    rustix::mount::fsconfig_set_flag(&context, c"favordynmods")?;
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

//! File systems of their own, for data roots that must not be the machine's.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A mounted file system, which goes when this is dropped.
pub(crate) struct Disk {
    at: PathBuf,
    /// The file that is its block device; `None`: a tmpfs.
    device: Option<PathBuf>,
}

impl Disk {
    pub(crate) fn tmpfs(at: &Path, megabytes: u32) -> Self {
        std::fs::create_dir_all(at).expect("mount point");
        let options = CString::new(format!("size={megabytes}m")).expect("options");
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), options.as_c_str()).expect("mount a tmpfs");
        Self { at: at.into(), device: None }
    }

    /// ext4 in the file `device`, by a loop device.
    ///
    /// # Errors
    /// Why there is no such thing here: no loop devices, say.
    pub(crate) fn ext4(device: &Path, at: &Path, megabytes: u32) -> Result<Self, String> {
        std::fs::create_dir_all(at).expect("mount point");
        let file = std::fs::File::create(device).expect("a disk");
        file.set_len(u64::from(megabytes) << 20).expect("a disk");
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(device))?;
        Self::attach(device, at)?;
        Ok(Self { at: at.into(), device: Some(device.into()) })
    }

    /// What is not synced stays in memory for minutes.
    fn attach(device: &Path, at: &Path) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop,commit=600"]).arg(device).arg(at))
    }

    /// What the block device has at this instant becomes all there is; the rest of the page cache is lost.
    pub(crate) fn cut_power(&mut self) {
        let device = self.device.as_ref().expect("a disk that can lose its power");
        let copy = device.with_extension("copy");
        let copied = run(Command::new("cp").args(["--sparse=always", "--reflink=never"]).arg(device).arg(&copy));
        copied.expect("copy the disk");
        self.unmount();
        // the old one is written to as long as it is mounted somewhere: that is another file from now on
        std::fs::rename(&copy, device).expect("exchange the disk");
        Self::attach(device, &self.at).expect("mount the copy");
    }

    fn unmount(&self) {
        unmount(&self.at, UnmountFlags::DETACH).expect("unmount the data root");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

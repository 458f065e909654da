//! Nodes and links in the container's `/dev`.

use oci::runtime::Device as OciDevice;
use rustix::fs::{FileType, Mode};

use crate::StartError;
use crate::process::c_string;
use crate::program::{Device, Step};

/// Always there: name, major, minor; world-writable characters.
const BASIC: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Link in `/dev`, target.
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// The steps that make them.
pub(crate) fn plan(devices: &[OciDevice]) -> Result<Vec<Step>, StartError> {
    let mut steps = Vec::with_capacity(BASIC.len() + LINKS.len() + 1 + devices.len());
    for (name, major, minor) in BASIC {
        steps.push(Step::Device(Device {
            directory: c"/dev".to_owned(),
            name: c_string(name)?,
            kind: FileType::CharacterDevice,
            mode: Mode::from_raw_mode(0o666),
            number: rustix::fs::makedev(major, minor),
            uid: 0,
            gid: 0,
        }));
    }
    for (path, target) in LINKS {
        steps.push(Step::Symlink { path: c_string(path)?, target: c_string(target)? });
    }
    if std::path::Path::new("/proc/kcore").exists() {
        steps.push(Step::Symlink { path: c"/dev/core".to_owned(), target: c"/proc/kcore".to_owned() });
    }
    for device in devices {
        steps.push(Step::Device(one(device)?));
    }
    Ok(steps)
}

fn one(device: &OciDevice) -> Result<Device, StartError> {
    let path = &device.path;
    let bad = |what: &str| StartError::other(format!("device {path:?}: {what}"));
    let kind = match device.kind.as_str() {
        "c" | "u" => FileType::CharacterDevice,
        "b" => FileType::BlockDevice,
        "p" => FileType::Fifo,
        other => return Err(bad(&format!("unknown type {other:?}"))),
    };
    let (directory, name) = path.rsplit_once('/').ok_or_else(|| bad("not an absolute path"))?;
    if !path.starts_with('/') || name.is_empty() || path.split('/').any(|part| part == "..") {
        return Err(bad("not an absolute path"));
    }
    let number = |value: i64| u32::try_from(value).map_err(|_| bad("number out of range"));
    let number = match kind {
        FileType::Fifo => 0,
        _ => rustix::fs::makedev(number(device.major)?, number(device.minor)?),
    };
    Ok(Device {
        directory: c_string(if directory.is_empty() { "/" } else { directory })?,
        name: c_string(name)?,
        kind,
        mode: Mode::from_raw_mode(device.file_mode.unwrap_or(0o666) & 0o7777),
        number,
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}

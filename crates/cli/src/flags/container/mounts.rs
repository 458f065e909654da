//! `-v`, `--mount`, `--tmpfs` and the root file system.

use std::collections::BTreeMap;

use api::lenient::Empty;
use api::types::{BindOptions, ImageOptions, Mount, TmpfsOptions, VolumeDriverConfig, VolumeOptions};

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::parse::split_csv;
use crate::flags::{Flag, check};

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::list("volume", "Bind mount a volume").short('v').completes(Complete::Volumes),
    Flag::text("volume-driver", "Optional volume driver for the container"),
    Flag::list("volumes-from", "Mount volumes from the specified container(s)")
        .completes(Complete::Containers(crate::command::States::All)),
    Flag::list("mount", "Attach a filesystem mount to the container").typed("mount").checked(mount),
    Flag::list("tmpfs", "Mount a tmpfs directory"),
    Flag::bool("read-only", "Mount the container's root filesystem as read only"),
    Flag::list("storage-opt", "Storage driver options for the container"),
];

/// Puts them into the request.
///
/// # Errors
/// Docker's sentence for a mount it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let mut binds = Vec::new();
    let mut anonymous: BTreeMap<String, Empty> = BTreeMap::new();
    for text in call.all("volume") {
        match volume(text).map_err(Failure::new)? {
            Volume::Bind(bind) if binds.contains(&bind) => {}
            Volume::Bind(bind) => binds.push(bind),
            Volume::Anonymous => drop(anonymous.insert(text.to_owned(), Empty {})),
        }
    }
    if call.all("storage-opt").any(|option| !option.contains('=')) {
        return Err(Failure::new("invalid storage option"));
    }
    draft.config.volumes = Some(anonymous);
    let host = &mut draft.host;
    host.binds = Some(binds).filter(|binds| !binds.is_empty());
    host.volume_driver = call.text_or_empty("volume-driver").to_owned();
    host.volumes_from = Some(super::list(call, "volumes-from")).filter(|list| !list.is_empty());
    host.mounts = call.all("mount").filter_map(|text| parse_mount(text).ok()).collect();
    let tmpfs = |text: &str| {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        (path.to_owned(), options.to_owned())
    };
    host.tmpfs = call.all("tmpfs").map(tmpfs).collect();
    host.readonly_rootfs = call.is("read-only");
    host.storage_opt = crate::flags::pairs::to_map(super::list(call, "storage-opt"));
    Ok(())
}

enum Volume {
    /// A directory of the host or a named volume, as the daemon is told.
    Bind(String),
    /// Only a path inside.
    Anonymous,
}

/// `[SOURCE:]TARGET[:OPTIONS]`. A relative source is made absolute: the daemon does not know our directory.
fn volume(text: &str) -> Result<Volume, String> {
    if text.is_empty() {
        return Err("invalid empty volume spec".into());
    }
    // too short to have two parts: the daemon judges
    if text.len() <= 2 {
        return Ok(Volume::Anonymous);
    }
    let sections = sections(text);
    let invalid = |why: &str| Err(format!("invalid spec: {text}: {why}"));
    if sections.iter().any(|section| section.is_empty()) {
        return invalid("empty section between colons");
    }
    if sections.len() > 3 {
        return invalid("too many colons");
    }
    let [source, _, ..] = sections.as_slice() else { return Ok(Volume::Anonymous) };
    let rest = &text[source.len() + 1..];
    if source.starts_with('.') {
        let here = std::env::current_dir().map_err(|error| error.to_string())?;
        let absolute = super::clean_path(&format!("{}/{source}", here.display()));
        return Ok(Volume::Bind(format!("{absolute}:{rest}")));
    }
    Ok(Volume::Bind(text.to_owned()))
}

/// Split at colons, except after a single letter: that is a drive of Windows'.
fn sections(text: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(':') {
        let section = &text[start..at];
        if section.len() != 1 || !section.starts_with(|c: char| c.is_ascii_alphabetic()) {
            sections.push(section);
            start = at + 1;
        }
    }
    sections.push(&text[start..]);
    sections
}

fn mount(text: &str) -> Result<(), String> {
    parse_mount(text).map(drop)
}

/// `type=…,source=…,target=…,…`
fn parse_mount(text: &str) -> Result<Mount, String> {
    let mut mount = Mount { kind: "volume".into(), ..Mount::default() };
    for field in split_csv(text)? {
        match field.split_once('=') {
            Some((key, value)) => set_field(&mut mount, &key.to_lowercase(), value, &field)?,
            None => set_switch(&mut mount, &field)?,
        }
    }
    consistent(&mount)?;
    Ok(mount)
}

fn set_switch(mount: &mut Mount, field: &str) -> Result<(), String> {
    match field.to_lowercase().as_str() {
        "readonly" | "ro" => mount.read_only = true,
        "volume-nocopy" => volume_options(mount).no_copy = true,
        "bind-nonrecursive" => bind_options(mount).non_recursive = true,
        "bind-create-src" => bind_options(mount).create_mountpoint = true,
        _ => return Err(format!("invalid field '{field}' must be a key=value pair")),
    }
    Ok(())
}

fn set_field(mount: &mut Mount, key: &str, value: &str, field: &str) -> Result<(), String> {
    let invalid = || format!("invalid value for {key}: {value}");
    let switch = || check::parse_bool(value).ok_or_else(invalid);
    match key {
        "type" => mount.kind = value.to_lowercase(),
        "source" | "src" => mount.source = source(value)?,
        "target" | "dst" | "destination" => mount.target = value.to_owned(),
        "readonly" | "ro" => mount.read_only = switch()?,
        "consistency" => mount.consistency = value.to_lowercase(),
        "bind-propagation" => bind_options(mount).propagation = value.to_lowercase(),
        "bind-nonrecursive" => bind_options(mount).non_recursive = switch()?,
        "bind-create-src" => bind_options(mount).create_mountpoint = switch()?,
        "bind-recursive" => bind_recursive(mount, value)?,
        "volume-subpath" => volume_options(mount).subpath = value.to_owned(),
        "volume-nocopy" => volume_options(mount).no_copy = switch()?,
        "volume-label" => set_pair(&mut volume_options(mount).labels, value),
        "volume-driver" => driver(mount).name = value.to_owned(),
        "volume-opt" => set_pair(&mut driver(mount).options, value),
        "image-subpath" => mount.image_options = Some(ImageOptions { subpath: value.to_owned() }),
        "tmpfs-size" => {
            tmpfs_options(mount).size_bytes = values::size::parse_binary(value).map_err(|_| invalid())?;
        }
        "tmpfs-mode" => tmpfs_options(mount).mode = u32::from_str_radix(value, 8).map_err(|_| invalid())?,
        _ => return Err(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

fn source(value: &str) -> Result<String, String> {
    if value != "." && !value.starts_with("./") {
        return Ok(value.to_owned());
    }
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    Ok(super::clean_path(&format!("{}/{value}", here.display())))
}

fn bind_recursive(mount: &mut Mount, value: &str) -> Result<(), String> {
    match value {
        "enabled" => {}
        "disabled" => bind_options(mount).non_recursive = true,
        "writable" => bind_options(mount).read_only_non_recursive = true,
        "readonly" => bind_options(mount).read_only_force_recursive = true,
        _ => {
            return Err(format!(
                "invalid value for bind-recursive: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
            ));
        }
    }
    Ok(())
}

fn set_pair(map: &mut BTreeMap<String, String>, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if !key.is_empty() {
        map.insert(key.to_owned(), value.to_owned());
    }
}

fn volume_options(mount: &mut Mount) -> &mut VolumeOptions {
    mount.volume_options.get_or_insert_with(VolumeOptions::default)
}

fn driver(mount: &mut Mount) -> &mut VolumeDriverConfig {
    volume_options(mount).driver_config.get_or_insert_with(VolumeDriverConfig::default)
}

fn bind_options(mount: &mut Mount) -> &mut BindOptions {
    mount.bind_options.get_or_insert_with(BindOptions::default)
}

fn tmpfs_options(mount: &mut Mount) -> &mut TmpfsOptions {
    mount.tmpfs_options.get_or_insert_with(TmpfsOptions::default)
}

/// Options of one type on a mount of another are a mistake.
fn consistent(mount: &Mount) -> Result<(), String> {
    if mount.kind.is_empty() {
        return Err("type is required".into());
    }
    if mount.target.is_empty() {
        return Err("target is required".into());
    }
    for (kind, given) in [
        ("volume", mount.volume_options.is_some()),
        ("image", mount.image_options.is_some()),
        ("bind", mount.bind_options.is_some()),
        ("tmpfs", mount.tmpfs_options.is_some()),
    ] {
        if given && mount.kind != kind {
            return Err(format!("cannot mix '{kind}-*' options with mount type '{}'", mount.kind));
        }
    }
    let Some(bind) = &mount.bind_options else { return Ok(()) };
    let requires = |option: &str, what: &str| {
        Err(format!("option 'bind-recursive={option}' requires '{what}' to be specified in conjunction"))
    };
    if bind.read_only_non_recursive && !mount.read_only {
        return requires("writable", "readonly");
    }
    if bind.read_only_force_recursive && !mount.read_only {
        return requires("readonly", "readonly");
    }
    if bind.read_only_force_recursive && bind.propagation != "rprivate" {
        return requires("readonly", "bind-propagation=rprivate");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let mount = parse_mount("type=bind,src=/a,dst=/b,ro,bind-propagation=rslave").unwrap();
        assert_eq!((mount.kind.as_str(), mount.source.as_str(), mount.target.as_str()), ("bind", "/a", "/b"));
        assert!(mount.read_only);
        assert_eq!(mount.bind_options.unwrap().propagation, "rslave");
        for (text, message) in [
            ("x", "invalid field 'x' must be a key=value pair"),
            ("foo=x", "unexpected key 'foo' in 'foo=x'"),
            ("type=bind,ro=maybe", "invalid value for ro: maybe"),
            ("type=bind,dst=/a,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'bind'"),
            ("type=tmpfs,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
            ("type=", "type is required"),
        ] {
            assert_eq!(parse_mount(text).unwrap_err(), message, "{text}");
        }
    }

    #[test]
    fn volumes() {
        let bind = |text: &str| match volume(text) {
            Ok(Volume::Bind(bind)) => Ok(bind),
            Ok(Volume::Anonymous) => Ok(String::new()),
            Err(error) => Err(error),
        };
        assert_eq!(bind("/a:/b:ro"), Ok("/a:/b:ro".into()));
        assert_eq!(bind("name:/b"), Ok("name:/b".into()));
        assert_eq!(bind("/b"), Ok(String::new()));
        let here = std::env::current_dir().unwrap();
        assert_eq!(bind("./x:/b"), Ok(format!("{}/x:/b", here.display())));
        assert!(bind("").is_err());
        assert!(bind("/a::/b").is_err());
        assert!(bind("/a:/b:ro:x").is_err());
        assert_eq!(bind("c:/d:/e"), Ok("c:/d:/e".into()));
    }
}

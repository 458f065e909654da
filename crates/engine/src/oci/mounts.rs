//! What is mounted in the container, in order: the system's own mounts, then the user's, then the daemon's files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use oci::runtime::Mount;
use values::{Error, Result};

use super::{Input, security};
use crate::container::modes::IpcMode;
use crate::container::mounts::{Kind, Resolved, SubMounts};

const SHM: &str = "/dev/shm";
const MQUEUE: &str = "/dev/mqueue";

/// The mounts and what they ask of the root's propagation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    pub list: Vec<Mount>,
    /// Empty, `shared` or `rslave`.
    pub rootfs_propagation: String,
}

/// All mounts of a container.
///
/// # Errors
/// `InvalidArgument` in Docker's words for bad tmpfs options and sources whose mount cannot propagate.
pub fn mounts(input: &Input<'_>, options: &security::Options) -> Result<Mounts> {
    let ipc = IpcMode::parse(&input.host.ipc_mode, &input.defaults.ipc)?;
    let user = user_mounts(input, ipc)?;
    let taken: BTreeSet<String> = user.iter().map(|mount| mount.destination.clone()).collect();
    let mut list = system_mounts(input, options, ipc, &taken);
    let rootfs_propagation = propagation(input)?;
    list.extend(user);
    Ok(Mounts { list, rootfs_propagation })
}

/// The runtime's defaults, without those which the user's replace.
fn system_mounts(
    input: &Input<'_>,
    options: &security::Options,
    ipc: IpcMode<'_>,
    taken: &BTreeSet<String>,
) -> Vec<Mount> {
    let dev_is_users = taken.contains("/dev");
    // the host's queues are not a remapped container's to mount anew
    let no_queues = ipc == IpcMode::Host && input.remap().is_some();
    let hidden = |mount: &Mount| {
        taken.contains(&mount.destination)
            || (dev_is_users && mount.destination.starts_with("/dev/"))
            || (mount.destination == SHM && ipc == IpcMode::None)
            || (mount.kind == "mqueue" && no_queues)
    };
    let mut list: Vec<Mount> = runtime::default_mounts().into_iter().filter(|mount| !hidden(mount)).collect();
    for mount in &mut list {
        let is_cgroup = mount.kind == "cgroup" || mount.kind == "cgroup2";
        match mount.destination.as_str() {
            SHM => {
                mount.options.retain(|option| !option.starts_with("size="));
                mount.options.push(format!("size={}", input.host.shm_size));
            }
            "/proc" | "/dev" | "/dev/pts" | "/dev/mqueue" => {}
            _ => set_read_only(mount, input.host.readonly_rootfs || is_read_only(mount)),
        }
        if (input.host.privileged && (is_cgroup || mount.destination == "/sys"))
            || (is_cgroup && options.writable_cgroups)
        {
            set_read_only(mount, false);
        }
    }
    list
}

fn is_read_only(mount: &Mount) -> bool {
    mount.options.iter().any(|option| option == "ro")
}

fn set_read_only(mount: &mut Mount, read_only: bool) {
    if is_read_only(mount) != read_only {
        mount.options.retain(|option| option != "ro" && option != "rw");
        mount.options.extend(read_only.then(|| "ro".to_owned()));
    }
}

/// The user's mounts, a shared `/dev/shm` and the files in `/etc`: fewest components first.
fn user_mounts(input: &Input<'_>, ipc: IpcMode<'_>) -> Result<Vec<Mount>> {
    let mut list: Vec<Mount> = input.mounts.iter().map(from_resolved).collect::<Result<_>>()?;
    let taken: BTreeSet<String> = list.iter().map(|mount| mount.destination.clone()).collect();
    let mut add = |destination: &str, source: &str, read_only: bool| {
        if !taken.contains(destination) {
            list.push(bind(destination, source, read_only));
        }
    };
    match ipc {
        IpcMode::Host => {
            add(SHM, SHM, false);
            if input.remap().is_some() && Path::new(MQUEUE).exists() {
                add(MQUEUE, MQUEUE, false);
            }
        }
        IpcMode::Container(_) => {
            // namespaces() has refused a container that does not run
            let pid = input.joined.ipc.unwrap_or_default();
            add(SHM, &format!("/proc/{pid}/root/dev/shm"), false);
        }
        _ => {}
    }
    for (file, destination) in [
        (input.etc.resolv_conf, "/etc/resolv.conf"),
        (input.etc.hostname, "/etc/hostname"),
        (input.etc.hosts, "/etc/hosts"),
    ] {
        if let Some(source) = file {
            let source = source.to_str().ok_or_else(|| {
                Error::internal(format!("the path of a container's file is not UTF-8: {}", source.display()))
            })?;
            add(destination, source, input.host.readonly_rootfs);
        }
    }
    list.sort_by_key(|mount| mount.destination.split('/').filter(|part| !part.is_empty()).count());
    Ok(list)
}

fn bind(destination: &str, source: &str, read_only: bool) -> Mount {
    let mut options = vec!["rbind".to_owned(), "rprivate".to_owned()];
    options.extend(read_only.then(|| "ro".to_owned()));
    Mount { destination: destination.into(), kind: "bind".into(), source: source.into(), options, ..Mount::default() }
}

fn from_resolved(mount: &Resolved) -> Result<Mount> {
    if mount.kind == Kind::Tmpfs {
        return Ok(Mount {
            destination: mount.destination.clone(),
            kind: "tmpfs".into(),
            source: "tmpfs".into(),
            options: tmpfs_options(&mount.data)?,
            ..Mount::default()
        });
    }
    let mut options = vec![if mount.recursive { "rbind" } else { "bind" }.to_owned()];
    if mount.read_only {
        let whole_tree = mount.recursive && mount.sub_mounts != SubMounts::Writable;
        options.push(if whole_tree { "rro" } else { "ro" }.to_owned());
    }
    options.push(if mount.propagation.is_empty() { "rprivate".into() } else { mount.propagation.clone() });
    Ok(Mount {
        destination: mount.destination.clone(),
        kind: "bind".into(),
        source: mount.runtime_name().to_owned(),
        options,
        ..Mount::default()
    })
}

/// Checks the options of all tmpfs mounts of a request.
///
/// # Errors
/// `InvalidArgument` in Docker's words.
pub fn check_tmpfs(mounts: &[Resolved]) -> Result<()> {
    mounts.iter().filter(|mount| mount.kind == Kind::Tmpfs).try_for_each(|mount| tmpfs_options(&mount.data).map(drop))
}

/// Flags that exclude each other stand in one group: the last one given holds.
const FLAGS: [(&str, &[&str]); 11] = [
    ("access", &["ro", "rw"]),
    ("suid", &["suid", "nosuid"]),
    ("dev", &["dev", "nodev"]),
    ("exec", &["exec", "noexec"]),
    ("sync", &["sync", "async"]),
    ("dirsync", &["dirsync"]),
    ("atime", &["atime", "noatime"]),
    ("diratime", &["diratime", "nodiratime"]),
    ("relatime", &["relatime", "norelatime"]),
    ("strictatime", &["strictatime", "nostrictatime"]),
    ("propagation", &["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"]),
];
/// Options of tmpfs(5) with a value.
const VALUES: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];

/// Docker's options of a tmpfs, with the user's `a,b=c` on top.
fn tmpfs_options(data: &str) -> Result<Vec<String>> {
    let given = data.split(',').filter(|option| !option.is_empty() && *option != "defaults");
    let all: Vec<&str> = ["noexec", "nosuid", "nodev", "rprivate"].into_iter().chain(given).collect();
    let mut seen = BTreeSet::new();
    let mut options = Vec::new();
    for option in all.into_iter().rev() {
        let group = FLAGS.iter().find(|(_, flags)| flags.contains(&option)).map(|(group, _)| *group);
        let key = option.split_once('=').map(|(key, _)| key).filter(|key| VALUES.contains(key));
        let Some(group) = group.or(key) else {
            let name = option.split_once('=').map_or(option, |(name, _)| name);
            return Err(Error::invalid(format!("invalid tmpfs option {name:?}")));
        };
        if seen.insert(group) {
            options.push(option.to_owned());
        }
    }
    options.reverse();
    Ok(options)
}

/// What binds with shared or slave propagation need of the root, after a look at their sources' mounts.
fn propagation(input: &Input<'_>) -> Result<String> {
    let mut root = "";
    let mut table = None;
    for mount in input.mounts.iter().filter(|mount| mount.kind == Kind::Bind) {
        let (shared, slave) = (mount.propagation.ends_with("shared"), mount.propagation.ends_with("slave"));
        if !shared && !slave {
            continue;
        }
        let table = table.get_or_insert_with(|| fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
        check_propagation(&mount.source, table, slave)?;
        if shared {
            root = "shared";
        } else if root.is_empty() {
            root = "rslave";
        }
    }
    Ok(root.into())
}

/// The mount on which a source lies must be shared (or, for a slave, at least a slave itself).
fn check_propagation(source: &str, table: &str, slave: bool) -> Result<()> {
    let real = fs::canonicalize(source).map_err(|_| {
        Error::invalid(format!("invalid mount config for type \"bind\": bind source path does not exist: {source}"))
    })?;
    let (point, tags) = table
        .lines()
        .filter_map(mount_point)
        .filter(|(point, _)| real.starts_with(Path::new(point)))
        // of two at one place the later covers the earlier
        .max_by_key(|(point, _)| point.len())
        .ok_or_else(|| Error::invalid(format!("Can't find mount point of {source}")))?;
    let has = |tag: &str| tags.split(' ').any(|word| word.starts_with(tag));
    if has("shared:") || (slave && has("master:")) {
        return Ok(());
    }
    let wanted = if slave { "a shared or slave" } else { "a shared" };
    Err(Error::invalid(format!("path {source} is mounted on {point} but it is not {wanted} mount")))
}

/// Mount point and optional fields of a line of proc_pid_mountinfo(5).
fn mount_point(line: &str) -> Option<(String, &str)> {
    let (left, _) = line.split_once(" - ")?;
    let mut fields = left.splitn(7, ' ');
    let point =
        fields.nth(4)?.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    Some((point, fields.nth(1).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::mounts::{parse_bind, resolve};
    use crate::oci::tests::Scene;

    fn of(scene: &Scene) -> Vec<Mount> {
        mounts(&scene.input(), &security::Options::default()).unwrap().list
    }

    fn find<'a>(list: &'a [Mount], destination: &str) -> Option<&'a Mount> {
        list.iter().find(|mount| mount.destination == destination)
    }

    #[test]
    fn tmpfs() {
        let check = |data: &str, expected: Result<&str, &str>| {
            let got = tmpfs_options(data).map(|list| list.join(",")).map_err(|e| e.message);
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{data}");
        };
        check("", Ok("noexec,nosuid,nodev,rprivate"));
        check("size=64m,exec,defaults", Ok("nosuid,nodev,rprivate,size=64m,exec"));
        check("size=1,size=2,ro,rw,mode=1777", Ok("noexec,nosuid,nodev,rprivate,size=2,rw,mode=1777"));
        check("shared", Ok("noexec,nosuid,nodev,shared"));
        check("bogus", Err("invalid tmpfs option \"bogus\""));
        check("huge=always", Err("invalid tmpfs option \"huge\""));
    }

    #[test]
    fn shm() {
        let check = |ipc: &str, source: Option<&str>| {
            let mut scene = Scene::default();
            scene.host.ipc_mode = ipc.into();
            scene.host.shm_size = 1234;
            scene.joined.ipc = Some(77);
            let list = of(&scene);
            let shm = list.iter().rfind(|mount| mount.destination == SHM);
            assert_eq!(shm.map(|mount| mount.source.as_str()), source, "{ipc}");
            assert!(list.iter().filter(|m| m.destination == SHM).count() <= 1);
            if shm.is_some_and(|mount| mount.kind == "tmpfs") {
                let sizes: Vec<_> = shm.unwrap().options.iter().filter(|o| o.starts_with("size=")).collect();
                assert_eq!(sizes, ["size=1234"]);
            }
        };
        check("none", None);
        check("host", Some("/dev/shm"));
        check("container:x", Some("/proc/77/root/dev/shm"));
        if let Some(own) = find(&runtime::default_mounts(), SHM) {
            check("private", Some(&own.source));
            check("shareable", Some(&own.source));
        }
    }

    #[test]
    fn users_mounts() {
        let mut scene = Scene::default();
        scene.host.binds = Some(vec!["/tmp:/a/b:ro".into(), "/tmp:/proc".into(), "/tmp:/etc/hosts".into()]);
        scene.host.tmpfs.insert("/run".into(), "size=1m".into());
        scene.mounts = resolve(&scene.host).unwrap();
        let list = of(&scene);
        assert_eq!(find(&list, "/a/b").unwrap().options, ["rbind", "rro", "rprivate"]);
        assert_eq!(find(&list, "/run").unwrap().kind, "tmpfs");
        let proc: Vec<&Mount> = list.iter().filter(|m| m.destination == "/proc").collect();
        assert!(proc.len() == 1 && proc[0].kind == "bind");
        assert_eq!(find(&list, "/etc/hosts").unwrap().source, "/tmp");
        assert_eq!(find(&list, "/etc/resolv.conf").unwrap().source, "/run/x/resolv.conf");
        let last: Vec<&str> = list.iter().rev().take(4).map(|m| m.destination.as_str()).collect();
        assert!(last.contains(&"/a/b"), "{last:?}");
    }

    #[test]
    fn read_only_kinds() {
        let check = |sub_mounts: SubMounts, recursive: bool, expected: &[&str]| {
            let mount = Resolved { sub_mounts, recursive, ..parse_bind("/a:/b:ro,slave").unwrap() };
            assert_eq!(from_resolved(&mount).unwrap().options, expected);
        };
        check(SubMounts::ReadOnly, true, &["rbind", "rro", "slave"]);
        check(SubMounts::Writable, true, &["rbind", "ro", "slave"]);
        check(SubMounts::ForcedReadOnly, true, &["rbind", "rro", "slave"]);
        check(SubMounts::ReadOnly, false, &["bind", "ro", "slave"]);
    }

    #[test]
    fn read_only_root_and_privileged() {
        let mut scene = Scene::default();
        scene.host.readonly_rootfs = true;
        let list = of(&scene);
        assert!(is_read_only(find(&list, "/etc/hosts").unwrap()));
        for writable in ["/proc", "/dev", SHM] {
            assert!(!find(&list, writable).is_some_and(is_read_only), "{writable}");
        }
        scene.host.readonly_rootfs = false;
        scene.host.privileged = true;
        assert!(!of(&scene).iter().any(|m| is_read_only(m) && (m.kind == "cgroup" || m.destination == "/sys")));
    }

    #[test]
    fn propagations() {
        let table = "22 1 0:1 / / rw - ext4 x rw\n23 22 0:2 / /tmp rw shared:5 - tmpfs t rw\n24 22 0:3 / /usr rw master:5 - tmpfs t rw\n";
        let check = |source: &str, slave: bool, expected: &str| {
            let got = check_propagation(source, table, slave).map_err(|e| e.message).err().unwrap_or_default();
            assert_eq!(got, expected);
        };
        check("/tmp", false, "");
        check("/tmp", true, "");
        check("/usr", true, "");
        check("/usr", false, "path /usr is mounted on /usr but it is not a shared mount");
        check("/etc", true, "path /etc is mounted on / but it is not a shared or slave mount");
    }
}

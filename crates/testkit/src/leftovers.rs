use std::collections::BTreeSet;
use std::path::Path;

/// What one daemon may leave on a machine, each as a line of text.
#[derive(Debug, Default)]
pub struct Leftovers(BTreeSet<String>);

impl Leftovers {
    /// What is there now and belongs to the daemon with its roots below `directory`.
    ///
    /// Links and tables of other tests come and go meanwhile, so only what names this directory counts: processes by their
    /// command line, mounts by their place, links and tables by the daemon's derived name, cgroups likewise.
    pub fn now(directory: &Path) -> Self {
        let mut found = BTreeSet::new();
        let root = directory.to_string_lossy().into_owned();
        let name = instance(&directory.join("data"));
        processes(&root, &mut found);
        lines("/proc/self/mountinfo", "mount", |l| l.contains(&root), &mut found);
        links(&name, &mut found);
        cgroups(&name, &mut found);
        tables(&name, &mut found);
        Self(found)
    }

    pub fn since(&self, before: &Self) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }
}

/// The name derived from a data root, as `network::Names` has it; empty where it cannot be known.
pub fn instance(data_root: &Path) -> String {
    let bytes = data_root.as_os_str().as_encoded_bytes();
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{:08x}", (hash ^ (hash >> 32)) as u32)
}

fn processes(root: &str, found: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        let text = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&text).replace('\0', " ");
        // a shim's command line says nothing: its directory does
        let fds = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let holds =
            || fds.filter_map(|f| std::fs::read_link(f.path()).ok()).any(|l| l.to_string_lossy().contains(root));
        let lighter = command.contains("lighter");
        if lighter && (command.contains(root) || holds()) {
            found.insert(format!("process {pid} {command}"));
        }
    }
}

fn lines(path: &str, what: &str, wanted: impl Fn(&str) -> bool, found: &mut BTreeSet<String>) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    found.extend(text.lines().filter(|l| wanted(l)).map(|l| format!("{what} {l}")));
}

fn links(name: &str, found: &mut BTreeSet<String>) {
    let Ok(output) = std::process::Command::new("ip").args(["-o", "link"]).output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    found.extend(text.lines().filter(|l| l.contains(name)).map(|l| format!("link {l}")));
}

fn tables(name: &str, found: &mut BTreeSet<String>) {
    let Ok(output) = std::process::Command::new("nft").args(["list", "tables"]).output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    found.extend(text.lines().filter(|l| l.contains(name)).map(|l| format!("nft {l}")));
}

fn cgroups(name: &str, found: &mut BTreeSet<String>) {
    let Ok(hierarchies) = std::fs::read_dir("/sys/fs/cgroup") else { return };
    for hierarchy in hierarchies.flatten() {
        let Ok(groups) = std::fs::read_dir(hierarchy.path()) else { continue };
        for group in groups.flatten() {
            if group.file_name().to_string_lossy().contains(name) {
                found.insert(format!("cgroup {}", group.path().display()));
            }
        }
    }
}

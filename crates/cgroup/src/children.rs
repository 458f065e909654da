use std::collections::BTreeSet;

use crate::Host;

/// Names of the groups directly below `parent` (as in `/lighter`), over all hierarchies: what a daemon's sweep looks at.
pub fn children(parent: &str) -> Vec<String> {
    let Ok(host) = Host::detect() else { return Vec::new() };
    let mut names = BTreeSet::new();
    for hierarchy in &host.hierarchies {
        let Ok(entries) = std::fs::read_dir(hierarchy.mount.join(parent.trim_start_matches('/'))) else { continue };
        let groups = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        names.extend(groups.filter_map(|e| e.file_name().into_string().ok()));
    }
    names.into_iter().collect()
}

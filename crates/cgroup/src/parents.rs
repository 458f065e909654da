use std::path::{Path, PathBuf};

use oci::runtime::Resources;
use values::Result;

use crate::{Cgroup, Host, foreign};

/// Groups above `path` (absolute, as in [`Cgroup::create`]) that are not there yet: their directories, and where these are in the
/// hierarchy (`/a/b`). `resources` say which v1 hierarchies are joined; None: by another runtime, which may join any.
pub fn missing_parents(path: &str, resources: Option<&Resources>) -> Result<Vec<(PathBuf, String)>> {
    let inside = crate::group::inside(path)?;
    let mounts = match resources {
        Some(resources) => Cgroup::mounts(&Host::detect()?, path, resources)?,
        None => foreign::all_mounts(),
    };
    let levels = || inside.ancestors().skip(1).filter(|level| !level.as_os_str().is_empty());
    let place = |level: &Path| format!("/{}", level.display());
    let above = |mount: PathBuf| levels().map(move |level| (mount.join(level), place(level)));
    Ok(mounts.into_iter().flat_map(above).filter(|(directory, _)| !directory.exists()).collect())
}

/// Removes a group in one hierarchy unless a process or another group is in it. True when it is gone.
pub fn remove_empty(group: &Path) -> bool {
    std::fs::remove_dir(group).map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs root and the machine's hierarchies.
    #[test]
    fn what_is_missing_is_found_and_only_what_is_empty_goes() {
        let top = format!("/lighter-parents-{}", std::process::id());
        let path = format!("{top}/middle/leaf");
        let resources = Resources::default();
        let missing = missing_parents(&path, Some(&resources)).unwrap();
        let group = Cgroup::create(&path, &resources).unwrap();
        assert!(missing_parents(&path, Some(&resources)).unwrap().is_empty());
        // the deepest of each hierarchy first
        let empty = |(parent, _): &(PathBuf, String)| remove_empty(parent);
        let occupied = missing.iter().any(empty);
        group.remove().unwrap();
        let gone = missing.iter().all(empty);
        assert!(!occupied && gone);
        assert_eq!(missing_parents(&path, Some(&resources)).unwrap(), missing);
        let places: Vec<&str> = missing.iter().map(|(_, place)| place.as_str()).collect();
        assert!(places.chunks(2).all(|two| two == [format!("{top}/middle"), top.clone()]), "{places:?}");
        assert!(missing_parents("/../x", None).is_err());
    }
}

//! Intel's Resource Director Technology (`linux.intelRdt`): groups of the `resctrl` file system.
//! <https://docs.kernel.org/filesystems/resctrl.html>, and the rules of config-linux.md.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use oci::runtime::IntelRdt;
use serde::{Deserialize, Serialize};

use crate::StartError;

/// What was made for a container and goes with it, the deepest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups(Vec<PathBuf>);

impl Groups {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes them away; what is gone already is fine.
    pub fn remove(&self) {
        for group in &self.0 {
            let _ = fs::remove_dir(group);
        }
    }
}

/// The same, until the container is made.
#[derive(Debug, Default)]
pub(crate) struct Guard(pub(crate) Groups);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// Where the file system is.
pub(crate) fn mounted() -> Result<PathBuf, StartError> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found = table.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        (kind.split(' ').next() == Some("resctrl")).then(|| place.split(' ').nth(4).map(PathBuf::from)).flatten()
    });
    found.ok_or_else(|| StartError::other("intelRdt is specified in config, but no resctrl file system is mounted"))
}

/// Puts the process into its group, which is made where that is for us to do. `id` is the container's.
pub(crate) fn join(root: &Path, rdt: &IntelRdt, id: &str, pid: i32) -> Result<Guard, StartError> {
    let lines = lines(rdt)?;
    let name = if rdt.clos_id.is_empty() { id } else { &rdt.clos_id };
    let group = match name {
        "/" => root.to_owned(),
        name if name.contains('/') || matches!(name, "." | "..") => {
            return Err(StartError::other(format!("invalid intelRdt.closID {name:?}")));
        }
        name => root.join(name),
    };
    let mut made = Guard::default();
    let existed = !make(&group)?;
    if !existed {
        made.0.0.push(group.clone());
    }
    match (existed, rdt.clos_id.is_empty()) {
        (false, false) if lines.is_empty() => {
            let what = format!("intelRdt: there is no class {name:?} (closID) and no schema to make it with");
            return Err(StartError::other(what));
        }
        (true, false) => compare(&group, &lines)?,
        _ => lines.iter().try_for_each(|line| put(&group.join("schemata"), &format!("{line}\n")))?,
    }
    put(&group.join("tasks"), &pid.to_string())?;
    if rdt.enable_monitoring || rdt.enable_cmt || rdt.enable_mbm {
        let monitored = group.join("mon_groups").join(id);
        make(&monitored)?;
        made.0.0.insert(0, monitored.clone());
        put(&monitored.join("tasks"), &pid.to_string())?;
    }
    if !rdt.clos_id.is_empty() {
        // a class with a name is for others, too
        made.0.0.retain(|made| *made != group);
    }
    Ok(made)
}

/// What is to be written to `schemata`, in this order.
fn lines(rdt: &IntelRdt) -> Result<Vec<&str>, StartError> {
    // of the bandwidth only memBwSchema speaks
    let cache = rdt.l3_cache_schema.lines().filter(|line| !line.is_empty() && !line.starts_with("MB:"));
    let bandwidth = Some(rdt.mem_bw_schema.as_str()).filter(|line| !line.is_empty());
    let all: Vec<&str> = cache.chain(bandwidth).chain(rdt.schemata.iter().map(String::as_str)).collect();
    if let Some(bad) = all.iter().find(|line| line.contains('\n')) {
        return Err(StartError::other(format!("intelRdt: a schema must be one line: {bad:?}")));
    }
    if !rdt.mem_bw_schema.is_empty() && !rdt.mem_bw_schema.starts_with("MB:") {
        return Err(StartError::other("intelRdt.memBwSchema must start with \"MB:\""));
    }
    Ok(all)
}

/// A class that is there already must be as it is asked for: each value that is named.
fn compare(group: &Path, lines: &[&str]) -> Result<(), StartError> {
    let path = group.join("schemata");
    let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
    let has = |resource: &str, part: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(resource)?.strip_prefix(':'));
        line.is_some_and(|parts| parts.split(';').any(|known| same(known, part)))
    };
    for line in lines {
        let (resource, parts) = line.split_once(':').unwrap_or((line, ""));
        if let Some(part) = parts.split(';').find(|part| !has(resource.trim(), part)) {
            let what = format!("intelRdt: the class in {} differs from {resource}:{part}", group.display());
            return Err(StartError::other(what));
        }
    }
    Ok(())
}

/// `0=00ff` and `0=ff`: the kernel writes masks with leading zeros.
fn same(known: &str, wanted: &str) -> bool {
    let read = |text: &str| {
        let (id, value) = text.trim().split_once('=')?;
        Some((id.trim().to_owned(), value.trim().trim_start_matches('0').to_lowercase()))
    };
    read(known).is_some_and(|known| Some(known) == read(wanted))
}

/// True when it was not there.
fn make(group: &Path) -> Result<bool, StartError> {
    match fs::create_dir(group) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(group, &error)),
    }
}

fn put(path: &Path, text: &str) -> Result<(), StartError> {
    let file = fs::OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> StartError {
    StartError::other(format!("intelRdt: {}: {}", path.display(), values::system_words(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory in which the files of a group are there when they are opened, as in resctrl: made beforehand.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("lighter-resctrl-{name}-{}", std::process::id()));
            fs::create_dir_all(root.join("mon_groups")).unwrap();
            let fake = Self(root);
            fake.files("");
            fake
        }

        fn files(&self, group: &str) {
            for file in ["schemata", "tasks"] {
                fs::write(self.0.join(group).join(file), "").unwrap();
            }
        }

        fn group(&self, name: &str, schemata: &str) {
            fs::create_dir_all(self.0.join(name).join("mon_groups")).unwrap();
            self.files(name);
            fs::write(self.0.join(name).join("schemata"), schemata).unwrap();
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.0.join(path)).unwrap_or_default()
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn rdt(text: &str) -> IntelRdt {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_class_that_is_there_is_joined_when_it_is_as_asked_for() {
        let fake = Fake::new("there");
        fake.group("gold", "    L3:0=00f;1=7ff\n    MB:0=100;1=20\n");
        let join = |text: &str| join(&fake.0, &rdt(text), "c1", 7).map(|made| made.0.0.len()).map_err(|e| e.message);
        assert_eq!(join(r#"{"closID":"gold"}"#), Ok(0));
        assert_eq!(join(r#"{"closID":"gold","l3CacheSchema":"L3:0=f","memBwSchema":"MB:1=20"}"#), Ok(0));
        assert_eq!(fake.read("gold/tasks"), "77");
        let differs = join(r#"{"closID":"gold","schemata":["L3:1=3ff"]}"#).unwrap_err();
        assert!(differs.contains("differs from L3:1=3ff"), "{differs}");
        assert!(join(r#"{"closID":"silver"}"#).unwrap_err().contains("there is no class \"silver\""));
        assert!(!fake.0.join("silver").exists());
        assert_eq!(join(r#"{"closID":"/"}"#), Ok(0));
        assert_eq!(fake.read("tasks"), "7");
        // never rewritten
        assert!(fake.read("gold/schemata").starts_with("    L3:0=00f"));
    }

    #[test]
    fn a_monitoring_group_goes_with_its_container() {
        let fake = Fake::new("mon");
        fs::create_dir_all(fake.0.join("mon_groups/c1")).unwrap();
        fake.files("mon_groups/c1");
        let made = join(&fake.0, &rdt(r#"{"closID":"/","enableMonitoring":true}"#), "c1", 8).unwrap();
        assert_eq!(made.0.0, [fake.0.join("mon_groups/c1")]);
        assert_eq!((fake.read("mon_groups/c1/tasks"), fake.read("tasks")), ("8".to_owned(), "8".to_owned()));
    }

    #[test]
    fn a_group_of_its_own_that_cannot_be_filled_is_taken_back() {
        let fake = Fake::new("own");
        // a plain directory has no `schemata` in it
        let why = join(&fake.0, &rdt(r#"{"l3CacheSchema":"L3:0=f"}"#), "c1", 7).unwrap_err().message;
        assert!(why.contains("c1/schemata: no such file or directory"), "{why}");
        assert!(!fake.0.join("c1").exists());
    }

    #[test]
    fn lines_of_the_cache_say_nothing_of_the_bandwidth() {
        let check = |text: &str, expected: &[&str]| assert_eq!(lines(&rdt(text)).unwrap(), expected, "{text}");
        check(r#"{"l3CacheSchema":"L3:0=f\nMB:0=9\nL2:0=1","memBwSchema":"MB:0=5"}"#, &["L3:0=f", "L2:0=1", "MB:0=5"]);
        check(r#"{"l3CacheSchema":"L3:0=f\nMB:0=9","schemata":["L3:0=3"]}"#, &["L3:0=f", "L3:0=3"]);
        check("{}", &[]);
    }

    #[test]
    fn wrong_words() {
        let fake = Fake::new("words");
        for (text, what) in [
            (r#"{"closID":"a/b"}"#, "closID"),
            (r#"{"closID":".."}"#, "closID"),
            (r#"{"memBwSchema":"L3:0=1"}"#, "must start with"),
            (r#"{"schemata":["L3:0=1\nMB:0=1"]}"#, "one line"),
        ] {
            let why = join(&fake.0, &rdt(text), "c1", 7).unwrap_err().message;
            assert!(why.contains(what), "{why}");
        }
    }
}

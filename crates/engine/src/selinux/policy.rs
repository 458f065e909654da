use std::path::Path;

use super::context::Context;

const ROOT: &str = "/etc/selinux";
/// The type of policy where `config` names none.
const USUAL: &str = "targeted";

/// What the machine's policy says of containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) process: Context,
    pub(super) file: Context,
}

impl Policy {
    /// The machine's; None, with a word in the log, where it says nothing of containers: then they are not labelled.
    pub fn read() -> Option<Self> {
        let policy = Self::below(Path::new(ROOT));
        if policy.is_none() {
            tracing::warn!("SELinux: the policy in {ROOT} has no contexts/lxc_contexts: containers are not labelled");
        }
        policy
    }

    fn below(root: &Path) -> Option<Self> {
        let config = std::fs::read_to_string(root.join("config")).unwrap_or_default();
        let kind = value(&config, "SELINUXTYPE").unwrap_or_else(|| USUAL.to_owned());
        Self::parse(&std::fs::read_to_string(root.join(kind).join("contexts/lxc_contexts")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let context = |key| Context::parse(&value(text, key)?);
        Some(Self { process: context("process")?, file: context("file")? })
    }
}

/// The last `KEY = "VALUE"` of a file with comments.
fn value(text: &str, key: &str) -> Option<String> {
    let pairs = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let found = pairs.filter_map(|line| line.split_once('=')).rfind(|(name, _)| name.trim() == key)?.1;
    Some(found.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_policy() {
        let root = std::env::temp_dir().join(format!("lighter-selinux-{}", std::process::id()));
        let contexts = root.join("default/contexts");
        std::fs::create_dir_all(&contexts).unwrap();
        std::fs::write(root.join("config"), "# SELINUXTYPE=none\nSELINUX=permissive\nSELINUXTYPE=default\n").unwrap();
        let none = Policy::below(&root);
        let text = "process = \"system_u:system_r:container_t:s0\"\n\n# file = \"x\"\n\
                    file = \"system_u:object_r:container_file_t:s0\"\nro_file=\"system_u:object_r:container_ro_file_t:s0\"\n";
        std::fs::write(contexts.join("lxc_contexts"), text).unwrap();
        let policy = Policy::below(&root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(none, None);
        let policy = policy.unwrap();
        assert_eq!(policy.process.to_string(), "system_u:system_r:container_t:s0");
        assert_eq!(policy.file.to_string(), "system_u:object_r:container_file_t:s0");
        assert_eq!(Policy::parse("process = \"a:b:c:s0\"\n"), None);
    }
}

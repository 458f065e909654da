use std::collections::BTreeSet;

use values::{Error, Result};

use super::context::Context;
use super::policy::Policy;

/// Categories that a policy has; a container takes two of them.
const CATEGORIES: u32 = 1024;
/// The level of files of containers that are not confined, so that no other container has it.
const PRIVATE: &str = "s0:c1022,c1023";

/// What a container was given. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pub process: String,
    pub mount: String,
}

impl Labels {
    /// What `--security-opt label=…` makes of the policy's labels. `level`: categories of the container's own.
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words.
    pub fn new(policy: &Policy, options: &[String], level: &str) -> Result<Self> {
        let (mut process, mut mount) = (policy.process.at(level), policy.file.at(level));
        for option in options {
            if option == "disable" {
                return Ok(Self { process: String::new(), mount: policy.file.at(PRIVATE).to_string() });
            }
            let bad = || {
                Error::invalid(format!(
                    "Bad label option \"{option}\", valid options 'disable' or \n'user, role, level, type, filetype' \
                     followed by ':' and a value"
                ))
            };
            let (key, value) = option.split_once(':').ok_or_else(bad)?;
            let value = || value.to_owned();
            match key {
                "user" => (process.user, mount.user) = (value(), value()),
                "role" => process.role = value(),
                "type" => process.kind = value(),
                "level" => (process.level, mount.level) = (value(), value()),
                "filetype" => mount.kind = value(),
                _ => return Err(bad()),
            }
        }
        Ok(Self { process: process.to_string(), mount: mount.to_string() })
    }

    /// The options that give a container another one's label, with which it shares a namespace.
    pub fn options(process: &str) -> Vec<String> {
        let Some(context) = Context::parse(process) else { return Vec::new() };
        let mut options =
            vec![format!("user:{}", context.user), format!("role:{}", context.role), format!("type:{}", context.kind)];
        if !context.level.is_empty() {
            options.push(format!("level:{}", context.level));
        }
        options
    }

    /// Categories that no label in `taken` has; `random` gives numbers.
    pub fn free_level<'a>(taken: impl Iterator<Item = &'a str>, mut random: impl FnMut() -> u32) -> String {
        let taken: BTreeSet<String> = taken.filter_map(Context::parse).map(|context| context.level).collect();
        // half a million pairs: far more than containers
        loop {
            let (one, other) = (random() % CATEGORIES, random() % CATEGORIES);
            let level = format!("s0:c{},c{}", one.min(other), one.max(other));
            if one != other && level != PRIVATE && !taken.contains(&level) {
                return level;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let context = |text| Context::parse(text).unwrap();
        Policy {
            process: context("system_u:system_r:container_t:s0"),
            file: context("system_u:object_r:container_file_t:s0"),
        }
    }

    #[test]
    fn by_option() {
        let check = |options: &[&str], process: &str, mount: &str| {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            let labels = Labels::new(&policy(), &options, "s0:c1,c2").unwrap();
            assert_eq!((labels.process.as_str(), labels.mount.as_str()), (process, mount), "{options:?}");
        };
        let file = "system_u:object_r:container_file_t:s0:c1,c2";
        check(&[], "system_u:system_r:container_t:s0:c1,c2", file);
        check(&["type:spc_t"], "system_u:system_r:spc_t:s0:c1,c2", file);
        check(&["level:s0:c7"], "system_u:system_r:container_t:s0:c7", "system_u:object_r:container_file_t:s0:c7");
        check(&["user:u", "role:r"], "u:r:container_t:s0:c1,c2", "u:object_r:container_file_t:s0:c1,c2");
        check(&["filetype:f_t"], "system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:f_t:s0:c1,c2");
        check(&["disable"], "", "system_u:object_r:container_file_t:s0:c1022,c1023");
        for bad in ["nonsense", "foo:bar"] {
            let error = Labels::new(&policy(), &[bad.to_owned()], "s0").unwrap_err();
            assert!(error.message.starts_with(&format!("Bad label option \"{bad}\", valid options")), "{error}");
        }
    }

    #[test]
    fn shared() {
        let of = Labels::options("system_u:system_r:container_t:s0:c1,c2");
        assert_eq!(of, ["user:system_u", "role:system_r", "type:container_t", "level:s0:c1,c2"]);
        let again = Labels::new(&policy(), &of, "s0:c8,c9").unwrap();
        assert_eq!(again.process, "system_u:system_r:container_t:s0:c1,c2");
        assert!(Labels::options("").is_empty());
    }

    #[test]
    fn levels_are_ones_own() {
        let mut numbers = [5, 5, 1023, 1022, 7, 3, 9, 4].into_iter();
        let taken = ["a:b:c:s0:c3,c7", "", "a:b:c"];
        assert_eq!(Labels::free_level(taken.into_iter(), || numbers.next().unwrap()), "s0:c4,c9");
    }
}

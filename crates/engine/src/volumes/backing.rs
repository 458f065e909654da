//! Options of the local driver (`type`, `o`, `device`): another directory in the place of the volume's own.

use std::collections::BTreeMap;

use values::{Error, Result};

/// A directory of the host that a volume stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    pub device: String,
    /// Mounts below it come along (`rbind`).
    pub recursive: bool,
    pub read_only: bool,
}

impl Backing {
    /// `None`: no options, the volume is its own directory.
    ///
    /// # Errors
    /// As [`check_options`].
    pub fn of(options: &BTreeMap<String, String>) -> Result<Option<Self>> {
        if let Some(unknown) = options.keys().find(|key| !["type", "o", "device", "size"].contains(&key.as_str())) {
            return Err(Error::invalid(format!("invalid option: {unknown:?}")));
        }
        if options.contains_key("size") {
            return Err(Error::invalid("quota size requested but no quota support"));
        }
        if options.is_empty() {
            return Ok(None);
        }
        let required = |key: &str| {
            let value = options.get(key).filter(|value| !value.is_empty());
            value.ok_or_else(|| Error::invalid(format!("missing required option: {key:?}")))
        };
        let (device, kind) = (required("device")?, required("type")?);
        let words: Vec<&str> = options.get("o").map_or(vec![], |o| o.split(',').filter(|w| !w.is_empty()).collect());
        let binds = words.iter().any(|word| matches!(*word, "bind" | "rbind"));
        if !binds || !matches!(kind.as_str(), "none" | "bind") {
            return Err(Error::not_implemented(format!(
                "the local driver does not mount file systems of type {kind:?} yet: mount it on the host and use type=none,o=bind,device=/DIRECTORY"
            )));
        }
        if let Some(word) = words.iter().find(|word| !matches!(**word, "bind" | "rbind" | "ro" | "rw")) {
            return Err(Error::not_implemented(format!("the mount option {word:?} of a volume is not supported yet")));
        }
        if !device.starts_with('/') {
            return Err(Error::invalid(format!("the device of a volume must be an absolute path: {device:?}")));
        }
        let has = |wanted: &str| words.contains(&wanted);
        Ok(Some(Self { device: device.clone(), recursive: has("rbind"), read_only: has("ro") }))
    }
}

/// # Errors
/// `InvalidArgument` in Docker's words, `NotImplemented` for what is no directory.
pub fn check_options(options: &BTreeMap<String, String>) -> Result<()> {
    Backing::of(options).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let check = |given: &[(&str, &str)], expected: Result<Option<&str>, &str>| {
            let options = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let got = Backing::of(&options)
                .map_err(|e| e.message)
                .map(|found| found.map(|b| format!("{} {} {}", b.device, b.recursive, b.read_only)));
            assert_eq!(got, expected.map(|b| b.map(str::to_owned)).map_err(str::to_owned), "{given:?}");
        };
        check(&[], Ok(None));
        check(&[("type", "none"), ("o", "bind"), ("device", "/srv")], Ok(Some("/srv false false")));
        check(&[("type", "bind"), ("o", "rbind,ro"), ("device", "/srv")], Ok(Some("/srv true true")));
        check(&[("foo", "bar")], Err("invalid option: \"foo\""));
        check(&[("device", "/x")], Err("missing required option: \"type\""));
        check(&[("type", "tmpfs")], Err("missing required option: \"device\""));
        check(&[("size", "1m")], Err("quota size requested but no quota support"));
        check(
            &[("type", "none"), ("o", "bind"), ("device", "srv")],
            Err("the device of a volume must be an absolute path: \"srv\""),
        );
        check(
            &[("type", "none"), ("o", "bind,nosuid"), ("device", "/srv")],
            Err("the mount option \"nosuid\" of a volume is not supported yet"),
        );
        check(
            &[("type", "nfs"), ("o", "addr=1.2.3.4"), ("device", ":/srv")],
            Err(
                "the local driver does not mount file systems of type \"nfs\" yet: mount it on the host and use type=none,o=bind,device=/DIRECTORY",
            ),
        );
    }
}

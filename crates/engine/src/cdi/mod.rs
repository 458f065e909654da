//! Devices by name: the Container Device Interface. Vendors describe in files what a container needs to have a device:
//! nodes, mounts, variables, hooks. `--device VENDOR/CLASS=NAME` and `--gpus` ask for them.

mod edits;
mod spec;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use api::types::{DeviceRequest, HostConfig};
use values::{Error, Result, system_words};

pub use edits::apply;
pub use spec::{Edits, Spec};

/// Where files are looked for when the daemon is told nothing; later directories win.
pub const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];
/// The driver's name in a request for devices by their CDI names.
const DRIVER: &str = "cdi";
/// Drivers which Docker's clients ask for GPUs, and the kinds of their CDI devices.
const GPUS: [(&str, &str); 2] = [("nvidia", "nvidia.com/gpu"), ("amd", "amd.com/gpu")];
/// Larger files are none of a vendor's.
const LARGEST: u64 = 16 << 20;

/// All devices that the files name.
#[derive(Debug, Default)]
pub struct Devices {
    /// By `VENDOR/CLASS=NAME`: which file, and which of its devices.
    found: BTreeMap<String, (usize, usize)>,
    specs: Vec<Spec>,
    /// Files that could not be read, and why.
    pub broken: Vec<(PathBuf, String)>,
}

impl Devices {
    /// Reads the files of these directories (`*.json`, `*.yaml`), the later ones before the earlier. One that is missing is
    /// empty. Two files of one directory with the same device make it ambiguous: nobody gets it.
    pub fn read(directories: &[PathBuf]) -> Self {
        let mut devices = Self::default();
        for directory in directories.iter().rev() {
            devices.read_directory(directory);
        }
        devices
    }

    fn read_directory(&mut self, directory: &Path) {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_spec = |path: &PathBuf| path.extension().is_some_and(|e| e == "json" || e == "yaml");
        let mut paths: Vec<PathBuf> = entries.filter(is_spec).collect();
        paths.sort();
        let known: BTreeSet<String> = self.found.keys().cloned().collect();
        let mut here: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in paths {
            let spec = match read(&path) {
                Ok(spec) => spec,
                Err(why) => {
                    self.broken.push((path, why));
                    continue;
                }
            };
            for (number, device) in spec.devices.iter().enumerate() {
                let name = format!("{}={}", spec.kind, device.name);
                if known.contains(&name) {
                    continue;
                }
                if let Some(other) = here.insert(name.clone(), path.clone()) {
                    let why = format!("conflicting device {name:?} (also in {})", other.display());
                    self.broken.push((path.clone(), why));
                    self.found.remove(&name);
                    continue;
                }
                self.found.insert(name, (self.specs.len(), number));
            }
            self.specs.push(spec);
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    fn has_kind(&self, kind: &str) -> bool {
        self.specs.iter().any(|spec| spec.kind == kind)
    }

    /// The edits of these devices: what a file wants for all of its devices once, in front.
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words for names that are not known.
    pub fn edits(&self, names: &[String]) -> Result<Vec<&Edits>> {
        let missing: Vec<&str> =
            names.iter().filter(|name| !self.found.contains_key(*name)).map(String::as_str).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(Error::invalid(format!("CDI device injection failed: unresolvable CDI devices {missing}")));
        }
        let mut edits = Vec::new();
        let mut used = BTreeSet::new();
        for (spec, device) in names.iter().filter_map(|name| self.found.get(name)) {
            let spec_edits = &self.specs[*spec];
            if used.insert((*spec, None)) {
                edits.push(&spec_edits.container_edits);
            }
            if used.insert((*spec, Some(*device))) {
                edits.push(&spec_edits.devices[*device].container_edits);
            }
        }
        Ok(edits)
    }

    /// The names that a container asks for, GPUs among them.
    ///
    /// # Errors
    /// `InvalidArgument` in Docker's words for a driver that is none.
    pub fn requested(&self, host: &HostConfig) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for request in host.resources.device_requests.iter().flatten() {
            names.extend(self.request(request)?);
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names)
    }

    fn request(&self, request: &DeviceRequest) -> Result<Vec<String>> {
        let ids = request.device_ids.clone().unwrap_or_default();
        if request.driver == DRIVER {
            return Ok(ids);
        }
        let wants_gpu = request.capabilities.iter().flatten().any(|group| group.iter().any(|word| word == "gpu"));
        let fits = |(driver, kind): &&(&str, &str)| {
            (request.driver.is_empty() || request.driver == *driver) && self.has_kind(kind)
        };
        let Some((_, kind)) = GPUS.iter().find(fits).filter(|_| wants_gpu) else { return Err(no_driver(request)) };
        Ok(match request.count {
            _ if !ids.is_empty() => ids.iter().map(|id| format!("{kind}={id}")).collect(),
            -1 => vec![format!("{kind}=all")],
            // one more than there are names the first that is missing; a client's number alone must not use memory up
            count => (0..count.min(self.found.len() as i64 + 1)).map(|number| format!("{kind}={number}")).collect(),
        })
    }
}

/// Docker's sentence when it has no driver for a request.
fn no_driver(request: &DeviceRequest) -> Error {
    let groups = request.capabilities.iter().flatten().map(|group| format!("[{}]", group.join(" ")));
    let groups: Vec<String> = groups.collect();
    Error::invalid(format!(
        "could not select device driver \"{}\" with capabilities: [{}]",
        request.driver,
        groups.join(" ")
    ))
}

fn read(path: &Path) -> Result<Spec, String> {
    let size = std::fs::metadata(path).map_err(|e| system_words(&e))?;
    if !size.is_file() || size.len() > LARGEST {
        return Err("it is no file, or too large".into());
    }
    let text = std::fs::read_to_string(path).map_err(|e| system_words(&e))?;
    parse(&text, path.extension().is_some_and(|e| e == "json"))
}

/// The text of a file: JSON, or else YAML.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str, is_json: bool) -> Result<Spec, String> {
    let spec: Spec = if is_json {
        serde_json::from_str(text).map_err(|e| e.to_string())?
    } else {
        serde_json::from_value(yaml::parse(text)?).map_err(|e| e.to_string())?
    };
    check(&spec)?;
    Ok(spec)
}

fn check(spec: &Spec) -> Result<(), String> {
    let version: Vec<&str> = spec.cdi_version.split('.').collect();
    if !matches!(version[..], ["0", _, _] | ["1", "0" | "1", _]) {
        return Err(format!("unsupported cdiVersion {:?}", spec.cdi_version));
    }
    let word = |text: &str, also: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
    };
    match spec.kind.split_once('/') {
        Some((vendor, class)) if word(vendor, "_-.") && word(class, "_-") => {}
        _ => return Err(format!("invalid kind {:?}", spec.kind)),
    }
    if spec.devices.is_empty() {
        return Err("no devices".into());
    }
    let mut names = BTreeSet::new();
    for device in &spec.devices {
        if !word(&device.name, "_-.:") {
            return Err(format!("invalid device name {:?}", device.name));
        }
        if !names.insert(&device.name) {
            return Err(format!("multiple devices with the name {:?}", device.name));
        }
        edits::check(&device.container_edits)?;
    }
    edits::check(&spec.container_edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPU: &str = "cdiVersion: 0.6.0\nkind: nvidia.com/gpu\ncontainerEdits:\n  env: [ALL=1]\ndevices:\n- name: '0'\n  containerEdits:\n    env: [GPU=0]\n- name: all\n  containerEdits:\n    env: [GPU=all]\n";

    fn devices(files: &[(&str, &str)]) -> (PathBuf, Devices) {
        let root = std::env::temp_dir().join(format!("lighter-cdi-{}", values::Id::random().short()));
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let devices = Devices::read(&[root.join("a"), root.join("b"), root.join("missing")]);
        std::fs::remove_dir_all(&root).unwrap();
        (root, devices)
    }

    fn env(devices: &Devices, names: &[&str]) -> Result<String, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let edits = devices.edits(&names).map_err(|e| e.message)?;
        Ok(edits.iter().flat_map(|edit| edit.env.clone()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_are_found() {
        let json =
            r#"{"cdiVersion":"1.0.0","kind":"v.com/net","devices":[{"name":"a","containerEdits":{"env":["A=1"]}}]}"#;
        let better = json.replace("A=1", "A=2");
        let (_, found) =
            devices(&[("a/gpu.yaml", GPU), ("a/net.json", json), ("b/net.json", &better), ("a/readme", "x")]);
        assert!(found.broken.is_empty(), "{:?}", found.broken);
        assert_eq!(found.names().collect::<Vec<_>>(), ["nvidia.com/gpu=0", "nvidia.com/gpu=all", "v.com/net=a"]);
        assert_eq!(
            env(&found, &["nvidia.com/gpu=0", "nvidia.com/gpu=all", "v.com/net=a"]).unwrap(),
            "ALL=1 GPU=0 GPU=all A=2"
        );
        assert_eq!(
            env(&found, &["v.com/net=a", "x.com/y=z", "q/r=s"]).unwrap_err(),
            "CDI device injection failed: unresolvable CDI devices x.com/y=z, q/r=s"
        );
    }

    #[test]
    fn broken_files_are_told_and_leave_the_others_alone() {
        let (_, found) = devices(&[
            ("a/gpu.yaml", GPU),
            ("a/twice.yaml", "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices: [{name: '0'}]\n"),
            ("a/unknown.json", r#"{"cdiVersion":"0.5.0","kind":"a/b","devices":[{"name":"c"}],"more":1}"#),
            ("a/version.json", r#"{"cdiVersion":"7.0.0","kind":"a/b","devices":[{"name":"c"}]}"#),
            ("a/kind.json", r#"{"cdiVersion":"0.5.0","kind":"ab","devices":[{"name":"c"}]}"#),
            ("a/none.json", r#"{"cdiVersion":"0.5.0","kind":"a/b","devices":[]}"#),
        ]);
        assert_eq!(found.broken.len(), 5, "{:?}", found.broken);
        assert_eq!(found.names().collect::<Vec<_>>(), ["nvidia.com/gpu=all"]);
    }

    #[test]
    fn gpus() {
        let (_, found) = devices(&[("a/gpu.yaml", GPU)]);
        let request = |driver: &str, count, ids: &[&str], capability: &str| {
            let request = DeviceRequest {
                driver: driver.into(),
                count,
                device_ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
                capabilities: Some(vec![vec![capability.to_owned()]]),
                ..DeviceRequest::default()
            };
            found.request(&request).map(|names| names.join(" ")).map_err(|e| e.message)
        };
        assert_eq!(request("", -1, &[], "gpu").unwrap(), "nvidia.com/gpu=all");
        assert_eq!(request("nvidia", 2, &[], "gpu").unwrap(), "nvidia.com/gpu=0 nvidia.com/gpu=1");
        assert_eq!(request("", i64::MAX, &[], "gpu").unwrap(), "nvidia.com/gpu=0 nvidia.com/gpu=1 nvidia.com/gpu=2");
        assert_eq!(request("", 0, &["0", "GPU-7"], "gpu").unwrap(), "nvidia.com/gpu=0 nvidia.com/gpu=GPU-7");
        assert_eq!(request("cdi", 0, &["a.com/b=c"], "").unwrap(), "a.com/b=c");
        for (driver, capability) in [("amd", "gpu"), ("", "tpu")] {
            let expected = format!("could not select device driver \"{driver}\" with capabilities: [[{capability}]]");
            assert_eq!(request(driver, -1, &[], capability).unwrap_err(), expected);
        }
    }
}
